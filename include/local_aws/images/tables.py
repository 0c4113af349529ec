"""Tables of numbers in the content types that SageMaker's tabular algorithms take: from channels and from requests.

In training data the label is the first column of CSV and Parquet, the first word of a LIBSVM line and the label of a
RecordIO-protobuf record. There is no header. An empty CSV cell is a missing value.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from include.local_aws.images import BadRequest, ClientError
from include.local_aws.images.autopilot import recordio

Floats = NDArray[np.float32]

CSV, LIBSVM, PARQUET, RECORDIO = "csv", "libsvm", "parquet", "recordio-protobuf"
_TYPES = {
    "csv": CSV,
    "text/csv": CSV,
    "libsvm": LIBSVM,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "parquet": PARQUET,
    "application/x-parquet": PARQUET,
    "recordio-protobuf": RECORDIO,
    "application/x-recordio-protobuf": RECORDIO,
}


@dataclass(frozen=True)
class Table:
    """Features of shape (rows, columns), dense or sparse; labels and weights of shape (rows,)."""

    features: Any
    labels: Floats | None = None
    weights: Floats | None = None

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.features.shape[0])

    @property
    def columns(self) -> int:
        """How many features."""
        return int(self.features.shape[1])


_NUMBER = rb"[+-]?\d{1,18}(?:\.\d{0,18})?(?:[eE][+-]?\d)?"
_PLAIN = re.compile(rb"%b(?:,%b)*(?:\r?\n%b(?:,%b)*)*(?:\r?\n)?" % ((_NUMBER,) * 4))
_SMALL = 2048
"""Bytes of a body that is looked at for plain numbers before pandas is asked, which takes longer than a prediction."""


class Unreadable(ValueError):
    """Content that is not what its type says; the sentence says where."""


def parameters(header: str) -> tuple[str, dict[str, str]]:
    """A content type's media type and its parameters, in small letters."""
    media, *rest = [part.strip() for part in header.lower().split(";")]
    return media, {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in rest if part)}


def content_type(header: str, accepted: Sequence[str]) -> str:
    """Which of the `accepted` contents (`CSV`, `LIBSVM`, …) a content type names; raises `ClientError`."""
    media, options = parameters(header)
    kind = _TYPES.get(media)
    if kind is None or kind not in accepted:
        names = ", ".join(name for name, each in _TYPES.items() if each in accepted)
        raise ClientError(f"{header} is not an accepted ContentType: {names}.")
    if kind == CSV and options.get("label_size", "1") != "1":
        raise ClientError(
            f"{header} is not an accepted csv ContentType. Optional parameter label_size must be equal to 1"
        )
    return kind


