"""Feature pipelines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from include.local_aws.images.autopilot import features, table
from include.local_aws.images.autopilot.spec import parse
from tests.local_aws.images.autopilot import jobs


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> table.Table:
    root: Path = jobs.write(tmp_path_factory.mktemp("features"), jobs.table("Regression"))
    return table.load(root, parse(jobs.job()))


@pytest.mark.parametrize("recipe", features.RECIPES)
def test_every_recipe_gives_a_finite_float32_matrix_with_a_name_for_each_column(
    loaded: table.Table, recipe: str
) -> None:
    """Except that the recipe for trees keeps missing values as NaN."""
    pipeline = features.fit(recipe, loaded.schema, loaded.train.frame)
    matrix = pipeline.transform(loaded.train.frame)
    assert matrix.dtype == np.float32
    assert matrix.shape == (600, pipeline.width)
    missing = np.isnan(matrix)
    if recipe in ("ordinal", "rotated"):
        column = pipeline.names.index("number")
        np.testing.assert_array_equal(missing[:, column], loaded.train.frame["number"].isna())
        assert missing.sum() == missing[:, column].sum()
    else:
        assert not missing.any()


def test_values_never_seen_in_training_are_transformed_too(loaded: table.Table) -> None:
    """An unknown category, words without a known one, a cell that is not a number, a date out of range."""
    row = pd.DataFrame(
        [["many", "unheard of", "not a date", "xyzzy", "x"]],
        columns=[column.name for column in loaded.schema.columns],
        dtype=object,
    )
    for recipe in features.RECIPES:
        pipeline = features.fit(recipe, loaded.schema, loaded.train.frame)
        assert pipeline.transform(row).shape == (1, pipeline.width)


def test_a_row_is_transformed_alone_as_among_others(loaded: table.Table) -> None:
    """What an endpoint sends one by one, a batch transform sends together."""
    for recipe in features.RECIPES:
        pipeline = features.fit(recipe, loaded.schema, loaded.train.frame)
        together = pipeline.transform(loaded.train.frame)
        alone = np.vstack([pipeline.transform(loaded.train.frame.iloc[[index]]) for index in range(5)])
        np.testing.assert_allclose(alone, together[:5], rtol=1e-5, atol=1e-6)


def test_rotated_features_hold_the_sums_that_a_tree_would_need_many_splits_for(loaded: table.Table) -> None:
    """The components of the numbers stand beside them, missing ones imputed, in float32."""
    pipeline = features.fit("rotated", loaded.schema, loaded.train.frame)
    plain = features.fit("ordinal", loaded.schema, loaded.train.frame)
    components = [name for name in pipeline.names if name.startswith("component ")]
    assert [name for name in pipeline.names if name not in components] == plain.names
    matrix = pipeline.transform(loaded.train.frame)
    rotated = matrix[:, [pipeline.names.index(name) for name in components]]
    assert not np.isnan(rotated).any()
    rotated = rotated[:, rotated.std(axis=0) > 1e-6]  # dates without times have a constant hour
    assert rotated.shape[1] >= 3
    np.testing.assert_allclose(np.triu(np.corrcoef(rotated.T), 1), 0, atol=1e-3)


def test_a_linear_model_on_splines_follows_a_curve() -> None:
    """Which it can't on the numbers themselves."""
    x = np.linspace(-3, 3, 600)
    schema = table.Schema((table.Column("x", "numeric"),), "y", "Regression", ())
    frame = pd.DataFrame({"x": x})
    errors = {}
    for recipe in ("one-hot", "spline"):
        matrix = features.fit(recipe, schema, frame).transform(frame)
        errors[recipe] = np.mean((Ridge(0.01).fit(matrix, np.sin(2 * x)).predict(matrix) - np.sin(2 * x)) ** 2)
    assert errors["spline"] < 0.1 * errors["one-hot"]


def test_one_hot_features_are_bounded_however_many_columns_there_are() -> None:
    """Hundreds of columns keep their most frequent categories only."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.choice([f"w{number}" for number in range(50)], (300, 300))).add_prefix("c")
    schema = table.Schema(tuple(table.Column(str(name), "categorical") for name in frame), "y", "Regression", ())
    assert features.fit("one-hot", schema, frame).width <= 3000


def test_dates_become_seconds_and_parts_of_the_calendar(loaded: table.Table) -> None:
    """The names say which."""
    pipeline = features.fit("ordinal", loaded.schema, loaded.train.frame)
    matrix = pipeline.transform(loaded.train.frame)
    when = pd.to_datetime(loaded.train.frame["when"])
    np.testing.assert_array_equal(matrix[:, pipeline.names.index("when month")], when.dt.month)
    np.testing.assert_array_equal(matrix[:, pipeline.names.index("when weekday")], when.dt.day_of_week)


def test_categories_are_the_columns_named_categorical(loaded: table.Table) -> None:
    """LightGBM is told which columns are codes."""
    pipeline = features.fit("ordinal", loaded.schema, loaded.train.frame)
    assert [pipeline.names[index] for index in pipeline.categorical] == ["category"]
