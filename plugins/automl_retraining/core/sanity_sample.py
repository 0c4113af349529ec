"""Rows drawn at random from one part of the split, as the checks of the data see them.

The row count is in the manifest, so the rows to keep are drawn first (without replacement, seeded) and picked out while
the part streams by: the sample is uniform whatever the order of the file, and memory grows with the sample alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import CellReader, is_missing, time_value
from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import ColumnType, Manifest, Part
from automl_retraining.core.source import Readable
from automl_retraining.core.table import Block, Table

CELLS = 20_000_000
"""Most cells kept of one part: about 1 GB if every one of them is a word of its own, 160 MB of numbers."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One column of a sample.

    ``numbers`` is float64: the number, a time in seconds since 1970, or NaN. ``words`` are the cells as they stand, ""
    where missing, and None in a column of numbers. ``padded`` counts whole numbers written with zeros in front.
    """

    name: str
    type: ColumnType
    numbers: Floats
    words: Sequence[str] | None = None
    padded: int = 0

    def take(self, rows: NDArray[np.intp]) -> Column:
        """The column of these rows only."""
        words = None if self.words is None else [self.words[row] for row in rows.tolist()]
        return Column(self.name, self.type, self.numbers[rows], words, self.padded)


@dataclass(frozen=True)
class Sample:
    """Rows of a part in the order of its file.

    ``of`` is how many rows the part has. ``records`` are the bytes of features and target, row by row, where asked for.
    """

    rows: int
    of: int
    columns: Mapping[str, Column]
    records: Sequence[bytes] = ()


class Copies:
    """Counts the rows of a table that read, byte for byte, like one of the records wanted."""

    def __init__(self, records: Iterable[bytes]) -> None:
        self._wanted = frozenset(records)
        self.found: Counter[bytes] = Counter()

    def look(self, records: Iterable[bytes]) -> None:
        """Count those among these."""
        wanted = self._wanted
        self.found.update([record for record in records if record in wanted])


def draw(stream: Readable, name: str, part: Part, manifest: Manifest, *, rows: int, seed: Sequence[int],
         keep: Sequence[str] = (), records: bool = False, copies: Copies | None = None) -> Sample:  # fmt: skip
    """Read a part's table and keep a uniform sample of its rows.

    Args:
        stream: the part's bytes.
        name: how errors call it.
        part: its facts in the manifest: how many rows to expect.
        manifest: names the features and the target, and says each column's type.
        rows: most rows to keep; fewer where the table is so wide that they would be more than ``CELLS`` cells.
        seed: of the draw.
        keep: further columns to keep where the part has them.
        records: keep each row's bytes too.
        copies: shown the bytes of every row, kept or not; the part is read to its end for it.

    Raises:
        DataError: the part is no table.
        StorageError: it has other columns or rows than the manifest says; worth another try.
    """
    learned = [column.name for column in manifest.columns if column.name in {*manifest.features, manifest.target}]
    table = Table(stream, name)
    at = {column: position for position, column in enumerate(table.header.names)}
    if absent := [column for column in learned if column not in at]:
        raise StorageError(
            f"{name}: expected the manifest's columns, found none named {', '.join(absent)}: another run wrote here "
            "meanwhile; try again"
        )
    kept = [*learned, *(column for column in keep if column in at and column not in learned)]
    chosen = _choose(part.rows, min(rows, max(1, CELLS // len(kept))), seed)
    types: dict[str, ColumnType] = {column.name: column.type for column in manifest.columns}
    if manifest.problem_type != "Regression":
        types[manifest.target] = "text"  # a class is known by its text: 1 and 1.0 are two labels
    gathering = [_Gathering(column, types[column]) for column in kept]
    positions = [at[column] for column in learned]
    taken: list[bytes] = []
    seen = 0
    for block in table.blocks():
        low, high = np.searchsorted(chosen, (seen, seen + block.rows))
        picked = (chosen[low:high] - seen).tolist()
        if picked:
            for column in gathering:
                cells = block.cells[at[column.name]]
                column.add([cells[row] for row in picked])
            if records:
                taken.extend(_records(block, positions, picked))
        if copies is not None:
            copies.look(_records(block, positions))
        seen += block.rows
        if copies is None and high == len(chosen):
            break
    if seen != part.rows and (copies is not None or seen <= int(chosen[-1])):
        raise StorageError(
            f"{name}: expected the {part.rows:,} rows of the manifest, found {seen:,}: another run wrote here "
            "meanwhile; try again"
        )
    columns = {column.name: column.column() for column in gathering}
    return Sample(len(chosen), part.rows, columns, taken)


def _choose(of: int, rows: int, seed: Sequence[int]) -> NDArray[np.intp]:
    """So many of the row numbers from 0, ascending."""
    if rows >= of:
        return np.arange(of)
    return np.sort(np.random.default_rng(seed).choice(of, size=rows, replace=False)).astype(np.intp)


def _records(block: Block, positions: Sequence[int], rows: Sequence[int] | None = None) -> list[bytes]:
    """These fields of each row, as they stand in the file."""
    if len(positions) == len(block.cells) and list(positions) == sorted(positions):
        lines = block.lines if rows is None else [block.lines[row] for row in rows]
        return [line.removesuffix(b"\r") for line in lines]
    columns: Iterable[Sequence[str]] = (block.raw_fields[position] for position in positions)
    if rows is not None:
        columns = [[column[row] for row in rows] for column in columns]
    return [",".join(fields).encode() for fields in zip(*columns, strict=True)]


class _Gathering:
    """A column in the making."""

    def __init__(self, name: str, type_: ColumnType) -> None:
        self.name = name
        self._type = type_
        self._reader = CellReader()
        self._numbers: list[Floats] = []
        self._words: list[str] = []
        self._known: dict[str, str] = {}
        self._padded = 0

    def add(self, cells: list[str]) -> None:
        if self._type in ("integer", "number", "empty"):
            self._numbers.append(self._reader.read(cells).numbers)
            if self._type == "integer":
                self._padded += sum(cell[:1] == "0" and len(cell) > 1 for cell in cells)
            return
        # Cells of one value share one string: a million rows of two words are eight megabytes, not sixty.
        known = self._known
        for cell in cells:
            self._words.append(known.setdefault(cell, "" if is_missing(cell) else cell))
        if self._type == "datetime":
            self._numbers.append(
                np.array([np.nan if is_missing(cell) else _seconds(cell) for cell in cells], dtype=np.float64)
            )
        else:
            self._numbers.append(np.full(len(cells), np.nan))

    def column(self) -> Column:
        numbers = np.concatenate(self._numbers) if self._numbers else np.array([], dtype=np.float64)
        words = self._words if self._type in ("text", "datetime") else None
        return Column(self.name, self._type, numbers, words, self._padded)


def _seconds(cell: str) -> float:
    found = time_value(cell)
    return np.nan if found is None else found
