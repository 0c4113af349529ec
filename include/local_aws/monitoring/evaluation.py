"""What an alarm makes of its metric's values: OK, ALARM or INSUFFICIENT_DATA.

Source: CloudWatch user guide, "Using CloudWatch alarms" (evaluation, and how missing data are treated).
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = ("missing", "notBreaching", "breaching", "ignore")
EXTRA_PERIODS = 2
"""Periods beyond EvaluationPeriods that are looked at where some have no data (CloudWatch does not say how many)."""

Point = tuple[int, float | None]
"""The start of a period, and its value where it has one."""


@dataclass(frozen=True)
class Rule:
    """When values are an alarm: at least `to_alarm` of `periods` are beyond `threshold`."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Whether a value is beyond the threshold."""
        return COMPARISONS[self.comparison][0](value, self.threshold)


@dataclass(frozen=True)
class Verdict:
    """The state, why, and the points (oldest first) that decided."""

    state: str
    reason: str
    points: tuple[Point, ...]


def definite(statistic: str, comparison: str) -> bool:
    """Whether a period that is not over yet and is beyond its threshold will stay so, whatever comes.

    A sum of counts, a number of samples and a maximum only grow, a minimum only falls; an average and a percentile
    may still turn, so a period of theirs counts when it is over.
    """
    growing = comparison.startswith("Greater")
    return statistic in (("Sum", "SampleCount", "Maximum") if growing else ("Minimum",))


def judge(rule: Rule, points: Sequence[Point], current: str) -> Verdict:
    """The state after `points`, the newest `periods` + `EXTRA_PERIODS` ones, oldest first; `current` is it now."""
    real = [point for point in points if point[1] is not None]
    if len(real) >= rule.periods:
        return _judged(rule, real[-rule.periods :])
    if not real:
        return _of_nothing(rule, current)
    missing = rule.periods - len(real)
    breaching = _breaching(rule, real)
    if breaching + (missing if rule.missing == "breaching" else 0) >= rule.to_alarm:
        return _said(rule, "ALARM", real, missing)
    if rule.missing in ("breaching", "notBreaching") or breaching < len(real):
        return _said(rule, "OK", real, missing)
    # Nothing but breaching points, and fewer than the alarm wants: an alarm all the same as soon as the oldest of them
    # is old enough (the guide's "premature alarm state"), unless missing points are to be ignored.
    age = len(points) - next(place for place, point in enumerate(points) if point[1] is not None)
    if rule.missing == "missing" and age >= rule.to_alarm:
        return _said(rule, "ALARM", real, missing)
    return Verdict(current, "", tuple(real))


def _breaching(rule: Rule, real: Sequence[Point]) -> int:
    return sum(rule.breaches(value) for _, value in real if value is not None)


def _judged(rule: Rule, real: Sequence[Point]) -> Verdict:
    return _said(rule, "ALARM" if _breaching(rule, real) >= rule.to_alarm else "OK", real, 0)


def _of_nothing(rule: Rule, current: str) -> Verdict:
    match rule.missing:
        case "ignore":
            return Verdict(current, "", ())
        case "missing":
            plural = "datapoint was" if rule.periods == 1 else "datapoints were"
            return Verdict("INSUFFICIENT_DATA", f"Insufficient Data: {rule.periods} {plural} unknown.", ())
    period = "1 period" if rule.periods == 1 else f"{rule.periods} periods"
    said = f"Threshold Crossed: no datapoints were received for {period} and {_treated(rule, rule.periods)}."
    return Verdict("ALARM" if rule.missing == "breaching" else "OK", said, ())


def _treated(rule: Rule, missing: int) -> str:
    points = "1 missing datapoint was" if missing == 1 else f"{missing} missing datapoints were"
    word = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.missing, "Missing")
    return f"{points} treated as [{word}]"


def _said(rule: Rule, state: str, real: Sequence[Point], missing: int) -> Verdict:
    """The verdict in AWS's words."""
    beyond = _breaching(rule, real)
    words = COMPARISONS[rule.comparison][1]
    shown = ", ".join(f"{value} ({datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S})" for at, value in reversed(real))
    points = "datapoint" if rule.to_alarm == 1 else "datapoints"
    if state == "ALARM":
        verb = "was" if beyond == 1 else "were"
        told = f"{beyond} out of the last {rule.periods} datapoints [{shown}] {verb} {words}"
        least = f"minimum {rule.to_alarm} {points} for OK -> ALARM transition"
    else:
        within = len(real) - beyond
        verb = "was" if within == 1 else "were"
        told = f"{within} out of the last {rule.periods} datapoints [{shown}] {verb} not {words}"
        clear = rule.periods - rule.to_alarm + 1
        least = f"minimum {clear} {'datapoint' if clear == 1 else 'datapoints'} for ALARM -> OK transition"
    and_missing = f", and {_treated(rule, missing)}" if missing else ""
    said = f"Threshold Crossed: {told} the threshold ({rule.threshold}) ({least}){and_missing}."
    return Verdict(state, said, tuple(real))
