"""What a column's text means: numbers, times, words, or nothing.

One rule for each cell, whatever stands around it, so that a row reads the same in every file and in every run.
A number is a finite decimal such as ``-1.5e3``; surrounding spaces are allowed, underscores, ``inf`` and ``0x1f`` are
words. Missing is an empty or blank cell and what pandas reads as missing (``NA``, ``NaN``, ``null``, ...), because
the trainers read these files with pandas.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["missing", "integer", "number", "datetime", "text"]

MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
     "NULL", "NaN", "None", "n/a", "nan", "null"}
)  # fmt: skip
"""pandas' default ``na_values``."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}.*)?")


@dataclass(frozen=True)
class Cells:
    """One column of one block, understood.

    ``numbers`` is float64 with NaN where a cell is no number; ``texts`` has the words and times as they stand and ""
    elsewhere, or is None where there are none. ``counts`` is of cells by kind, ``words`` of the different texts.
    """

    numbers: NDArray[np.float64]
    texts: Sequence[str] | None
    counts: dict[Kind, int]
    words: Mapping[str, int] = field(default_factory=dict)


def is_missing(cell: str) -> bool:
    """Whether the cell says nothing."""
    return cell in MISSING or cell.strip() in MISSING


def classify(cell: str) -> tuple[Kind, float]:
    """The kind of one cell, and its number (NaN where it is none)."""
    stripped = cell.strip()
    if stripped in MISSING:
        return "missing", math.nan
    if match := _NUMBER.fullmatch(stripped):
        value = float(stripped)
        if math.isfinite(value):
            return ("number" if match[1] or match[2] or match[3] else "integer"), value + 0.0
        return "text", math.nan
    if _DATE.fullmatch(stripped) and time_value(stripped) is not None:
        return "datetime", math.nan
    return "text", math.nan


_classify_again = lru_cache(maxsize=1 << 16)(classify)
_SHORT = 64
"""Longer cells are not remembered: 65,536 of them would take more memory than they save time."""


def time_value(cell: str) -> float | None:
    """Seconds since 1970 of an ISO 8601 date or time (UTC where it names no zone), or None where it is none."""
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class CellReader:
    """Reads one column block by block, trying first what the last block was."""

    def __init__(self) -> None:
        self._mostly_words = False

    def read(self, cells: Sequence[str], *, plain: bool = False) -> Cells:
        """Understand the cells of one block; ``plain`` vouches for ASCII without underscores."""
        if not self._mostly_words and (fast := self._read_numbers(cells, plain)):
            return fast
        return self._read_any(cells)

    def _read_numbers(self, cells: Sequence[str], plain: bool) -> Cells | None:
        """The column as numbers and empty cells alone, or None where it holds anything else."""
        present = cells
        values = _floats(cells)
        if values is None:
            present = list(filter(None, cells))
            values = _floats(present) if len(present) < len(cells) else None
        if values is None or not np.isfinite(values).all():
            return None
        kind: Kind = "number"
        whole = bool((values == np.trunc(values)).all())
        if whole or not plain:
            joined = "".join(present)
            if not plain and ("_" in joined or not joined.isascii()):
                return None  # Python's numbers are more than ours: 1_000, Arabic digits
            if whole and not ("." in joined or "e" in joined or "E" in joined):
                kind = "integer"
        missing = len(cells) - len(present)
        if missing:
            numbers = np.full(len(cells), np.nan)
            numbers[np.fromiter(map(bool, cells), dtype=bool, count=len(cells))] = values
            return Cells(numbers, None, {"missing": missing, kind: len(present)})
        return Cells(values, None, {kind: len(cells)})

    def _read_any(self, cells: Sequence[str]) -> Cells:
        counts: Counter[Kind] = Counter()
        found = Counter(cells)
        number: dict[str, float] = {}
        words: dict[str, int] = {}
        for cell, times in found.items():
            kind, number[cell] = _classify_again(cell) if len(cell) <= _SHORT else classify(cell)
            counts[kind] += times
            if kind in ("datetime", "text"):
                words[cell] = times
        n_words = counts["datetime"] + counts["text"]
        self._mostly_words = n_words * 2 > len(cells)
        if n_words == len(cells):
            return Cells(np.full(len(cells), np.nan), cells, dict(counts), words)
        numbers = np.fromiter(map(number.__getitem__, cells), dtype=np.float64, count=len(cells))
        texts = [cell if cell in words else "" for cell in cells] if words else None
        return Cells(numbers, texts, dict(counts), words)


def _floats(cells: Sequence[str]) -> NDArray[np.float64] | None:
    try:
        return np.fromiter(map(float, cells), dtype=np.float64, count=len(cells)) + 0.0  # -0.0 becomes 0.0
    except ValueError:
        return None
