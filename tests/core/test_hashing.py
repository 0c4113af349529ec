"""The keyed hash behind a row's part."""

from __future__ import annotations

import math
import struct
from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.cells import CellReader
from automl_retraining.core.hashing import (  # fmt: skip
    TEST,
    TRAIN,
    VALIDATION,
    assign,
    feature_codes,
    key_codes,
    key_file,
    keyed_hashes,
    new_salt,
)
from automl_retraining.core.trainer_specs import SplitSpec
from tests.support.splits import SALT


def codes(*columns: list[str]) -> list[bytes]:
    """Feature codes of whole columns."""
    return feature_codes([CellReader().read(column) for column in columns])


def test_the_hash_is_64_bits_of_keyed_blake2b() -> None:
    """Anyone can compute it again: this pins the split of every pipeline there is."""
    expected = blake2b(b"customer-7", digest_size=8, key=bytes.fromhex(SALT)).digest()
    assert keyed_hashes(key_codes([["customer-7"]]), SALT).tolist() == [int.from_bytes(expected, "big")]
    assert keyed_hashes([b"customer-7"], SALT).tolist() == [5921010048440846281]


def test_the_code_of_a_row_is_pinned() -> None:
    """A changed code would move every row of every pipeline without a key, and nothing else would show it."""
    expected = struct.pack("<5d", 1.5, math.inf, math.nan, -2.0, math.nan) + "é\0x y\0".encode()
    assert codes(["1.50", "w"], ["NA", "1"], ["é", ""], ["-2", "w"], ["x y", "3"])[0] == expected
    assert codes(["1.50"], [""], ["é"], ["-2"], ["x y"]) == [expected]
    assert keyed_hashes([expected], SALT).tolist() == [1724730726211769349]


def test_equal_values_have_equal_codes() -> None:
    """However they are written, and whatever stands in the other rows of the block."""
    (first,) = codes(["1"], ["x"], [""])
    assert codes(["1.0", "y"], ["x", "2"], ["NA", "z"])[0] == first
    assert codes(["a", " 1e0"], ["q", "x"], ["3", "null"])[1] == first
    assert codes(["-0.0"]) == codes(["0"])


CELL = st.sampled_from(["", "a", "b", "ab", "1", "0", "nan", "\x01", "1.5"])


@given(st.lists(CELL, min_size=3, max_size=3), st.lists(CELL, min_size=3, max_size=3))
def test_different_rows_have_different_codes(first: list[str], second: list[str]) -> None:
    """No two ways to cut the same characters into fields are confused."""

    def meaning(row: list[str]) -> list[object]:
        return [float(cell) if cell in ("1", "0", "1.5") else None if cell in ("", "nan") else cell for cell in row]

    one, other = codes(*([cell] for cell in first)), codes(*([cell] for cell in second))
    assert (one == other) == (meaning(first) == meaning(second))
    keys = key_codes([[cell] for cell in first]), key_codes([[cell] for cell in second])
    assert (keys[0] == keys[1]) == (first == second)


def test_the_test_part_is_the_low_end_and_the_validation_part_the_high_end() -> None:
    """Exactly the shares of the hash's range."""
    edge = 2**64
    hashes = np.array([0, edge // 4 - 1, edge // 4, edge // 2 - 1, edge // 2, edge - 1], dtype=np.uint64)
    parts = assign(hashes, SplitSpec(test=0.25, validation=0.4999999999))
    assert parts.tolist() == [TEST, TEST, TRAIN, TRAIN, TRAIN, VALIDATION]
    assert assign(hashes, SplitSpec(test=0.25, validation=0.1), test=False).tolist() == [TRAIN] * 5 + [VALIDATION]


def test_the_key_file_is_sorted_and_has_each_hash_once() -> None:
    """Eight bytes each, the highest first, so that it can be searched as it lies."""
    data = key_file([np.array([3, 1], dtype=np.uint64), np.array([2**63, 1], dtype=np.uint64)])
    assert data == b"".join(number.to_bytes(8, "big") for number in (1, 3, 2**63))
    assert key_file([]) == b""


def test_salts_are_16_random_bytes() -> None:
    """Two are never equal."""
    assert len(bytes.fromhex(new_salt())) == 16
    assert new_salt() != new_salt()
