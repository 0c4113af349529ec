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
