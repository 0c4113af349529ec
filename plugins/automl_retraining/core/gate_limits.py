"""The gate's limits: leakage, floors, calibration, drift, slices, and what the checks of the data found."""

from __future__ import annotations

from collections.abc import Iterator

from automl_retraining.core.gate_policy import CheckAction, GatePolicy
from automl_retraining.core.gate_rules import (
    FEW_CLASS_ROWS,
    FEW_ROWS,
    FEW_UNITS,
    LEAST_CLASS_ROWS,
    LEAST_ROWS,
    LEAST_UNITS,
    Result,
    fewer,
    metric_of,
)
from automl_retraining.core.gate_words import (
    better_or_worse,
    gain_interval,
    improvement,
    places_for,
    with_interval,
)
from automl_retraining.core.metric_table import MetricSpec, decimals, number
from automl_retraining.core.records import Evaluation, Interval, Measure, Rule, SliceResult


def leakage(evaluation: Evaluation, policy: GatePolicy) -> Rule:
    """Test rows that the champion was trained on, as far as that can be told."""
    dropped, rows = evaluation.rows_dropped, evaluation.rows + evaluation.rows_dropped
    if evaluation.leakage_unknown is not None and evaluation.champion is not None:
        why = evaluation.leakage_unknown
        sentence = why[0].upper() + why[1:].rstrip(".")
        if evaluation.champion.run_folder is None:
            # Whoever adopts a model knows that; rows it has seen make it look better, never the challenger.
            return Rule(name="leakage", result="info", sentence=f"{sentence}; if it was, it looks better than it is.")
        return Rule(
            name="leakage",
            result="doubt",
            sentence=f"{sentence}; if it was, it looks better than it is: a person has to judge (gate.approval).",
        )
    if not dropped:
        text = f"None of the {rows:,} test rows is known to have been in the champion's training data."
        if evaluation.champion is None:
            text = f"The challenger is judged on {rows:,} test rows that it was not trained on."
        return Rule(name="leakage", result="pass", sentence=text)
    share, limit = dropped / rows, policy.max_leaked_share
    found = f"{dropped:,} of {rows:,} test rows ({share:.1%}) were in the champion's training data and were dropped"
    if share > limit:
        return Rule(name="leakage", result="doubt", sentence=f"{found}: more than the {limit:.1%} that may be.")
    return Rule(name="leakage", result="pass", sentence=f"{found}: within the {limit:.1%} that may be.")


