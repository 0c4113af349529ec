"""application/x-recordio-protobuf: how Autopilot's containers pass feature matrices to each other.

A RecordIO frame is a magic number, the payload's length and the payload, padded to four bytes. The payload is one
``aialgs.data.Record`` message: ``features`` (field 1) maps the key ``values`` to a ``Value`` whose ``float32_tensor``
(field 2) holds packed ``values`` (1) and, when sparse, packed ``keys`` (2) and ``shape`` (3). Source: SageMaker
developer guide, "Common data formats for training".
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

MAGIC = 0xCED7230A
_MAP_KEY = b"values"


class MalformedRecord(ValueError):
    """The bytes are not RecordIO-framed protobuf records of float32 features."""


def encode(matrix: NDArray[np.float32], *, sparse: bool = False) -> bytes:
    """Encode a matrix of shape (rows, columns), one record a row.

    With ``sparse``, zeros are left out and the column indices and the row's length are written instead.
    """
    rows = np.ascontiguousarray(matrix, dtype="<f4")
    if rows.ndim != 2:
        raise ValueError(f"expected a matrix of rows and columns, got {rows.ndim} dimension(s)")
    return b"".join(_frame(_record(row, sparse)) for row in rows)


def decode(data: bytes) -> NDArray[np.float32]:
    """Decode records into a dense matrix of shape (rows, columns); what a sparse record leaves out is 0.

    Raises:
        MalformedRecord: a frame is cut short, or rows differ in length.
    """
    rows = [_row(payload, number) for number, payload in enumerate(_frames(data), start=1)]
    if not rows:
        return np.zeros((0, 0), dtype=np.float32)
    width = len(rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != width:
            raise MalformedRecord(f"record {number} has {len(row)} features, the first has {width}")
    return np.stack(rows)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _record(row: NDArray[np.float32], sparse: bool) -> bytes:
    if sparse:
        keys = np.flatnonzero(row)
        tensor = (
            _field(1, row[keys].tobytes())
            + _field(2, b"".join(_varint(int(key)) for key in keys))
            + _field(3, _varint(len(row)))
        )
    else:
        tensor = _field(1, row.tobytes())
    entry = _field(1, _MAP_KEY) + _field(2, _field(2, tensor))
    return _field(1, entry)


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


def _row(payload: bytes, number: int) -> NDArray[np.float32]:
    entry = _fields(_fields(payload).get(1, b""))
    tensor = _fields(_fields(entry.get(2, b"")).get(2, b""))
    if entry.get(1) != _MAP_KEY:
        raise MalformedRecord(f"record {number} has no feature map entry named 'values' with a float32 tensor")
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
