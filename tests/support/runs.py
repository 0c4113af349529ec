"""A run folder of a regression whose truth is 1, 2, 3, ..., and the folder of the run that made its champion."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from automl_retraining.core.records import Manifest
from automl_retraining.sagemaker import storage
from tests.support.manifests import regression

ROWS = 300
HASHES = [(row * 0x9E3779B97F4A7C15) % 2**64 for row in range(1, ROWS + 1)]


def manifest(folder: str, **changes: Any) -> Manifest:
    """The manifest of a run."""
    made = regression(f"{folder}/data/transform/test.csv", truth_uri=f"{folder}/data/truth.csv", **changes)
    return made.model_copy(update={"split": made.split.model_copy(update={"keys_uri": f"{folder}/data/keys.bin"})})


def keys(*hashes: int) -> bytes:
    """keys.bin."""
    return np.array(sorted(hashes), dtype=">u8").tobytes()


def predictions(noise: float, seed: int) -> bytes:
    """Batch transform's output for a truth of 1, 2, 3, ..."""
    rng = random.Random(seed)
    return "".join(f"{row},{row + rng.gauss(0, noise)}\n" for row in range(1, ROWS + 1)).encode()


def write(s3: Any, folder: str, before: str) -> None:
    """Both manifests, the truth, and the keys that the champion was trained on: none of this run's."""
    lines = "".join(f"{row},{HASHES[row - 1]:016x},{row}\n" for row in range(1, ROWS + 1))
    storage.write_text(s3, f"{folder}/data/truth.csv", "row_id,key_hash,truth\n" + lines)
    storage.write_text(s3, f"{folder}/data/transform/test.csv", "".join(f"{row},1.0,a\n" for row in range(1, ROWS + 1)))
    storage.write_record(s3, f"{folder}/manifest.json", manifest(folder))
    storage.write_record(s3, f"{before}/manifest.json", manifest(before))
    storage.write_bytes(s3, f"{before}/data/keys.bin", keys(12345))
