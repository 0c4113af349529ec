"""Shapley values."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from include.local_aws.images.autopilot import explain
from include.local_aws.images.autopilot.table import Column, Schema


def schema(*names: str) -> Schema:
    return Schema(tuple(Column(name, "numeric") for name in names), "y", "Regression", ())


def rows(count: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({name: [str(cell) for cell in random.normal(size=count)] for name in "abc"}, dtype=object)


def numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(np.float64)


def test_a_linear_model_is_explained_by_its_terms() -> None:
    """Shapley value of a term: coefficient times (value - background mean); of an unused column: exactly 0."""
    table = rows()
    attributions = explain.shapley(
        lambda frame: (3 * numbers(frame)["a"] - numbers(frame)["b"]).to_numpy(),
        schema("a", "b", "c"),
        table,
        seed=1,
        seconds=60,
    )
    assert attributions.values.shape == (explain.EXPLAINED_ROWS, 3, 1)
    np.testing.assert_array_equal(attributions.values[:, 2], 0)
    chosen = np.random.default_rng(1).choice(len(table), explain.EXPLAINED_ROWS, replace=False)
    exact = 3 * (numbers(table)["a"].to_numpy()[chosen] - numbers(table)["a"].mean())
    np.testing.assert_allclose(attributions.values[:, 0, 0], exact, atol=3 * 3 / np.sqrt(24) * 1.3)
    assert np.corrcoef(attributions.values[:, 0, 0], exact)[0, 1] > 0.95


def test_values_of_a_row_add_up_to_its_prediction_less_the_backgrounds() -> None:
    """For any model, averaged over the same background rows."""

    def predict(frame: pd.DataFrame) -> np.ndarray:
        values = numbers(frame).to_numpy()
        return np.asarray(np.tanh(values[:, 0] * values[:, 1] + values[:, 2]))

    table = rows()
    attributions = explain.shapley(predict, schema("a", "b", "c"), table, seed=1, seconds=60)
    chosen = np.random.default_rng(1).choice(len(table), explain.EXPLAINED_ROWS, replace=False)
    total = attributions.values[:, :, 0].sum()
    expected = predict(table.iloc[chosen]).sum() - explain.EXPLAINED_ROWS * attributions.expected[0]
    assert total == pytest.approx(expected)


def test_without_time_one_round_is_still_made() -> None:
    """Every explained row has a value."""
    attributions = explain.shapley(
        lambda frame: numbers(frame)["a"].to_numpy(), schema("a", "b"), rows(), seed=1, seconds=0
    )
    assert np.abs(attributions.values[:, 0, 0]).min() >= 0
    assert np.count_nonzero(attributions.values[:, 0, 0]) >= explain.EXPLAINED_ROWS - 1


@pytest.mark.parametrize(
    ("problem", "outputs", "labels"),
    [
        ("Regression", 1, ["label0"]),
        ("BinaryClassification", 2, ["label0"]),
        ("MulticlassClassification", 3, ["label0", "label1", "label2"]),
    ],
)
def test_the_document_has_clarifys_shape(problem: str, outputs: int, labels: list[str]) -> None:
    """A binary problem's only label is the positive class, the second."""
    values = np.arange(2 * 2 * outputs, dtype=np.float64).reshape(2, 2, outputs) - 1
    attributions = explain.Attributions(("a", "b"), values, np.arange(outputs, dtype=np.float64))
    shap = explain.analysis(attributions, problem)["explanations"]["kernel_shap"]  # type: ignore[index]
    assert list(shap) == labels
    output = 1 if problem == "BinaryClassification" else 0
    assert shap["label0"]["expected_value"] == output
    assert shap["label0"]["global_shap_values"]["b"] == np.abs(values[:, 1, output]).mean()


def test_local_values_have_a_line_for_each_row_and_a_column_for_each_feature_and_label() -> None:
    """Clarify's out.csv; means of its absolute values are the global ones."""
    values = np.random.default_rng(0).normal(size=(5, 2, 3))
    attributions = explain.Attributions(("a", "b,c"), values, np.zeros(3))
    table = pd.read_csv(io.BytesIO(explain.rows(attributions, "MulticlassClassification")))
    assert list(table) == [f"{column}_label{label}" for label in range(3) for column in ("a", "b,c")]
    shap = explain.analysis(attributions, "MulticlassClassification")["explanations"]["kernel_shap"]  # type: ignore[index]
    for label in range(3):
        for column, value in shap[f"label{label}"]["global_shap_values"].items():
            assert table[f"{column}_label{label}"].abs().mean() == pytest.approx(value)


def test_a_thousand_columns_are_explained_with_fewer_rows() -> None:
    """Each row is asked about once for every column: memory stays bounded."""
    random = np.random.default_rng(0)
    names = [f"f{number}" for number in range(1000)]
    table = pd.DataFrame(random.normal(size=(50, 1000)).astype(str), columns=names, dtype=object)
    asked = []

    def predict(frame: pd.DataFrame) -> np.ndarray:
        asked.append(len(frame))
        return frame["f0"].astype(np.float64).to_numpy()

    attributions = explain.shapley(predict, schema(*names), table, seed=1, seconds=0)
    assert attributions.values.shape == (4, 1000, 1)
    assert max(asked) == 4 * 1001
