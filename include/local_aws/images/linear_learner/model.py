"""A trained Linear Learner: what it predicts, and the file that it is kept in.

The artifact has the name that the real algorithm gives it, ``model_algo-1``, and holds NumPy arrays; the real one's
holds an MXNet network, so neither opens the other's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from include.local_aws.images.answers import Unusable
from include.local_aws.images.linear_learner import losses
from include.local_aws.images.linear_learner.declared import BINARY, REGRESSOR
from include.local_aws.images.linear_learner.fitting import Weights
from include.local_aws.images.linear_learner.losses import Doubles

FILE = "model_algo-1"


@dataclass(frozen=True)
class Model:
    """Weights, with what turns scores into answers. `threshold` is that of a binary classifier's score."""

    kind: str
    loss: str
    weights: Weights
    threshold: float = 0.5

    @property
    def features(self) -> int:
        """How many features a row has."""
        return int(self.weights.weights.shape[0])

    def scores(self, features: Any) -> Doubles:
        """Of shape (rows,) for a regressor and a binary classifier, (rows, classes) for one of several classes."""
        raw = self.weights.scores(features)
        if self.kind == REGRESSOR or self.loss == "hinge_loss":
            return np.asarray(raw[:, 0])
        chances = losses.probabilities(raw)
        return np.asarray(chances[:, 0]) if self.kind == BINARY else chances

    def answers(self, features: Any) -> list[dict[str, Any]]:
        """What there is to say about each row."""
        scores = self.scores(features)
        if self.kind == REGRESSOR:
            return [{"score": each, "predicted_score": each} for each in scores.tolist()]
        if self.kind == BINARY:
            return [
                {
                    "score": each,
                    "predicted_label": int(each > self.threshold),
                    "probability": each,
                    "probabilities": [1.0 - each, each],
                    "labels": [0, 1],
                }
                for each in scores.tolist()
            ]
        return [
            {
                "score": each.tolist(),
                "predicted_label": int(each.argmax()),
                "probability": float(each.max()),
                "probabilities": each.tolist(),
                "labels": list(range(len(each))),
            }
            for each in scores
        ]

    def save(self, folder: Path) -> None:
        """Write the artifact."""
        with (folder / FILE).open("wb") as file:
            np.savez(
                file,
                kind=np.array(self.kind),
                loss=np.array(self.loss),
                weights=self.weights.weights,
                bias=self.weights.bias,
                threshold=np.array(self.threshold),
            )


def load(folder: Path) -> Model:
    """Read the artifact; raises `answers.Unusable`."""
    path = folder / FILE
    if not path.is_file():
        raise Unusable(f"The model data hold no file {FILE}: expected what a Linear Learner training wrote.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            kept: Mapping[str, Any] = {name: arrays[name] for name in arrays.files}
        return Model(
            str(kept["kind"]),
            str(kept["loss"]),
            Weights(kept["weights"], kept["bias"]),
            float(kept["threshold"]),
        )
    except (ValueError, OSError, KeyError) as error:
        raise Unusable(
            f"The file {FILE} was not written by the embedded AWS's Linear Learner: {error}. Train the model again."
        ) from error
