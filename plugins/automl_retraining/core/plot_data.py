"""What the plots of a run's test rows are drawn from: curves, errors and confusions as short lists of numbers.

At most a few hundred points a curve and 1,500 dots a model, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from automl_retraining.core.metrics import Answers, Floats, Task, metric_value

MOST_POINTS = 400
MOST_DOTS = 1500
MOST_CLASSES = 15
_BINS = 40


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """At most a few hundred points, evenly along the curve's own steps; both ends kept."""
    if len(x) <= MOST_POINTS:
        return x, y
    kept = np.unique(np.linspace(0, len(x) - 1, MOST_POINTS).astype(np.int64))
    return x[kept], y[kept]


def reliability(truth: NDArray[np.bool_], score: Floats, bins: int = 8) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Mean score, share of positives and rows in bins of equal width, without those of fewer than ten rows."""
    which = np.minimum((score * bins).astype(np.int64), bins - 1)
    rows = np.bincount(which, minlength=bins)
    kept = rows >= min(10, len(score))
    mean_score, share = (np.bincount(which, values, bins)[kept] / rows[kept] for values in (score, truth))
    return mean_score, share, rows[kept]


def curves(models: Mapping[str, Answers], task: Task) -> dict[str, Any] | None:
    """ROC, precision and recall, and calibration of each model of a two-class problem.

    None where they cannot be drawn: no probabilities, or only one class among the test rows.
    """
    able = {role: answers for role, answers in models.items() if answers.probabilities is not None}
    first = next(iter(able.values()), None)
    if task.problem_type != "BinaryClassification" or first is None:
        return None
    positive = first.truth == task.positive
    if positive.all() or not positive.any():
        return None
    return {
        "positive": task.positive_label,
        "prevalence": float(positive.mean()),
        "models": {role: _curves_of(answers, task) for role, answers in able.items()},
    }


def _curves_of(answers: Answers, task: Task) -> dict[str, Any]:
    assert answers.probabilities is not None
    truth, score = answers.truth == task.positive, answers.probabilities[:, task.positive]
    false, true, _ = roc_curve(truth, score)
    precision, recall, _ = precision_recall_curve(truth, score)
    mean_score, share, rows = reliability(truth, score)
    return {
        "auc": float(metric_value("roc_auc", answers, task)),
        "roc": _curve(false, true),
        "precision_recall": _curve(recall, precision),
        "calibration": {"x": _rounded(mean_score), "y": _rounded(share), "rows": rows.tolist()},
    }


def classes(models: Mapping[str, Answers], task: Task) -> dict[str, Any]:
    """F1 of each class and the confusion counts (true by row, predicted by column); the 15 largest classes."""
    truth = next(iter(models.values())).truth.astype(np.int64)
    largest = np.argsort(-np.bincount(truth, minlength=len(task.labels)), kind="stable")[:MOST_CLASSES]
    return {
        "labels": [task.labels[code] for code in largest],
        "models": {
            role: {
                "f1": [_f1(answers, int(code)) for code in largest],
                "confusion": confusion_matrix(
                    answers.truth.astype(np.int64), answers.prediction.astype(np.int64), labels=largest
                ).tolist(),
            }
            for role, answers in models.items()
        },
    }


def errors(models: Mapping[str, Answers], target: str) -> dict[str, Any]:
    """A regression's dots (truth and prediction), the histogram of predicted less actual, and absolute errors."""
    truth = next(iter(models.values())).truth.astype(np.float64)
    dots = np.random.default_rng(0).permutation(len(truth))[:MOST_DOTS]
    residuals = {role: answers.prediction.astype(np.float64) - truth for role, answers in models.items()}
    everything = np.concatenate(list(residuals.values()))
    edges = np.histogram_bin_edges(everything, bins=_BINS)
    drawn = {}
    for role, answers in models.items():
        size = np.sort(np.abs(residuals[role]))
        drawn[role] = {
            "truth": _rounded(truth[dots]),
            "prediction": _rounded(answers.prediction.astype(np.float64)[dots]),
            "absolute": _curve(size, np.arange(1, len(size) + 1) / len(size)),
        }
    return {
        "target": target,
        "models": drawn,
        "histogram": {
            "edges": _rounded(edges),
            "counts": {role: np.histogram(values, bins=edges)[0].tolist() for role, values in residuals.items()},
        },
    }


def _f1(answers: Answers, code: int) -> float:
    hit = ((answers.truth == code) & (answers.prediction == code)).sum()
    both = (answers.truth == code).sum() + (answers.prediction == code).sum()
    return round(float(2 * hit / max(both, 1)), 6)


def _curve(x: Floats, y: Floats) -> dict[str, list[float]]:
    kept = thin(x, y)
    return {"x": _rounded(kept[0]), "y": _rounded(kept[1])}


def _rounded(values: Floats) -> list[float]:
    """Six significant digits: more than a screen shows, a third of the bytes."""
    return [float(f"{value:.6g}") for value in values.tolist()]
