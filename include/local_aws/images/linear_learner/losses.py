"""Losses of a linear model: their values and slopes at the scores ``x·w + b``.

Those with a corner (absolute, quantile, hinge, insensitive absolute) are rounded off within `CORNER` of it, so that a
quasi-Newton method converges on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Loss = Callable[[Doubles, Doubles], tuple[Doubles, Doubles]]
"""Scores of shape (rows, outputs) and labels of shape (rows,) to the loss of each row, and its slope at each score."""

CORNER = 1e-3


def of(values: Mapping[str, Any]) -> Loss:
    """The loss that these hyperparameters name."""
    name, margin = values["loss"], values["margin"]
    delta, quantile, insensitivity = values["huber_delta"], values["quantile"], values["loss_insensitivity"]
    rows: dict[str, Loss] = {
        "squared_loss": _single(lambda score, label: _square(score - label)),
        "absolute_loss": _single(lambda score, label: _pinball(label - score, 0.5, scale=2.0)),
        "quantile_loss": _single(lambda score, label: _pinball(label - score, quantile)),
        "huber_loss": _single(lambda score, label: _huber(score - label, delta)),
        "eps_insensitive_squared_loss": _single(lambda score, label: _square(_outside(score - label, insensitivity))),
        "eps_insensitive_absolute_loss": _single(
            lambda score, label: _huber_unit(_outside(score - label, insensitivity))
        ),
        "logistic": _single(_logistic),
        "hinge_loss": _single(lambda score, label: _hinge(score, label, margin)),
        "softmax_loss": _softmax,
    }
    return rows[name]


def probabilities(scores: Doubles) -> Doubles:
    """Of the classes, from scores of shape (rows, classes), or (rows, 1) of the positive class."""
    if scores.shape[1] == 1:
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scores)))
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _single(loss: Callable[[Doubles, Doubles], tuple[Doubles, Doubles]]) -> Loss:
    def of_rows(scores: Doubles, labels: Doubles) -> tuple[Doubles, Doubles]:
        value, slope = loss(scores[:, 0], labels)
        return value, slope[:, np.newaxis]

    return of_rows


def _square(difference: Doubles) -> tuple[Doubles, Doubles]:
    return difference**2, 2.0 * difference


def _outside(difference: Doubles, width: float) -> Doubles:
    return np.asarray(np.sign(difference) * np.maximum(np.abs(difference) - width, 0.0))


def _huber(difference: Doubles, delta: float) -> tuple[Doubles, Doubles]:
    size = np.abs(difference)
    inside = size <= delta
    value = np.where(inside, 0.5 * difference**2, delta * (size - 0.5 * delta))
    return value, np.clip(difference, -delta, delta)


def _huber_unit(difference: Doubles) -> tuple[Doubles, Doubles]:
    value, slope = _huber(difference, CORNER)
    return value / CORNER, slope / CORNER


def _pinball(residual: Doubles, quantile: float, scale: float = 1.0) -> tuple[Doubles, Doubles]:
    rounded, slope = _huber_unit(residual)
    weight = np.where(residual >= 0, quantile, 1.0 - quantile) * scale
    return weight * rounded, -weight * slope


def _logistic(score: Doubles, label: Doubles) -> tuple[Doubles, Doubles]:
    probability = probabilities(score[:, np.newaxis])[:, 0]
    return np.logaddexp(0.0, score) - label * score, probability - label


def _hinge(score: Doubles, label: Doubles, margin: float) -> tuple[Doubles, Doubles]:
    sign = 2.0 * label - 1.0
    short = np.maximum(margin - sign * score, 0.0)
    rounded, slope = _huber_unit(short)
    return rounded, -sign * slope


def _softmax(scores: Doubles, labels: Doubles) -> tuple[Doubles, Doubles]:
    rows, classes = np.arange(len(labels)), labels.astype(np.int64)
    chances = probabilities(scores)
    loss = -np.log(np.maximum(chances[rows, classes], 1e-300))
    slope = chances
    slope[rows, classes] -= 1.0
    return loss, slope
