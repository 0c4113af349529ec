"""Promote, keep or doubt: a pure function of an evaluation and a policy, with a sentence for every rule.

A rule passes, fails, is in doubt, or only informs. One failure keeps the champion; else one doubt is doubt; else the
challenger is promoted. The rules in plain words: docs/gate.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from automl_retraining.core.errors import ConfigError, EvidenceError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metric_table import METRICS, MetricSpec, decimals, metric_spec, number, span
from automl_retraining.core.records import Decision, Evaluation, Interval, MetricResult, Rule, SliceResult

FEW_ROWS, FEW_CLASS_ROWS, FEW_DISCORDANT, FEW_UNITS = 200, 25, 25, 20
"""Below one of these, a difference that is not shown is "too few rows to tell", not "no better"."""
LEAST_ROWS, LEAST_CLASS_ROWS, LEAST_UNITS = 20, 5, 10
"""Below one of these no interval is trusted, whatever it says."""

_SKEWED = frozenset({"rmse", "r2", "mape", "log_loss"})
"""Means of unbounded losses: on few rows, a few large ones make equal models look different (docs/gate.md)."""

_Result = Literal["pass", "fail", "doubt", "info"]


def decide(evaluation: Evaluation, policy: GatePolicy) -> Decision:
    """Judge the evaluation by the policy.

    Raises:
        EvidenceError: the evaluation's intervals were made with another confidence, number of resamples or seed.
    """
    made, asked = ((source.confidence, source.resamples, source.seed) for source in (evaluation, policy))
    if made != asked:
        raise EvidenceError(
            f"gate: expected intervals made with confidence, resamples and seed {asked}, as the policy says, found "
            f"{made}: evaluate the scores again under this policy"
        )
    rules = tuple(_rules(evaluation, policy))
    results = {rule.result for rule in rules}
    verdict: Literal["promote", "keep", "doubt"] = (
        "keep" if "fail" in results else "doubt" if "doubt" in results else "promote"
    )
    order = ("fail", "doubt", "pass", "info")
    ordered = sorted(rules, key=lambda rule: order.index(rule.result))
    return Decision(
        pipeline=evaluation.pipeline,
        run_id=evaluation.run_id,
        verdict=verdict,
        sentence=_headline(verdict, evaluation, policy, rules),
        reasons=tuple(rule.sentence for rule in ordered),
        rules=rules,
        policy=policy,
        challenger=evaluation.challenger.model_name,
        champion=evaluation.champion.model_name if evaluation.champion else None,
    )


def _headline(verdict: str, evaluation: Evaluation, policy: GatePolicy, rules: Sequence[Rule]) -> str:
    if verdict == "promote":
        spec, metric, _ = _metric(evaluation, policy.metric)
        assert spec is not None
        assert metric is not None
        if evaluation.champion is None:
            return compare_sentence(spec, metric, "baseline") + ": promoted as the first champion."
        return compare_sentence(spec, metric, "champion") + ": promoted."
    deciding = next(rule for rule in rules if rule.result == ("fail" if verdict == "keep" else "doubt"))
    stays = "the champion stays" if evaluation.champion else "nothing is deployed"
    if deciding.name in _MAIN:
        return f"{deciding.sentence.rstrip('.')}; {stays}."
    return f"{stays[0].upper()}{stays[1:]}{', in doubt' if verdict == 'doubt' else ''}: {deciding.sentence}"


_MAIN = ("superiority", "non_inferiority", "baseline")


def _rules(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    yield _leakage(evaluation, policy)
    if evaluation.champion is not None and (missing := _champion_missing(evaluation)):
        yield Rule(name="champion", result="doubt", sentence=missing)
    spec, metric, problem = _metric(evaluation, policy.metric)
    if spec is None or metric is None or problem is not None:
        yield Rule(name="metric", result="doubt", sentence=problem or f"The evaluation has no {policy.metric}.")
    elif evaluation.champion is None:
        yield _against(evaluation, policy, spec, metric, "baseline")
    else:
        if metric.difference is not None:
            yield _against(evaluation, policy, spec, metric, "champion")
        yield _beside_baseline(spec, metric)
    for name, floor in policy.floors.items():
        yield _floor(evaluation, name, floor)
    if spec is not None:
        yield from _slices(evaluation, spec)
    for warning in evaluation.warnings:
        yield Rule(name="warning", result="info", sentence=warning)


# ---------------------------------------------------------------- what must be there


def _metric(evaluation: Evaluation, name: str) -> tuple[MetricSpec | None, MetricResult | None, str | None]:
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


def _champion_missing(evaluation: Evaluation) -> str | None:
    name = evaluation.champion.model_name if evaluation.champion else ""
    if evaluation.champion_error is not None:
        return f"Nothing compares the challenger with the champion: {evaluation.champion_error.rstrip('.')}."
    judged = [metric for metric in evaluation.metrics if metric.challenger is not None]
    if judged and all(metric.champion is None for metric in judged):
        return f"Nothing compares the challenger with the champion: there are no scores of {name} on these test rows."
    return None


def _leakage(evaluation: Evaluation, policy: GatePolicy) -> Rule:
    dropped, rows = evaluation.rows_dropped, evaluation.rows + evaluation.rows_dropped
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


# ---------------------------------------------------------------- against the champion, or the baseline


def _against(
    evaluation: Evaluation,
    policy: GatePolicy,
    spec: MetricSpec,
    metric: MetricResult,
    other: Literal["champion", "baseline"],
) -> Rule:
    difference = metric.difference if other == "champion" else metric.against_baseline
    mode = policy.mode if other == "champion" else "baseline"
    if difference is None:
        why = "its training part is unknown" if metric.baseline is None else "too few rows"
        return Rule(name=mode, result="doubt", sentence=f"The baseline has no {spec.name} to compare with: {why}.")
    gain = improvement(spec, difference)
    # What the challenger must be better by: more than the margin, or more than minus the margin.
    bar = {"superiority": policy.margin, "non_inferiority": -policy.margin}.get(mode, 0.0)
    places = _places(gain, bar)
    text = compare_sentence(spec, metric, other, places)
    result, why = _weigh(evaluation, spec, metric, gain, bar, places, other)
    return Rule(name=mode, result=result, sentence=f"{text}: {why}.")


def _weigh(
    evaluation: Evaluation,
    spec: MetricSpec,
    metric: MetricResult,
    gain: Interval,
    bar: float,
    places: int,
    other: Literal["champion", "baseline"],
) -> tuple[_Result, str]:
    aim = "better"
    if bar > 0:
        aim = f"better by more than the margin of {number(bar, max(places, decimals(bar)))}"
    elif bar < 0:
        aim = f"within the margin of {number(-bar, max(places, decimals(bar)))}"
    if few := _fewer(evaluation, LEAST_ROWS, LEAST_CLASS_ROWS, LEAST_UNITS):
        return "doubt", f"no interval is trusted on {few}"
    few = _fewer(evaluation, FEW_ROWS, FEW_CLASS_ROWS, FEW_UNITS)
    if other == "champion" and spec.label_based and (evaluation.discordant or 0) < FEW_DISCORDANT:
        few = f"{evaluation.discordant} rows that only one of the models has right, of {evaluation.rows:,}"
        if gain.low > bar and gain.low != gain.high and not (metric.method or "").startswith("exact"):
            return "doubt", f"too few to trust the interval of {spec.name} ({few})"
    if few and other == "champion" and spec.name in _SKEWED and gain.low > bar:
        return "doubt", f"too few to trust the interval of {spec.name}, whose errors may be skewed ({few})"
    if gain.low > bar:
        return "pass", f"{aim}, with {100 * evaluation.confidence:.4g} % confidence"
    if gain.low == gain.high == 0 and other == "champion":
        return "fail", "no difference at all on these rows"
    if gain.high < min(bar, 0.0) or gain.high < bar < 0:
        return "fail", "worse, with confidence" if bar >= 0 else f"worse by more than {aim.removeprefix('within ')}"
    half = (gain.high - gain.low) / 2
    if few:
        return "doubt", (
            f"too few rows to tell ({few}); with these rows only a difference of about "
            f"{number(half + max(bar, 0.0), places)} or more could be shown"
        )
    return "fail", f"not shown to be {aim}"


def _fewer(evaluation: Evaluation, rows: int, class_rows: int, units: int) -> str | None:
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
    text = compare_sentence(spec, metric, "baseline", _places(gain, 0.0))
    return Rule(name="beside_baseline", result="info", sentence=f"{text}: for comparison only.")


# ---------------------------------------------------------------- floors and slices


def _floor(evaluation: Evaluation, name: str, floor: float) -> Rule:
    rule = f"floor:{name}"
    spec, metric, problem = _metric(evaluation, name)
    if spec is None or metric is None or metric.challenger is None:
        return Rule(name=rule, result="doubt", sentence=problem or f"The evaluation has no {name}.")
    value = metric.challenger
    places = max(_places(value, 0.0), min(len(f"{floor:.10g}".partition(".")[2]), 6))
    text = f"The challenger's {name} is {_with_interval(value, places)}"
    limit, better = number(floor, places), spec.greater_is_better
    kind = "floor" if better else "ceiling"
    end = value.low if better else value.high
    if (end >= floor) if better else (end <= floor):
        return Rule(name=rule, result="pass", sentence=f"{text}, {'above' if better else 'below'} the {kind} {limit}.")
    if (value.value >= floor) if better else (value.value <= floor):
        sentence = f"{text}: its {'lower' if better else 'upper'} end does not clear the {kind} {limit}."
        return Rule(name=rule, result="fail", sentence=sentence)
    return Rule(name=rule, result="fail", sentence=f"{text}, {'below' if better else 'above'} the {kind} {limit}.")


def _slices(evaluation: Evaluation, spec: MetricSpec) -> Iterator[Rule]:
    """Evidence of harm in a slice, with Holm's correction for their number (Holm 1979)."""
    judged = sorted((one for one in evaluation.slices if one.p_harm is not None), key=lambda one: one.p_harm or 0.0)
    if not judged:
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
    places = _places(gain, 0.0)
    return (
        f"On the {one.rows:,} rows with {one.column} = {one.value} the challenger's {spec.name} is "
        f"{number(abs(gain.value), places)} {_word(gain.value)} than the champion's "
        f"({_gain_interval(gain, places)})"
    )


