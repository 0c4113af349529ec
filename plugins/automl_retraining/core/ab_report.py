"""The page about an A/B test: what was asked of each model, what was judged, and how it ended. Pure."""

from __future__ import annotations

from automl_retraining.core.ab_records import ABResult, Traffic
from automl_retraining.core.page import Html, document, duration, element, facts, join, listed, moment, section, table

_TONES = {"promoted": "good", "withdrawn": "calm", "failed": "bad"}
_CHIPS = {"pass": ("passed", "good"), "fail": ("failed", "bad"), "doubt": ("doubt", "doubt"), "info": ("info", "info")}


def page(result: ABResult) -> str:
    """The whole page as HTML."""
    judgement = result.judgement
    tone = _TONES[result.outcome]
    header = element(
        "header",
        element(
            "div",
            element("span", result.outcome, class_="badge"),
            element("b", result.pipeline),
            element("span", f"A/B test {result.run_id}"),
            class_="over",
        ),
        element("h1", result.sentence),
        class_=tone,
    )
    rules = judgement.rules if judgement else ()
    lasted = (judgement.judged - result.started).total_seconds() if judgement and result.started else None
    return document(
        f"{result.pipeline}: A/B test {result.outcome}",
        header,
        section(
            "What was judged", element("ul", join(_rule(*_CHIPS[r.result], r.sentence) for r in rules), class_="rules")
        )
        if rules
        else None,
        section("What was asked", _traffic(judgement.champion, judgement.challenger)) if judgement else None,
        section("Answers that were left out", listed(judgement.quality.left_out))
        if judgement and judgement.quality
        else None,
        section(
            "Facts",
            facts(
                [
                    ("Endpoint", result.endpoint),
                    ("Champion before", result.champion),
                    ("Challenger", result.challenger),
                    ("Champion now", result.serves),
                    ("Share of the challenger", f"{result.spec.share} %"),
                    ("Began", moment(result.started)),
                    ("Watched", duration(lasted)),
                    ("Ended", moment(result.finished)),
                    ("Failed tasks", ", ".join(result.failed_tasks)),
                ]
            ),
        ),
    )


def _rule(word: str, tone: str, sentence: str) -> Html:
    return element("li", element("span", word, class_=f"chip {tone}"), element("span", sentence))


def _traffic(*variants: Traffic) -> Html:
    head = ("Variant", "Requests", "4xx", "5xx", "Periods with requests")
    rows = [
        (each.variant, f"{each.invocations:,}", f"{each.errors_4xx:,}", f"{each.errors_5xx:,}", len(each.periods))
        for each in variants
    ]
    return table(head, rows, numeric=(1, 2, 3, 4))
