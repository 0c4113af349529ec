"""A training job of the network: channels in, a model directory and metrics out."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from include.local_aws.images import ClientError, tables
from include.local_aws.images.autopilot import objective
from include.local_aws.images.autopilot.spec import ProblemType
from include.local_aws.images.mlp import hyperparameters, network
from include.local_aws.images.mlp.hyperparameters import METRICS, STANDARD, HyperparameterError, Hyperparameters
from include.local_aws.images.mlp.network import BadFeatures, Features, Network

_CONTENTS = (tables.RECORDIO, tables.CSV)

_PROBLEM_TYPES: dict[str, ProblemType] = {
    "binary_classification": "BinaryClassification",
    "multiclass_classification": "MulticlassClassification",
    "regression": "Regression",
}


def run(root: Path) -> None:
    """Train below ``root``, which stands for ``/opt/ml``.

    Raises:
        ClientError: hyperparameters or data are at fault.
    """
    given = json.loads((root / "input" / "config" / "hyperparameters.json").read_text(encoding="utf-8"))
    try:
        settings = hyperparameters.read(given)
        train = _channel(root, "train")
        if train is None:
            raise ClientError("Missing required channel: train")
        validation = _channel(root, "validation")
        began = time.monotonic()
        fitted = network.fit(settings, *train)
        print(f"trained on {len(train[1])} rows of {fitted.width} features in {time.monotonic() - began:.2f} s")
        if validation is not None:
            for name, value in measure(settings, fitted, *validation).items():
                print(f"{name}={value!r}", flush=True)
    except (HyperparameterError, BadFeatures) as error:
        raise ClientError(str(error)) from error
    (root / "model").mkdir(exist_ok=True)
    fitted.save(root / "model")


def _channel(root: Path, name: str) -> tuple[Features, Features] | None:
    """A channel's features and labels; None where the job has no such channel. Raises `ClientError`."""
    config = json.loads((root / "input" / "config" / "inputdataconfig.json").read_text(encoding="utf-8"))
    if name not in config:
        return None
    kind = tables.content_type(config[name].get("ContentType", "text/csv"), _CONTENTS)
    table = tables.channel(root / "input" / "data" / name, kind)
    if table is None or table.labels is None:
        raise ClientError(f"No data in {name} channel path")
    return np.asarray(table.features, dtype=np.float32), table.labels


def measure(settings: Hyperparameters, fitted: Network, x: Features, labels: Features) -> dict[str, float]:
    """The problem type's metrics on labelled rows, by their logged names."""
    problem_type = _PROBLEM_TYPES[settings.problem_type]
    y = labels.astype(np.float64)
    if settings.classification and not np.isin(y, np.arange(fitted.classes)).all():
        raise BadFeatures(f"The validation channel has labels other than 0 to {fitted.classes - 1}.")
    values = objective.evaluate(problem_type, y, fitted.predict(x), np.ones(len(y)))
    return {name: values[STANDARD[name.removeprefix("validation:")]] for name in METRICS[settings.problem_type]}
