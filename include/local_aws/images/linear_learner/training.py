"""Training a Linear Learner: channels in, ``model/model_algo-1`` out, its measures in the log."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from include.local_aws.images import ClientError, tables
from include.local_aws.images.linear_learner import declared, fitting, losses, measuring
from include.local_aws.images.linear_learner.declared import BINARY, MULTICLASS, REGRESSOR
from include.local_aws.images.linear_learner.losses import Doubles
from include.local_aws.images.linear_learner.model import Model
from include.local_aws.images.tables import Table

_CONTENTS = (tables.CSV, tables.RECORDIO)
_DEFAULT_CONTENT = "application/x-recordio-protobuf"


def run(root: Path) -> None:
    """Train in `root`, which stands for ``/opt/ml``; raises `AlgorithmError`."""
    interrupt = fitting.Interrupt()
    signal.signal(signal.SIGTERM, lambda *_: setattr(interrupt, "asked", True))
    config = root / "input" / "config"
    values = declared.read(json.loads((config / "hyperparameters.json").read_text("utf-8")))
    data = _channels(root, json.loads((config / "inputdataconfig.json").read_text("utf-8")), values)
    train, validation = data["train"], data.get("validation")
    outputs = values["num_classes"] if values["predictor_type"] == MULTICLASS else 1
    rows = _weights(train, values)
    weights = fitting.fit(train, validation, rows, losses.of(values), outputs, values, interrupt)
    model = Model(values["predictor_type"], values["loss"], weights)
    if model.kind == BINARY:
        judged = validation or train
        default = 0.0 if model.loss == "hinge_loss" else 0.5
        chosen = measuring.threshold(model.scores(judged.features), _labels(judged), values, default=default)
        model = Model(model.kind, model.loss, weights, chosen)
    for name, table in data.items():
        measures = measuring.measured(model, table.features, _labels(table), values)
        for measure, kind in declared.MEASURES[model.kind].items():
            if measure in measures:
                print(declared.line(name, measure, kind, measures[measure]), flush=True)
    model.save(root / "model")


def _labels(table: Table) -> Doubles:
    assert table.labels is not None
    return table.labels.astype(np.float64)


def _channels(root: Path, channels: Mapping[str, Mapping[str, str]], values: Mapping[str, Any]) -> dict[str, Table]:
    unknown = sorted(set(channels) - {"train", "validation", "test"})
    if unknown:
        raise ClientError(f"Extraneous channel found: {unknown[0]}. Expected train, and validation and test if wanted")
    if "train" not in channels:
        raise ClientError("Missing required channel: train")
    found = {}
    for name in ("train", "validation", "test"):
        if name in channels:
            found[name] = _channel(root / "input" / "data" / name, channels[name].get("ContentType", _DEFAULT_CONTENT))
            _check(name, found[name], found["train"], values)
    return found


def _channel(folder: Path, content_type: str) -> Table:
    kind = tables.content_type(content_type, _CONTENTS)
    try:
        table = tables.channel(folder, kind)
    except ClientError as error:
        raise ClientError(
            f"Unable to read data channel '{folder.name}'. Requested content-type is '{content_type}'. Please verify "
            f"the data matches the requested content-type. ({error})"
        ) from error
    if table is None:
        raise ClientError(f"No data in channel '{folder.name}'")
    return table


def _check(name: str, table: Table, train: Table, values: Mapping[str, Any]) -> None:
    width = values.get("feature_dim", "auto")
    if width not in ("auto", train.columns) or table.columns != train.columns:
        expected = train.columns if width == "auto" else width
        raise ClientError(f"The {name} channel has {table.columns} features, expected {expected} (feature_dim).")
    labels = _labels(table)
    if not (np.isfinite(table.features).all() and np.isfinite(labels).all()):
        raise ClientError(f"The {name} channel has missing or infinite values, which Linear Learner can't train on.")
    if values["predictor_type"] == REGRESSOR:
        return
    classes = 2 if values["predictor_type"] == BINARY else values["num_classes"]
    wrong = labels[(labels < 0) | (labels >= classes) | (labels != np.floor(labels))]
    if len(wrong):
        raise ClientError(
            f"The labels of a {values['predictor_type']} must be whole numbers from 0 to {classes - 1}, the {name} "
            f"channel has {wrong[0]:g}."
        )


def _weights(train: Table, values: Mapping[str, Any]) -> Doubles:
    """The weight of each row's loss."""
    labels = _labels(train)
    weights = np.ones(len(labels))
    multiple = values["positive_example_weight_mult"]
    if values["predictor_type"] == BINARY and multiple != "auto":
        positives = labels.sum()
        if multiple == "balanced":
            multiple = (len(labels) - positives) / max(positives, 1.0)
        weights[labels == 1] = multiple
    if values["predictor_type"] == MULTICLASS and values["balance_multiclass_weights"]:
        counts = np.bincount(labels.astype(np.int64), minlength=values["num_classes"])
        weights = len(labels) / np.maximum(counts, 1)[labels.astype(np.int64)]
    return weights
