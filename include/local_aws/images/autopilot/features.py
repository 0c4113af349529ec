"""Feature pipelines: from the table's text cells to the float32 matrix that an algorithm trains on.

A pipeline is fitted once on the training rows, without the target, and travels with the model. Matrices are float32
in training too, because that is what reaches the algorithm at inference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)

from include.local_aws.images.autopilot.table import Column, Schema, parse_numbers

Matrix = NDArray[np.float32]

_MISSING_CATEGORY = "(missing)"
_TEXT_TERMS = 2000
_WORD = r"(?u)\b\w+\b"
_TEXT_COMPONENTS = 12
_ORDINAL_CATEGORIES = 250
_ONE_HOT_CATEGORIES = 60
_ONE_HOT_WIDTH = 3000
_ROTATED_COMPONENTS = 30
_KNOTS = 6


@dataclass(frozen=True)
class Recipe:
    """How one feature pipeline treats each kind of column; ``describe`` is shown in the candidate notebook."""

    name: str
    describe: str
    numeric: Callable[[], Any] | None
    categorical: Callable[[int, int], Any]
    """From the numbers of rows and of columns."""
    compress: Callable[[], Any] | None = None
    beside: Callable[[int], Any] | None = None
    """What is derived from all numeric columns, whose number it gets, and stands beside them."""


def _one_hot(rows: int, columns: int) -> Any:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=max(2, round(0.002 * rows)),
        max_categories=max(2, min(_ONE_HOT_CATEGORIES, _ONE_HOT_WIDTH // columns)),
        sparse_output=False,
        dtype=np.float32,
    )


def _ordinal(rows: int, columns: int) -> Any:  # noqa: ARG001  # codes take a column each
    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        min_frequency=2 if rows >= 2000 else None,
        max_categories=_ORDINAL_CATEGORIES,
        dtype=np.float32,
    )


def _imputed(*, indicated: bool = True) -> Any:
    return SimpleImputer(strategy="median", add_indicator=indicated, keep_empty_features=True)


def _scaled() -> Any:
    return make_pipeline(_imputed(), StandardScaler())


def _splines() -> Any:
    return make_pipeline(
        _imputed(),
        StandardScaler(),
        SplineTransformer(_KNOTS, knots="quantile", extrapolation="linear"),
    )


def _components(columns: int) -> Any:
    return make_pipeline(
        _imputed(indicated=False),
        StandardScaler(),
        PCA(n_components=min(columns, _ROTATED_COMPONENTS), svd_solver="full"),
    )


RECIPES: Mapping[str, Recipe] = {
    "ordinal": Recipe(
        "ordinal",
        "numbers as they are (missing ones kept), categories as ordinal codes, texts as leading components of TF-IDF",
        None,
        _ordinal,
    ),
    "rotated": Recipe(
        "rotated",
        "as ordinal, and beside the numbers the principal components of all of them, so that a tree splits by sums and "
        "differences of columns too",
        None,
        _ordinal,
        beside=_components,
    ),
    "spline": Recipe(
        "spline",
        "numbers as cubic splines between their quantiles, so that a linear model follows curves, else as one-hot",
        _splines,
        _one_hot,
    ),
    "one-hot": Recipe(
        "one-hot",
        "numbers imputed by their median with an indicator and standardised, categories one-hot, "
        "texts as leading components of TF-IDF",
        _scaled,
        _one_hot,
    ),
    "quantile": Recipe(
        "quantile",
        "numbers imputed by their median and mapped to a normal distribution by quantiles, else as one-hot",
        lambda: make_pipeline(
            _imputed(),
            QuantileTransformer(output_distribution="normal", n_quantiles=100, subsample=20_000, random_state=0),
        ),
        _one_hot,
    ),
    "pca": Recipe(
        "pca",
        "as one-hot, then the principal components that hold 95 % of the variance",
        _scaled,
        _one_hot,
        lambda: PCA(n_components=0.95, svd_solver="full", random_state=0),
    ),
}


@dataclass
class FeaturePipeline:
    """A fitted recipe. ``names`` are the matrix's columns, ``categorical`` the indices of its ordinal codes."""

    recipe: str
    schema: Schema
    names: list[str] = field(default_factory=list)
    categorical: list[int] = field(default_factory=list)
    _numeric: Any = None
    _categories: Any = None
    _texts: dict[str, Any] = field(default_factory=dict)
    _compress: Any = None
    _beside: Any = None

    @property
    def width(self) -> int:
        """The number of features that come out."""
        return len(self.names)

    def transform(self, frame: pd.DataFrame) -> Matrix:
        """Map text cells, in columns named as the training's, to features of shape (rows, width)."""
        blocks = self._blocks(frame)
        matrix = np.hstack(blocks).astype(np.float32) if blocks else np.zeros((len(frame), 0), dtype=np.float32)
        if self._compress is not None:
            matrix = np.asarray(self._compress.transform(matrix), dtype=np.float32)
        return matrix

    def _blocks(self, frame: pd.DataFrame) -> list[NDArray[Any]]:
        blocks: list[NDArray[Any]] = []
        if self._columns("numeric", "datetime"):
            numbers = _numbers(frame, self._columns("numeric", "datetime"))
            blocks.append(numbers if self._numeric is None else self._numeric.transform(numbers))
            if self._beside is not None:
                blocks.append(self._beside.transform(numbers))
        if self._columns("categorical"):
            blocks.append(self._categories.transform(_categories(frame, self._columns("categorical"))))
        blocks += [self._texts[column.name].transform(_texts(frame, column)) for column in self._columns("text")]
        return blocks

    def _columns(self, *kinds: str) -> list[Column]:
        return [column for column in self.schema.used if column.kind in kinds]


