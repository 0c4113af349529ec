"""Which part a row belongs to: a keyed hash of what the row is, so that it is the same in every retraining.

The hash is 64 bits of BLAKE2b (RFC 7693), keyed with the pipeline's salt. Read as a number between 0 and 1 it falls
into the test part at the low end, the validation part at the high end, and the train part between: changing one share
leaves the other part's rows where they are.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import Cells
from automl_retraining.core.trainer_specs import SplitSpec

Hashes = NDArray[np.uint64]
TRAIN, VALIDATION, TEST = 0, 1, 2


def new_salt() -> str:
    """A pipeline's salt: 16 random bytes as hex. Made once, at the pipeline's first run."""
    return secrets.token_hex(16)


def keyed_hashes(codes: Iterable[bytes], salt: str) -> Hashes:
    """A 64-bit keyed hash of each code."""
    key = bytes.fromhex(salt)
    digests = b"".join([blake2b(code, digest_size=8, key=key).digest() for code in codes])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def key_codes(columns: Sequence[Sequence[str]]) -> list[bytes]:
    """One code a row from its key's or group's cells, taken exactly as they read: ``007`` is not ``7``.

    A zero byte separates them; no table holds one.
    """
    return [text.encode() for text in (columns[0] if len(columns) == 1 else map("\0".join, zip(*columns, strict=True)))]


def feature_codes(columns: Sequence[Cells]) -> list[bytes]:
    """One code a row from the values of its features, in the order given.

    Numbers count by value (``1``, ``1.0`` and ``1e0`` are equal, so are all ways to say missing), words as they stand:
    a file that another program wrote again keeps its rows where they were.

    A code is a float64 a column (little-endian; infinity for missing, NaN for a word), then the words, each with a zero
    byte behind it. It says everything about the row and depends on nothing else.
    """
    numbers = np.empty((len(columns[0].numbers), len(columns)), dtype="<f8")
    words = []
    for position, column in enumerate(columns):
        numbers[:, position] = np.where(np.isnan(column.numbers), np.inf, column.numbers)
        if column.texts is not None:
            whole = sum(column.words.values()) == len(numbers)
            numbers[:, position][True if whole else np.fromiter(map(bool, column.texts), bool, len(numbers))] = np.nan
            words.append((column.texts, whole))
    width = numbers.shape[1] * 8
    raw = numbers.tobytes()
    starts = range(0, len(raw), width)
    if not words:
        return [raw[start : start + width] for start in starts]
    if all(whole for _, whole in words):
        texts = map("\0".join, zip(*(cells for cells, _ in words), strict=True))
        return [raw[start : start + width] + f"{text}\0".encode() for start, text in zip(starts, texts, strict=True)]
    ended = ([f"{cell}\0" if cell else "" for cell in cells] for cells, _ in words)
    texts = map("".join, zip(*ended, strict=True))
    return [raw[start : start + width] + text.encode() for start, text in zip(starts, texts, strict=True)]


def assign(hashes: Hashes, spec: SplitSpec, *, test: bool = True) -> NDArray[np.int8]:
    """The part of each row: TRAIN, VALIDATION or TEST.

    Without ``test`` the test share goes to train: the caller has another rule for the test part.
    """
    parts = np.full(len(hashes), TRAIN, dtype=np.int8)
    parts[hashes >= np.uint64(round((1 - spec.validation) * 2**64))] = VALIDATION
    if test:
        parts[hashes < np.uint64(round(spec.test * 2**64))] = TEST
    return parts


def key_file(hashes: Sequence[Hashes]) -> bytes:
    """The content of keys.bin: each hash once, ascending, as eight bytes, the highest first."""
    joined = np.unique(np.concatenate(hashes)) if hashes else np.array([], dtype=np.uint64)
    return joined.astype(">u8").tobytes()
