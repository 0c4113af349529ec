"""What an algorithm of tuned candidates is: its hyperparameters, and its fit as the algorithm's image does it.

What is searched here is what the candidate definition notebook tunes (`ranges`), what is fixed is what it fixes
(`static`), and a fit leaves the same artifact as a training job of the image with the same hyperparameters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import optuna

from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import Matrix
from include.local_aws.images.autopilot.spec import ProblemType


@dataclass(frozen=True)
class Range:
    """The values of a hyperparameter that a tuning job tries, as SageMaker writes them."""

    kind: Literal["Integer", "Continuous", "Categorical"]
    low: float = 0.0
    high: float = 0.0
    scaling: Literal["Linear", "Logarithmic"] = "Linear"
    values: tuple[str, ...] = ()

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        """The value that Optuna wants tried next."""
        log = self.scaling == "Logarithmic"
        if self.kind == "Integer":
            return trial.suggest_int(name, int(self.low), int(self.high), log=log)
        if self.kind == "Continuous":
            return trial.suggest_float(name, self.low, self.high, log=log)
        return trial.suggest_categorical(name, self.values)


class Model(Protocol):
    """A fitted model: class probabilities of shape (rows, classes), or numbers of shape (rows,)."""

    def predict(self, x: Matrix) -> Floats:
        """Predict for features of shape (rows, width)."""
        ...


@dataclass(frozen=True)
class Data:
    """What a fit works on. ``classes`` is 0 for regression; labels are float32, as the images read them."""

    x: Matrix
    y: Matrix
    x_validation: Matrix
    y_validation: Matrix
    classes: int
    deadline: float
    """Time (``time.monotonic``) after which boosting stops with the rounds it has."""


@dataclass(frozen=True)
class Trained:
    """A fit's model, the files of its artifact, and the hyperparameters with which the image makes the same."""

    model: Model
    files: Mapping[str, bytes]
    hyperparameters: Mapping[str, str]


@dataclass(frozen=True)
class Algorithm:
    """One algorithm. ``start`` is the point of ``ranges`` that is tried first."""

    name: str
    title: str
    ranges: Mapping[str, Range]
    start: Mapping[str, Any]
    static: Callable[[ProblemType, int], dict[str, str]]
    metrics: Callable[[ProblemType], Mapping[str, str]]
    """SageMaker's names of the metrics that the image logs, with the names under which it logs them."""
    fit: Callable[[Data, Mapping[str, str]], Trained]
    searched_elsewhere: frozenset[str] = frozenset()
    """Ranges that a fit chooses from by itself (boosting stops early), so that the search doesn't."""

    def space(self, trial: optuna.Trial) -> dict[str, Any]:
        """The values to try next."""
        return {
            name: each.suggest(trial, name) for name, each in self.ranges.items() if name not in self.searched_elsewhere
        }


def written(save: Callable[[Path], None]) -> dict[str, bytes]:
    """The files that a model writes into a model directory."""
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
