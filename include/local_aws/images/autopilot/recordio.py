"""application/x-recordio-protobuf: how Autopilot's containers pass feature matrices, and labels, to each other.

A RecordIO frame is a magic number, the payload's length and the payload, padded to four bytes. The payload is one
``aialgs.data.Record`` message: ``features`` (field 1) and ``label`` (field 2) map the key ``values`` to a ``Value``
whose ``float32_tensor`` (field 2) holds packed ``values`` (1) and, when sparse, packed ``keys`` (2) and ``shape`` (3).
Source: SageMaker developer guide, "Common data formats for training".

Dense records of one width are all of one length and differ in their numbers only; such matrices are written and read
as a whole, any other frame by frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAGIC = 0xCED7230A
_MAP_KEY = b"values"
_FEATURES = 1
_LABEL = 2

Floats = NDArray[np.float32]


class MalformedRecord(ValueError):
    """The bytes are not RecordIO-framed protobuf records of float32 features."""


@dataclass(frozen=True)
class Records:
    """What a file of records holds: features of shape (rows, columns), and labels of shape (rows,) or None."""

    features: Floats
    labels: Floats | None


def encode(matrix: Floats, *, labels: Floats | None = None, sparse: bool = False) -> bytes:
    """Encode a matrix of shape (rows, columns), one record a row, each with its label where ``labels`` are given.

    With ``sparse``, zeros are left out and the column indices and the row's length are written instead.
    """
    rows = np.ascontiguousarray(matrix, dtype="<f4")
    if rows.ndim != 2:
        raise ValueError(f"expected a matrix of rows and columns, got {rows.ndim} dimension(s)")
    targets = None if labels is None else np.ascontiguousarray(labels, dtype="<f4")
    if targets is not None and targets.shape != (len(rows),):
        raise ValueError(f"expected {len(rows)} labels, one a row, got an array of shape {targets.shape}")
    if not sparse:
        return _encode_dense(rows, targets)
    return b"".join(
        _frame(_record(row, None if targets is None else targets[number], sparse=True))
        for number, row in enumerate(rows)
    )


def decode(data: bytes) -> Floats:
    """Decode records into a dense matrix of shape (rows, columns); what a sparse record leaves out is 0.

    Raises:
        MalformedRecord: a frame is cut short, or rows differ in length.
    """
    return read(data).features


def read(data: bytes) -> Records:
    """Decode records with their labels.

    Raises:
        MalformedRecord: a frame is cut short, rows differ in length, or some rows have one label and others not.
    """
    dense = _decode_dense(data)
    if dense is not None:
        return dense
    rows: list[Floats] = []
    labels: list[float | None] = []
    for number, payload in enumerate(_frames(data), start=1):
        row, label = _row(payload, number)
        if rows and len(row) != len(rows[0]):
            raise MalformedRecord(f"record {number} has {len(row)} features, the first has {len(rows[0])}")
        if labels and (label is None) != (labels[0] is None):
            raise MalformedRecord(f"record {number} has {'no' if label is None else 'a'} label, unlike the first")
        rows.append(row)
        labels.append(label)
    if not rows:
        return Records(np.zeros((0, 0), dtype=np.float32), None)
    given = [label for label in labels if label is not None]
    return Records(np.stack(rows), np.array(given, dtype=np.float32) if given else None)


def _encode_dense(rows: Floats, labels: Floats | None) -> bytes:
    """All frames at once: the first row's with the other rows' numbers in its place."""
    if not len(rows):
        return b""
    first, places = _template(rows.shape[1], labelled=labels is not None)
    frames = np.tile(np.frombuffer(first, dtype=np.uint8), (len(rows), 1))
    frames[:, places.features] = rows.view(np.uint8).reshape(len(rows), -1)
    if labels is not None:
        frames[:, places.label] = labels.view(np.uint8).reshape(len(rows), -1)
    return frames.tobytes()


def _decode_dense(data: bytes) -> Records | None:
    """The whole matrix at once where all frames are dense records like the first; None where they are not."""
    if len(data) < 8:
        return None
    magic, length = struct.unpack_from("<II", data, 0)
    size = 8 + length + (-length % 4)
    if magic != MAGIC or len(data) % size:
        return None
    try:
        row, label = _row(data[8 : 8 + length], 1)
    except MalformedRecord:
        return None  # read frame by frame, which says what is wrong where
    first, places = _template(len(row), labelled=label is not None)
    if len(first) != size:
        return None
    frames = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    fixed = np.ones(size, dtype=bool)
    fixed[places.features] = False
    fixed[places.label] = False
    if not (frames[:, fixed] == np.frombuffer(first, dtype=np.uint8)[fixed]).all():
        return None
    features = np.ascontiguousarray(frames[:, places.features]).view("<f4").astype(np.float32, copy=False)
    if label is None:
        return Records(features, None)
    labels = np.ascontiguousarray(frames[:, places.label]).view("<f4").astype(np.float32, copy=False)
    return Records(features, labels[:, 0])


@dataclass(frozen=True)
class _Places:
    features: slice
    label: slice


def _template(width: int, *, labelled: bool) -> tuple[bytes, _Places]:
    """The frame of a dense record of ones, and where its numbers stand."""
    entry = _entry(_FEATURES, np.ones(width, dtype="<f4"), sparse=False)
    record = entry + (_entry(_LABEL, np.ones(1, dtype="<f4"), sparse=False) if labelled else b"")
    end = 8 + len(entry)
    features = slice(end - 4 * width, end)
    label = slice(8 + len(record) - 4, 8 + len(record)) if labelled else slice(0, 0)
    return _frame(record), _Places(features, label)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _record(row: Floats, label: float | None, *, sparse: bool) -> bytes:
    features = _entry(_FEATURES, row, sparse=sparse)
    return features if label is None else features + _entry(_LABEL, np.array([label], dtype="<f4"), sparse=False)


def _entry(field: int, row: Floats, *, sparse: bool) -> bytes:
    """One entry of the record's map of features or of labels."""
    if sparse:
        keys = np.flatnonzero(row)
        tensor = (
            _field(1, row[keys].tobytes())
            + _field(2, b"".join(_varint(int(key)) for key in keys))
            + _field(3, _varint(len(row)))
        )
    else:
        tensor = _field(1, row.tobytes())
    return _field(field, _field(1, _MAP_KEY) + _field(2, _field(2, tensor)))


