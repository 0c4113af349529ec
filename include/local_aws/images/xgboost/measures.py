"""Metrics that SageMaker's XGBoost has beyond xgboost's own, by scikit-learn.

Predictions arrive as xgboost transforms them for the objective: a number, a probability of the positive class, a class,
or the probabilities of all classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn import metrics

from include.local_aws.images import ClientError

Floats = NDArray[np.float32]


def _classes(predicted: Floats, objective: str) -> Floats:
    if predicted.ndim == 2:
        return np.asarray(predicted.argmax(axis=1), dtype=np.float32)
    thresholds = {"binary:logistic": 0.5, "reg:logistic": 0.5, "binary:logitraw": 0.0}
    if objective in thresholds:
        return (predicted > thresholds[objective]).astype(np.float32)
    return np.round(predicted)


def _averaged(score: Callable[..., float], average: str) -> Callable[[Floats, Floats], float]:
    return partial(score, average=average, zero_division=0)


def _binary_f1(labels: Floats, classes: Floats) -> float:
    if len(np.unique(labels)) > 2:
        raise ClientError("Target is multiclass but average='binary'. Please choose another average setting.")
    return float(metrics.f1_score(labels, classes, average="binary", zero_division=0))


_OF_CLASSES: dict[str, Callable[[Floats, Floats], float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": _averaged(metrics.f1_score, "macro"),
    "f1_binary": _binary_f1,
    "f1_macro": _averaged(metrics.f1_score, "macro"),
    "precision": _averaged(metrics.precision_score, "binary"),
    "precision_macro": _averaged(metrics.precision_score, "macro"),
    "precision_micro": _averaged(metrics.precision_score, "micro"),
    "recall": _averaged(metrics.recall_score, "binary"),
    "recall_macro": _averaged(metrics.recall_score, "macro"),
    "recall_micro": _averaged(metrics.recall_score, "micro"),
}
_OF_NUMBERS: dict[str, Callable[[Floats, Floats], float]] = {
    "mse": metrics.mean_squared_error,
    "r2": metrics.r2_score,
}
OWN = (*_OF_CLASSES, *_OF_NUMBERS)


def of(names: Sequence[str], objective: str) -> Callable[[Floats, xgboost.DMatrix], list[tuple[str, float]]]:
    """What xgboost calls to measure these."""

    def measured(predicted: Floats, data: xgboost.DMatrix) -> list[tuple[str, float]]:
        labels: Floats = data.get_label()
        classes = _classes(predicted, objective)
        values = []
        for name in names:
            numbers = name in _OF_NUMBERS
            score = _OF_NUMBERS[name](labels, predicted) if numbers else _OF_CLASSES[name](labels, classes)
            values.append((name, float(score)))
        return values

    return measured
