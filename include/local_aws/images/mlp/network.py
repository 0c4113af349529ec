"""The network itself: fitted, kept in a model directory, and asked."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from include.local_aws.images.mlp.hyperparameters import Hyperparameters

Floats = NDArray[np.float64]
Features = NDArray[np.float32]

FORMAT = 1
"""Of the model directory; another one is refused in words."""
_DESCRIPTION = "mlp.json"
_ESTIMATOR = "mlp.joblib"


class UnusableNetwork(RuntimeError):
    """A model directory that does not hold a network of this format."""


class BadFeatures(ValueError):
    """Features or labels that the network can't be trained on, or asked with."""


@dataclass(frozen=True)
class Network:
    """A fitted network. ``classes`` is 0 for regression, whose answers are ``scale`` times the estimator's plus
    ``offset``.
    """

    estimator: Any
    classes: int
    width: int
    offset: float = 0.0
    scale: float = 1.0

    def predict(self, x: Features) -> Floats:
        """Class probabilities of shape (rows, classes), or numbers of shape (rows,), for features (rows, width).

        Raises:
            BadFeatures: another width, or a missing value.
        """
        _check(x)
        if x.shape[1] != self.width:
            raise BadFeatures(f"Expected {self.width} features a row, found {x.shape[1]}.")
        if not self.classes:
            return np.asarray(self.estimator.predict(x), dtype=np.float64) * self.scale + self.offset
        known = np.asarray(self.estimator.predict_proba(x), dtype=np.float64)
        probabilities = np.zeros((len(x), self.classes))
        probabilities[:, self.estimator.classes_.astype(np.int64)] = known
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def save(self, model_dir: Path) -> None:
        """Write the network below ``model_dir``."""
        described = {
            "format": FORMAT,
            "classes": self.classes,
            "width": self.width,
            "offset": self.offset,
            "scale": self.scale,
        }
        (model_dir / _DESCRIPTION).write_text(json.dumps(described, indent=2), encoding="utf-8")
        joblib.dump(self.estimator, model_dir / _ESTIMATOR)


def load(model_dir: Path) -> Network:
    """Read what `Network.save` wrote.

    Raises:
        UnusableNetwork: there is no network, or one of another format.
    """
    path = model_dir / _DESCRIPTION
    if not path.is_file():
        raise UnusableNetwork(f"The model artifact has no {_DESCRIPTION}: expected one that mlp trained.")
    described = json.loads(path.read_text(encoding="utf-8"))
    if described.pop("format") != FORMAT:
        raise UnusableNetwork(f"The model artifact's {_DESCRIPTION} is not of format {FORMAT}: train it again.")
    return Network(joblib.load(model_dir / _ESTIMATOR), **described)


def fit(settings: Hyperparameters, x: Features, y: NDArray[np.floating[Any]]) -> Network:
    """Train on features of shape (rows, width) and labels of shape (rows,), class indices for a classification.

    Raises:
        BadFeatures: no rows, a missing value, or labels that do not fit the problem type.
    """
    _check(x)
    if not len(x):
        raise BadFeatures("The train channel holds no row.")
    common = {
        "hidden_layer_sizes": settings.layers,
        "activation": settings.activation,
        "alpha": settings.weight_decay,
        "learning_rate_init": settings.learning_rate,
        "max_iter": settings.epochs,
        "batch_size": min(settings.mini_batch_size, len(y)),
        "random_state": settings.seed,
    }
    if settings.classification:
        classes = settings.num_classes or 2
        labels = _class_indices(y, classes)
        estimator: Any = MLPClassifier(**common)
        _fit_quietly(estimator, x, labels)
        return Network(estimator, classes, x.shape[1])
    targets = np.asarray(y, dtype=np.float64)
    if not np.isfinite(targets).all():
        raise BadFeatures("The train channel has labels that are missing or infinite: regression needs numbers.")
    offset = float(targets.mean())
    scale = float(targets.std()) or 1.0
    estimator = MLPRegressor(**common)
    _fit_quietly(estimator, x, (targets - offset) / scale)
    return Network(estimator, 0, x.shape[1], offset, scale)


def _class_indices(y: NDArray[np.floating[Any]], classes: int) -> NDArray[np.int64]:
    labels = np.asarray(y, dtype=np.float64)
    strange = labels[~np.isin(labels, np.arange(classes))]
    if len(strange):
        raise BadFeatures(f"Expected labels from 0 to {classes - 1}, the class indices, found {strange[0]:g}.")
    if len(np.unique(labels)) < 2:
        raise BadFeatures("The train channel has labels of one class only: nothing can be told apart.")
    return labels.astype(np.int64)


def _check(x: Features) -> None:
    if not np.isfinite(x).all():
        raise BadFeatures("The features have missing or infinite values, which mlp doesn't take: impute them before.")


def _fit_quietly(estimator: Any, x: Features, y: NDArray[Any]) -> None:
    with warnings.catch_warnings():
        # The number of epochs is a hyperparameter: reaching it is not a fault.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(x, y)