def _frame(payload: bytes) -> bytes:
    return struct.pack("<II", MAGIC, len(payload)) + payload + b"\0" * (-len(payload) % 4)


def _frames(data: bytes) -> list[bytes]:
    frames: list[bytes] = []
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise MalformedRecord(f"record {len(frames) + 1} is cut short in its header")
        magic, length = struct.unpack_from("<II", data, at)
        if magic != MAGIC:
            raise MalformedRecord(f"record {len(frames) + 1} does not start with RecordIO's magic number {MAGIC:#x}")
        at += 8
        if len(data) - at < length:
            raise MalformedRecord(f"record {len(frames) + 1} announces {length} bytes, {len(data) - at} are left")
        frames.append(data[at : at + length])
        at += length + (-length % 4)
    return frames


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise MalformedRecord("a number in a record is cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes) -> dict[int, bytes]:
    """The length-delimited fields of a message, by number; others, which these messages do not use, are refused."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        if tag & 7 != 2:
            raise MalformedRecord(f"field {tag >> 3} of a record has wire type {tag & 7}, expected 2")
        length, at = _read_varint(data, at)
        if at + length > len(data):
            raise MalformedRecord(f"field {tag >> 3} of a record is cut short")
        found[tag >> 3] = data[at : at + length]
        at += length
    return found


def _varints(data: bytes) -> list[int]:
    values = []
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        values.append(value)
    return values


def _row(payload: bytes, number: int) -> tuple[Floats, float | None]:
    """A record's features, and its label if it has one."""
    fields = _fields(payload)
    features = _tensor(fields.get(_FEATURES, b""), number, "feature")
    if _LABEL not in fields:
        return features, None
    label = _tensor(fields[_LABEL], number, "label")
    if len(label) != 1:
        raise MalformedRecord(f"record {number} has {len(label)} labels, expected one")
    return features, float(label[0])


def _tensor(entry_bytes: bytes, number: int, what: str) -> Floats:
    entry = _fields(entry_bytes)
    tensor = _fields(_fields(entry.get(2, b"")).get(2, b""))
    if entry.get(1) != _MAP_KEY:
        raise MalformedRecord(f"record {number} has no {what} map entry named 'values' with a float32 tensor")
    raw = tensor.get(1, b"")
    if len(raw) % 4:
        raise MalformedRecord(f"record {number} holds {len(raw)} bytes of float32 values, not a multiple of 4")
    values = np.frombuffer(raw, dtype="<f4").astype(np.float32)
    if 3 not in tensor:
        return values
    shape = _varints(tensor[3])
    keys = _varints(tensor.get(2, b""))
    if len(shape) != 1 or len(keys) != len(values) or (keys and max(keys) >= shape[0]):
        raise MalformedRecord(f"record {number}'s keys, values and shape do not fit together")
    row = np.zeros(shape[0], dtype=np.float32)
    row[keys] = values
    return row
