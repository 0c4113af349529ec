"""One candidate's fits: a model for each fold, and predictions for every row from a model that has not seen it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.local_aws.images.autopilot.families import FAMILIES, Fit, Floats, Model
from include.local_aws.images.autopilot.features import Matrix
from include.local_aws.images.autopilot.table import Rows

Indices = NDArray[np.int64]

FOLDS = 5
"""Autopilot's ensembles are five-fold bags."""


@dataclass(frozen=True)
class Split:
    """Which rows a fold trains on and which it predicts. With a held-out part there is one fold only."""

    train: Indices
    held_out: Indices


@dataclass(frozen=True)
class Fitted:
    """The models of a candidate (their average is its prediction), and its predictions for the validation rows."""

    models: tuple[Model, ...]
    predicted: Floats
    latency: float
    """Seconds to predict one row in a batch."""


def folds(rows: Rows, classes: int, count: int, seed: int) -> list[Split]:
    """Stratified folds; every class is in every training part, as long as it has two rows."""
    random = np.random.default_rng(seed)
    fold = np.empty(len(rows), dtype=np.int64)
    if classes:
        offset = 0
        for label in range(classes):
            members = random.permutation(np.flatnonzero(rows.y == label))
            fold[members] = (np.arange(len(members)) + offset) % count
            offset += len(members)
    else:
        # Runs of similar targets are spread over the folds.
        order = np.lexsort((random.random(len(rows)), rows.y))
        for start in range(0, len(rows), count):
            block = order[start : start + count]
            fold[block] = random.permutation(count)[: len(block)]
    return [Split(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(count)]


def holdout(rows: Rows, classes: int, fraction: float, seed: int) -> Split:
    """A stratified part of ``fraction`` of the rows held out, the rest to train on."""
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(rows), dtype=bool)
    for label in range(max(classes, 1)):
        members = random.permutation(np.flatnonzero(rows.y == label) if classes else np.arange(len(rows)))
        take = min(max(1, round(fraction * len(members))), len(members) - 1)
        held_out[members[:take]] = True
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))


def fit(
    algorithm: str,
    parameters: Mapping[str, Any],
    x: Matrix,
    rows: Rows,
    splits: Sequence[Split],
    *,
    classes: int,
    categorical: Sequence[int],
    seed: int,
    seconds: float,
) -> Fitted:
    """Fit one candidate on every split.

    ``predicted`` follows the splits' held-out rows in order of row number. ``seconds`` are shared by the folds:
    boosting stops with the rounds it has when its share is over.
    """
    family = FAMILIES[algorithm]
    started = time.monotonic()
    if family.out_of_bag and len(splits) > 1:
        return _fit_out_of_bag(algorithm, parameters, x, rows, classes, seed, started + seconds)
    models = []
    rows_predicted: list[Indices] = []
    predictions: list[Floats] = []
    spent = 0.0
    for number, split in enumerate(splits, start=1):
        data = Fit(
            x=x[split.train],
            y=rows.y[split.train],
            weight=rows.weight[split.train],
            x_held_out=x[split.held_out],
            y_held_out=rows.y[split.held_out],
            weight_held_out=rows.weight[split.held_out],
            classes=classes,
            categorical=tuple(categorical),
            seed=seed + number,
            deadline=started + seconds * number / len(splits),
        )
        model = family.fit(data, parameters)
        before = time.perf_counter()
        predictions.append(model.predict(data.x_held_out))
        spent += time.perf_counter() - before
        rows_predicted.append(split.held_out)
        models.append(model)
    order = np.argsort(np.concatenate(rows_predicted))
    predicted = _finite(np.concatenate(predictions)[order])
    # Every row was predicted by one model; the candidate asks all of them.
    return Fitted(tuple(models), predicted, spent / max(1, len(predicted)) * len(models))


def _finite(predicted: Floats) -> Floats:
    if not np.isfinite(predicted).all():
        raise FloatingPointError("the fit diverged: not all of its predictions are finite numbers")
    return predicted


def _fit_out_of_bag(
    algorithm: str,
    parameters: Mapping[str, Any],
    x: Matrix,
    rows: Rows,
    classes: int,
    seed: int,
    deadline: float,
) -> Fitted:
    nothing = np.zeros(0)
    data = Fit(x, rows.y, rows.weight, x[:0], nothing, nothing, classes, (), seed, deadline)
    model = FAMILIES[algorithm].fit(data, parameters)
    estimator = model.estimator
    predicted = np.array(estimator.oob_decision_function_ if classes else estimator.oob_prediction_, dtype=np.float64)
    unseen = np.isnan(predicted).any(axis=1) if classes else np.isnan(predicted)
    predicted[unseen] = predicted[~unseen].mean(axis=0)
    before = time.perf_counter()
    model.predict(x[: min(len(x), 500)])
    return Fitted((model,), _finite(predicted), (time.perf_counter() - before) / min(len(x), 500))
