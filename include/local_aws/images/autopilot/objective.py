"""Metrics of candidates under SageMaker's names, computed with scikit-learn on the rows held out for validation.

Classification predictions are class probabilities of shape (rows, classes); the predicted label is the most probable
one, and for two classes the second label is the positive one. Regression predictions have shape (rows,).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from include.local_aws.images.autopilot.spec import ProblemType

Floats = NDArray[np.float64]

MINIMIZED = frozenset({"MSE", "RMSE", "MAE", "LogLoss", "InferenceLatency"})
"""Metrics where less is better; of all others more is."""


def evaluate(problem_type: ProblemType, y: Floats, predicted: Floats, weight: Floats) -> dict[str, float]:
    """All of the problem type's metrics by SageMaker's names."""
    if problem_type == "Regression":
        mse = float(metrics.mean_squared_error(y, predicted, sample_weight=weight))
        return {
            "MSE": mse,
            "RMSE": float(np.sqrt(mse)),
            "MAE": float(metrics.mean_absolute_error(y, predicted, sample_weight=weight)),
            "R2": float(metrics.r2_score(y, predicted, sample_weight=weight)),
        }
    truth = y.astype(np.int64)
    chosen = predicted.argmax(axis=1)
    classes = list(range(predicted.shape[1]))
    average = "binary" if problem_type == "BinaryClassification" else "macro"
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth,
        chosen,
        labels=classes if average == "macro" else None,
        average=average,
        sample_weight=weight,
        zero_division=0,
    )
    log_loss = float(metrics.log_loss(truth, predicted, labels=classes, sample_weight=weight))
    accuracy = float(metrics.accuracy_score(truth, chosen, sample_weight=weight))
    balanced = _balanced_accuracy(truth, chosen, weight)
    if problem_type == "BinaryClassification":
        return {
            "Accuracy": accuracy,
            "BalancedAccuracy": balanced,
            "F1": float(f1),
            "Precision": float(precision),
            "Recall": float(recall),
            "AUC": float(metrics.roc_auc_score(truth, predicted[:, 1], sample_weight=weight)),
            "LogLoss": log_loss,
        }
    return {
        "Accuracy": accuracy,
        "BalancedAccuracy": balanced,
        "F1macro": float(f1),
        "PrecisionMacro": float(precision),
        "RecallMacro": float(recall),
        "LogLoss": log_loss,
    }


def measure(metric: str, y: Floats, predicted: Floats, weight: Floats) -> float:
    """One metric of ``METRICS`` by its name, as a number to maximise: the same as `score` of `evaluate`, alone and so
    quicker.
    """
    match metric:
        case "MSE" | "RMSE":
            mse = float(metrics.mean_squared_error(y, predicted, sample_weight=weight))
            return -(mse if metric == "MSE" else float(np.sqrt(mse)))
        case "MAE":
            return -float(metrics.mean_absolute_error(y, predicted, sample_weight=weight))
        case "R2":
            return float(metrics.r2_score(y, predicted, sample_weight=weight))
        case "AUC":
            return float(metrics.roc_auc_score(y, predicted[:, 1], sample_weight=weight))
    truth, chosen = y.astype(np.int64), predicted.argmax(axis=1)
    right = truth == chosen
    if metric == "Accuracy":
        return float(np.average(right, weights=weight))
    classes = predicted.shape[1]
    hits = _sums(truth[right], weight[right], classes)
    true = _sums(truth, weight, classes)
    if metric == "BalancedAccuracy":
        return float(np.mean(hits[true > 0] / true[true > 0]))
    claimed = _sums(chosen, weight, classes)
    precision, recall = _shares(hits, claimed), _shares(hits, true)
    f1 = _shares(2 * hits, claimed + true)
    named = {"F1": f1, "Precision": precision, "Recall": recall}
    named |= {"F1macro": f1, "PrecisionMacro": precision, "RecallMacro": recall}
    return float(named[metric].mean() if metric.endswith(("macro", "Macro")) else named[metric][1])


def _sums(index: NDArray[np.int64], weight: Floats, length: int) -> Floats:
    return np.asarray(np.bincount(index, weights=weight, minlength=length), dtype=np.float64)


def _shares(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def closeness(y: Floats, predicted: Floats, weight: Floats) -> float:
    """How close predictions are to the truth, to maximise: by log loss or squared error."""
    if predicted.ndim == 1:
        return -float(np.average((y - predicted) ** 2, weights=weight))
    hit = predicted[np.arange(len(y)), y.astype(np.int64)]
    return float(np.average(np.log(np.maximum(hit, np.finfo(np.float64).eps)), weights=weight))


def score(values: Mapping[str, float], metric: str) -> float:
    """The objective as a number to maximise."""
    return -values[metric] if metric in MINIMIZED else values[metric]


def tie_break(values: Mapping[str, float]) -> float:
    """Among candidates of equal objective, the one with the better calibrated or closer predictions: to maximise."""
    return -values["LogLoss"] if "LogLoss" in values else -values["MSE"]


def _balanced_accuracy(truth: NDArray[np.int64], chosen: NDArray[np.int64], weight: Floats) -> float:
    """Mean recall over the classes present in the truth (scikit-learn warns where a predicted class is absent
    there).
    """
    recalls = [
        float(np.average(chosen[truth == label] == label, weights=weight[truth == label])) for label in np.unique(truth)
    ]
    return float(np.mean(recalls))
