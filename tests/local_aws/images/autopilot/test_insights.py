"""Model insights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from include.local_aws.images.autopilot import insights

TRUTH = np.array([0, 0, 1, 1, 1], dtype=np.float64)
PREDICTED = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3], [0.1, 0.9]])


def test_a_binary_report_worked_out_by_hand() -> None:
    """Rows of the confusion matrix are the truth."""
    document = insights.statistics("BinaryClassification", ("no", "yes"), TRUTH, PREDICTED, np.ones(5), seed=1)
    section = document["binary_classification_metrics"]
    assert section["confusion_matrix"] == {"no": {"no": 1, "yes": 1}, "yes": {"no": 1, "yes": 2}}
    assert section["true_positive_rate"]["value"] == pytest.approx(2 / 3)
    assert section["false_positive_rate"]["value"] == pytest.approx(1 / 2)
    assert section["accuracy"] == {"value": 3 / 5, "standard_deviation": "NaN"}
    curve = section["receiver_operating_characteristic_curve"]
    assert (curve["false_positive_rates"][0], curve["true_positive_rates"][-1]) == (0, 1)
    assert document["dataset"]["item_count"] == 5


def test_deviations_come_with_two_hundred_rows_and_curves_are_thinned() -> None:
    """The document stays short and is strict JSON."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 5000).astype(np.float64)
    score = np.clip(y * 0.3 + random.random(5000) * 0.7, 0, 1)
    document = insights.statistics(
        "BinaryClassification", ("a", "b"), y, np.column_stack([1 - score, score]), np.ones(5000), seed=1
    )
    section = document["binary_classification_metrics"]
    assert 0 < section["auc"]["standard_deviation"] < 0.05
    assert len(section["receiver_operating_characteristic_curve"]["true_positive_rates"]) <= 200
    assert len(json.dumps(document, allow_nan=False)) < 50_000


def test_several_classes_and_numbers_have_their_sections() -> None:
    """Under Model Monitor's names."""
    three = np.column_stack([PREDICTED * 0.8, np.full(5, 0.2)])
    classes = insights.statistics("MulticlassClassification", ("a", "b", "c"), TRUTH, three, np.ones(5), seed=1)
    assert set(classes["multiclass_classification_metrics"]["confusion_matrix"]) == {"a", "b", "c"}
    numbers = insights.statistics("Regression", (), TRUTH, TRUTH + 1, np.ones(5), seed=1)
    assert numbers["regression_metrics"]["rmse"]["value"] == pytest.approx(1)


def test_a_binary_report_has_every_metric_of_model_monitors_and_the_constant_answers() -> None:
    """Names of the developer guide's example; the constant answer is the positive class."""
    document = insights.statistics("BinaryClassification", ("no", "yes"), TRUTH, PREDICTED, np.ones(5), seed=1)
    section = document["binary_classification_metrics"]
    scores = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
    rates = ("true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate")
    constant = {f"{name}_best_constant_classifier" for name in scores}
    curves = {"receiver_operating_characteristic_curve", "precision_recall_curve", "confusion_matrix"}
    assert {*scores, *rates, "auc", *constant, *curves} <= set(section)
    assert section["recall_best_constant_classifier"]["value"] == 1
    assert section["precision_best_constant_classifier"]["value"] == pytest.approx(3 / 5)
    assert section["f2"]["value"] == pytest.approx(2 / 3)


def test_a_multiclass_report_weighs_its_scores_by_the_classes() -> None:
    """Names of the developer guide's example; weighted recall is the accuracy."""
    three = np.column_stack([PREDICTED * 0.8, np.full(5, 0.2)])
    truth = np.array([0, 1, 1, 2, 1], dtype=np.float64)
    document = insights.statistics("MulticlassClassification", ("a", "b", "c"), truth, three, np.ones(5), seed=1)
    section = document["multiclass_classification_metrics"]
    scores = ("accuracy", *(f"weighted_{name}" for name in ("recall", "precision", "f0_5", "f1", "f2")))
    assert {*scores, *(f"{name}_best_constant_classifier" for name in scores)} <= set(section)
    assert section["weighted_recall"]["value"] == pytest.approx(section["accuracy"]["value"])
    assert section["accuracy_best_constant_classifier"]["value"] == pytest.approx(1 / 5)
