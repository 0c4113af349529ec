"""Where things stand below a job's output, and what its steps are called, as Autopilot does it.

The folders and the forms of the names are those of real jobs' candidates (SageMaker developer guide, "Autopilot
output"; candidates published by users: ``<job>-db-1-<hash>``, ``<job>-dpp0-1-<hash>``, ``<job>-dpp0-rpb-1-<hash>``, and
the training job of the tuning, ``<job>-001-<hash>``). Names are cut to the 63 characters that job names may have, the
hash first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

NAME_LIMIT = 63

TUNING_DATA = "preprocessed-data/tuning_data"
TRAIN_ROWS = f"{TUNING_DATA}/train/chunk_0.csv"
VALIDATION_ROWS = f"{TUNING_DATA}/validation/chunk_0.csv"
HEADER = "preprocessed-data/header/headers.csv"
DATA_PROCESSOR_MODELS = "data-processor-models"
TRANSFORMED = "transformed-data"

MODULES = "candidate_data_processors"
"""The package of the data processors' source code."""

_SHORT_NAMES = {"xgboost": "xgb", "linear-learner": "linear-learner", "mlp": "mlp"}


def digest(parts: Sequence[Any], length: int) -> str:
    """A hash of JSON values, in hexadecimal digits."""
    return hashlib.sha256(json.dumps(list(parts), sort_keys=True).encode()).hexdigest()[:length]


def _step(job: str, what: str) -> str:
    name = f"{job}-{what}-1-"
    return name + digest([job, what], min(27, NAME_LIMIT - len(name)))


def preprocessing(job: str) -> str:
    """The processing job that splits the table."""
    return _step(job, "db")


def data_processor(job: str, number: int) -> str:
    """The training job that fits the feature pipeline ``dpp<number>``."""
    return _step(job, f"dpp{number}")


def transform(job: str, number: int) -> str:
    """The transform job that applies it (rpb: recordio-protobuf)."""
    return _step(job, f"dpp{number}-rpb")


def transform_model(job: str, number: int) -> str:
    """The model that the transform job uses."""
    return _step(job, f"dpp{number}-model")


def candidate(job: str, number: int, parts: Sequence[Any]) -> str:
    """A candidate, which is its algorithm's training job."""
    tail = f"-{number:03d}-{digest(parts, 8)}"
    return job[: NAME_LIMIT - len(tail)] + tail


def candidates_folder(job: str) -> str:
    """Notebooks and source code."""
    return f"sagemaker-automl-candidates/{_step(job, 'pr')}"


def modules_folder(job: str) -> str:
    """The folder that holds the package of the data processors."""
    return f"{candidates_folder(job)}/generated_module"


def model(folder: str, training_job: str) -> str:
    """Where a training job with this output folder leaves its model."""
    return f"{folder}/{training_job}/output/model.tar.gz"


def tuning_folder(job: str, number: int, algorithm: str) -> str:
    """Where the training jobs of one candidate definition leave their models."""
    return f"tuning/{job}-dpp{number}-{_SHORT_NAMES[algorithm]}"


def transformed(number: int, part: str) -> str:
    """The features of a part (train or validation) of the rows, as the transform job leaves them."""
    return f"{TRANSFORMED}/dpp{number}/rpb/{part}/chunk_0.csv.out"
