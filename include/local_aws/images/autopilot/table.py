"""The training table: CSV files read as text, column kinds and the problem type inferred from what they hold.

Training and inference read cells the same way: every cell is text, and the texts in ``MISSING`` are missing values.
What a column means is decided once, from the training rows, and kept in the ``Schema`` that travels with the model.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from include.local_aws.images.autopilot.spec import MINIMUM_ROWS, ColumnKind, JobFailure, ProblemType, SearchSpec

MISSING = frozenset({"", "?", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"})
"""Cells that mean "no value", in training and at inference."""
RARE_CLASS_ROWS = 10
"""Multiclass labels with fewer training rows are left out of the search (as AutoGluon, which Autopilot's ensembles
use).
"""

LARGEST = 1e100
"""Larger numbers count as this one: sums of squares stay finite. A target as large is refused."""

_NUMERIC_SHARE = 0.95
_DATETIME_FORMATS = ("ISO8601", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d-%m-%Y", "%Y%m%d")
_DATETIME_LOOK = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
_TEXT_WORDS = 3.0
_MULTICLASS_INTEGERS = 10

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """One column of the training files, other than the target.

    ``kind`` is ``unused`` where the column carries nothing to learn from; ``why`` then says so.
    """

    name: str
    kind: ColumnKind | Literal["unused"]
    why: str = ""
    datetime_format: str | None = None


@dataclass(frozen=True)
class Schema:
    """What a model needs to know about its table. ``labels`` is empty for regression; the second of two is positive."""

    columns: tuple[Column, ...]
    target: str
    problem_type: ProblemType
    labels: tuple[str, ...]

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that models learn from."""
        return tuple(column for column in self.columns if column.kind != "unused")


@dataclass(frozen=True)
class Rows:
    """Rows to learn from or to score: cells (numeric columns parsed, the others text), target and weight of each.

    The target is a class index or a number.
    """

    frame: pd.DataFrame
    y: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Table:
    """The data of a search. ``validation`` is None unless a validation channel was given."""

    schema: Schema
    train: Rows
    validation: Rows | None
    size_in_bytes: int
    notes: tuple[str, ...]


def load(root: Path, spec: SearchSpec, *, minimum_rows: int = MINIMUM_ROWS) -> Table:
    """Read the channels below ``root/input/data`` and infer the schema from the training rows.

    ``minimum_rows`` is Autopilot's rule; the search itself works with fewer.

    Raises:
        JobFailure: the data cannot be trained on.
    """
    files = _files(root / "input" / "data" / "train")
    raw = _read(files, "training")
    if len(raw) < minimum_rows:
        raise JobFailure(
            f"The training data has {len(raw)} rows: Autopilot needs at least {minimum_rows}. Provide more rows."
        )
    _check_columns(raw, spec)
    notes: list[str] = []
    raw = _with_target(raw, spec, "training", notes)
    schema_columns = tuple(
        infer_column(raw[name], spec.kinds.get(name))
        if _wanted(str(name), spec)
        else Column(str(name), "unused", why="not among the features asked for")
        for name in raw.columns
        if name != spec.target
    )
    if not any(column.kind != "unused" for column in schema_columns):
        raise JobFailure("No column of the training data can serve as a feature: all are empty, constant or left out.")
    problem_type = spec.problem_type or infer_problem_type(raw[spec.target])
    raw, labels = _labels(raw, spec.target, problem_type, notes)
    schema = Schema(schema_columns, spec.target, problem_type, labels)
    validation = None
    validation_files = _files(root / "input" / "data" / "validation")
    if validation_files:
        held_out = _read(validation_files, "validation")
        if list(held_out.columns) != list(raw.columns):
            raise JobFailure(
                f"The validation data's columns differ from the training data's: {list(held_out.columns)} "
                f"against {list(raw.columns)}."
            )
        held_out = _with_target(held_out, spec, "validation", notes)
        validation = _rows(held_out, schema, spec, "validation", notes)
        _check_target(validation, schema, "validation", each=0)
    train = _rows(raw, schema, spec, "training", notes)
    _check_target(train, schema, "training", each=2)
    size = sum(path.stat().st_size for path in files)
    return Table(schema, train, validation, size, tuple(notes))


