"""Fitting linear models: the mean loss and a penalty on the weights, minimised by SciPy's L-BFGS-B.

Features, and the labels of a regression, are brought to mean 0 and deviation 1 first, so that one strength of penalty
means the same for all of them; the weights that are kept are those of the table as it came. Where the strengths are
left to the algorithm, several models are fitted and the one of least loss on the validation data is kept, as Linear
Learner does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from include.local_aws.images.linear_learner.declared import REGRESSOR
from include.local_aws.images.linear_learner.losses import Doubles, Loss
from include.local_aws.images.tables import Table

ROUNDS = 300
WD = (1e-6, 1e-4, 1e-2, 1e-1)
L1 = (0.0, 1e-3)
"""The strengths that are tried where the request leaves them to the algorithm."""


@dataclass
class Interrupt:
    """Whether to end with what there is."""

    asked: bool = field(default=False)


@dataclass(frozen=True)
class Weights:
    """A linear model: weights of shape (features, outputs) and a bias for each output."""

    weights: Doubles
    bias: Doubles

    def scores(self, features: Any) -> Doubles:
        """``x·w + b`` of shape (rows, outputs)."""
        return np.asarray(features @ self.weights + self.bias, dtype=np.float64)


@dataclass(frozen=True)
class Scale:
    """How columns are normalised."""

    mean: Doubles
    deviation: Doubles

    def apply(self, columns: Any) -> Doubles:
        """The normalised columns."""
        return np.asarray((columns - self.mean) / self.deviation)

    def undone(self, model: Weights) -> Weights:
        """The model of normalised features as one of the features as they came."""
        weights = model.weights / self.deviation[:, np.newaxis]
        return Weights(weights, model.bias - self.mean @ weights)


def scale_of(features: Any, *, normalise: bool) -> Scale:
    """Mean and deviation of the columns; nothing is changed unless `normalise`, and constant columns never are."""
    width = features.shape[1]
    if not normalise:
        return Scale(np.zeros(width), np.ones(width))
    deviation = features.std(axis=0, dtype=np.float64)
    return Scale(features.mean(axis=0, dtype=np.float64), np.where(deviation > 1e-12, deviation, 1.0))


def fit(
    train: Table,
    validation: Table | None,
    weights: NDArray[np.float64],
    loss: Loss,
    outputs: int,
    values: Mapping[str, Any],
    interrupt: Interrupt,
) -> Weights:
    """The best model of all those that were tried until `interrupt`; `weights` are the rows'."""
    scale = scale_of(train.features, normalise=values["normalize_data"] is not False)
    regression = values["predictor_type"] == REGRESSOR and values.get("normalize_label") is not False
    of_label = scale_of(_labels(train)[:, np.newaxis], normalise=regression)
    features, labels = scale.apply(train.features), of_label.apply(_labels(train)[:, np.newaxis])[:, 0]
    judged = (features, labels)
    if validation is not None:
        judged = (scale.apply(validation.features), of_label.apply(_labels(validation)[:, np.newaxis])[:, 0])
    best: tuple[float, Weights] | None = None
    model = Weights(np.zeros((features.shape[1], outputs)), np.zeros(outputs))
    for l1, wd in _strengths(values):
        model = _minimised(features, labels, weights, loss, l1, wd, model, values["use_bias"], interrupt)
        value = float(loss(model.scores(judged[0]), judged[1])[0].mean())
        print(f"model with l1={l1:g}, wd={wd:g}: loss {value:.6g}", flush=True)
        if best is None or value < best[0]:
            best = (value, model)
        if interrupt.asked:
            break
    assert best is not None
    unscaled = scale.undone(best[1])
    return Weights(unscaled.weights * of_label.deviation, unscaled.bias * of_label.deviation + of_label.mean)


def _labels(table: Table) -> Doubles:
    assert table.labels is not None
    return table.labels.astype(np.float64)


def _strengths(values: Mapping[str, Any]) -> Sequence[tuple[float, float]]:
    l1 = L1 if values["l1"] == "auto" else (values["l1"],)
    wd = WD if values["wd"] == "auto" else (values["wd"],)
    every = [(first, second) for first in l1 for second in wd]
    return every if values["num_models"] == "auto" else every[: values["num_models"]]


def _minimised(
    features: Any,
    labels: Doubles,
    weights: Doubles,
    loss: Loss,
    l1: float,
    wd: float,
    start: Weights,
    use_bias: bool,
    interrupt: Interrupt,
) -> Weights:
    """The minimum of ``mean(weights · loss) + wd/2 |w|² + l1 |w|``.

    With an l1 term the weights are the difference of two that are not negative, which makes it smooth.
    """
    width, outputs = start.weights.shape
    size, total = width * outputs, weights.sum()

    def unpacked(flat: Doubles) -> Weights:
        first = flat[:size] - flat[size : 2 * size] if l1 else flat[:size]
        return Weights(first.reshape(width, outputs), flat[-outputs:])

    def objective(flat: Doubles) -> tuple[float, Doubles]:
        model = unpacked(flat)
        value, slope = loss(model.scores(features), labels)
        slope = slope * (weights / total)[:, np.newaxis]
        by_weight = (features.T @ slope + wd * model.weights).ravel()
        by_bias = slope.sum(axis=0) if use_bias else np.zeros(outputs)
        penalty = 0.5 * wd * float((model.weights**2).sum())
        if l1:
            penalty += l1 * float(flat[: 2 * size].sum())
            by_weight = np.concatenate([by_weight + l1, -by_weight + l1])
        return float((weights * value).sum() / total) + penalty, np.concatenate([by_weight, by_bias])

    def look(_: Doubles) -> None:
        if interrupt.asked:
            raise StopIteration

    flat = start.weights.ravel()
    first = np.concatenate([np.maximum(flat, 0), np.maximum(-flat, 0)]) if l1 else flat
    bounds = [(0.0, None)] * (2 * size) + [(None, None)] * outputs if l1 else None
    found = minimize(
        objective,
        np.concatenate([first, start.bias]),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        callback=look,
        options={"maxiter": ROUNDS},
    )
    return unpacked(np.asarray(found.x))
