"""An evaluation in the JSON that SageMaker's registry and its model quality monitor read.

The form is that of Model Monitor's ``statistics.json`` and ``constraints.json`` for model quality (SageMaker developer
guide, "Model quality metrics"): metrics below the problem's name, each with a value and a standard deviation. Ours have
intervals instead of a standard deviation, so that one is ``"NaN"``, as in AWS's own examples, and ``interval`` stands
beside it. Metrics that Model Monitor has go by its names, the others by ours.
"""

from __future__ import annotations

from typing import Any, Literal

from automl_retraining.core.records import Evaluation, MetricResult
from automl_retraining.core.section import ProblemType

_SECTION: dict[ProblemType, str] = {
    "BinaryClassification": "binary_classification",
    "MulticlassClassification": "multiclass_classification",
    "Regression": "regression",
}
_THEIR_NAMES = {"roc_auc": "auc", "f1_weighted": "weighted_f1"}


def statistics(evaluation: Evaluation, model: Literal["challenger", "champion"]) -> dict[str, Any] | None:
    """The metrics of one model on the test rows; None where it has none (no champion, or one that did not score)."""
    metrics = {}
    for metric in evaluation.metrics:
        found = metric.challenger if model == "challenger" else metric.champion
        if found is not None:
            metrics[_name(metric)] = {
                "value": found.value,
                "standard_deviation": "NaN",
                "interval": [found.low, found.high],
                "confidence": evaluation.confidence,
            }
    if not metrics:
        return None
    return {
        "version": 0.0,
        "dataset": {"item_count": evaluation.rows},
        f"{_SECTION[evaluation.problem_type]}_metrics": metrics,
    }


def constraints(evaluation: Evaluation) -> dict[str, Any] | None:
    """What the challenger was held against, as limits: the champion's values, else the baseline's; None without."""
    limits = {}
    for metric in evaluation.metrics:
        limit = metric.champion.value if metric.champion is not None else metric.baseline
        if limit is not None:
            limits[_name(metric)] = {
                "threshold": limit,
                "comparison_operator": "LessThanThreshold" if metric.greater_is_better else "GreaterThanThreshold",
            }
    if not limits:
        return None
    return {"version": 0.0, f"{_SECTION[evaluation.problem_type]}_constraints": limits}


def _name(metric: MetricResult) -> str:
    return _THEIR_NAMES.get(metric.name, metric.name)