def fit(recipe: str, schema: Schema, frame: pd.DataFrame) -> FeaturePipeline:
    """Fit a recipe of ``RECIPES`` on training rows."""
    how = RECIPES[recipe]
    pipeline = FeaturePipeline(recipe, schema)
    measured = pipeline._columns("numeric", "datetime")
    if measured:
        numbers = _numbers(frame, measured)
        names = _number_names(measured)
        if how.numeric is not None:
            pipeline._numeric = how.numeric().fit(numbers)
            indicator = "missingindicator_"  # the imputer's prefix
            names = [
                f"{name.removeprefix(indicator)} is missing" if name.startswith(indicator) else name
                for name in pipeline._numeric.get_feature_names_out(names)
            ]
        pipeline.names += names
        if how.beside is not None and len(_number_names(measured)) > 1:
            pipeline._beside = how.beside(numbers.shape[1]).fit(numbers)
            pipeline.names += [f"component {number + 1}" for number in range(pipeline._beside[-1].n_components_)]
    named = pipeline._columns("categorical")
    if named:
        pipeline._categories = how.categorical(len(frame), len(named)).fit(_categories(frame, named))
        names = [str(name) for name in pipeline._categories.get_feature_names_out([column.name for column in named])]
        if how.categorical is _ordinal:
            pipeline.categorical = list(range(len(pipeline.names), len(pipeline.names) + len(names)))
        pipeline.names += names
    for column in pipeline._columns("text"):
        texts = _texts(frame, column)
        vectorizer = TfidfVectorizer(max_features=_TEXT_TERMS, sublinear_tf=True, token_pattern=_WORD)
        terms = len(vectorizer.fit(texts).vocabulary_)
        components = min(_TEXT_COMPONENTS, max(1, terms - 1))
        steps = make_pipeline(vectorizer, TruncatedSVD(components, random_state=0)).fit(texts)
        pipeline._texts[column.name] = steps
        pipeline.names += [f"{column.name} topic {number + 1}" for number in range(components)]
    if how.compress is not None:
        matrix = np.hstack(pipeline._blocks(frame)).astype(np.float32)
        pipeline._compress = how.compress().fit(matrix)
        pipeline.names = [f"component {number + 1}" for number in range(int(pipeline._compress.n_components_))]
    return pipeline


_DATETIME_PARTS = ("seconds", "month", "weekday", "hour")


def _number_names(columns: list[Column]) -> list[str]:
    names = []
    for column in columns:
        if column.kind == "datetime":
            names += [f"{column.name} {part}" for part in _DATETIME_PARTS]
        else:
            names.append(column.name)
    return names


def _numbers(frame: pd.DataFrame, columns: list[Column]) -> NDArray[np.float64]:
    blocks = []
    for column in columns:
        if column.kind == "datetime":
            when = pd.to_datetime(frame[column.name], errors="coerce", format=column.datetime_format, utc=True)
            seconds = (when - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
            blocks += [
                part.to_numpy(dtype=np.float64, na_value=np.nan)
                for part in (seconds, when.dt.month, when.dt.day_of_week, when.dt.hour)
            ]
        else:
            blocks.append(parse_numbers(frame[column.name]))
    # Beyond float32's range a number would reach the algorithm as infinite.
    numbers: NDArray[np.float64] = np.clip(np.column_stack(blocks), -1e30, 1e30)
    return numbers


def _categories(frame: pd.DataFrame, columns: list[Column]) -> NDArray[Any]:
    cells: NDArray[Any] = np.column_stack([frame[column.name].to_numpy(dtype=object) for column in columns])
    cells[pd.isna(cells)] = _MISSING_CATEGORY
    return cells


def _texts(frame: pd.DataFrame, column: Column) -> list[str]:
    return [cell if isinstance(cell, str) else "" for cell in frame[column.name]]