def infer_column(values: pd.Series[str], kind: ColumnKind | None) -> Column:
    """The kind of a column from its cells, unless ``kind`` was asked for."""
    name = str(values.name)
    present = values.dropna()
    if kind == "datetime":
        return Column(name, "datetime", datetime_format=_datetime_format(present) or "ISO8601")
    if kind is not None:
        return Column(name, kind)
    distinct = present.nunique()
    if distinct == 0:
        return Column(name, "unused", why="no value in any row")
    if distinct == 1 and len(present) == len(values):
        return Column(name, "unused", why="the same value in every row")
    if pd.to_numeric(present, errors="coerce").notna().mean() >= _NUMERIC_SHARE:
        return Column(name, "numeric")
    written_as = _datetime_format(present)
    if written_as is not None:
        return Column(name, "datetime", datetime_format=written_as)
    words = float(np.mean([len(cell.split()) for cell in present]))
    if words >= _TEXT_WORDS and distinct > 0.3 * len(present):
        return Column(name, "text")
    if distinct > 0.9 * len(present) and distinct > 100:
        return Column(name, "unused", why="nearly every row has a value of its own (an identifier)")
    return Column(name, "categorical")


def infer_problem_type(target: pd.Series[str]) -> ProblemType:
    """Autopilot's question: two values are a binary problem, numbers a regression, anything else a multiclass one."""
    distinct = target.unique()
    if len(distinct) == 2:
        return "BinaryClassification"
    numbers = pd.to_numeric(target, errors="coerce")
    if numbers.isna().any():
        return "MulticlassClassification"
    whole = bool((numbers == numbers.round()).all())
    return "MulticlassClassification" if whole and len(distinct) <= _MULTICLASS_INTEGERS else "Regression"


def parse_numbers(values: pd.Series[str]) -> Floats:
    """Cells as numbers, at most ``LARGEST``; what is missing, not a number or infinite becomes NaN. Shape (rows,)."""
    numbers: Floats = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.clip(np.where(np.isfinite(numbers), numbers, np.nan), -LARGEST, LARGEST)


def _wanted(name: str, spec: SearchSpec) -> bool:
    if name == spec.sample_weight:
        return False
    return spec.features is None or name in spec.features


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 0)


