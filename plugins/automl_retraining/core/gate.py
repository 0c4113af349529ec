"""Promote, keep or doubt: a pure function of an evaluation and a policy, with a sentence for every rule.

A rule passes, fails, is in doubt, or only informs. One failure keeps the champion; else one doubt is doubt; else the
challenger is promoted. The rules in plain words: docs/gate.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from automl_retraining.core import gate_limits, gate_rules
from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.gate_words import compare_sentence, improvement
from automl_retraining.core.records import Decision, Evaluation, Rule

__all__ = ["decide", "improvement"]

Verdict = Literal["promote", "keep", "doubt"]

_MAIN = ("superiority", "non_inferiority", "reference", "baseline")
"""Rules whose sentences begin with the challenger's value: those stand first in the headline."""


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
    verdict: Verdict = "keep" if "fail" in results else "doubt" if "doubt" in results else "promote"
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
        reference=evaluation.reference,
    )


def _rules(evaluation: Evaluation, policy: GatePolicy) -> Iterator[Rule]:
    yield gate_limits.leakage(evaluation, policy)
    yield from gate_rules.primary(evaluation, policy)
    yield from gate_rules.guardrails(evaluation, policy)
    yield from gate_limits.floors(evaluation, policy)
    yield from gate_limits.measures(evaluation, policy)
    yield from gate_limits.slices(evaluation, policy)
    yield from gate_limits.checks(evaluation, policy)
    for warning in evaluation.warnings:
        yield Rule(name="warning", result="info", sentence=warning)


def _headline(verdict: Verdict, evaluation: Evaluation, policy: GatePolicy, rules: Sequence[Rule]) -> str:
    if verdict == "promote":
        return _promoted(evaluation, policy, rules)
    deciding = next(rule for rule in rules if rule.result == ("fail" if verdict == "keep" else "doubt"))
    stays = "the champion stays" if evaluation.champion else "nothing is deployed"
    if deciding.name in _MAIN and not deciding.sentence.startswith("Nothing"):
        return f"{deciding.sentence.rstrip('.')}; {stays}."
    return f"{stays[0].upper()}{stays[1:]}{', in doubt' if verdict == 'doubt' else ''}: {deciding.sentence}"


def _promoted(evaluation: Evaluation, policy: GatePolicy, rules: Sequence[Rule]) -> str:
    if evaluation.champion is not None and policy.mode == "non_inferiority":
        shown = next(rule for rule in rules if rule.name == "non_inferiority")
        return f"{shown.sentence.rstrip('.')}; promoted."
    spec, metric, _ = gate_rules.metric_of(evaluation, policy.metric)
    assert spec is not None
    assert metric is not None
    if evaluation.champion is None:
        return compare_sentence(spec, metric, "baseline") + ": promoted as the first champion."
    return compare_sentence(spec, metric, "champion") + ": promoted."
