"""Serving an XGBoost model: rows in CSV, LIBSVM or RecordIO-protobuf in, its predictions out.

Without SAGEMAKER_INFERENCE_OUTPUT an answer is what the booster predicts, a CSV row each, or
``{"predictions": [{"score": …}]}``. With it, an answer holds the keys that it names. ``probability`` is that of the
positive class for a binary model, of the likeliest class for one of several. Source: the open-source container
aws/sagemaker-xgboost-container and the developer guide.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from include.local_aws.images import BadRequest, Container, answers, tables
from include.local_aws.images.xgboost.training import MODEL

_CONTENTS = (tables.CSV, tables.LIBSVM, tables.RECORDIO)
_OFFERED = (answers.CSV, answers.JSON, answers.JSONLINES)

_BINARY = ("predicted_label", "labels", "raw_score", "raw_scores")
_PROBABLE = ("predicted_label", "labels", "probability", "probabilities", "raw_score", "raw_scores")
_SELECTABLE = {
    "binary:logistic": _PROBABLE,
    "binary:logitraw": _BINARY,
    "binary:hinge": _BINARY,
    "multi:softmax": _BINARY,
    "multi:softprob": _PROBABLE,
}
_OTHERWISE = ("predicted_score",)


def load(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """The container of the model in `model_dir`.

    Raises:
        answers.Unusable: there is no model, it can't be read, or the environment asks for what it can't give.
    """
    return XGBoostContainer(read_model(model_dir), environment)


def read_model(model_dir: Path) -> xgboost.Booster:
    """The booster in `model_dir`, in xgboost's own format or pickled; raises `answers.Unusable`."""
    files = sorted(path for path in model_dir.iterdir() if path.is_file() and not path.name.startswith("."))
    if not files:
        raise answers.Unusable(f"The model data hold no model: expected the file {MODEL}.")
    path = next((each for each in files if each.name == MODEL), files[0])
    if len(files) > 1 and path.name != MODEL:
        raise answers.Unusable(
            f"The model data hold several files and none is called {MODEL}: {', '.join(each.name for each in files)}. "
            "The embedded AWS does not implement ensembles of boosters."
        )
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(path.read_bytes()))
    except xgboost.core.XGBoostError as error:
        return _unpickled(path, str(error).splitlines()[0])
    return booster


def _unpickled(path: Path, refusal: str) -> xgboost.Booster:
    try:
        model = pickle.loads(path.read_bytes())
    except Exception as error:  # unpickling runs what the file says, which may raise anything
        raise answers.Unusable(
            f"The model {path.name} can't be loaded, neither by xgboost ({refusal}) nor as a pickle ({error})."
        ) from error
    if hasattr(model, "get_booster"):
        model = model.get_booster()
    if not isinstance(model, xgboost.Booster):
        raise answers.Unusable(f"The model {path.name} is a pickled {type(model).__name__}, expected a booster.")
    return model


class XGBoostContainer:
    """A booster behind ``/invocations``."""

    def __init__(self, booster: xgboost.Booster, environment: Mapping[str, str]) -> None:
        config = json.loads(booster.save_config())["learner"]
        self._booster = booster
        self._booster.set_param({"nthread": 1})
        self._objective: str = config["objective"]["name"]
        self._classes = int(config["learner_model_param"].get("num_class", "0")) or 2
        self._environment = dict(environment)
        self._keys = answers.selected(environment, _SELECTABLE.get(self._objective, _OTHERWISE))

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Predict for rows of features."""
        offered = _OFFERED if self._keys else _OFFERED[:2]
        kind = answers.accepted(accept, self._environment, default=answers.CSV, offered=offered)
        predicted = self._booster.predict(self._matrix(*tables.request(body, content_type, _CONTENTS)))
        if self._keys:
            rows = [_describe(self._objective, self._classes, each) for each in predicted]
            return answers.written([{key: row[key] for key in self._keys} for row in rows], kind)
        if kind == answers.JSON:
            return answers.written([{"score": each} for each in predicted.tolist()], kind)
        return self._numbers(predicted), answers.CSV

    def _numbers(self, predicted: NDArray[np.float32]) -> bytes:
        """A row each; batch transform's containers write a list of several numbers as Python does."""
        if predicted.ndim == 1 or self._environment.get("SAGEMAKER_BATCH"):
            return "".join(f"{each}\n" for each in predicted.tolist()).encode()
        return "".join(",".join(map(str, each)) + "\n" for each in predicted.tolist()).encode()

    def _matrix(self, table: tables.Table, kind: str) -> xgboost.DMatrix:
        expected = self._booster.num_features()
        features = table.features
        if kind == tables.LIBSVM and table.columns < expected:
            sparse: csr_matrix = features
            sparse.resize((table.rows, expected))
        elif table.columns != expected:
            raise BadRequest(
                f"Feature size of {kind} inference data {table.columns} is not consistent with feature size of trained "
                f"model {expected}."
            )
        return xgboost.DMatrix(features, feature_names=self._booster.feature_names)


def _describe(objective: str, classes: int, predicted: Any) -> dict[str, Any]:
    """Everything that can be selected about one prediction."""
    if objective == "multi:softprob":
        scores = predicted.tolist()
        return {
            "predicted_label": int(np.argmax(predicted)),
            "labels": list(range(classes)),
            "probability": max(scores),
            "probabilities": scores,
            "raw_score": max(scores),
            "raw_scores": scores,
        }
    score = float(predicted)
    if objective not in _SELECTABLE:
        return {"predicted_score": score}
    thresholds = {"binary:logistic": 0.5, "binary:logitraw": 0.0}
    label = int(score > thresholds[objective]) if objective in thresholds else int(score)
    return {
        "predicted_label": label,
        "labels": list(range(classes)),
        "probability": score,
        "probabilities": [1.0 - score, score],
        "raw_score": score,
        "raw_scores": [1.0 - score, score],
    }
