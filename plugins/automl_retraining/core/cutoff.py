"""Where the test part of a split by time begins: a first pass over the time column alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import CellReader, Cells, time_value
from automl_retraining.core.errors import DataError
from automl_retraining.core.source import HashingReader, Readable
from automl_retraining.core.table import Block, Table


@dataclass(frozen=True)
class Cutoff:
    """The first time of the test part, as text (ISO 8601 in UTC, or a number) and as a number to compare with."""

    text: str
    value: float
    scale: Literal["time", "number"]

    @classmethod
    def parse(cls, text: str) -> Cutoff:
        """Read a stored cutoff."""
        moment = time_value(text) if "T" in text else None
        return cls(text, float(text), "number") if moment is None else cls(text, moment, "time")

    @classmethod
    def at(cls, value: float, scale: Literal["time", "number"]) -> Cutoff:
        """The cutoff at that value."""
        return cls.parse(repr(value) if scale == "number" else time_text(value))


def time_text(value: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC; its alphabetical order is that of time."""
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="microseconds")


class TimeColumn:
    """Reads the time column of one table: all numbers, or all dates and times."""

    def __init__(self, name: str, column: str) -> None:
        self._name = name
        self._column = column
        self.scale: Literal["time", "number"] | None = None

    def read(self, cells: Sequence[str], understood: Cells, block: Block) -> NDArray[np.float64]:
        """The time of each row.

        Raises:
            DataError: a cell is neither a number nor a date, or the column mixes the two; names the line.
        """
        if self.scale is None:
            self.scale = "number" if math.isfinite(understood.numbers[0]) else "time"
        if self.scale == "number":
            values = understood.numbers
        else:
            known = {cell: value for cell in set(cells) if (value := time_value(cell)) is not None}
            numeric = ~np.isnan(understood.numbers)
            values = np.fromiter((known.get(cell, math.nan) for cell in cells), dtype=np.float64, count=len(cells))
            values[numeric] = np.nan
        wrong = np.flatnonzero(np.isnan(values))
        if len(wrong):
            expected = "a number, as above" if self.scale == "number" else "an ISO 8601 date or time"
            raise DataError(
                f"{self._name}: line {block.line_number(int(wrong[0]))}: expected {expected} in the time column "
                f"{self._column!r}, found {cells[int(wrong[0])][:60]!r}: correct it, or split by something else"
            )
        return values


def find_cutoff(stream: Readable, name: str, column: str, test: float, previous: str | None) -> tuple[Cutoff, str]:
    """The cutoff that puts about the share ``test`` of the rows after it, never before the previous one.

    Returns:
        The cutoff, and the sha256 of the bytes read, to be held against the second pass.
    """
    reader = HashingReader(stream)
    table = Table(reader, name)
    if column not in table.header.names:
        raise DataError(
            f"{name}: line 1: expected the time column {column!r} that split.time names, found "
            f"{', '.join(table.header.names[:20])}"
        )
    position = table.header.names.index(column)
    cells = CellReader()
    times = TimeColumn(name, column)
    batches = []
    for block in table.blocks():
        batches.append(times.read(block.cells[position], cells.read(block.cells[position]), block))
    if not batches:
        raise DataError(f"{name}: expected rows below the header, found a header only")
    values = np.concatenate(batches)
    index = min(int(len(values) * (1 - test)), len(values) - 1)
    assert times.scale is not None
    cutoff = Cutoff.at(float(np.partition(values, index)[index]), times.scale)
    if previous is not None:
        before = Cutoff.parse(previous)
        if before.scale != cutoff.scale:
            raise DataError(
                f"{name}: expected the time column {column!r} to hold a {before.scale}, as in the last run, whose "
                f"cutoff was {previous}, found a {cutoff.scale}"
            )
        cutoff = max(before, cutoff, key=lambda one: one.value)
    return cutoff, reader.sha256
