"""How well each feature alone predicts a target: bins of its values and the target's mean in each.

Bins are made and filled on some rows and scored on others, so a feature whose values never come back scores nothing.
Everything is a table of bins by classes, so a feature of 20,000 rows takes milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.sanity_sample import Column, Floats

BINS = 64
WORDS = 254
"""Most words of a column that have a bin of their own; the others share one."""
_ROWS_A_BIN = 20
_WEIGHT = 1.0
"""Rows that the overall mean counts in each bin's mean, so that a bin of few rows says little."""

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Binned:
    """A feature's bin for each row that the bins were made on and each that is scored; ``bins`` are 0 to bins - 1."""

    fit: Codes
    scored: Codes
    bins: int


def binned(fit: Column, scored: Column) -> Binned:
    """Bins from one column's values, and both columns' rows in them. Missing has a bin of its own."""
    if fit.words is not None and fit.type != "datetime":
        return _words(fit.words, scored.words or [""] * len(scored.numbers))
    return numbers_binned(fit.numbers, scored.numbers)


def _words(fit: Sequence[str], scored: Sequence[str]) -> Binned:
    counts = Counter(fit)
    counts.pop("", None)
    names = sorted(counts, key=lambda word: (-counts[word], word))[:WORDS]
    codes = {word: place for place, word in enumerate(names, start=2)} | {"": 0}
    return Binned(
        np.fromiter((codes.get(word, 1) for word in fit), dtype=np.int64, count=len(fit)),
        np.fromiter((codes.get(word, 1) for word in scored), dtype=np.int64, count=len(scored)),
        len(names) + 2,
    )


def numbers_binned(fit: Floats, scored: Floats) -> Binned:
    """Bins of about equally many of the numbers ``fit``, or of single values where there are few; NaN is missing."""
    finite = fit[~np.isnan(fit)]
    if not len(finite):
        return Binned(np.zeros(len(fit), dtype=np.int64), np.isfinite(scored).astype(np.int64), 2)
    values = np.unique(finite)
    most = max(2, min(BINS, len(finite) // _ROWS_A_BIN))
    if len(values) <= most:
        edges = values[:-1] / 2 + values[1:] / 2
    else:
        edges = np.unique(np.quantile(finite, np.arange(1, most) / most))
    missing = len(edges) + 1

    def code(numbers: Floats) -> Codes:
        return np.where(np.isnan(numbers), missing, np.searchsorted(edges, numbers, side="right")).astype(np.int64)

    return Binned(code(fit), code(scored), missing + 1)


def auc(feature: Binned, fit: Codes, scored: Codes, classes: int, judged: Sequence[int] = (1,)) -> float:
    """The feature's ROC AUC, the mean over some classes, each against the rest.

    Args:
        feature: its bins.
        fit: the class (0 to ``classes`` - 1) of each row that the bins were made on.
        scored: the class of each row to score.
        classes: how many classes there are, at least two.
        judged: the classes that count, each equally; of two classes the second is enough.
    """
    counts = np.bincount(feature.fit * classes + fit, minlength=feature.bins * classes).reshape(-1, classes)
    prior = counts.sum(axis=0) / max(1, counts.sum())
    shares = (counts + _WEIGHT * prior) / (counts.sum(axis=1, keepdims=True) + _WEIGHT)
    truth = np.bincount(feature.scored * classes + scored, minlength=feature.bins * classes).reshape(-1, classes)
    rows = truth.sum(axis=1)
    found = [area(shares[:, one], truth[:, one], rows - truth[:, one]) for one in judged]
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else 0.5


def area(scores: Floats, positive: Codes, negative: Codes) -> float | None:
    """The ROC AUC of rows that come in bins with one score each; None where a class has no row."""
    total = int(positive.sum()) * int(negative.sum())
    if not total:
        return None
    _, place = np.unique(scores, return_inverse=True)
    up = np.bincount(place, weights=positive)
    down = np.bincount(place, weights=negative)
    below = np.cumsum(down) - down
    return float((up * (below + down / 2)).sum() / total)


def ranks(fit: Floats, scored: Floats) -> tuple[Floats, Floats]:
    """Both targets as mid-ranks among the rows of ``fit``, from 0 to 1.

    Of ranks, since one row in the far tail of a target would else decide how much of it is explained.
    """
    ordered = np.sort(fit)

    def place(values: Floats) -> Floats:
        low = np.searchsorted(ordered, values, side="left")
        return np.asarray((low + np.searchsorted(ordered, values, side="right")) / (2 * len(ordered)), dtype=np.float64)

    return place(fit), place(scored)


def r2(feature: Binned, fit: Floats, scored: Floats) -> float:
    """Share of the target's variance on the rows to score that the bins' means explain; 0 where they explain none."""
    sums = np.bincount(feature.fit, weights=fit, minlength=feature.bins)
    counts = np.bincount(feature.fit, minlength=feature.bins)
    means = (sums + _WEIGHT * fit.mean()) / (counts + _WEIGHT)
    spread = float(np.square(scored - scored.mean()).sum())
    if not spread:
        return 0.0
    return max(0.0, 1 - float(np.square(scored - means[feature.scored]).sum()) / spread)
