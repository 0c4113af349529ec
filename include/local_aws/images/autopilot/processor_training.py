"""The training job of a data processor: fits the feature pipeline that a module in the code channel describes.

Its hyperparameters are those of real data processor jobs: ``processor_module``
(``candidate_data_processors.dpp0``), ``sagemaker_program`` and ``sagemaker_submit_directory``, the folder of the
channel that brings the module.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from include.local_aws.images import AlgorithmError, BadRequest, ClientError
from include.local_aws.images.autopilot import answers, layout, serving
from include.local_aws.images.autopilot.artifacts import pack, pickled
from include.local_aws.images.autopilot.features import FeaturePipeline

PROGRAM = f"{layout.MODULES}.trainer"
SUBMIT_DIRECTORY = "/opt/ml/input/data/code"
_CHANNELS = "/opt/ml/input/data/"


def run(root: Path) -> None:
    """Fit below ``root``, which stands for ``/opt/ml``, and write the pipeline to ``model/``.

    Raises:
        ClientError: hyperparameters, the module or the data are at fault.
        AlgorithmError: the module's own code failed.
    """
    given = json.loads((root / "input" / "config" / "hyperparameters.json").read_text(encoding="utf-8"))
    module = _module(root, given)
    header, schema = tuple(module.HEADER), module.SCHEMA
    rows = _rows(root, header)
    began = time.monotonic()
    try:
        pipeline: FeaturePipeline = module.fit(rows.drop(columns=schema.target))
        width = pipeline.transform(rows.head(5)).shape[1]
    except Exception as error:  # whatever the module's code raises is the user's to see
        traceback.print_exc()
        raise AlgorithmError(f"{given['processor_module']}: {type(error).__name__}: {error}") from error
    print(
        f"{given['processor_module']}: {width} features from {len(rows)} rows in {time.monotonic() - began:.2f} s",
        flush=True,
    )
    (root / "model").mkdir(exist_ok=True)
    for name, content in pickled("features", pipeline, description(header, str(module.RECIPE))).items():
        (root / "model" / name).write_bytes(content)


def description(header: Sequence[str], recipe: str) -> dict[str, Any]:
    """What stands in the artifact's manifest besides its kind."""
    return {"recipe": recipe, "header": list(header)}


def artifact(pipeline: FeaturePipeline, header: Sequence[str]) -> bytes:
    """The model.tar.gz that a training job of the pipeline's module leaves."""
    return pack("features", pipeline, description(header, pipeline.recipe))


def _module(root: Path, given: dict[str, str]) -> ModuleType:
    name = given.get("processor_module")
    if not name:
        raise ClientError(
            "Hyperparameter processor_module is missing: expected the data processor's module, such as "
            f"{layout.MODULES}.dpp0."
        )
    program = given.get("sagemaker_program", PROGRAM)
    if program not in (PROGRAM, "trainer.py"):
        raise ClientError(f"Hyperparameter sagemaker_program: {program!r} can't be run here, expected {PROGRAM!r}.")
    folder = given.get("sagemaker_submit_directory", SUBMIT_DIRECTORY)
    if not folder.startswith(_CHANNELS) or ".." in folder:
        raise ClientError(
            f"Hyperparameter sagemaker_submit_directory: expected the folder of an input channel, such as "
            f"{SUBMIT_DIRECTORY}, found {folder!r}."
        )
    code = root / "input" / "data" / folder.removeprefix(_CHANNELS)
    if not code.is_dir():
        raise ClientError(f"There is no folder {folder}: add the input channel that brings the data processors.")
    sys.path.insert(0, str(code))
    full = name if "." in name else f"{layout.MODULES}.{name}"
    try:
        module = importlib.import_module(full)
    except Exception as error:
        traceback.print_exc()
        raise ClientError(f"The module {full} can't be imported from {folder}: {error}.") from error
    missing = [each for each in ("HEADER", "SCHEMA", "RECIPE", "fit") if not hasattr(module, each)]
    if missing:
        raise ClientError(f"The module {full} has no {missing[0]}: expected a data processor as Autopilot writes them.")
    return module


def _rows(root: Path, header: Sequence[str]) -> pd.DataFrame:
    folder = root / "input" / "data" / "train"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    if not files:
        raise ClientError("The train channel holds no data: no file, or only empty ones.")
    parts = []
    for path in files:
        try:
            parts.append(serving.read_training_rows(path.read_bytes(), answers.CSV, header))
        except BadRequest as error:
            raise ClientError(f"{path.name} of the train channel: {error}") from error
    return pd.concat(parts, ignore_index=True)
