"""Which hyperparameters to try next: an Optuna study behind SageMaker's strategies.

Bayesian is Optuna's tree-structured Parzen estimator, Random its random sampler, Hyperband the former with Optuna's
Hyperband pruner; Grid asks for all combinations in turn. Several definitions are one study with the definition itself
as a categorical parameter, so that the better algorithm is tried more often.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from include.local_aws.tuning.ranges import Range, Value, combinations, every_combination
from include.local_aws.tuning.requests import Definition, Plan

optuna.logging.set_verbosity(optuna.logging.WARNING)

_DEFINITION = "definition"
_REDRAWS = 50
"""How often a combination that was tried already is drawn again before the next untried one is taken in order."""


@dataclass(frozen=True)
class Suggestion:
    """One combination to try: which definition (its place in the plan), and its hyperparameters as texts."""

    definition: int
    tuned: Mapping[str, str]
    handle: Any


class Search:
    """The search of one tuning job; not safe to use from several threads. More is better everywhere."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self._definitions = plan.definitions
        # Hyperband derives a trial's bracket from the study's name: a fixed one makes a seed mean the same every time.
        self._study = optuna.create_study(
            study_name="tuning", direction="maximize", sampler=_sampler(plan, seed), pruner=_pruner(plan)
        )
        self._tried: set[tuple[int, tuple[tuple[str, str], ...]]] = set()
        if plan.strategy == "Grid":
            for number, definition in enumerate(plan.definitions):
                for combination in every_combination(definition.ranges):
                    self._study.enqueue_trial(_parameters(plan.definitions, number, combination))
        elif len(plan.definitions) > 1:
            for number in range(len(plan.definitions)):
                self._study.enqueue_trial({_DEFINITION: number})

    def ask(self) -> Suggestion:
        """A combination that was not asked for before; there must be one."""
        for _ in range(_REDRAWS):
            suggestion = self._draw()
            if self._is_new(suggestion):
                return suggestion
            self._study.tell(suggestion.handle, state=TrialState.FAIL)
        self._study.enqueue_trial(self._untried())
        suggestion = self._draw()
        self._is_new(suggestion)
        return suggestion

    def _untried(self) -> dict[str, Any]:
        """Parameters that lead to a new combination: a whole one, or a definition with no end of them."""
        for number, definition in enumerate(self._definitions):
            if math.isinf(combinations(definition.ranges)):
                return {_DEFINITION: number} if len(self._definitions) > 1 else {}
            for combination in every_combination(definition.ranges):
                if self._key(number, _texts(definition, combination)) not in self._tried:
                    return _parameters(self._definitions, number, combination)
        raise LookupError("every combination of hyperparameters was tried")

    def _draw(self) -> Suggestion:
        trial = self._study.ask()
        number = 0
        if len(self._definitions) > 1:
            number = trial.suggest_categorical(_DEFINITION, list(range(len(self._definitions))))
        definition = self._definitions[number]
        values = {
            each.name: _outward(each, _drawn(trial, _key(number, each), _distribution(each)))
            for each in definition.ranges
        }
        return Suggestion(number, _texts(definition, values), trial)

    def _is_new(self, suggestion: Suggestion) -> bool:
        key = self._key(suggestion.definition, suggestion.tuned)
        if key in self._tried:
            return False
        self._tried.add(key)
        return True

    @staticmethod
    def _key(number: int, tuned: Mapping[str, str]) -> tuple[int, tuple[tuple[str, str], ...]]:
        return number, tuple(sorted(tuned.items()))

    def tell(self, suggestion: Suggestion, value: float | None) -> None:
        """How good a suggestion was; None: nothing is known of it."""
        if value is None:
            self._study.tell(suggestion.handle, state=TrialState.FAIL)
        else:
            self._study.tell(suggestion.handle, value)

    def tell_stopped(self, suggestion: Suggestion) -> None:
        """It was stopped by `reached`'s word: what counts is what was reached."""
        self._study.tell(suggestion.handle, state=TrialState.PRUNED)

    def reached(self, suggestion: Suggestion, step: int, value: float) -> bool:
        """Take note of a training job's value at a step (from 1); True: it is to be stopped."""
        suggestion.handle.report(value, step)
        return bool(suggestion.handle.should_prune())

    def learn(self, hyperparameters: Mapping[str, str], value: float) -> bool:
        """Start from an earlier training job's result; False where its values don't lie within the ranges."""
        definition = self._definitions[0]
        values = {}
        for each in definition.ranges:
            known = each.value(hyperparameters.get(each.name, ""))
            if known is None:
                return False
            values[each.name] = known
        self._study.add_trial(
            optuna.trial.create_trial(
                params=_parameters(self._definitions, 0, values),
                distributions={_key(0, each): _distribution(each) for each in definition.ranges},
                value=value,
            )
        )
        return True


def _sampler(plan: Plan, seed: int) -> Any:
    if plan.strategy in ("Random", "Grid"):
        return optuna.samplers.RandomSampler(seed=seed)
    startup = min(10, max(3, plan.max_jobs // 4))
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def _pruner(plan: Plan) -> Any:
    if plan.resources is None:
        return optuna.pruners.NopPruner()
    least, most = plan.resources
    return optuna.pruners.HyperbandPruner(min_resource=least, max_resource=most)


def _key(number: int, each: Range) -> str:
    return f"{number}.{each.name}"


def _distribution(each: Range) -> BaseDistribution:
    """What Optuna draws from; a reverse logarithmic range by its distance from 1, on a logarithmic scale."""
    if each.kind == "categorical":
        return CategoricalDistribution(list(each.values))
    log = each.scaling == "Logarithmic"
    if each.kind == "integer":
        return IntDistribution(int(each.low), int(each.high), log=log)
    if each.scaling == "ReverseLogarithmic":
        return FloatDistribution(1 - each.high, 1 - each.low, log=True)
    return FloatDistribution(each.low, each.high, log=log)


def _drawn(trial: Any, key: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case CategoricalDistribution():
            return trial.suggest_categorical(key, distribution.choices)
        case IntDistribution():
            return trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
        case _:
            return trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)


def _outward(each: Range, drawn: Any) -> Value:
    if each.scaling == "ReverseLogarithmic":
        return min(max(1 - float(drawn), each.low), each.high)
    value: Value = drawn
    return value


def _inward(each: Range, value: Value) -> Value:
    if each.scaling == "ReverseLogarithmic":
        return min(max(1 - float(value), 1 - each.high), 1 - each.low)
    return value


def _parameters(definitions: Sequence[Definition], number: int, values: Mapping[str, Value]) -> dict[str, Any]:
    """The study's parameters of a combination."""
    definition = definitions[number]
    chosen = {_key(number, each): _inward(each, values[each.name]) for each in definition.ranges}
    return dict(chain([(_DEFINITION, number)] if len(definitions) > 1 else [], chosen.items()))


def _texts(definition: Definition, values: Mapping[str, Value]) -> dict[str, str]:
    return {each.name: each.text(values[each.name]) for each in definition.ranges}
