"""Serving a Linear Learner: rows in CSV, JSON, JSON lines or RecordIO-protobuf in, its predictions out.

Source: developer guide, "Linear learner response formats" and "Common data formats for inference".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from include.local_aws.images import BadRequest, Container, answers, tables
from include.local_aws.images.linear_learner.declared import REGRESSOR
from include.local_aws.images.linear_learner.model import Model
from include.local_aws.images.linear_learner.model import load as load_model

_CONTENTS = (tables.CSV, tables.RECORDIO)
_OFFERED = (answers.JSON, answers.JSONLINES, answers.CSV)
_KEYS = ("predicted_label", "probability", "probabilities", "labels", "score")


def load(model_dir: Path, environment: Mapping[str, str]) -> Container:
    """The container of the model in `model_dir`.

    Raises:
        answers.Unusable: there is no model, it can't be read, or the environment asks for what it can't give.
    """
    return LinearContainer(load_model(model_dir), environment)


class LinearContainer:
    """A linear model behind ``/invocations``."""

    def __init__(self, model: Model, environment: Mapping[str, str]) -> None:
        self._model = model
        self._environment = dict(environment)
        known = ("score", "predicted_score") if model.kind == REGRESSOR else _KEYS
        default = ("score",) if model.kind == REGRESSOR else ("score", "predicted_label")
        self._keys = answers.selected(environment, known) or default

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Predict for rows of features."""
        kind = answers.accepted(accept, self._environment, default=answers.JSON, offered=_OFFERED)
        features = self._features(body, content_type)
        if features.shape[1] != self._model.features:
            raise BadRequest(f"Expected {self._model.features} features a row, found {features.shape[1]}.")
        found = self._model.answers(features)
        return answers.written([{key: each[key] for key in self._keys} for each in found], kind)

    def _features(self, body: bytes, content_type: str) -> Any:
        media, _ = tables.parameters(content_type)
        if media not in (answers.JSON, answers.JSONLINES):
            return tables.request(body, content_type, _CONTENTS)[0].features
        try:
            if media == answers.JSON:
                instances = json.loads(body)["instances"]
            else:
                instances = [json.loads(line) for line in body.decode("utf-8").splitlines() if line.strip()]
            rows = [_row(each, self._model.features) for each in instances]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise BadRequest(
                'Expected {"instances": [{"features": [1.5, 2]}]}, or a line {"features": [1.5, 2]} for each row: '
                f"{type(error).__name__}: {error}."
            ) from error
        if not rows or len({len(row) for row in rows}) != 1:
            raise BadRequest("Expected rows of features, all of one length.")
        return np.array(rows, dtype=np.float64)


def _row(instance: Mapping[str, Any], width: int) -> list[float]:
    """Dense features as a list or below ``data``, or sparse ones with their keys and shape."""
    if "features" in instance:
        return [float(each) for each in instance["features"]]
    tensor = instance["data"]["features"]
    values = [float(each) for each in tensor["values"]]
    if "keys" not in tensor:
        return values
    keys = [int(each) for each in tensor["keys"]]
    size = int(tensor.get("shape", [width])[0])
    sparse = csr_matrix((values, ([0] * len(keys), keys)), shape=(1, size))
    dense: list[float] = sparse.toarray()[0].tolist()
    return dense
