"""An evaluation in Model Monitor's form."""

from __future__ import annotations

from automl_retraining.core import model_quality
from automl_retraining.core.records import Evaluation, Interval, MetricResult, ModelRef

AUC = MetricResult(
    name="roc_auc", greater_is_better=True, challenger=Interval(value=0.9, low=0.8, high=0.95),
    champion=Interval(value=0.85, low=0.8, high=0.9), baseline=0.5,
)  # fmt: skip
LOSS = MetricResult(
    name="log_loss", greater_is_better=False, challenger=Interval(value=0.3, low=0.2, high=0.4), baseline=0.69
)


def evaluation(*metrics: MetricResult) -> Evaluation:
    """Of a binary problem."""
    return Evaluation(
        pipeline="p", run_id="r", problem_type="BinaryClassification", target="y", rows=100, units=100,
        confidence=0.9, resamples=200, seed=1, challenger=ModelRef(model_name="m"), metrics=metrics,
    )  # fmt: skip


def test_metrics_go_by_their_names_with_value_and_interval() -> None:
    """``auc`` is Model Monitor's word for the area under the ROC curve."""
    found = model_quality.statistics(evaluation(AUC, LOSS), "challenger")
    assert found is not None
    metrics = found["binary_classification_metrics"]
    assert set(metrics) == {"auc", "log_loss"}
    assert metrics["auc"] == {"value": 0.9, "standard_deviation": "NaN", "interval": [0.8, 0.95], "confidence": 0.9}
    assert found["dataset"] == {"item_count": 100}


def test_a_champion_that_did_not_score_has_no_statistics() -> None:
    """Rather than an empty file."""
    assert model_quality.statistics(evaluation(LOSS), "champion") is None


def test_limits_are_the_champions_values_else_the_baselines_in_the_direction_of_harm() -> None:
    """A lower AUC and a higher loss breach."""
    found = model_quality.constraints(evaluation(AUC, LOSS))
    assert found is not None
    assert found["binary_classification_constraints"] == {
        "auc": {"threshold": 0.85, "comparison_operator": "LessThanThreshold"},
        "log_loss": {"threshold": 0.69, "comparison_operator": "GreaterThanThreshold"},
    }
    assert model_quality.constraints(evaluation()) is None
