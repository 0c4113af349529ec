"""Quality of the best candidate on the validation rows, in the shape of SageMaker Model Monitor's ``statistics.json``.

Standard deviations are those of five random samples of 80 % of the rows, from 200 rows on, as Model Monitor computes
them (SageMaker developer guide, "Model quality metrics").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from include.local_aws.images.autopilot import objective
from include.local_aws.images.autopilot.spec import ProblemType

Floats = NDArray[np.float64]

_SAMPLES = 5
_SAMPLE_SHARE = 0.8
_ROWS_FOR_DEVIATION = 200
_CURVE_POINTS = 200

_NAMES = {
    "BinaryClassification": {
        "recall": "Recall",
        "precision": "Precision",
        "accuracy": "Accuracy",
        "balanced_accuracy": "BalancedAccuracy",
        "f1": "F1",
        "auc": "AUC",
        "log_loss": "LogLoss",
    },
    "MulticlassClassification": {
        "accuracy": "Accuracy",
        "balanced_accuracy": "BalancedAccuracy",
        "macro_recall": "RecallMacro",
        "macro_precision": "PrecisionMacro",
        "macro_f1": "F1macro",
        "log_loss": "LogLoss",
    },
    "Regression": {"mae": "MAE", "mse": "MSE", "rmse": "RMSE", "r2": "R2"},
}
_SECTIONS = {
    "BinaryClassification": "binary_classification_metrics",
    "MulticlassClassification": "multiclass_classification_metrics",
    "Regression": "regression_metrics",
}


def statistics(
    problem_type: ProblemType, labels: Sequence[str], y: Floats, predicted: Floats, weight: Floats, *, seed: int
) -> dict[str, Any]:
    """The whole document; see `objective` for the shapes of ``y`` and ``predicted``."""
    section: dict[str, Any] = {}
    if labels:
        section["confusion_matrix"] = _confusion(labels, y, predicted, weight)
    values = objective.evaluate(problem_type, y, predicted, weight)
    deviations = _deviations(problem_type, y, predicted, weight, seed)
    for name, standard in _NAMES[problem_type].items():
        section[name] = {"value": values[standard], "standard_deviation": deviations.get(standard, "NaN")}
    if problem_type == "BinaryClassification":
        section |= _rates(section["confusion_matrix"], labels)
        section["receiver_operating_characteristic_curve"] = _roc(y, predicted[:, 1], weight)
        section["precision_recall_curve"] = _precision_recall(y, predicted[:, 1], weight)
    return {
        "version": 0.0,
        "dataset": {"item_count": len(y), "evaluation_time": datetime.now(UTC).isoformat()},
        _SECTIONS[problem_type]: section,
    }


def _confusion(labels: Sequence[str], y: Floats, predicted: Floats, weight: Floats) -> dict[str, dict[str, float]]:
    """Rows by true label, columns by predicted label."""
    matrix = metrics.confusion_matrix(
        y.astype(np.int64), predicted.argmax(axis=1), labels=list(range(len(labels))), sample_weight=weight
    )
    return {
        truth: {chosen: float(matrix[row, column]) for column, chosen in enumerate(labels)}
        for row, truth in enumerate(labels)
    }


def _rates(confusion: dict[str, dict[str, float]], labels: Sequence[str]) -> dict[str, Any]:
    negative, positive = labels
    tn, fp = confusion[negative][negative], confusion[negative][positive]
    fn, tp = confusion[positive][negative], confusion[positive][positive]

    def value(part: float, whole: float) -> dict[str, Any]:
        return {"value": part / whole if whole else 0.0, "standard_deviation": "NaN"}

    return {
        "true_positive_rate": value(tp, tp + fn),
        "true_negative_rate": value(tn, tn + fp),
        "false_positive_rate": value(fp, tn + fp),
        "false_negative_rate": value(fn, tp + fn),
    }


def _deviations(problem_type: ProblemType, y: Floats, predicted: Floats, weight: Floats, seed: int) -> dict[str, float]:
    if len(y) < _ROWS_FOR_DEVIATION:
        return {}
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(_SAMPLES):
        rows = random.choice(len(y), round(_SAMPLE_SHARE * len(y)), replace=False)
        if problem_type == "BinaryClassification" and len(np.unique(y[rows])) < 2:
            return {}
        drawn.append(objective.evaluate(problem_type, y[rows], predicted[rows], weight[rows]))
    return {name: float(np.std([each[name] for each in drawn])) for name in drawn[0]}


def _roc(y: Floats, score: Floats, weight: Floats) -> dict[str, list[float]]:
    false_rate, true_rate, _ = metrics.roc_curve(y, score, sample_weight=weight)
    keep = _thin(len(false_rate))
    return {
        "false_positive_rates": [float(value) for value in false_rate[keep]],
        "true_positive_rates": [float(value) for value in true_rate[keep]],
    }


def _precision_recall(y: Floats, score: Floats, weight: Floats) -> dict[str, list[float]]:
    precision, recall, _ = metrics.precision_recall_curve(y, score, sample_weight=weight)
    keep = _thin(len(precision))
    return {
        "precisions": [float(value) for value in precision[keep]],
        "recalls": [float(value) for value in recall[keep]],
    }


def _thin(points: int) -> NDArray[np.int64]:
    """Indices of at most ``_CURVE_POINTS`` points, both ends among them."""
    return np.unique(np.linspace(0, points - 1, min(points, _CURVE_POINTS)).round().astype(np.int64))
