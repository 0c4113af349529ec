"""application/x-recordio-protobuf."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from include.local_aws.images.autopilot import recordio

MATRICES = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


@given(matrix=MATRICES, sparse=st.booleans())
def test_a_matrix_comes_back_as_it_was_sent(matrix: np.ndarray, sparse: bool) -> None:
    """Dense and sparse, NaN and infinities included."""
    np.testing.assert_array_equal(recordio.decode(recordio.encode(matrix, sparse=sparse)), matrix)


@given(matrix=MATRICES, sparse=st.booleans(), data=st.data())
def test_labels_come_back_beside_their_rows(matrix: np.ndarray, sparse: bool, data: st.DataObject) -> None:
    """Dense and sparse, whatever the label."""
    labels = data.draw(npst.arrays(np.float32, len(matrix), elements=st.floats(width=32, allow_nan=True)))
    found = recordio.read(recordio.encode(matrix, labels=labels, sparse=sparse))
    np.testing.assert_array_equal(found.features, matrix)
    np.testing.assert_array_equal(found.labels, labels)


@given(matrix=MATRICES)
def test_dense_and_sparse_records_may_follow_each_other(matrix: np.ndarray) -> None:
    """A batch transform's outputs are put behind each other."""
    both = recordio.encode(matrix) + recordio.encode(matrix, sparse=True)
    np.testing.assert_array_equal(recordio.decode(both), np.concatenate([matrix, matrix]))


def test_labelled_and_unlabelled_records_are_not_mixed() -> None:
    """The record that is unlike the first is named."""
    ones = np.ones((1, 2), dtype=np.float32)
    mixed = recordio.encode(ones) + recordio.encode(ones, labels=np.ones(1, dtype=np.float32))
    with pytest.raises(recordio.MalformedRecord, match="record 2 has a label, unlike the first"):
        recordio.read(mixed)


def test_a_labelled_record_has_the_documented_bytes() -> None:
    """The label is field 2, a map as the features are."""
    tensor = b"\x0a\x04" + struct.pack("<f", 3.0)
    entry = b"\x0a\x06values" + b"\x12\x08" + b"\x12\x06" + tensor
    encoded = recordio.encode(np.array([[1.5]], dtype=np.float32), labels=np.array([3.0], dtype=np.float32))
    length = struct.unpack_from("<I", encoded, 4)[0]
    assert encoded[8 : 8 + length].endswith(b"\x12" + bytes([len(entry)]) + entry)


def test_as_many_labels_as_rows_are_needed() -> None:
    """Else nothing is written."""
    with pytest.raises(ValueError, match="expected 2 labels"):
        recordio.encode(np.ones((2, 1), dtype=np.float32), labels=np.ones(3, dtype=np.float32))


def test_the_bytes_are_those_of_the_documented_format() -> None:
    """One dense row, written out by hand from the protobuf schema."""
    values = struct.pack("<2f", 1.5, -2.0)
    tensor = b"\x0a\x08" + values
    payload = b"\x0a\x16" + b"\x0a\x06values" + b"\x12\x0c" + b"\x12\x0a" + tensor
    expected = struct.pack("<II", 0xCED7230A, len(payload)) + payload + b"\0" * (-len(payload) % 4)
    assert recordio.encode(np.array([[1.5, -2.0]], dtype=np.float32)) == expected


def test_sparse_rows_leave_zeros_out() -> None:
    """A wide row of zeros is short."""
    wide = np.zeros((1, 1000), dtype=np.float32)
    assert len(recordio.encode(wide, sparse=True)) < 50 < len(recordio.encode(wide))


@given(matrix=MATRICES, data=st.data())
def test_a_stream_cut_short_is_refused(matrix: np.ndarray, data: st.DataObject) -> None:
    """Cutting inside the last frame's payload is noticed, wherever it is."""
    encoded = recordio.encode(matrix)
    last = len(recordio.encode(matrix[:-1])) if len(matrix) > 1 else 0
    payload = struct.unpack_from("<I", encoded, last + 4)[0]
    cut = data.draw(st.integers(last + 1, last + 8 + payload - 1))
    with pytest.raises(recordio.MalformedRecord, match=r"cut short|announces"):
        recordio.decode(encoded[:cut])


def test_other_bytes_are_refused() -> None:
    """CSV is not RecordIO."""
    with pytest.raises(recordio.MalformedRecord, match="record 1 does not start with RecordIO's magic number"):
        recordio.decode(b"1.0,2.0,3.0\n")


def test_rows_of_different_length_are_refused() -> None:
    """A matrix has one width."""
    short = recordio.encode(np.ones((1, 2), dtype=np.float32))
    long = recordio.encode(np.ones((1, 3), dtype=np.float32))
    with pytest.raises(recordio.MalformedRecord, match="record 2 has 3 features, the first has 2"):
        recordio.decode(short + long)
