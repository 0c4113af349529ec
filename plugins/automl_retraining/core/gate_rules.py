"""The gate's comparisons: the challenger against the champion, the reference, the baseline, and its guardrails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from automl_retraining.core.errors import ConfigError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.gate_words import Other, compare_sentence, difference_from, improvement, places_for
from automl_retraining.core.metric_table import FEW_DISCORDANT, MetricSpec, decimals, metric_spec, number
from automl_retraining.core.records import Evaluation, Interval, MetricResult, Rule

FEW_ROWS, FEW_CLASS_ROWS, FEW_UNITS = 200, 25, 20
"""Below one of these, a difference that is not shown is "too few rows to tell", not "no better"."""
LEAST_ROWS, LEAST_CLASS_ROWS, LEAST_UNITS = 20, 5, 10
"""Below one of these no interval is trusted, whatever it says."""

_SKEWED = frozenset({"rmse", "r2", "mape", "log_loss"})
"""Means of unbounded losses: on few rows, a few large ones make equal models look different (docs/gate.md)."""

Result = Literal["pass", "fail", "doubt", "info"]


def metric_of(evaluation: Evaluation, name: str) -> tuple[MetricSpec | None, MetricResult | None, str | None]:
    """The metric's entry and result, and a sentence where it cannot be judged on these rows."""
    try:
        spec = metric_spec(name, evaluation.problem_type)
    except ConfigError as error:
        text = str(error)
        return None, None, text[0].upper() + text[1:] + "."
    metric = evaluation.metric(name)
    if metric is None:
        return spec, None, f"The evaluation has no {name}: evaluate the scores again."
    if metric.challenger is None or (metric.undefined and evaluation.champion_error is None):
        return spec, metric, f"{name} has no value on these {evaluation.rows:,} test rows: {metric.undefined}."
    return spec, metric, None


