"""Splits a table into train, validation and test while it streams by, and says what it holds.

Lines are passed on as the bytes they are. A row's part follows from a keyed hash of what the row is (``hashing``), or
from its time for the test part (``cutoff``); never from where it stands or from what else is in the file. Memory is a
few blocks and eight bytes a row (the hashes; 24 where keys must be checked for doubles).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import itemgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import CellReader, Cells, is_missing
from automl_retraining.core.checks import Checks
from automl_retraining.core.cutoff import Cutoff, TimeColumn, time_text
from automl_retraining.core.errors import DataError
from automl_retraining.core.hashing import (
    TEST,
    TRAIN,
    VALIDATION,
    Hashes,
    assign,
    feature_codes,
    key_codes,
    key_file,
    keyed_hashes,
)
from automl_retraining.core.layout import Layout, Roles, lay_out
from automl_retraining.core.profile import ColumnProfiler, distinct_limit
from automl_retraining.core.records import ColumnProfile
from automl_retraining.core.section import ProblemType
from automl_retraining.core.source import HashingReader, Readable
from automl_retraining.core.table import Block, Table, split_raw
from automl_retraining.core.target import Problem, TargetTally

AUTOPILOT_MIN_TRAIN_ROWS = 500
"""Autopilot refuses fewer training rows (its documentation's quota)."""
UNUSED = -1


@dataclass(frozen=True)
class SplitRequest:
    """What to split and how. ``name`` is how errors call the table; ``salt`` is hex."""

    name: str
    roles: Roles
    salt: str
    problem_type: ProblemType | None = None
    positive_class: str | None = None
    cutoff: Cutoff | None = None
    min_train_rows: int = AUTOPILOT_MIN_TRAIN_ROWS


class Sink(Protocol):
    """Where a part goes."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""
        ...


@dataclass(frozen=True)
class Sinks:
    """Where everything goes: three tables with header, the transform's input without, and the truth."""

    train: Sink
    validation: Sink
    test: Sink
    transform: Sink
    truth: Sink


@dataclass(frozen=True)
class PartFacts:
    """One part as written."""

    rows: int
    size: int
    sha256: str
    class_counts: dict[str, int]
    target_mean: float | None


@dataclass(frozen=True)
class SplitOutcome:
    """What the table holds and where its rows went. ``keys`` is keys.bin's content."""

    size: int
    sha256: str
    rows: int
    dropped: int
    layout: Layout
    problem: Problem
    columns: tuple[ColumnProfile, ...]
    parts: tuple[PartFacts, PartFacts, PartFacts]
    keys: bytes
    warnings: tuple[str, ...]


def split(stream: Readable, request: SplitRequest, sinks: Sinks) -> SplitOutcome:
    """Read the whole table, write each row to its part, and return what was found.

    Raises:
        DataError: the table cannot be split or trained on; what was written until then is of no use.
    """
    return _Pass(stream, request, sinks).run()


class _Output:
    """A sink that counts and hashes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._digest = hashlib.sha256()
        self.rows = 0
        self.size = 0

    def write(self, data: bytes, rows: int) -> None:
        if data:
            self._sink.write(data)
            self._digest.update(data)
            self.rows += rows
            self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class _Pass:
    """One pass over one table."""

    def __init__(self, stream: Readable, request: SplitRequest, sinks: Sinks) -> None:
        self._request = request
        self._reader = HashingReader(stream)
        self._table = Table(self._reader, request.name)
        header = self._table.header
        self._layout = lay_out(request.name, header.names, request.roles)
        self._outputs = tuple(map(_Output, (sinks.train, sinks.validation, sinks.test)))
        self._transform = _Output(sinks.transform)
        self._truth = _Output(sinks.truth)
        width = len(header.names)
        limit = distinct_limit(width)
        self._cells = [CellReader() for _ in range(width)]
        self._profiles = [ColumnProfiler(name, limit) for name in header.names]
        self._tally = TargetTally()
        self._times = TimeColumn(request.name, request.roles.spec.time or "")
        self._hashes: list[Hashes] = []
        self._key_lines: list[NDArray[np.uint64]] = []
        self._known: list[Hashes] = []
        self._checks = Checks(request.name, request.roles, self._layout, self._tally)

    def run(self) -> SplitOutcome:
        self._write_headers()
        rows = 0
        for block in self._table.blocks():
            self._take(block)
            rows += block.rows
        problem, warnings = self._checks.after(
            rows=rows,
            part_rows=[output.rows for output in self._outputs],
            min_train_rows=self._request.min_train_rows,
            problem_type=self._request.problem_type,
            positive_class=self._request.positive_class,
            profiles=self._profiles,
            hashes=self._hashes,
            key_lines=self._key_lines,
            blank_lines=self._table.blank_lines,
        )
        train, validation, test = (self._facts(part, problem) for part in (TRAIN, VALIDATION, TEST))
        return SplitOutcome(
            size=self._reader.bytes,
            sha256=self._reader.sha256,
            rows=rows,
            dropped=self._checks.missing_targets,
            layout=self._layout,
            problem=problem,
            columns=tuple(profiler.profile() for profiler in self._profiles),
            parts=(train, validation, test),
            keys=key_file(self._known),
            warnings=tuple(warnings),
        )

    def _facts(self, part: int, problem: Problem) -> PartFacts:
        output = self._outputs[part]
        regression = problem.type == "Regression"
        return PartFacts(
            rows=output.rows,
            size=output.size,
            sha256=output.sha256,
            class_counts={label: self._tally.counts[part][label] for label in problem.labels},
            target_mean=self._tally.moments[part].mean if regression else None,
        )

    # ------------------------------------------------------------ one block

    def _take(self, block: Block) -> None:
        understood = [
            reader.read(cells, plain=block.plain) for reader, cells in zip(self._cells, block.cells, strict=True)
        ]
        for profiler, meaning in zip(self._profiles, understood, strict=True):
            profiler.update(meaning)
        self._checks.weights(block, understood)
        hashes = self._hash(block, understood)
        times = None if self._layout.time is None else self._read_times(block, understood)
        parts = self._assign(block, understood, hashes, times)
        self._tally.update(block.cells[self._layout.target], understood[self._layout.target], parts, block.line_number)
        if self._request.problem_type == "Regression" and self._tally.words:
            self._checks.refuse_words()
        self._known.append(hashes[(parts == TRAIN) | (parts == VALIDATION)])
        if self._layout.by == "group":
            self._known[-1] = np.unique(self._known[-1])
        self._write(block, parts, hashes, times)

    def _hash(self, block: Block, understood: Sequence[Cells]) -> Hashes:
        layout = self._layout
        if layout.by_value:
            codes = feature_codes([understood[position] for position in layout.hashed])
        else:
            columns = [block.cells[position] for position in layout.hashed]
            self._checks.keys_present(block, columns)
            codes = key_codes(columns)
        hashes = keyed_hashes(codes, self._request.salt)
        if self._request.roles.spec.key:
            self._hashes.append(hashes)
            self._key_lines.append(np.asarray(block.line_numbers, dtype=np.uint64))
        return hashes

    def _read_times(self, block: Block, understood: Sequence[Cells]) -> NDArray[np.float64]:
        assert self._layout.time is not None
        return self._times.read(block.cells[self._layout.time], understood[self._layout.time], block)

    def _assign(
        self, block: Block, understood: Sequence[Cells], hashes: Hashes, times: NDArray[np.float64] | None
    ) -> NDArray[np.int8]:
        """Each row's part, UNUSED where it has no target."""
        parts = assign(hashes, self._request.roles.spec, test=times is None)
        if times is not None:
            assert self._request.cutoff is not None, "a split by time needs its cutoff: see cutoff.find_cutoff"
            parts[times >= self._request.cutoff.value] = TEST
        target = understood[self._layout.target]
        if target.counts.get("missing"):
            missing = np.fromiter(map(is_missing, block.cells[self._layout.target]), dtype=bool, count=block.rows)
            self._checks.targets_missing(block, missing)
            parts[missing] = UNUSED
        return parts

    # ------------------------------------------------------------ writing

    def _write_headers(self) -> None:
        header, layout = self._table.header, self._layout
        names = split_raw(header.raw.decode())
        trained = header.raw + header.ending
        if not layout.whole_lines:
            trained = ",".join(names[position] for position in layout.trained).encode() + b"\n"
        self._outputs[TRAIN].write(trained, 0)
        self._outputs[VALIDATION].write(trained, 0)
        self._outputs[TEST].write(header.raw + header.ending, 0)
        extra = [
            *(["group"] if layout.group else []),
            *([] if layout.time is None else ["time"]),
            *layout.named(layout.slices),
        ]
        self._truth.write(_csv([["row_id", "key_hash", "truth", *extra]]), 0)

    def _write(self, block: Block, parts: NDArray[np.int8], hashes: Hashes, times: NDArray[np.float64] | None) -> None:
        for part in (TRAIN, VALIDATION):
            mask = (parts == part).tolist()
            if self._layout.whole_lines:
                lines = list(compress(block.lines, mask))
            else:
                columns = [block.raw_fields[position] for position in self._layout.trained]
                lines = [line.encode() for line in map(",".join, compress(zip(*columns, strict=True), mask))]
            self._outputs[part].write(_joined(lines), len(lines))
        rows = np.flatnonzero(parts == TEST).tolist()
        if rows:
            self._outputs[TEST].write(_joined([block.lines[row] for row in rows]), len(rows))
            self._transform.write(self._transform_lines(block, rows), len(rows))
            self._truth.write(self._truth_lines(block, rows, hashes, times), len(rows))

    def _transform_lines(self, block: Block, rows: Sequence[int]) -> bytes:
        """Row id and features of the test rows. Batch transform splits at line feeds, so no record may span lines."""
        pick = itemgetter(*rows, rows[0])
        ids = [str(block.first_row + row) for row in rows]
        columns = [pick(block.raw_fields[position])[:-1] for position in self._layout.features]
        lines = list(map(",".join, zip(ids, *columns, strict=True)))
        if block.quoted:
            for row, line in zip(rows, lines, strict=True):
                if "\n" in line or "\r" in line:
                    raise DataError(
                        f"{self._request.name}: line {block.line_number(row)}: expected a test row on one line, found "
                        "a line break inside a quoted field: batch transform splits its input at line breaks, quoted "
                        "or not. Replace line breaks in the table's texts, or drop that column"
                    )
        return ("\n".join(lines) + "\n").encode()

    def _truth_lines(
        self, block: Block, rows: Sequence[int], hashes: Hashes, times: NDArray[np.float64] | None
    ) -> bytes:
        layout, cells = self._layout, block.cells
        pick = itemgetter(*rows, rows[0])
        digits = hashes[rows].astype(">u8").tobytes().hex()
        columns: list[Sequence[str]] = [
            [str(block.first_row + row) for row in rows],
            [digits[start : start + 16] for start in range(0, len(digits), 16)],
            pick(cells[layout.target])[:-1],
        ]
        if layout.group:
            groups = [pick(cells[position])[:-1] for position in layout.group]
            columns.append(
                groups[0]
                if len(groups) == 1
                else [json.dumps(group, ensure_ascii=False) for group in zip(*groups, strict=True)]
            )
        if times is not None and layout.time is not None:
            number = self._times.scale == "number"
            columns.append(
                [cells[layout.time][row].strip() if number else time_text(float(times[row])) for row in rows]
            )
        columns.extend(pick(cells[position])[:-1] for position in layout.slices)
        return _csv(zip(*columns, strict=True))


def _joined(lines: list[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n" if lines else b""


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    rows = list(rows)
    # The csv module's minimal quoting leaves a carriage return bare, and readers take it for a line's end.
    bare = any("\r" in cell for row in rows for cell in row)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL).writerows(rows)
    return text.getvalue().encode()