# ---------------------------------------------------------------- words


def improvement(spec: MetricSpec, difference: Interval) -> Interval:
    """Challenger minus the other, as "how much better": positive is better whatever the metric's direction."""
    if spec.greater_is_better:
        return difference
    return Interval(value=0.0 - difference.value, low=0.0 - difference.high, high=0.0 - difference.low)


def compare_sentence(
    spec: MetricSpec, metric: MetricResult, other: Literal["champion", "baseline"], places: int | None = None
) -> str:
    """Both values, and how much better the challenger is, with the intervals; without a full stop."""
    difference = metric.difference if other == "champion" else metric.against_baseline
    assert metric.challenger is not None
    assert difference is not None
    gain = improvement(spec, difference)
    places = _places(gain, 0.0) if places is None else places
    theirs = metric.baseline if other == "baseline" else metric.champion.value if metric.champion else None
    text = f"The challenger's {spec.name} is {_with_interval(metric.challenger, places)}"
    named = f"the {other}'s {number(theirs, places)}" if theirs is not None else f"the {other}'s"
    if gain.value == gain.low == gain.high == 0:
        return f"{text}, the same as {named}"
    if gain.value == 0:
        return f"{text}, the same as {named} ({_gain_interval(gain, places)})"
    amount = number(abs(gain.value), places)
    return f"{text}, {amount} {_word(gain.value)} than {named} ({_gain_interval(gain, places)})"


def _gain_interval(gain: Interval, places: int) -> str:
    # "0.04 worse (interval -0.07 to -0.01)" would leave open whose sign that is.
    return f"interval{'' if gain.low > 0 else ' of the improvement'} {span(gain.low, gain.high, places)}"


def _word(gain: float) -> str:
    return "better" if gain >= 0 else "worse"


def _with_interval(value: Interval, places: int) -> str:
    return f"{number(value.value, places)} ({span(value.low, value.high, places)})"


def _places(gain: Interval, bar: float) -> int:
    """Decimals that show the interval's width, and its distance from the bar where that decides, at most 6."""
    nearest = min((abs(end - bar) for end in (gain.low, gain.high) if end != bar), default=0.0)
    shown = decimals(gain.high - gain.low)
    # Enough to see on which side of the bar an end lies.
    return max(shown, min(decimals(nearest) - 1, shown + 2)) if nearest else shown


def spec_of(metric: MetricResult) -> MetricSpec:
    """The table's entry of a result's metric."""
    return METRICS[metric.name]
