"""Whether a classifier tells the rows of two parts apart, and by which features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.sanity_features import WORDS, Binned, area, auc, numbers_binned
from automl_retraining.core.sanity_sample import Column, Floats

TELLS = 0.55
"""AUC up to which telling the parts apart is of no consequence: two normal distributions 0.18 deviations apart."""
UNITS = 50
"""Fewer independent rows of a part than this say nothing about its kind."""
_MOST_ROWS = 10_000
_FOLDS = 3
_Z = 2.575829
"""Of a 99 % interval: with 95 %, 2 of 638 small tables whose parts differ by chance alone were told apart."""


def effective(groups: NDArray[Any]) -> float:
    """How many independent rows these rows are worth, given each row's group (Kish 1965): rows**2 / sum(sizes**2)."""
    sizes = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return float(len(groups) ** 2 / np.square(sizes).sum()) if len(groups) else 0.0


def different(columns: Sequence[Column]) -> float:
    """How many independent rows these are worth where equal ones count as one."""
    return effective(_row_hashes([_Feature(column) for column in columns], 0))


@dataclass(frozen=True)
class Told:
    """How well a classifier told two parts apart, and by which columns (each alone, the best first)."""

    auc: float
    low: float
    high: float
    columns: tuple[tuple[str, float], ...]

    @property
    def found(self) -> bool:
        """By more than is of no consequence, with confidence."""
        return self.low > TELLS


def tell_apart(
    train: Sequence[Column], test: Sequence[Column], *, share: tuple[float, float], seed: int
) -> Told | None:
    """Train a classifier to tell test rows from train rows, and look how well it does on rows it has not seen.

    Small gradient-boosted trees with large leaves: they find that a part is of another kind, and do not learn single
    rows by heart. Equal rows are in one fold, since a split by features puts all of them into one part.

    Args:
        train: the features in rows of the train part.
        test: the same features in rows of the test part.
        share: independent rows per row in each part.
        seed: of the subsample and the trees.

    Returns:
        None where there are too few rows to tell.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    n_test = min(len(test[0].numbers), _MOST_ROWS)
    n_train = min(len(train[0].numbers), _MOST_ROWS, 2 * n_test)
    rng = np.random.default_rng([seed, 2])
    train, test = _some(train, n_train, rng), _some(test, n_test, rng)
    features = [_Feature(here, there) for here, there in zip(train, test, strict=True)]
    part = np.repeat(np.array([0, 1], dtype=np.int64), [n_train, n_test])
    folds = _row_hashes(features, seed) % np.uint64(_FOLDS)
    independent = int(n_train * share[0]), int(n_test * share[1])
    if min(independent) < UNITS:
        return None
    areas = []
    alone = np.zeros(len(features))
    for fold in range(_FOLDS):
        known, scored = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if min(len(np.unique(part[known])), len(np.unique(part[scored]))) < 2:
            return None
        model = HistGradientBoostingClassifier(
            learning_rate=0.15,
            max_iter=30,
            max_depth=3,
            min_samples_leaf=max(20, len(known) // 50),
            early_stopping=False,
            random_state=seed,
        )
        values = _telling([feature.coded(known) for feature in features], known)
        if values is None:
            return None
        # One thread: beside other tasks on a worker's cores, OpenMP's threads wait for each other for minutes.
        with threadpool_limits(1, user_api="openmp"):
            model.fit(values[known], part[known])
            scores = model.predict_proba(values[scored])[:, 1]
        found = area(scores, part[scored], 1 - part[scored])
        assert found is not None
        areas.append(found)
        for place, feature in enumerate(features):
            alone[place] += auc(feature.binned(known, scored), part[known], part[scored], 2) / _FOLDS
    value = float(np.mean(areas))
    error = _auc_error(value, independent[1], independent[0])
    order = np.argsort(-alone, kind="stable")
    named = tuple((features[place].name, float(alone[place])) for place in order[:5].tolist())
    return Told(value, value - _Z * error, value + _Z * error, named)


def _some(columns: Sequence[Column], rows: int, rng: np.random.Generator) -> list[Column]:
    of = len(columns[0].numbers)
    if rows == of:
        return list(columns)
    chosen = np.sort(rng.choice(of, size=rows, replace=False))
    return [column.take(chosen) for column in columns]


def _telling(columns: Sequence[Floats], known: NDArray[np.intp]) -> Floats | None:
    """The columns that have more than one value among these rows, or are missing in some; None where there is none."""
    kept = []
    for column in columns:
        here = column[known]
        there = here[~np.isnan(here)]
        if len(there) and there.min() < there.max():
            kept.append(column)
        elif 0 < len(there) < len(here):
            kept.append(np.isnan(column).astype(np.float64))
    return np.column_stack(kept) if kept else None


class _Feature:
    """A feature over the rows of the parts. ``values`` are numbers, or words by their place in the alphabet."""

    def __init__(self, *parts: Column) -> None:
        self.name = parts[0].name
        self._words = 0
        if parts[0].words is None or parts[0].type == "datetime":
            self.values = np.concatenate([part.numbers for part in parts])
            return
        words = [word for part in parts for word in part.words or ()]
        different = sorted(set(words) - {""})
        self._words = len(different)
        places = dict(zip(different, range(self._words), strict=True)) | {"": np.nan}
        self.values = np.array([places[word] for word in words], dtype=np.float64)

    def coded(self, known: NDArray[np.intp]) -> Floats:
        """The values, of words only the most frequent apart from each other.

        Frequent among the rows to learn from alone: counted over all of them, how frequent a word is would tell of
        which part the rows to score are, since one part is drawn from more sparsely than the other.
        """
        if self._words <= WORDS:
            return self.values
        there = self.values[known]
        counts = np.bincount(there[~np.isnan(there)].astype(np.int64), minlength=self._words)
        frequent = np.sort(np.argsort(-counts, kind="stable")[:WORDS])
        codes = np.full(self._words, float(WORDS))
        codes[frequent] = np.arange(WORDS)
        return np.where(np.isnan(self.values), np.nan, codes[np.nan_to_num(self.values).astype(np.int64)])

    def binned(self, known: NDArray[np.intp], scored: NDArray[np.intp]) -> Binned:
        """Bins for what the feature tells alone."""
        if not self._words:
            return numbers_binned(self.values[known], self.values[scored])
        codes = np.where(np.isnan(self.values), WORDS + 1, self.coded(known)).astype(np.int64)
        return Binned(codes[known], codes[scored], WORDS + 2)


def _row_hashes(features: Sequence[_Feature], seed: int) -> NDArray[np.uint64]:
    """A number for each row, the same for rows that are equal in every feature."""
    factors = np.random.default_rng([seed, 3]).integers(1, 2**63, size=len(features), dtype=np.uint64)
    total = np.zeros(len(features[0].values), dtype=np.uint64)
    for feature, factor in zip(features, factors, strict=True):
        bits = np.where(np.isnan(feature.values), np.inf, feature.values).view(np.uint64)
        mixed = (bits ^ (bits >> np.uint64(29))) * (factor * np.uint64(2) + np.uint64(1))
        total += mixed ^ (mixed >> np.uint64(32))
    return total ^ (total >> np.uint64(31))


def _auc_error(value: float, positive: int, negative: int) -> float:
    """The standard error of an AUC (Hanley and McNeil 1982)."""
    first, second = value / (2 - value), 2 * value * value / (1 + value)
    variance = (
        value * (1 - value) + (positive - 1) * (first - value * value) + (negative - 1) * (second - value * value)
    ) / (positive * negative)
    return math.sqrt(max(0.0, variance))