def _read(files: list[Path], channel: str) -> pd.DataFrame:
    if not files:
        raise JobFailure(f"The {channel} channel holds no data: no file, or only empty ones.")
    frames = [_read_one(path, channel) for path in files]
    for path, frame in zip(files[1:], frames[1:], strict=True):
        if list(frame.columns) != list(frames[0].columns):
            raise JobFailure(
                f"{path.name} of the {channel} channel has other columns than {files[0].name}: "
                f"{list(frame.columns)} against {list(frames[0].columns)}. Every file needs the same header."
            )
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _read_one(path: Path, channel: str) -> pd.DataFrame:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        raise JobFailure(f"{path.name} of the {channel} channel is Parquet: the embedded Autopilot reads CSV only.")
    compression: Literal["gzip"] | None = "gzip" if magic[:2] == b"\x1f\x8b" else None
    try:
        with warnings.catch_warnings():
            # Cells beyond the header's last column would be dropped with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            header = pd.read_csv(
                path, header=None, nrows=1, dtype=object, keep_default_na=False, compression=compression
            )
            frame = pd.read_csv(
                path,
                dtype=object,
                keep_default_na=False,
                na_values=sorted(MISSING),
                compression=compression,
                index_col=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise JobFailure(f"{path.name} of the {channel} channel is not a readable CSV table: {error}") from error
    names = [str(name) for name in header.iloc[0]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise JobFailure(
            f"{path.name} of the {channel} channel has the column {twice[0]!r} twice: names must be unique."
        )
    frame.columns = pd.Index(names)
    return frame


def _check_columns(raw: pd.DataFrame, spec: SearchSpec) -> None:
    present = [str(name) for name in raw.columns]
    named = [("target column", spec.target)]
    if spec.sample_weight is not None:
        named.append(("sample weight column", spec.sample_weight))
    named += [("feature", name) for name in dict.fromkeys((*(spec.features or ()), *spec.kinds))]
    for what, name in named:
        if name not in present:
            raise JobFailure(f"The {what} {name!r} is not in the training data; its columns are {', '.join(present)}.")


def _with_target(raw: pd.DataFrame, spec: SearchSpec, channel: str, notes: list[str]) -> pd.DataFrame:
    missing = int(raw[spec.target].isna().sum())
    if missing == len(raw):
        raise JobFailure(f"The target column {spec.target!r} is empty in every row of the {channel} data.")
    if missing:
        notes.append(f"{missing} {channel} rows without a target were left out")
        return raw[raw[spec.target].notna()].reset_index(drop=True)
    return raw


def _labels(
    raw: pd.DataFrame, target: str, problem_type: ProblemType, notes: list[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    counts = raw[target].value_counts()
    if len(counts) < 2:
        raise JobFailure(
            f"The target column {target!r} has one value only, {counts.index[0]!r}: nothing can be learned."
        )
    if problem_type == "Regression":
        numbers = parse_numbers(raw[target])
        not_numbers = raw[target][np.isnan(numbers)]
        if len(not_numbers):
            raise JobFailure(
                f"Regression needs a numeric target: {target!r} holds {not_numbers.iloc[0]!r} "
                f"(in {len(not_numbers)} rows)."
            )
        too_large = raw[target][np.abs(numbers) >= LARGEST]
        if len(too_large):
            raise JobFailure(
                f"The target column {target!r} holds {too_large.iloc[0]!r}: expected numbers below {LARGEST:g}."
            )
        return raw, ()
    if problem_type == "BinaryClassification" and len(counts) > 2:
        raise JobFailure(f"BinaryClassification needs two target values: {target!r} has {len(counts)}.")
    if len(counts) > max(100, len(raw) // 2):
        raise JobFailure(
            f"The target column {target!r} has {len(counts)} different values in {len(raw)} rows: "
            "an identifier or free text cannot be classified."
        )
    rare = counts[counts < RARE_CLASS_ROWS]
    if len(counts) - len(rare) < 2:
        name = rare.index[0] if len(rare) else counts.index[-1]
        raise JobFailure(
            f"The target value {name!r} is in {int(counts[name])} rows only: "
            f"at least two values need {RARE_CLASS_ROWS} rows or more each."
        )
    if len(rare):
        notes.append(
            f"{int(rare.sum())} rows of {len(rare)} target values rarer than {RARE_CLASS_ROWS} rows were left out"
        )
        raw = raw[~raw[target].isin(rare.index)].reset_index(drop=True)
    return raw, _sorted_labels([str(label) for label in counts.index if label not in rare.index])


def _sorted_labels(labels: list[str]) -> tuple[str, ...]:
    """By number where all are numbers, else by text: the same for every retraining, whatever the class frequencies."""
    if pd.to_numeric(pd.Series(labels, dtype=object), errors="coerce").notna().all():
        return tuple(sorted(labels, key=lambda label: (float(label), label)))
    return tuple(sorted(labels))


def _rows(raw: pd.DataFrame, schema: Schema, spec: SearchSpec, channel: str, notes: list[str]) -> Rows:
    if schema.labels:
        known = raw[schema.target].isin(schema.labels)
        if not known.all():
            notes.append(
                f"{int((~known).sum())} {channel} rows with a target value unknown to the training were left out"
            )
            raw = raw[known].reset_index(drop=True)
        index = {label: number for number, label in enumerate(schema.labels)}
        y = np.array([index[label] for label in raw[schema.target]], dtype=np.float64)
    else:
        y = parse_numbers(raw[schema.target])
    weight: Floats = np.ones(len(raw))
    if spec.sample_weight is not None:
        weight = parse_numbers(raw[spec.sample_weight])
        valid = weight > 0
        if not valid.any():
            raise JobFailure(f"No row of the {channel} data has a sample weight {spec.sample_weight!r} above 0.")
        if not valid.all():
            notes.append(f"{int((~valid).sum())} {channel} rows without a sample weight above 0 were left out")
        raw, y, weight = raw[valid].reset_index(drop=True), y[valid], weight[valid]
        weight = weight / weight.mean()
    frame = raw.drop(columns=schema.target)
    # Every pipeline reads the numbers: they are parsed once.
    numbers = {column.name: parse_numbers(frame[column.name]) for column in schema.used if column.kind == "numeric"}
    cells = {str(name): numbers[name] if name in numbers else frame[name].to_numpy() for name in frame.columns}
    return Rows(pd.DataFrame(cells), y, weight)


def _check_target(rows: Rows, schema: Schema, channel: str, *, each: int) -> None:
    """At least two target values must be left to tell apart, and ``each`` rows of every label."""
    if len(np.unique(rows.y)) < 2:
        raise JobFailure(
            f"The usable {channel} rows ({len(rows)}) have fewer than two different values of the target "
            f"{schema.target!r}: nothing can be told apart."
        )
    for number, label in enumerate(schema.labels):
        count = int((rows.y == number).sum())
        if count < each:
            raise JobFailure(f"The target value {label!r} is in {count} usable {channel} rows only: it needs {each}.")


def _datetime_format(present: pd.Series[str]) -> str | None:
    sample = present.drop_duplicates().head(1000)
    if not len(sample) or sample.str.match(_DATETIME_LOOK).mean() < _NUMERIC_SHARE:
        return None
    for written_as in _DATETIME_FORMATS:
        parsed = pd.to_datetime(sample, errors="coerce", format=written_as, utc=True)
        if parsed.notna().mean() >= _NUMERIC_SHARE:
            return written_as
    return None
