"""Measures of a trained Linear Learner, and the threshold of its binary classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn import metrics

from include.local_aws.images.linear_learner import losses
from include.local_aws.images.linear_learner.declared import BINARY, REGRESSOR
from include.local_aws.images.linear_learner.losses import Doubles
from include.local_aws.images.linear_learner.model import Model


def measured(model: Model, features: Any, labels: Doubles, values: Mapping[str, Any]) -> dict[str, float]:
    """The measures that `declared.MEASURES` names for this kind of predictor; one that can't be had is left out."""
    raw = model.weights.scores(features)
    found = {"objective_loss": float(losses.of(values)(raw, labels)[0].mean())}
    scores = model.scores(features)
    if model.kind == REGRESSOR:
        error = scores - labels
        mse = float((error**2).mean())
        return {**found, "mse": mse, "rmse": mse**0.5, "absolute_loss": float(np.abs(error).mean())}
    if model.kind == BINARY:
        return {**found, **_binary(scores, scores > model.threshold, labels, values["f_beta"])}
    return {**found, **_multiclass(scores, labels, values)}


def _binary(scores: Doubles, chosen: Any, labels: Doubles, beta: float) -> dict[str, float]:
    found = {
        "binary_classification_accuracy": float((chosen == labels).mean()),
        "binary_f_beta": float(metrics.fbeta_score(labels, chosen, beta=beta, zero_division=0)),
        "precision": float(metrics.precision_score(labels, chosen, zero_division=0)),
        "recall": float(metrics.recall_score(labels, chosen, zero_division=0)),
    }
    if 0 < labels.mean() < 1:
        found["roc_auc_score"] = float(metrics.roc_auc_score(labels, scores))
    return found


def _multiclass(scores: Doubles, labels: Doubles, values: Mapping[str, Any]) -> dict[str, float]:
    chosen = scores.argmax(axis=1)
    classes = labels.astype(np.int64)
    ranks = (-scores).argsort(axis=1).argsort(axis=1)[np.arange(len(classes)), classes]
    top = values.get("accuracy_top_k", 3)
    return {
        "multiclass_accuracy": float((chosen == classes).mean()),
        "multiclass_top_k_accuracy": float((ranks < top).mean()),
        "dcg": float((1.0 / np.log2(ranks + 2.0)).mean()),
        "macro_f_beta": float(
            metrics.fbeta_score(classes, chosen, beta=values["f_beta"], average="macro", zero_division=0)
        ),
        "macro_precision": float(metrics.precision_score(classes, chosen, average="macro", zero_division=0)),
        "macro_recall": float(metrics.recall_score(classes, chosen, average="macro", zero_division=0)),
    }


def threshold(scores: Doubles, labels: Doubles, values: Mapping[str, Any], *, default: float) -> float:
    """The score above which a row is positive: the best one by binary_classifier_model_selection_criteria.

    `default` where the criterion is the loss itself, or the labels are all alike.
    """
    criterion = values["binary_classifier_model_selection_criteria"]
    positives = labels.sum()
    if criterion in ("loss_function", "cross_entropy_loss") or not 0 < positives < len(labels):
        return default
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(labels[order])
    taken = np.arange(1, len(labels) + 1)
    last = np.append(ranked[1:] != ranked[:-1], True)  # a threshold can't part equal scores
    precision, recall = hits / taken, hits / positives
    beta = values["f_beta"] ** 2
    quality = {
        "accuracy": hits + (len(labels) - positives) - (taken - hits),
        "f_beta": (1 + beta) * precision * recall / np.maximum(beta * precision + recall, 1e-12),
        "precision_at_target_recall": np.where(recall >= values["target_recall"], precision, -1.0),
        "recall_at_target_precision": np.where(precision >= values["target_precision"], recall, -1.0),
    }[criterion]
    best = int(np.argmax(np.where(last, quality, -np.inf)))
    after = ranked[best + 1] if best + 1 < len(ranked) else ranked[best] - 1e-9
    return float(0.5 * (ranked[best] + after))
