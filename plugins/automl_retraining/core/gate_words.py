"""How the gate's numbers read in its sentences."""

from __future__ import annotations

from typing import Literal

from automl_retraining.core.metric_table import MetricSpec, decimals, number, span
from automl_retraining.core.records import Interval, MetricResult

Other = Literal["champion", "reference", "baseline"]
"""What the challenger is compared with."""


def difference_from(metric: MetricResult, other: Other) -> Interval | None:
    """Challenger minus that other, in the metric's unit."""
    if other == "baseline":
        return metric.against_baseline
    return metric.difference if other == "champion" else metric.against_reference


def improvement(spec: MetricSpec, difference: Interval) -> Interval:
    """Challenger minus the other, as "how much better": positive is better whatever the metric's direction."""
    if spec.greater_is_better:
        return difference
    return Interval(value=0.0 - difference.value, low=0.0 - difference.high, high=0.0 - difference.low)


def compare_sentence(spec: MetricSpec, metric: MetricResult, other: Other, places: int | None = None) -> str:
    """Both values, and how much better the challenger is, with the intervals; without a full stop."""
    difference = difference_from(metric, other)
    assert metric.challenger is not None
    assert difference is not None
    gain = improvement(spec, difference)
    places = places_for(gain, 0.0) if places is None else places
    beside = metric.champion if other == "champion" else metric.reference
    theirs = metric.baseline if other == "baseline" else beside.value if beside else None
    text = f"The challenger's {spec.name} is {with_interval(metric.challenger, places)}"
    named = f"the {other}'s {number(theirs, places)}" if theirs is not None else f"the {other}'s"
    if gain.value == gain.low == gain.high == 0:
        return f"{text}, the same as {named}"
    if gain.value == 0:
        return f"{text}, the same as {named} ({gain_interval(gain, places)})"
    amount = number(abs(gain.value), places)
    return f"{text}, {amount} {better_or_worse(gain.value)} than {named} ({gain_interval(gain, places)})"


def gain_interval(gain: Interval, places: int) -> str:
    """The interval of an improvement, saying whose sign it has."""
    # "0.04 worse (interval -0.07 to -0.01)" would leave open whose sign that is.
    return f"interval{'' if gain.low > 0 else ' of the improvement'} {span(gain.low, gain.high, places)}"


def better_or_worse(gain: float) -> str:
    """The word for the sign of an improvement."""
    return "better" if gain >= 0 else "worse"


def with_interval(value: Interval, places: int) -> str:
    """``0.921 (0.905–0.936)``."""
    return f"{number(value.value, places)} ({span(value.low, value.high, places)})"


def places_for(gain: Interval, bar: float) -> int:
    """Decimals that show the interval's width, and its distance from the bar where that decides, at most 6."""
    nearest = min((abs(end - bar) for end in (gain.low, gain.high) if end != bar), default=0.0)
    shown = decimals(gain.high - gain.low)
    # Enough to see on which side of the bar an end lies.
    return max(shown, min(decimals(nearest) - 1, shown + 2)) if nearest else shown
