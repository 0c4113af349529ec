"""Metrics under SageMaker's names."""

from __future__ import annotations

import botocore.session
import numpy as np
import pytest

from include.local_aws.images.autopilot import objective
from include.local_aws.images.autopilot.spec import METRICS, ProblemType

TRUTH = np.array([0, 0, 1, 1, 1], dtype=np.float64)
PREDICTED = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])


def test_binary_metrics_are_about_the_second_label() -> None:
    """Worked out by hand: 2 true positives, 1 false positive, 1 false negative, 1 true negative."""
    values = objective.evaluate("BinaryClassification", TRUTH, PREDICTED, np.ones(5))
    assert values["Precision"] == pytest.approx(2 / 3)
    assert values["Recall"] == pytest.approx(2 / 3)
    assert values["F1"] == pytest.approx(2 / 3)
    assert values["Accuracy"] == pytest.approx(3 / 5)
    assert values["BalancedAccuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert values["AUC"] == pytest.approx(5 / 6)


def test_weights_count_as_repeated_rows() -> None:
    """A row of weight 2 is a row that is there twice."""
    weight = np.array([1, 2, 1, 2, 1], dtype=np.float64)
    rows = np.repeat(np.arange(5), weight.astype(int))
    weighted = objective.evaluate("BinaryClassification", TRUTH, PREDICTED, weight)
    repeated = objective.evaluate("BinaryClassification", TRUTH[rows], PREDICTED[rows], np.ones(7))
    assert weighted == pytest.approx(repeated)


def test_regression_metrics_worked_out_by_hand() -> None:
    """RMSE is the root of MSE, not the other way round."""
    values = objective.evaluate("Regression", np.array([1.0, 3.0]), np.array([2.0, 6.0]), np.ones(2))
    assert values == pytest.approx({"MSE": 5.0, "RMSE": 5.0**0.5, "MAE": 2.0, "R2": -4.0})


def test_a_class_that_nobody_predicts_counts_zero_in_the_macro_average() -> None:
    """Without a warning."""
    predicted = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.6, 0.2, 0.2]])
    values = objective.evaluate("MulticlassClassification", np.array([0.0, 0.0, 1.0]), predicted, np.ones(3))
    assert values["RecallMacro"] == pytest.approx(1 / 3)
    assert values["BalancedAccuracy"] == pytest.approx(1 / 2)


@pytest.mark.parametrize(("problem", "metrics"), METRICS.items())
def test_all_objectives_of_a_problem_type_are_computed_under_the_apis_names(
    problem: ProblemType, metrics: tuple[str, ...]
) -> None:
    """As botocore's model of the service has them."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    names = model.shape_for("AutoMLMetricExtendedEnum").enum
    predicted = {
        "BinaryClassification": PREDICTED,
        "MulticlassClassification": np.column_stack([PREDICTED * 0.9, np.full(5, 0.1)]),
        "Regression": PREDICTED[:, 0],
    }[problem]
    values = objective.evaluate(problem, TRUTH, predicted, np.ones(5))
    assert set(metrics) <= set(values) <= set(names)


def test_less_is_better_for_errors() -> None:
    """The score is always to be maximised."""
    assert objective.score({"RMSE": 2.0}, "RMSE") == -2.0
    assert objective.score({"AUC": 0.9}, "AUC") == 0.9


@pytest.mark.parametrize(("problem", "metrics"), METRICS.items())
def test_one_metric_alone_is_the_same_as_among_all(problem: ProblemType, metrics: tuple[str, ...]) -> None:
    """With weights, and with a class that nobody predicts and one that nobody is."""
    random = np.random.default_rng(0)
    weight = random.uniform(0.5, 2, 300)
    if problem == "Regression":
        y, predicted = random.normal(size=300), random.normal(size=300)
    else:
        classes = 2 if problem == "BinaryClassification" else 4
        y = random.integers(0, classes - (classes > 2), 300).astype(np.float64)
        predicted = random.dirichlet(np.ones(classes), 300)
        predicted[:, 0] *= 0 if classes > 2 else 1
        predicted /= predicted.sum(axis=1, keepdims=True)
    values = objective.evaluate(problem, y, predicted, weight)
    for metric in metrics:
        assert objective.measure(metric, y, predicted, weight) == pytest.approx(objective.score(values, metric))


def test_closer_predictions_rank_higher_among_equals() -> None:
    """As the tie break of all metrics has it."""
    sure = np.array([[0.9, 0.1], [0.2, 0.8]])
    unsure = np.array([[0.6, 0.4], [0.4, 0.6]])
    y, weight = np.array([0.0, 1.0]), np.array([1.0, 3.0])
    assert objective.closeness(y, sure, weight) > objective.closeness(y, unsure, weight)
    values = objective.evaluate("BinaryClassification", y, sure, weight)
    assert objective.closeness(y, sure, weight) == pytest.approx(objective.tie_break(values))
