"""A person's answer to the gate: what they are asked, what their answer covers, and how the outcome says it.

The question is Markdown that Airflow renders. Whatever comes from data (names, values of slices, reasons) is text in
it: no table, heading, link or HTML of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from automl_retraining.core.gate_words import improvement
from automl_retraining.core.metric_table import METRICS, decimals, number, span
from automl_retraining.core.records import Approval, Decision, Evaluation, Interval, MetricResult, Rule

MOST_CHARACTERS = 500
"""Of a person's comment, which goes into the outcome and the registry."""
_MOST_RULES = 30
"""Sentences of each kind in a question; the report has them all."""

_MARKS = re.compile(r"([\\`*_\[\]<>|~&$#@])")
_MAIN = ("superiority", "non_inferiority", "baseline")
_UNITS = ((3600, "h"), (60, "min"), (1, "s"))


def escape(text: str) -> str:
    """``text`` as Markdown that shows just that text, on one line; also within a table and at the start of an item."""
    line = _MARKS.sub(r"\\\1", " ".join(text.split()))
    # What GitHub's flavour makes a link of by itself, and what makes a list of the line's beginning.
    line = line.replace("://", "\\://").replace("www.", "www\\.")
    return re.sub(r"^([-+=]|\d+(?=[.)]))", lambda found: _first(found[1]), line)


def _first(mark: str) -> str:
    return f"\\{mark}" if not mark.isdigit() else f"{mark}\\"


def within(seconds: float) -> str:
    """A duration in the largest unit that it is whole in: ``24 h``, ``90 min``."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0 or size == 1)
    return f"{seconds / size:,.0f} {unit}"


def comment(value: object) -> str | None:
    """What a person wrote in the form, on one line and not too long; None where nothing."""
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if len(text) > MOST_CHARACTERS:
        text = text[: MOST_CHARACTERS - 1] + "…"
    return text or None


# ---------------------------------------------------------------- what an answer covers


def asked(decision: Decision) -> bool:
    """Whether a person is asked before this decision's challenger goes behind the endpoint."""
    if decision.verdict == "keep":
        return False
    return decision.policy.approval == "always" or (
        decision.policy.approval == "on_doubt" and decision.verdict == "doubt"
    )


def objection(decision: Decision, approval: Approval | None) -> str | None:
    """Why the decision's challenger must not go behind the endpoint; None where it may.

    An approval covers the comparison that the person was shown: that challenger against that champion, no other.
    """
    if not asked(decision):
        return None if decision.verdict == "promote" else decision.sentence
    stays = _stays(decision.champion)
    if approval is None or approval.answer != "approved":
        return f"Nobody has approved the challenger {decision.challenger}, as the policy asks: {stays}."
    if not covers(approval, decision):
        then, now = (f"champion {name}" if name else "no champion" for name in (approval.champion, decision.champion))
        return (
            f"{approval.who or 'A person'} approved {approval.challenger} as compared with {then}, but {now} serves "
            f"by now, and nobody was asked about that: {stays}."
        )
    return None


def covers(approval: Approval, decision: Decision) -> bool:
    """Whether the person was asked about this decision's two models, and not about others of the same run."""
    return (approval.challenger, approval.champion) == (decision.challenger, decision.champion)


# ---------------------------------------------------------------- sentences


def evidence(decision: Decision) -> str:
    """The one sentence of the decision that a person had to judge: what was in doubt, else the main comparison."""
    if decision.verdict == "doubt":
        return next((rule.sentence for rule in decision.rules if rule.result == "doubt"), decision.sentence)
    return next((rule.sentence for rule in decision.rules if rule.name in _MAIN), decision.sentence)


def answered(approval: Approval, decision: Decision) -> str:
    """Who answered what, what follows, and on what evidence."""
    said = f" (“{approval.comment}”)" if approval.comment else ""
    who = approval.who or "a person"
    stays = _stays(decision.champion)
    if approval.answer == "approved":
        doubt = " in spite of the gate's doubt" if decision.verdict == "doubt" else ""
        return f"Approved by {who}{doubt}{said}. {evidence(decision)}"
    if approval.answer == "refused":
        return f"Refused by {who}{said}, so {stays}. {evidence(decision)}"
    return f"Nobody answered within {within(approval.answer_within)}, so {stays}. {evidence(decision)}"