def floors(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    """What the challenger must reach by itself."""
    for name, floor in policy.floors.items():
        yield _floor(evaluation, name, floor)


def _floor(evaluation: Evaluation, name: str, floor: float) -> Rule:
    rule = f"floor:{name}"
    spec, metric, problem = metric_of(evaluation, name)
    if spec is None or metric is None or metric.challenger is None:
        return Rule(name=rule, result="doubt", sentence=problem or f"The evaluation has no {name}.")
    value = metric.challenger
    places = max(places_for(value, 0.0), min(len(f"{floor:.10g}".partition(".")[2]), 6))
    text = f"The challenger's {name} is {with_interval(value, places)}"
    limit, better = number(floor, places), spec.greater_is_better
    kind = "floor" if better else "ceiling"
    end = value.low if better else value.high
    if (end >= floor) if better else (end <= floor):
        return Rule(name=rule, result="pass", sentence=f"{text}, {'above' if better else 'below'} the {kind} {limit}.")
    if (value.value >= floor) if better else (value.value <= floor):
        sentence = f"{text}: its {'lower' if better else 'upper'} end does not clear the {kind} {limit}."
        return Rule(name=rule, result="fail", sentence=sentence)
    return Rule(name=rule, result="fail", sentence=f"{text}, {'below' if better else 'above'} the {kind} {limit}.")


# ---------------------------------------------------------------- calibration and drift


def measures(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    """Limits that fail only with evidence: their measures are free of what sampling noise adds, and have intervals."""
    if policy.max_calibration_error is not None:
        yield _measure(
            evaluation,
            "calibration",
            "The challenger's calibration error",
            evaluation.calibration or Measure(undefined="it was not computed: evaluate the scores again"),
            policy.max_calibration_error,
        )
    if policy.max_prediction_drift is not None and evaluation.champion is not None:
        yield _measure(
            evaluation,
            "prediction_drift",
            "The drift of the challenger's predictions from the champion's (PSI)",
            evaluation.prediction_drift or Measure(undefined="the champion has no scores on these test rows"),
            policy.max_prediction_drift,
        )


def _measure(evaluation: Evaluation, rule: str, what: str, measure: Measure, limit: float) -> Rule:
    found = measure.interval
    if found is None:
        return Rule(name=rule, result="doubt", sentence=f"{what} has no value: {measure.undefined}.")
    places = max(decimals(found.high - found.low), decimals(limit))
    text, bound = f"{what} is {with_interval(found, places)}", number(limit, places)
    result: Result = "pass"
    if few := fewer(evaluation, LEAST_ROWS, LEAST_CLASS_ROWS, LEAST_UNITS):
        result, why = "doubt", f"no interval is trusted on {few}, so nothing can be shown of it"
    elif found.low > limit:
        result, why = "fail", f"above the limit {bound}, with {100 * evaluation.confidence:.4g} % confidence"
    elif found.high <= limit:
        why = f"below the limit {bound}, with {100 * evaluation.confidence:.4g} % confidence"
    elif few := fewer(evaluation, FEW_ROWS, FEW_CLASS_ROWS, FEW_UNITS):
        result = "doubt"
        why = (
            f"too few rows to tell whether it is above the limit {bound} ({few}); with these rows only an excess of "
            f"about {number((found.high - found.low) / 2, places)} or more could be shown"
        )
    else:
        why = f"not shown to be above the limit {bound}"
    return Rule(name=rule, result=result, sentence=f"{text}: {why}.")


# ---------------------------------------------------------------- slices


def slices(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    """Evidence of harm in a slice, with Holm's correction for their number (Holm 1979)."""
    spec, _, _ = metric_of(evaluation, policy.metric)
    judged = sorted((one for one in evaluation.slices if one.p_harm is not None), key=lambda one: one.p_harm or 0.0)
    if spec is None or not judged:
        return
    tail = (1 - evaluation.confidence) / 2
    harmed = 0
    for position, one in enumerate(judged):
        limit = tail / (len(judged) - position)
        if (one.p_harm or 0.0) > limit:
            break
        harmed += 1
        yield Rule(
            name=f"slice:{one.column}={one.value}",
            result="fail",
            sentence=f"{_slice_sentence(spec, one)}: harm, with p {one.p_harm:.2g} at or below its limit {limit:.2g} "
            f"among {len(judged)} slices.",
        )
    if not harmed:
        worst = judged[0]
        yield Rule(
            name="slices",
            result="pass",
            sentence=f"No harm is shown in any of {len(judged)} slices; the nearest is {worst.column} = {worst.value} "
            f"({worst.rows:,} rows), with p {worst.p_harm:.2g} against a limit of {tail / len(judged):.2g}.",
        )


def _slice_sentence(spec: MetricSpec, one: SliceResult) -> str:
    gain = improvement(spec, one.metric.difference) if one.metric.difference else Interval(value=0, low=0, high=0)
    places = places_for(gain, 0.0)
    return (
        f"On the {one.rows:,} rows with {one.column} = {one.value} the challenger's {spec.name} is "
        f"{number(abs(gain.value), places)} {better_or_worse(gain.value)} than the champion's "
        f"({gain_interval(gain, places)})"
    )


# ---------------------------------------------------------------- checks of the data

_FOUND: dict[CheckAction, Result] = {"warn": "info", "doubt": "doubt", "stop": "fail"}


def checks(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    """What the checks of the data found, and what the policy makes of it."""
    for check in evaluation.checks:
        action: CheckAction = getattr(policy.checks, check.name)
        if action != "off":
            result = _FOUND[action] if check.found else "pass"
            # In the report's own list of checks a sentence goes on after the check's name, and so begins small.
            said = f"{check.sentence[:1].upper()}{check.sentence[1:].rstrip('.')}."
            yield Rule(name=f"check:{check.name}", result=result, sentence=said)
