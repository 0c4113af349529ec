"""Drawing the test rows again, thousands of times: by row, by group or by block of time.

A resample is a weight per unit; metrics are functions of weighted sums (``core/metrics.py``), so a few thousand
resamples are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from automl_retraining.core.metrics import Codes, Floats, RowColumns, sums_by

EXACT_ROWS = 4_000
"""Above this many units, resample random buckets of them instead: the spread of 2,000 sums is known to 2 %."""
BUCKETS = 2_000
FEWEST_BUCKETS = 500
"""Of a class, where the resampling is stratified and it has as many rows."""
_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Units:
    """What is resampled: rows, groups of rows, or blocks of time. ``of_row`` is None where each row is its own."""

    kind: Literal["row", "group", "time"]
    count: int
    of_row: Codes | None = None


def units_by_row(rows: int) -> Units:
    """Each row is its own unit."""
    return Units("row", rows)


def units_by_group(groups: pd.Series) -> Units:
    """Rows of one group stay together."""
    codes, levels = pd.factorize(groups.astype(str))
    return Units("group", len(levels), codes.astype(np.int64))


def units_by_time(times: pd.Series) -> Units:
    """Blocks of n^(1/3) rows that follow each other in time (Carlstein 1986; the length: Hall, Horowitz, Jing 1995)."""
    numbers = pd.to_numeric(times, errors="coerce")
    keys = times.astype(str).to_numpy() if numbers.isna().any() else numbers.to_numpy()
    rows = len(times)
    length = max(math.ceil(rows ** (1 / 3)), 1)
    codes = np.empty(rows, np.int64)
    codes[np.argsort(keys, kind="stable")] = np.arange(rows) // length
    return Units("time", math.ceil(rows / length), codes)


@dataclass(frozen=True)
class Settings:
    """How intervals are made: two-sided confidence, number of resamples, seed."""

    confidence: float
    resamples: int
    seed: int

    @property
    def tail(self) -> float:
        """Probability outside at each end."""
        return (1 - self.confidence) / 2


class Resampling:
    """The sums that each resample of the units yields, for any set of row columns."""

    def __init__(self, units: Units, truth: Codes | None, settings: Settings, stream: int) -> None:
        """``truth``: the classes to stratify by, or None. ``stream`` keeps the random numbers of one use apart."""
        self.settings = settings
        self.stream = stream
        self.of_row = units.of_row
        self.count = units.count
        if units.count > EXACT_ROWS:
            self._merge(units, truth)
        elif truth is None:
            self.strata = [np.arange(units.count)]
        else:
            self.strata = [np.flatnonzero(truth == code) for code in np.unique(truth)]

    def _merge(self, units: Units, truth: Codes | None) -> None:
        """Units into random buckets of equally many; two bytes a unit, as there may be ten million."""
        bucket_of_unit = np.empty(units.count, np.uint16)
        rng = np.random.default_rng((self.settings.seed, self.stream, 1))
        strata, start = [], 0
        for code in [None] if truth is None else np.flatnonzero(np.bincount(truth)).tolist():
            members = slice(None) if code is None else truth == code
            size = len(bucket_of_unit[members])
            buckets = min(max(round(BUCKETS * size / units.count), FEWEST_BUCKETS), size)
            drawn = np.resize(np.arange(start, start + buckets, dtype=np.uint16), size)
            rng.shuffle(drawn)
            bucket_of_unit[members] = drawn
            strata.append(np.arange(start, start + buckets))
            start += buckets
        self.strata, self.count = strata, start
        self.of_row = bucket_of_unit if units.of_row is None else bucket_of_unit[units.of_row]

    def by_unit(self, columns: RowColumns, rows: int) -> Floats:
        """Row columns (n × k) summed by unit (units × k)."""
        return columns(slice(0, rows)) if self.of_row is None else sums_by(columns, rows, self.of_row, self.count)

    def weights(self) -> Iterator[Floats]:
        """How often each unit is drawn, B × units, a few resamples at a time."""
        rng = np.random.default_rng((self.settings.seed, self.stream, 0))
        at_once = max(_CELLS_AT_ONCE // max(self.count, 1), 1)
        for start in range(0, self.settings.resamples, at_once):
            size = min(at_once, self.settings.resamples - start)
            drawn = np.empty((size, self.count))
            for members in self.strata:
                picks = rng.integers(0, len(members), (size, len(members)))
                picks += np.arange(size)[:, None] * len(members)
                counts = np.bincount(picks.ravel(), minlength=picks.size).reshape(picks.shape)
                drawn[:, members] = counts
            yield drawn

    def row_weights(self, unit_weights: Floats) -> Floats:
        """Unit weights as weights of the rows."""
        return unit_weights if self.of_row is None else unit_weights[:, self.of_row]
