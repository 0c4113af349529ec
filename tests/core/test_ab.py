"""Judging two variants: errors, latency, quality, and what a look ahead of time may say."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from automl_retraining.core.ab import apart, error_rise, harm, judge, latency_ratio
from automl_retraining.core.ab_records import ABResult, Judgement, Period, Quality, Traffic
from automl_retraining.core.ab_report import page
from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.records import Interval

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def traffic(variant: str, latencies: Sequence[float | None] = (10.0,) * 8, **counts: int) -> Traffic:
    """A variant's requests, a period a minute; a thousand of them without an error, where not said."""
    periods = tuple(
        Period(at=NOW + timedelta(minutes=number), invocations=10, latency_ms=value)
        for number, value in enumerate(latencies)
    )
    return Traffic(variant=variant, periods=periods, **{"invocations": 1000, **counts})


def judged(spec: ABSpec | None = None, quality: Quality | None = None, **challenger: Any) -> Judgement:
    """The judgement of a challenger beside a champion that does well."""
    return judge(spec or ABSpec(), traffic("champion"), traffic("challenger", **challenger), quality, judged=NOW)


def results(judgement: Judgement) -> dict[str, str]:
    """Rules and what they say."""
    return {rule.name: rule.result for rule in judgement.rules}


def test_the_difference_of_two_shares_is_newcombes() -> None:
    """His example (1998, table II, method 10): 56 of 70 against 48 of 80, 0.0524 to 0.3339; none of 10 and 20."""
    found = error_rise(56, 70, 48, 80, 0.95)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    none = error_rise(0, 10, 0, 20, 0.95)
    assert none is not None
    assert (none.low, none.high) == pytest.approx((-0.1611, 0.2775), abs=5e-5)
    assert error_rise(0, 0, 3, 5, 0.95) is None


def test_a_difference_of_normal_means_has_the_interval_that_it_would_have_directly() -> None:
    """Symmetric intervals add up by their squares."""
    one, other = Interval(value=5.0, low=4.0, high=6.0), Interval(value=2.0, low=1.0, high=3.0)
    found = apart(one, other)
    assert (found.low, found.high) == pytest.approx((3 - math.sqrt(2), 3 + math.sqrt(2)))


def test_the_ratio_of_latencies_is_a_paired_t_interval_of_their_logarithms() -> None:
    """Held against scipy's; periods without requests of both are left out."""
    rng = np.random.default_rng(3)
    base, more = rng.lognormal(2, 0.5, 12), rng.lognormal(2.1, 0.5, 12)
    found = latency_ratio(traffic("a", [*base, None, 3.0]), traffic("b", [*more, 3.0, None]), 0.95)
    logs = np.log(more / base)
    reference = stats.ttest_1samp(logs, 0).confidence_interval(0.95)
    assert found is not None
    assert found.value == pytest.approx(math.exp(statistics.fmean(logs)))
    ends = (math.log(found.low), math.log(found.high))
    assert ends == pytest.approx((reference.low, reference.high), rel=1e-3, abs=1e-4)
    assert latency_ratio(traffic("a", [1.0] * 4), traffic("b", [1.0] * 4), 0.95) is None


def test_a_challenger_that_does_as_well_is_promoted() -> None:
    """Every rule passes."""
    found = judged()
    assert found.verdict == "promote"
    assert set(results(found).values()) == {"pass"}
    assert found.sentence == "Promoted: over 1,000 requests nothing speaks against the challenger."


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"errors_5xx": 40}, "errors_5xx", "40 of the challenger's 1,000 answers were 5xx, 0 of the champion's 1,000"),
        ({"errors_4xx": 40}, "errors_4xx", "40 of the challenger's 1,000 answers were 4xx"),
        ({"latencies": [20.0 + n % 2 for n in range(8)]}, "latency", "2.05 times the champion's"),
    ],
)
def test_harm_withdraws_it_with_the_numbers(changes: dict[str, Any], rule: str, words: str) -> None:
    """Surely beyond what is allowed."""
    found = judged(**changes)
    assert (found.verdict, results(found)[rule]) == ("withdraw", "fail")
    assert found.sentence.startswith("Withdrawn: ")
    assert words in found.sentence


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"invocations": 999}, "invocations"),
        ({"errors_5xx": 8}, "errors_5xx"),
        ({"latencies": [None] * 8}, "latency"),
        ({"latencies": [5.0, 20.0] * 4}, "latency"),
        ({"invocations": 0}, "errors_5xx"),
    ],
)
def test_doubt_goes_by_the_pipelines_word(changes: dict[str, Any], rule: str) -> None:
    """Withdrawn, unless it says promote; it says which doubt."""
    found = judged(**changes)
    assert (found.verdict, results(found)[rule]) == ("withdraw", "doubt")
    assert found.sentence.startswith("Withdrawn on doubt (ab.on_doubt: withdraw): ")
    assert judged(ABSpec(on_doubt="promote"), **changes).verdict == "promote"


