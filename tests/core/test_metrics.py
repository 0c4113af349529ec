from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.metric_table import METRICS, metrics_for
from automl_retraining.core.metrics import (
    VALUES,
    Answers,
    Floats,
    Task,
    auc_of_weights,
    encode,
    metric_value,
    sums_by,
    undefined_reason,
    value_of_sums,
)
from tests.support.evidence import BINARY, MULTICLASS, REGRESSION, binary, multiclass, regression

Reference = Callable[[Answers, Floats], float]


def _labels(function: Callable[..., float], **options: object) -> Reference:
    return lambda answers, weights: float(
        function(answers.truth, answers.prediction, sample_weight=weights, zero_division=0, **options)
        if function not in (sk.accuracy_score, sk.balanced_accuracy_score)
        else function(answers.truth, answers.prediction, sample_weight=weights)
    )


def _numbers(function: Callable[..., float]) -> Reference:
    return lambda answers, weights: float(function(answers.truth, answers.prediction, sample_weight=weights))


def _log_loss(answers: Answers, weights: Floats) -> float:
    assert answers.probabilities is not None
    codes = list(range(answers.probabilities.shape[1]))
    return float(sk.log_loss(answers.truth, answers.probabilities, sample_weight=weights, labels=codes))


def _auc(answers: Answers, weights: Floats) -> float:
    assert answers.probabilities is not None
    return float(sk.roc_auc_score(answers.truth, answers.probabilities[:, 1], sample_weight=weights))


def _auc_ovr(answers: Answers, weights: Floats) -> float:
    return float(sk.roc_auc_score(answers.truth, answers.probabilities, sample_weight=weights, multi_class="ovr"))


REFERENCE: dict[str, Reference] = {
    "rmse": _numbers(sk.root_mean_squared_error),
    "mae": _numbers(sk.mean_absolute_error),
    "r2": _numbers(sk.r2_score),
    "mape": _numbers(sk.mean_absolute_percentage_error),
    "roc_auc": _auc,
    "roc_auc_ovr": _auc_ovr,
    "log_loss": _log_loss,
    "accuracy": _labels(sk.accuracy_score),
    "balanced_accuracy": _labels(sk.balanced_accuracy_score),
    "f1": _labels(sk.f1_score),
    "f1_macro": _labels(sk.f1_score, average="macro"),
    "f1_weighted": _labels(sk.f1_score, average="weighted"),
    "precision": _labels(sk.precision_score),
    "recall": _labels(sk.recall_score),
    "precision_macro": _labels(sk.precision_score, average="macro"),
    "recall_macro": _labels(sk.recall_score, average="macro"),
}


def test_every_metric_is_held_against_scikit_learn() -> None:
    assert set(REFERENCE) == set(METRICS)


def _answers(task: Task, seed: int, rows: int = 200) -> Answers:
    rng = np.random.default_rng(seed)
    if task is REGRESSION:
        return regression(rng, rows, 0.5)[0]
    if task is MULTICLASS:
        return multiclass(rng, rows)
    return binary(rng, rows, 1.5, ties=12)[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION], ids=lambda task: task.problem_type)
def test_each_metric_equals_scikit_learns_on_rows_drawn_at_random_ties_included(task: Task, seed: int) -> None:
    answers = _answers(task, seed)
    for spec in metrics_for(task.problem_type):
        expected = REFERENCE[spec.name](answers, np.ones(len(answers.truth)))
        assert metric_value(spec.name, answers, task) == pytest.approx(expected, rel=1e-12), spec.name


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION], ids=lambda task: task.problem_type)
def test_a_resample_scores_as_scikit_learn_scores_its_rows_weighted(task: Task) -> None:
    answers = _answers(task, 7, rows=60)
    weights = np.random.default_rng(8).multinomial(60, np.full(60, 1 / 60), size=20).astype(np.float64)
    for spec in metrics_for(task.problem_type):
        if spec.name.startswith("roc_auc"):
            values = auc_of_weights(answers, task, weights)
        else:
            values = value_of_sums(spec.name, weights @ VALUES[spec.name][0](answers, task)(slice(None)), task)
        expected = [REFERENCE[spec.name](answers, line) for line in weights]
        np.testing.assert_allclose(values, expected, rtol=1e-10, err_msg=spec.name)


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_the_weighted_auc_is_the_same_whichever_class_is_larger(share: float) -> None:
    answers = binary(np.random.default_rng(1), 300, 1.0, share=share, ties=20)[0]
    weights = np.random.default_rng(2).integers(0, 4, (5, 300)).astype(np.float64)
    expected = [_auc(answers, line) for line in weights]
    np.testing.assert_allclose(auc_of_weights(answers, BINARY, weights), expected, rtol=1e-12)


def test_the_auc_of_a_constant_score_is_one_half() -> None:
    truth = np.array([0, 1, 1, 0])
    answers = Answers(truth, truth, np.full((4, 2), 0.5))
    assert metric_value("roc_auc", answers, BINARY) == 0.5


def test_the_positive_class_is_the_one_named_and_else_the_second_label() -> None:
    answers = binary(np.random.default_rng(3), 100, 1.0)[0]
    named = Task("BinaryClassification", ("no", "yes"), "no")
    assert Task("BinaryClassification", ("no", "yes")).positive_label == "yes"
    expected = sk.f1_score(answers.truth, answers.prediction, pos_label=0)
    assert metric_value("f1", answers, named) == pytest.approx(expected)


