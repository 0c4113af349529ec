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
    deviations = _deviations(problem_type, y, predicted, weight, seed)
    for name, value in _values(problem_type, y, predicted, weight).items():
        section[name] = {"value": value, "standard_deviation": deviations.get(name, "NaN")}
    if problem_type == "BinaryClassification":
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


def _values(problem_type: ProblemType, y: Floats, predicted: Floats, weight: Floats) -> dict[str, float]:
    """Model Monitor's metrics by its names, and those of Autopilot's that it doesn't have."""
    values = objective.evaluate(problem_type, y, predicted, weight)
    if problem_type == "Regression":
        return {name: values[name.upper()] for name in ("mae", "mse", "rmse", "r2")}
    truth, chosen = y.astype(np.int64), predicted.argmax(axis=1)
    last = np.full_like(truth, predicted.shape[1] - 1)
    binary = problem_type == "BinaryClassification"
    found = {"accuracy": values["Accuracy"], **_of_labels(truth, chosen, weight, binary=binary)}
    # The answer that is always the same: the positive class, as in the guide's examples.
    constant = {"accuracy": objective.measure("Accuracy", y, _certain(last, predicted.shape[1]), weight)}
    constant |= _of_labels(truth, last, weight, binary=binary)
    found |= {f"{name}_best_constant_classifier": value for name, value in constant.items()}
    if binary:
        true_positives, true_negatives = (_share(chosen == label, weight, truth == label) for label in (1, 0))
        found |= {
            "true_positive_rate": true_positives,
            "true_negative_rate": true_negatives,
            "false_positive_rate": 1 - true_negatives,
            "false_negative_rate": 1 - true_positives,
            "auc": values["AUC"],
            "au_prc": float(metrics.average_precision_score(truth, predicted[:, 1], sample_weight=weight)),
        }
    else:
        found |= {
            "macro_recall": values["RecallMacro"],
            "macro_precision": values["PrecisionMacro"],
            "macro_f1": values["F1macro"],
        }
    return found | {"balanced_accuracy": values["BalancedAccuracy"], "log_loss": values["LogLoss"]}


def _of_labels(
    truth: NDArray[np.int64], chosen: NDArray[np.int64], weight: Floats, *, binary: bool
) -> dict[str, float]:
    """Recall, precision and F scores of the positive class, or weighted by the classes' shares."""
    found: dict[str, float] = {}
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        precision, recall, score, _ = metrics.precision_recall_fscore_support(
            truth,
            chosen,
            beta=beta,
            average="binary" if binary else "weighted",
            sample_weight=weight,
            zero_division=0,
        )
        found |= {"recall": float(recall), "precision": float(precision), name: float(score)}
    return found if binary else {f"weighted_{name}": value for name, value in found.items()}


def _certain(chosen: NDArray[np.int64], classes: int) -> Floats:
    return np.eye(classes)[chosen]


def _share(hit: NDArray[np.bool_], weight: Floats, among: NDArray[np.bool_]) -> float:
    return float(np.average(hit[among], weights=weight[among])) if among.any() else 0.0


def _deviations(problem_type: ProblemType, y: Floats, predicted: Floats, weight: Floats, seed: int) -> dict[str, float]:
    if len(y) < _ROWS_FOR_DEVIATION:
        return {}
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(_SAMPLES):
        rows = random.choice(len(y), round(_SAMPLE_SHARE * len(y)), replace=False)
        if problem_type == "BinaryClassification" and len(np.unique(y[rows])) < 2:
            return {}
        drawn.append(_values(problem_type, y[rows], predicted[rows], weight[rows]))
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