@pytest.mark.parametrize(
    ("gain", "margin", "result"),
    [((0.5, 0.1, 0.9), 0.0, "pass"), ((0.5, -0.1, 0.9), 0.0, "doubt"), ((0.5, -0.1, 0.9), 0.2, "pass"),
     ((-0.5, -0.9, -0.1), 0.0, "fail"), ((-0.5, -0.9, -0.1), 0.2, "doubt")],
)  # fmt: skip
def test_quality_is_held_against_its_margin(gain: tuple[float, float, float], margin: float, result: str) -> None:
    """Better than the champion by more than minus the margin, surely."""
    spec = ABSpec.model_validate({"quality": {"labels": "s3://b/l.csv", "margin": margin}})
    value, low, high = gain
    quality = Quality(metric="rmse", greater_is_better=False, improvement=Interval(value=value, low=low, high=high))
    assert results(judged(spec, quality))["quality"] == result


def test_quality_that_is_not_known_is_a_doubt() -> None:
    """No label is no proof."""
    spec = ABSpec.model_validate({"quality": {"labels": "s3://b/l.csv"}})
    quality = Quality(metric="rmse", greater_is_better=False, undefined="no labels")
    assert "Quality cannot be compared: no labels." in judged(spec, quality).sentence


def test_a_harm_that_ended_the_test_withdraws_it_whatever_the_rest_says() -> None:
    """The last look may have seen less than the one that ended it."""
    found = judge(ABSpec(), traffic("champion"), traffic("challenger"), None, judged=NOW, harmed="It burns.")
    assert (found.verdict, found.rules[0].result) == ("withdraw", "fail")


def test_looking_often_raises_no_more_false_alarms_than_allowed() -> None:
    """Equal models with 3 % errors, looked at 60 times: at most 5 % of the tests end early, and a bad one always does.

    Looks at plain 95 % would end more than that.
    """
    spec = ABSpec(max_error_rise=0.0, watch=3600, max_watch=3600, shift=())
    rng = np.random.default_rng(8)
    ended = {"careful": 0, "plain": 0, "bad": 0}
    for _ in range(150):
        champion, same, bad = (np.cumsum(rng.binomial(20, share, 60)) for share in (0.03, 0.03, 0.3))
        asked = 20 * np.arange(1, 61)

        def alarm(errors: Any, confidence: float, base: Any = champion, asked: Any = asked) -> bool:
            rises = (
                error_rise(int(e), int(n), int(b), int(n), confidence)
                for e, b, n in zip(errors, base, asked, strict=True)
            )
            return any(rise is not None and rise.low > 0 for rise in rises)

        careful = 1 - (1 - spec.confidence) / spec.looks
        ended["careful"] += alarm(same, careful)
        ended["plain"] += alarm(same, spec.confidence)
        ended["bad"] += alarm(bad, careful)
    assert spec.looks == 60
    assert ended["careful"] <= 0.05 * 150
    assert ended["plain"] > 0.05 * 150
    assert ended["bad"] == 150


def test_harm_is_a_sentence_and_doubt_is_none() -> None:
    """The watch goes on while nothing is proved."""
    spec = ABSpec()
    assert harm(spec, traffic("champion"), traffic("challenger", errors_5xx=8, invocations=5)) is not None
    assert harm(spec, traffic("champion"), traffic("challenger", errors_5xx=12)) is None
    assert harm(spec, Traffic(variant="champion"), Traffic(variant="challenger")) is None


def test_the_page_shows_the_judgement_and_takes_no_markup_from_data() -> None:
    """Escaped, without scripts."""
    result = ABResult(
        pipeline="churn", run_id="<script>", endpoint="e", outcome="withdrawn", sentence="Withdrawn: it burns.",
        champion="m1", challenger="m2", spec=ABSpec(), started=NOW, finished=NOW, judgement=judged(errors_5xx=40),
    )  # fmt: skip
    shown = page(result)
    assert "40 of the challenger&#x27;s 1,000 answers were 5xx" in shown
    assert "<script" not in shown
    assert ABResult.model_validate_json(result.to_json()) == result