def waiting(decision: Decision, until: datetime) -> str:
    """What the outcome says while nobody has answered yet."""
    return (
        f"Waiting for a person's answer until {_at(until)}; without one {_stays(decision.champion)}. "
        f"{evidence(decision)}"
    )


def _stays(champion: str | None) -> str:
    return "the champion stays" if champion else "nothing is deployed"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


# ---------------------------------------------------------------- the question


def subject(decision: Decision) -> str:
    """The headline under Required Actions."""
    verdict = "in doubt" if decision.verdict == "doubt" else "promote"
    return f"{decision.pipeline}: put the new model behind the endpoint? (the gate says: {verdict})"


def question(decision: Decision, evaluation: Evaluation, *, folder: str, report: str, until: datetime) -> str:
    """The summary in Markdown: the sentence, the metrics, the rules by what they found, and where the rest is.

    Args:
        decision: the gate's.
        evaluation: what it decided from.
        folder: the run folder's URI.
        report: the report's URI.
        until: when the time for an answer is up.
    """
    return "\n".join(_question(decision, evaluation, folder, report, until))


def _question(decision: Decision, evaluation: Evaluation, folder: str, report: str, until: datetime) -> Iterator[str]:
    yield f"**{escape(evidence(decision))}**"
    yield ""
    yield from _metrics(decision, evaluation)
    yield ""
    slices = [rule for rule in decision.rules if rule.name.startswith("slice:")]
    checks = [rule for rule in decision.rules if rule.name.startswith("check:")]
    rest = [rule for rule in decision.rules if rule not in slices and rule not in checks]
    for title, rules in (
        ("In doubt", [rule for rule in rest if rule.result == "doubt"]),
        ("Harmed slices", slices),
        ("Checks of the data", [rule for rule in checks if rule.result != "pass"]),
        ("Passed", [rule for rule in rest if rule.result == "pass"]),
        ("For information", [rule for rule in rest if rule.result == "info"]),
    ):
        yield from _listed(title, rules)
    yield f"- challenger: {escape(decision.challenger)}"
    yield f"- champion: {escape(decision.champion) if decision.champion else 'none'}"
    yield f"- report: {escape(report)}"
    yield f"- run folder: {escape(folder)}"
    yield ""
    yield f"Without an answer by {_at(until)} {_stays(decision.champion)}."


def _listed(title: str, rules: list[Rule]) -> Iterator[str]:
    if not rules:
        return
    yield f"**{title}**"
    yield ""
    for rule in rules[:_MOST_RULES]:
        yield f"- {escape(rule.sentence)}"
    if len(rules) > _MOST_RULES:
        yield f"- and {len(rules) - _MOST_RULES} more: see the report"
    yield ""


def _metrics(decision: Decision, evaluation: Evaluation) -> Iterator[str]:
    other = "champion" if any(metric.difference for metric in evaluation.metrics) else "baseline"
    yield f"| metric | challenger | {other} | better by | floor |"
    yield "|---|---:|---:|---:|---:|"
    for metric in evaluation.metrics:
        name = f"**{escape(metric.name)}**" if metric.name == decision.policy.metric else escape(metric.name)
        floor = decision.policy.floors.get(metric.name)
        cells = (*_values(metric, other), "" if floor is None else f"{floor:g}")
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    dropped = f"; {evaluation.rows_dropped:,} were left out" if evaluation.rows_dropped else ""
    yield (
        f"On the same {evaluation.rows:,} test rows{dropped}. Ranges are {100 * evaluation.confidence:.4g} % "
        "intervals; *better by* is paired and positive where the challenger is better."
    )


def _values(metric: MetricResult, other: str) -> tuple[str, str, str]:
    spec = METRICS[metric.name]
    difference = metric.difference if other == "champion" else metric.against_baseline
    gain = improvement(spec, difference) if difference else None
    known = [one for one in (metric.challenger, metric.champion, gain) if one]
    places = decimals(*(one.high - one.low for one in known))

    def shown(value: Interval | None) -> str:
        return "–" if value is None else f"{number(value.value, places)} ({span(value.low, value.high, places)})"

    theirs = shown(metric.champion)
    if other == "baseline":
        theirs = "–" if metric.baseline is None else number(metric.baseline, places)
    return shown(metric.challenger), theirs, shown(gain)