def primary(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    """The primary metric: against the champion and, as not inferior, the reference; a first model's baseline."""
    if evaluation.champion is not None and (missing := _champion_missing(evaluation)):
        yield Rule(name="champion", result="doubt", sentence=missing)
    spec, metric, problem = metric_of(evaluation, policy.metric)
    if spec is None or metric is None or problem is not None:
        yield Rule(name="metric", result="doubt", sentence=problem or f"The evaluation has no {policy.metric}.")
        return
    if evaluation.champion is None:
        yield _against(evaluation, policy, spec, metric, "baseline")
        return
    if metric.difference is not None:
        yield _against(evaluation, policy, spec, metric, "champion")
    if policy.mode == "non_inferiority":
        yield _reference(evaluation, policy, spec, metric)
    yield _beside_baseline(spec, metric)


def guardrails(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    """Further metrics in which the challenger must be shown not worse than the champion by more than their margins.

    All must pass, so each is judged at the full confidence (an intersection-union test: Berger 1982).
    """
    if evaluation.champion is None or _champion_missing(evaluation):
        return  # nothing to be worse than; a champion without scores is doubt already
    for name, margin in policy.guardrails.items():
        rule = f"guardrail:{name}"
        spec, metric, problem = metric_of(evaluation, name)
        if spec is None or metric is None or problem is not None or metric.difference is None:
            yield Rule(name=rule, result="doubt", sentence=problem or f"{name} could not be compared.")
            continue
        yield _judged(evaluation, rule, spec, metric, "champion", -margin)


def _champion_missing(evaluation: Evaluation) -> str | None:
    name = evaluation.champion.model_name if evaluation.champion else ""
    if evaluation.champion_error is not None:
        return f"Nothing compares the challenger with the champion: {evaluation.champion_error.rstrip('.')}."
    judged = [metric for metric in evaluation.metrics if metric.challenger is not None]
    if judged and all(metric.champion is None for metric in judged):
        return f"Nothing compares the challenger with the champion: there are no scores of {name} on these test rows."
    return None


def _against(evaluation: Evaluation, policy: GatePolicy, spec: MetricSpec, metric: MetricResult, other: Other) -> Rule:
    mode = policy.mode if other == "champion" else "baseline"
    if difference_from(metric, other) is None:
        why = "its training part is unknown" if metric.baseline is None else "too few rows"
        return Rule(name=mode, result="doubt", sentence=f"The baseline has no {spec.name} to compare with: {why}.")
    # What the challenger must be better by: more than the margin, or more than minus the margin.
    bar = {"superiority": policy.margin, "non_inferiority": -policy.margin}.get(mode, 0.0)
    return _judged(evaluation, mode, spec, metric, other, bar)


def _reference(evaluation: Evaluation, policy: GatePolicy, spec: MetricSpec, metric: MetricResult) -> Rule:
    """Not worse by more than the margin than the last model that was promoted by superiority either."""
    champion, reference = evaluation.champion, evaluation.reference
    assert champion is not None
    if reference is not None and reference.model_name == champion.model_name:
        sentence = (
            f"The champion {champion.model_name} is the reference itself: no promotion as not inferior lies between."
        )
        return Rule(name="reference", result="pass", sentence=sentence)
    if metric.against_reference is None:
        who = f"reference {reference.model_name}" if reference else "reference, the last model promoted by superiority"
        why = metric.reference_undefined and f"{spec.name} has no value: {metric.reference_undefined}"
        why = why or evaluation.reference_error or "it has no scores on these test rows"
        sentence = f"Nothing compares the challenger with the {who}: {why.rstrip('.')}."
        return Rule(name="reference", result="doubt", sentence=sentence)
    return _judged(evaluation, "reference", spec, metric, "reference", -policy.margin)


def _judged(
    evaluation: Evaluation, rule: str, spec: MetricSpec, metric: MetricResult, other: Other, bar: float
) -> Rule:
    difference = difference_from(metric, other)
    assert difference is not None
    gain = improvement(spec, difference)
    places = places_for(gain, bar)
    result, why = _weigh(evaluation, spec, metric, gain, bar, places, other)
    return Rule(name=rule, result=result, sentence=f"{compare_sentence(spec, metric, other, places)}: {why}.")


def _weigh(
    evaluation: Evaluation,
    spec: MetricSpec,
    metric: MetricResult,
    gain: Interval,
    bar: float,
    places: int,
    other: Other,
) -> tuple[Result, str]:
    aim = "better"
    if bar > 0:
        aim = f"better by more than the margin of {number(bar, max(places, decimals(bar)))}"
    elif bar < 0:
        aim = f"within the margin of {number(-bar, max(places, decimals(bar)))}"
    if few := fewer(evaluation, LEAST_ROWS, LEAST_CLASS_ROWS, LEAST_UNITS):
        return "doubt", f"no interval is trusted on {few}, so no difference of any size can be shown"
    few = fewer(evaluation, FEW_ROWS, FEW_CLASS_ROWS, FEW_UNITS)
    apart, method = evaluation.discordant, metric.method
    if other == "reference":
        apart, method = evaluation.reference_discordant, metric.reference_method
    # Of recall, the positive rows count: where too few of those are discordant, its interval is the exact one.
    exact = is_exact(method)
    few_apart = (apart or 0) < FEW_DISCORDANT
    if other != "baseline" and spec.label_based and (few_apart or exact):
        few = f"fewer than {FEW_DISCORDANT} positive rows that only one of the models has right"
        if few_apart:
            few = f"{apart} rows that only one of the models has right, of {evaluation.rows:,}"
        if gain.low > bar and gain.low != gain.high and not exact:
            return "doubt", (
                f"too few to trust the interval of {spec.name} ({few}), so no difference in it can be shown on them"
            )
    if few and other != "baseline" and spec.name in _SKEWED and gain.low > bar:
        return "doubt", (
            f"too few to trust the interval of {spec.name}, whose errors may be skewed ({few}), so no difference in it "
            "can be shown on them"
        )
    if gain.low > bar:
        return "pass", f"{aim}, with {100 * evaluation.confidence:.4g} % confidence"
    if gain.low == gain.high == 0 and other != "baseline":
        return "fail", "no difference at all on these rows"
    if gain.high < min(bar, 0.0) or gain.high < bar < 0:
        return "fail", "worse, with confidence" if bar >= 0 else f"worse by more than {aim.removeprefix('within ')}"
    half = (gain.high - gain.low) / 2
    if few:
        what = "a difference" if bar >= 0 else "a margin"
        return "doubt", (
            f"too few rows to tell ({few}); with these rows only {what} of about "
            f"{number(half + max(bar, 0.0), places)} or more could be shown"
        )
    return "fail", f"not shown to be {aim}"


def is_exact(method: str | None) -> bool:
    """Whether an interval of that method is exact: trusted on few discordant rows, and longer than need be."""
    return (method or "").startswith("exact")


def fewer(evaluation: Evaluation, rows: int, class_rows: int, units: int) -> str | None:
    """What there is too little of, in words, or None."""
    if evaluation.rows < rows:
        return f"{evaluation.rows:,} test rows"
    if evaluation.class_counts:
        label, count = min(evaluation.class_counts.items(), key=lambda item: item[1])
        if count < class_rows:
            return f"{count:,} test rows of {label!r}"
    if evaluation.unit != "row" and evaluation.units < units:
        return f"{evaluation.units:,} {'groups' if evaluation.unit == 'group' else 'blocks of time'}"
    return None


def _beside_baseline(spec: MetricSpec, metric: MetricResult) -> Rule:
    if metric.against_baseline is None:
        return Rule(name="beside_baseline", result="info", sentence=f"The baseline has no {spec.name} to compare with.")
    gain = improvement(spec, metric.against_baseline)
    text = compare_sentence(spec, metric, "baseline", places_for(gain, 0.0))
    return Rule(name="beside_baseline", result="info", sentence=f"{text}: for comparison only.")
