"""Pairs of models on simulated test rows, with the true value of every metric: what the gate's evidence is made of.

Each family is a problem on which a champion and a challenger answer the same rows with partly shared errors. The
challenger is either equal (its answers are exchangeable with the champion's) or better by a known amount.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from automl_retraining.core.metric_table import metrics_for
from automl_retraining.core.metrics import Answers, Floats, Task, metric_value

Pair = dict[str, Answers]

_BINARY = Task("BinaryClassification", ("no", "yes"), "yes")
_REGRESSION = Task("Regression")
_THREE = Task("MulticlassClassification", ("a", "b", "c"))

_ERROR = 3.0
"""Scale of a regression's shared errors, in the target's unit."""
_SPREAD = 0.5
"""A regression's own errors beside the shared ones, whose scale is 1."""
_BETTER_SPREAD = 0.35
_SIGNAL, _BETTER_SIGNAL = 2.0, 2.2
"""How far a classifier tells the classes apart, in standard deviations of its noise."""
_SHARED = math.sqrt(0.7)
"""Share of a classifier's noise that both models have, as a standard deviation of noise of variance 1."""


@dataclass(frozen=True)
class Family:
    """A problem: how its rows and answers are drawn, and what is known of them without drawing."""

    name: str
    task: Task
    draw: Callable[[np.random.Generator, int, bool], Pair]
    """(random numbers, rows, is the challenger better) → both models' answers."""
    error_variance: Callable[[float], float] | None = None
    """Regression: the variance of a model's errors by the scale of its own error (no large sample has it where the
    fourth moment is infinite)."""

    def truths(self, better: bool, rows: int = 400_000, times: int = 5) -> dict[str, tuple[float, float]]:
        """By metric the true values of challenger and champion: exact where known, else from 2 million rows."""
        rng = np.random.default_rng((17, better))
        found: dict[str, list[tuple[float, float]]] = {spec.name: [] for spec in metrics_for(self.task.problem_type)}
        for _ in range(times):
            pair = self.draw(rng, rows, better)
            for name, values in found.items():
                one, two = (metric_value(name, pair[role], self.task) for role in ("challenger", "champion"))
                values.append((one, two))
        truths = {name: _mean(values, equal=not better) for name, values in found.items()}
        if self.error_variance is not None:
            variances = [
                _ERROR**2 * self.error_variance(spread) for spread in (_BETTER_SPREAD if better else _SPREAD, _SPREAD)
            ]
            target = (math.exp(_LOG_SPREAD**2) - 1) * math.exp(2 * _LOG_MEAN + _LOG_SPREAD**2)
            truths["rmse"] = math.sqrt(variances[0]), math.sqrt(variances[1])
            truths["r2"] = 1 - variances[0] / target, 1 - variances[1] / target
        return truths


def _mean(values: list[tuple[float, float]], equal: bool) -> tuple[float, float]:
    one, two = np.mean(values, axis=0).tolist()
    return ((one + two) / 2, (one + two) / 2) if equal else (one, two)


# ---------------------------------------------------------------- regression

_LOG_MEAN, _LOG_SPREAD = 3.0, 0.4
"""Targets are lognormal, as prices and durations are: away from 0, where a percentage error has no mean."""


def _regression(
    errors: Callable[[np.random.Generator, int], Floats],
) -> Callable[[np.random.Generator, int, bool], Pair]:
    def draw(rng: np.random.Generator, rows: int, better: bool) -> Pair:
        truth = rng.lognormal(_LOG_MEAN, _LOG_SPREAD, rows)
        shared = errors(rng, rows)
        return {
            role: Answers(truth, truth + _ERROR * (shared + spread * errors(rng, rows)))
            for role, spread in (("challenger", _BETTER_SPREAD if better else _SPREAD), ("champion", _SPREAD))
        }

    return draw


# ---------------------------------------------------------------- classes


def _binary(share: float) -> Callable[[np.random.Generator, int, bool], Pair]:
    """Calibrated scores; rows are called positive about as often as there are positive rows."""

    def draw(rng: np.random.Generator, rows: int, better: bool) -> Pair:
        truth = (rng.random(rows) < share).astype(np.int64)
        shared = rng.normal(size=rows)
        prior = math.log(share / (1 - share))
        pair = {}
        for role in ("challenger", "champion"):
            signal = _BETTER_SIGNAL if better and role == "challenger" else _SIGNAL
            score = signal * truth + _SHARED * shared + math.sqrt(1 - _SHARED**2) * rng.normal(size=rows)
            probability = 1 / (1 + np.exp(-(prior + signal * score - signal**2 / 2)))
            # A cut between the classes: half way where they are balanced, nearer to the rare one elsewhere.
            cut = signal / 2 + 0.7 * (-prior) / signal
            pair[role] = Answers(truth, (score > cut).astype(np.int64), np.column_stack([1 - probability, probability]))
        return pair

    return draw


def _three(rng: np.random.Generator, rows: int, better: bool) -> Pair:
    shares = np.array([0.6, 0.3, 0.1])
    truth = rng.choice(3, rows, p=shares)
    shared = rng.normal(size=(rows, 3))
    pair = {}
    for role in ("challenger", "champion"):
        signal = _BETTER_SIGNAL if better and role == "challenger" else _SIGNAL
        score = signal * np.eye(3)[truth] + _SHARED * shared + math.sqrt(1 - _SHARED**2) * rng.normal(size=(rows, 3))
        odds = np.exp(np.log(shares) + signal * score)
        probability = odds / odds.sum(axis=1, keepdims=True)
        pair[role] = Answers(truth, probability.argmax(axis=1).astype(np.int64), probability)
    return pair


FAMILIES = (
    Family(
        "regression, normal errors", _REGRESSION, _regression(lambda rng, n: rng.normal(size=n)), lambda s: 1 + s**2
    ),
    Family(
        "regression, heavy tails (t, 3 degrees)",
        _REGRESSION,
        _regression(lambda rng, n: rng.standard_t(3, n)),
        lambda s: 3 * (1 + s**2),
    ),
    Family("two classes, balanced", _BINARY, _binary(0.5)),
    Family("two classes, 5 % positive", _BINARY, _binary(0.05)),
    Family("three classes (60, 30, 10 %)", _THREE, _three),
)
"""Every family, in the order of the tables."""
