"""The network behind ``/invocations``: features in, numbers or answers about classes out.

What a classification answers with is chosen by ``SAGEMAKER_INFERENCE_OUTPUT``: ``predicted_label`` (a class index, by
default alone), ``probability`` (of the positive class where there are two, else of the predicted one) and
``probabilities``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from include.local_aws.images import BadRequest, answers, tables
from include.local_aws.images.mlp import network
from include.local_aws.images.mlp.network import BadFeatures, Network

SUPPORTED = ("predicted_label", "probability", "probabilities")
_CONTENTS = (tables.RECORDIO, tables.CSV)
_OFFERED = (answers.CSV, answers.JSON, answers.JSONLINES)


def load(model_dir: Path, environment: Mapping[str, str]) -> NetworkContainer:
    """Load the network in ``model_dir``.

    Raises:
        UnusableNetwork: the artifact is not the network's.
        answers.Unusable: the environment asks for what the container can't give.
    """
    return NetworkContainer(network.load(model_dir), environment)


class NetworkContainer:
    """A loaded network."""

    def __init__(self, fitted: Network, environment: Mapping[str, str]) -> None:
        self._network = fitted
        self._environment = dict(environment)
        self._keys = answers.selected(environment, SUPPORTED) if fitted.classes else ("score",)

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Predict for a feature matrix."""
        kind = answers.accepted(accept, self._environment, default=answers.CSV, offered=_OFFERED)
        table, _ = tables.request(body, content_type, _CONTENTS)
        try:
            predicted = self._network.predict(np.asarray(table.features, dtype=np.float32))
        except BadFeatures as error:
            raise BadRequest(str(error)) from error
        keys = self._keys or SUPPORTED[:1]
        rows = [self._describe(each) for each in predicted]
        return answers.written([{key: row[key] for key in keys} for row in rows], kind)

    def _describe(self, predicted: network.Floats) -> dict[str, object]:
        if not self._network.classes:
            return {"score": float(predicted)}
        return {
            "predicted_label": int(predicted.argmax()),
            "probability": float(predicted[1] if self._network.classes == 2 else predicted.max()),
            "probabilities": predicted.tolist(),
        }