def test_labels_that_are_numbers_are_recognised_however_they_are_written() -> None:
    table = pd.DataFrame({"truth": ["0", "1", "1"], "prediction": ["0.0", "1.0", "0"]})
    answers = encode(table, Task("BinaryClassification", ("0", "1")))
    assert answers.prediction.tolist() == [0, 1, 0]
    assert answers.probabilities is None


def test_a_class_that_the_training_data_did_not_have_is_refused_with_its_row() -> None:
    table = pd.DataFrame({"truth": ["no", "maybe"], "prediction": ["no", "no"]}, index=[4, 9])
    with pytest.raises(EvidenceError, match=r"'no', 'yes' as truth, found 'maybe' for row_id 9"):
        encode(table, BINARY)


def test_a_prediction_that_is_no_number_is_refused_with_its_row() -> None:
    table = pd.DataFrame({"truth": ["1.5", "2"], "prediction": ["1", "nan"]}, index=[4, 9])
    with pytest.raises(EvidenceError, match=r"finite number as prediction in every row, found 'nan' for row_id 9"):
        encode(table, REGRESSION)


@pytest.mark.parametrize(
    ("metric", "truth", "prediction", "reason"),
    [
        ("roc_auc", [0, 0], [0, 1], "the test rows hold no 'yes'"),
        ("precision", [0, 1], [0, 0], "the challenger never predicts 'yes'"),
        ("recall", [0, 0], [0, 1], "the test rows hold no 'yes'"),
        ("f1", [0, 0], [0, 0], "'yes' is neither in the test rows nor predicted by the challenger"),
        ("accuracy", [], [], "no test rows are left"),
    ],
)
def test_a_metric_without_a_value_says_why(metric: str, truth: list[int], prediction: list[int], reason: str) -> None:
    codes, predicted = np.array(truth, dtype=np.int64), np.array(prediction, dtype=np.int64)
    answers = Answers(codes, predicted, np.full((len(codes), 2), 0.5))
    assert undefined_reason(METRICS[metric], answers, BINARY, "the challenger") == reason


@pytest.mark.parametrize(
    ("metric", "truth", "reason"),
    [
        ("r2", [2.0, 2.0], "the target is the same in all test rows"),
        ("mape", [0.0, 2.0], "the target is 0 in 1 of 2 test"),
    ],
)
def test_a_regression_metric_without_a_value_says_why(metric: str, truth: list[float], reason: str) -> None:
    answers = Answers(np.array(truth), np.array([1.0, 2.0]))
    found = undefined_reason(METRICS[metric], answers, REGRESSION, "the challenger")
    assert found is not None
    assert reason in found


def test_a_model_without_probabilities_has_no_auc_and_no_log_loss() -> None:
    answers = Answers(np.array([0, 1]), np.array([0, 1]))
    for metric in ("roc_auc", "log_loss"):
        found = undefined_reason(METRICS[metric], answers, BINARY, "the champion")
        assert found == "the champion answers no probabilities"


def test_the_sums_of_many_rows_are_those_of_all_of_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns are made some rows at a time, by unit or not, and the AUC's placements are searched so too."""
    answers = binary(np.random.default_rng(4), 500, 1.0, ties=20)[0]
    units = np.random.default_rng(5).integers(0, 7, 500)
    for name in ("roc_auc", "f1", "log_loss"):
        whole = VALUES[name][0](answers, BINARY)(slice(None))
        with monkeypatch.context() as small:
            small.setattr("automl_retraining.core.metrics.ROWS_AT_ONCE", 64)
            columns = VALUES[name][0](answers, BINARY)
            total, by_unit = sums_by(columns, 500), sums_by(columns, 500, units, 7)
        np.testing.assert_allclose(total, whole.sum(axis=0), rtol=1e-12)
        np.testing.assert_allclose(by_unit, [whole[units == unit].sum(axis=0) for unit in range(7)], rtol=1e-12)


def test_classes_as_categories_are_coded_as_their_texts_are_in_one_byte_a_row() -> None:
    table = pd.DataFrame({"truth": ["yes", "no", "yes"], "prediction": ["yes", "yes", "yes"]})
    texts = encode(table, BINARY)
    categories = encode(table.astype("category"), BINARY)
    assert categories.truth.tolist() == texts.truth.tolist() == [1, 0, 1]
    assert categories.prediction.tolist() == texts.prediction.tolist() == [1, 1, 1]
    assert categories.truth.dtype == np.int8


@pytest.mark.parametrize("order", [["p:no", "p:yes"], ["p:yes", "p:no"], ["p:yes", "other", "p:no"]])
def test_probabilities_are_taken_in_the_order_of_the_labels_wherever_their_columns_stand(order: list[str]) -> None:
    columns = {"p:no": [0.9, 0.2], "p:yes": [0.1, 0.8], "other": [7.0, 7.0]}
    table = pd.DataFrame(
        {"truth": ["no", "yes"], "prediction": ["no", "yes"]} | {name: columns[name] for name in order}
    )
    found = encode(table, BINARY).probabilities
    assert found is not None
    assert found.tolist() == [[0.9, 0.1], [0.2, 0.8]]
