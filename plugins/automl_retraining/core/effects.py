"""What the comparison plot and the metric table show, out of an evaluation and its decision. Light."""

from __future__ import annotations

from typing import Literal

from automl_retraining.core.gate_words import difference_from, improvement
from automl_retraining.core.metric_table import METRICS
from automl_retraining.core.records import Decision, Evaluation, Interval, MetricResult, Record

Against = Literal["champion", "baseline"]


class EffectLine(Record):
    """How much better the challenger is on some rows; positive is better."""

    name: str
    rows: int
    gain: Interval
    overall: bool


class Effects(Record):
    """The gate's metric, overall and per slice. ``margin`` is the line that the low end of the interval must pass."""

    metric: str
    against: Against
    margin: float
    lines: tuple[EffectLine, ...]


class MetricLine(Record):
    """One metric of both models; ``gain`` is how much better the challenger is than what it is held against."""

    name: str
    greater_is_better: bool
    primary: bool
    challenger: Interval | None
    champion: Interval | None
    baseline: float | None
    reference: Interval | None
    gain: Interval | None
    against: Against
    undefined: str | None


def gain(metric: MetricResult, difference: Interval | None) -> Interval | None:
    """How much better the challenger is; None without a difference, or of a metric that this version does not know."""
    spec = METRICS.get(metric.name)
    return improvement(spec, difference) if spec is not None and difference is not None else None


def against(evaluation: Evaluation) -> Against:
    """What the challenger is compared with: the champion, or the baseline where no champion was scored."""
    return "champion" if any(metric.difference for metric in evaluation.metrics) else "baseline"


def effects(evaluation: Evaluation, decision: Decision) -> Effects | None:
    """None where the gate's metric has no difference on these rows."""
    metric = evaluation.metric(decision.policy.metric)
    other = against(evaluation)
    overall = gain(metric, difference_from(metric, other)) if metric else None
    if metric is None or overall is None:
        return None
    policy = decision.policy
    lines = [
        EffectLine(name="all test rows", rows=evaluation.rows, gain=overall, overall=True),
        *(
            EffectLine(name=f"{one.column} = {one.value}", rows=one.rows, gain=there, overall=False)
            for one in evaluation.slices
            if (there := gain(one.metric, one.metric.difference))
        ),
    ]
    margin = 0.0 if other == "baseline" else policy.margin if policy.mode == "superiority" else -policy.margin
    return Effects(metric=metric.name, against=other, margin=margin, lines=tuple(lines))


def metric_lines(evaluation: Evaluation, primary: str | None) -> tuple[MetricLine, ...]:
    """Every metric, in the evaluation's order."""
    other = against(evaluation)
    return tuple(_line(metric, other, primary) for metric in evaluation.metrics)


def _line(metric: MetricResult, other: Against, primary: str | None) -> MetricLine:
    return MetricLine(
        name=metric.name,
        greater_is_better=metric.greater_is_better,
        primary=metric.name == primary,
        challenger=metric.challenger,
        champion=metric.champion,
        baseline=metric.baseline,
        reference=metric.reference,
        gain=gain(metric, difference_from(metric, other)),
        against=other,
        undefined=metric.undefined,
    )
