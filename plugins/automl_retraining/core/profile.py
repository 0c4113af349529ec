"""What each column of a table holds, gathered while the table streams by, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import Cells, Kind
from automl_retraining.core.records import ColumnProfile, ColumnType

TOP = 10
_VALUES_IN_ALL = 200_000
_LONGEST_VALUE = 80
_FREE_TEXT = 256
_BATCH = 16
"""Blocks whose numbers are taken in together: a call of numpy costs more than the few numbers of one block."""


def distinct_limit(n_columns: int) -> int:
    """How many distinct values of a column are counted: about 200,000 of all columns together, 10,000 of one."""
    return max(500, min(10_000, _VALUES_IN_ALL // n_columns))


class Moments:
    """Count, mean, deviation and range of numbers that come in batches (Chan, Golub and LeVeque, 1983)."""

    def __init__(self) -> None:
        self.n = 0
        self.mean = 0.0
        self._squares = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf

    def update(self, values: NDArray[np.float64]) -> None:
        """Take in finite numbers."""
        n = len(values)
        if not n:
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(np.square(values - mean).sum())
            difference = mean - self.mean
            total = self.n + n
            self.mean += difference * n / total
            self._squares += squares + difference * difference * self.n * n / total
        self.n = total
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))

    @property
    def std(self) -> float | None:
        """The sample standard deviation, or None of fewer than two values or where it is too large for a float."""
        deviation = math.sqrt(self._squares / (self.n - 1)) if self.n > 1 and self._squares >= 0 else math.nan
        return deviation if math.isfinite(deviation) else None


class ColumnProfiler:
    """One column's profile in the making.

    ``words`` counts the different texts and ``numbers`` holds the different numbers, until there are more than
    ``limit`` or the column turns out to be free text (256 characters a text on average in some block); from then on
    only that is known (``overflow``).
    """

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self._limit = limit
        self._kinds: Counter[Kind] = Counter()
        self._moments = Moments()
        self.words: Counter[str] = Counter()
        self.numbers: set[float] = set()
        self.overflow = False
        self._pending: list[NDArray[np.float64]] = []

    def update(self, understood: Cells) -> None:
        """Take in one block's cells."""
        for kind, times in understood.counts.items():
            self._kinds[kind] += times
        if understood.counts.get("integer", 0) + understood.counts.get("number", 0):
            self._pending.append(understood.numbers)
            if len(self._pending) == _BATCH:
                self._take_numbers()
        if self.overflow or not understood.words:
            return
        self.words.update(understood.words)
        self._bound(sum(map(len, understood.words)) > _FREE_TEXT * len(understood.words))

    def _take_numbers(self) -> None:
        if not self._pending:
            return
        numbers = np.concatenate(self._pending)
        self._pending.clear()
        numbers = numbers[~np.isnan(numbers)]
        self._moments.update(numbers)
        if not self.overflow:
            self.numbers.update(np.unique(numbers).tolist())
            self._bound(False)

    def _bound(self, free_text: bool) -> None:
        if free_text or len(self.numbers) + len(self.words) > self._limit:
            self.overflow = True
            self.numbers.clear()
            self.words.clear()

    @property
    def rows(self) -> int:
        """Cells seen."""
        return self._kinds.total()

    @property
    def kinds(self) -> Mapping[Kind, int]:
        """Cells seen, by kind."""
        return self._kinds

    @property
    def type(self) -> ColumnType:
        """The narrowest type that holds every value."""
        found: set[Kind] = {kind for kind, times in self._kinds.items() if times and kind != "missing"}
        if not found:
            return "empty"
        if found <= {"integer", "number"}:
            return "integer" if found == {"integer"} else "number"
        return "datetime" if found == {"datetime"} else "text"

    @property
    def distinct(self) -> int:
        """Distinct values; the limit where there are more."""
        self._take_numbers()
        return self._limit if self.overflow else len(self.numbers) + len(self.words)

    def profile(self) -> ColumnProfile:
        """The column's record."""
        self._take_numbers()
        numeric = self.type in ("integer", "number")
        moments = self._moments
        return ColumnProfile(
            name=self.name,
            type=self.type,
            missing=self._kinds["missing"],
            distinct=self.distinct,
            minimum=moments.minimum if numeric else None,
            maximum=moments.maximum if numeric else None,
            mean=moments.mean if numeric and math.isfinite(moments.mean) else None,
            std=moments.std if numeric else None,
            top=() if numeric else tuple((_shorten(value), times) for value, times in self._top()),
        )

    def _top(self) -> list[tuple[str, int]]:
        return sorted(self.words.items(), key=lambda item: (-item[1], item[0]))[:TOP]


def _shorten(value: str) -> str:
    return value if len(value) <= _LONGEST_VALUE else value[: _LONGEST_VALUE - 1] + "…"