def channel(folder: Path, kind: str, *, weights: bool = False) -> Table | None:
    """A channel's files as one table; None where it has no data. Raises `ClientError` that names the file.

    With `weights` the second column of CSV is the rows' weight; LIBSVM has it behind the label (``1:0.5 1:3``).
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name[0] not in "._"]
    tables = []
    for path in files:
        if path.stat().st_size == 0:
            continue
        try:
            tables.append(_labelled(path, kind, weights=weights))
        except Unreadable as error:
            name = path.relative_to(folder).as_posix()
            raise ClientError(f"Failed to load {kind} data: file {name} of channel {folder.name}: {error}") from error
    if not tables or not sum(table.rows for table in tables):
        return None
    return _joined(tables, folder.name)


def _joined(tables: Sequence[Table], name: str) -> Table:
    width = max(table.columns for table in tables)
    if any(isinstance(table.features, csr_matrix) for table in tables):
        for table in tables:
            table.features.resize((table.rows, width))
        features = vstack([table.features for table in tables], format="csr")
    else:
        if {table.columns for table in tables} != {width}:
            found = sorted({table.columns for table in tables})
            raise ClientError(f"The files of channel {name} differ in their number of features: {found}.")
        features = tables[0].features if len(tables) == 1 else np.concatenate([table.features for table in tables])
    labels = [table.labels for table in tables]
    weights = [table.weights for table in tables]
    if any(each is None for each in labels):
        raise ClientError(f"The records of channel {name} have no label.")
    return Table(
        features,
        np.concatenate([each for each in labels if each is not None]),
        np.concatenate([each for each in weights if each is not None]) if None not in map(_kind, weights) else None,
    )


def _kind(value: object) -> object:
    return None if value is None else True


def _labelled(path: Path, kind: str, *, weights: bool) -> Table:
    if kind == CSV:
        return _split(csv_matrix(path), weights=weights)
    if kind == LIBSVM:
        return libsvm(path.read_bytes())
    if kind == RECORDIO:
        return records(path.read_bytes())
    return _split(_parquet(path), weights=False)


def _split(matrix: Floats, *, weights: bool) -> Table:
    first = 2 if weights else 1
    if matrix.shape[1] <= first:
        raise Unreadable(f"expected the label{' and the weight' if weights else ''} and features, found one column")
    return Table(matrix[:, first:], matrix[:, 0], matrix[:, 1] if weights else None)


def _parquet(path: Path) -> Floats:
    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise Unreadable(
            "the embedded AWS reads Parquet with the package pyarrow, which is not installed where it runs"
        ) from error
    except (ValueError, OSError) as error:
        raise Unreadable(str(error)) from error
    try:
        return frame.to_numpy(dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise Unreadable(f"its columns must be numbers: {error}") from error


def csv_matrix(source: bytes | Path) -> Floats:
    """Rows of numbers of a file or a body; raises `Unreadable` that names the row and the column of what is none."""
    if isinstance(source, bytes) and len(source) <= _SMALL and _PLAIN.fullmatch(source):
        rows = [list(map(float, line.split(b","))) for line in source.split()]
        if all(len(row) == len(rows[0]) for row in rows):
            return np.array(rows, dtype=np.float32)
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as content:
        first = content.readline()
        while first and not first.strip():
            first = content.readline()
        if not first:
            raise Unreadable("it has no rows")
        separator = _separator(first.decode("utf-8", "replace"))
        content.seek(0)
        try:
            frame = pd.read_csv(content, sep=separator, header=None, dtype=np.float32, encoding="utf-8-sig", engine="c")
        except (ValueError, OverflowError) as error:  # pandas' ParserError is a ValueError
            text = _text(source if isinstance(source, bytes) else source.read_bytes())
            raise Unreadable(_culprit(text, separator) or str(error)) from error
    return frame.to_numpy(dtype=np.float32)


def _separator(line: str) -> str:
    return next((each for each in ",;\t|" if each in line), " " if " " in line.strip() else ",")


def _culprit(text: str, separator: str) -> str | None:
    """The first cell that is no number, or the first row that is longer than the first."""
    width = None
    for number, row in enumerate(csv.reader(io.StringIO(text), delimiter=separator), start=1):
        width = width or len(row)
        if len(row) > width:
            return f"row {number} has {len(row)} columns, the first has {width}"
        for column, cell in enumerate(row, start=1):
            try:
                float(cell or "nan")
            except ValueError:
                hint = ". There must be no header" if number == 1 else ""
                return f"row {number}, column {column} is {cell[:50]!r}, expected a number{hint}"
    return None


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8: byte {error.start} can't be decoded") from error


def libsvm(content: bytes, *, labelled: bool = True) -> Table:
    """``label[:weight] index:value …`` a line, the label optional unless `labelled`; indices are taken as they are."""
    labels, weights, indices, values, starts = [], [], [], [], [0]
    for number, line in enumerate(_text(content).splitlines(), start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            if labelled or ":" not in words[0]:
                label, _, weight = words.pop(0).partition(":")
                labels.append(float(label))
                if weight:
                    weights.append(float(weight))
            for word in words:
                if word.startswith("qid:"):
                    raise Unreadable(f"line {number} has a query id, which the embedded AWS does not read")
                index, _, value = word.partition(":")
                indices.append(int(index))
                values.append(float(value))
        except Unreadable:
            raise
        except ValueError as error:
            raise Unreadable(
                f"line {number} is not in LIBSVM format (label index:value index:value): {line[:50]!r}"
            ) from error
        starts.append(len(indices))
    if min(indices, default=0) < 0:
        raise Unreadable("it has a negative index")
    if labels and weights and len(labels) != len(weights):
        raise Unreadable("some lines have a weight behind the label and others have none")
    shape = (len(starts) - 1, max(indices, default=-1) + 1)
    matrix = csr_matrix((np.array(values, np.float32), np.array(indices, np.int64), np.array(starts)), shape=shape)
    return Table(
        matrix,
        np.array(labels, np.float32) if len(labels) == shape[0] else None,
        np.array(weights, np.float32) if weights else None,
    )


def records(content: bytes) -> Table:
    """RecordIO-protobuf records."""
    try:
        found = recordio.read(content)
    except recordio.MalformedRecord as error:
        raise Unreadable(str(error)) from error
    return Table(found.features, found.labels)


def request(body: bytes, header: str, accepted: Sequence[str]) -> tuple[Table, str]:
    """The rows of a request's body, without labels, and which content they came in; raises `BadRequest`."""
    try:
        kind = content_type(header, accepted)
        if kind == CSV:
            return Table(csv_matrix(body)), kind
        return (libsvm(body, labelled=False) if kind == LIBSVM else records(body)), kind
    except ClientError as error:
        raise BadRequest(f"Content-type {header} is not supported. {error}") from error
    except Unreadable as error:
        raise BadRequest(
            f"Loading {kind} data failed with Exception, please ensure data is in {kind} format: {error}"
        ) from error
