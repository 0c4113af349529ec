"""Feature attributions of the best candidate, in the shape of SageMaker Clarify's ``analysis.json``.

The values are Shapley values of the prediction (the probability of a class, or the number), estimated by sampling
permutations: a background row's columns are replaced one by one, in random order, by an explained row's, and each
column gets the change that its replacement makes. Source: Štrumbelj and Kononenko, "Explaining prediction models and
individual predictions with feature contributions", 2014. The global value of a column is the mean of the absolute
values over the explained rows, as Clarify's default aggregation has it.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from include.local_aws.images.autopilot.table import Schema

Floats = NDArray[np.float64]

EXPLAINED_ROWS = 24
_ROUNDS = 24
_BATCH_ROWS = 20_000
_BATCH_CELLS = 4_000_000
_FEWEST_ROWS = 4


@dataclass(frozen=True)
class Attributions:
    """Shapley values of shape (explained rows, columns, outputs), and the mean prediction of the background per
    output.
    """

    columns: tuple[str, ...]
    values: Floats
    expected: Floats


def shapley(
    predict: Callable[[pd.DataFrame], Floats], schema: Schema, rows: pd.DataFrame, *, seed: int, seconds: float
) -> Attributions:
    """Attribute predictions for some of ``rows`` to the used columns, with the others as background.

    Rounds of sampling (one permutation and background row for each explained row) stop after ``seconds``; the first
    is always finished.
    """
    began = time.monotonic()
    random = np.random.default_rng(seed)
    columns = [column.name for column in schema.used]
    cells = rows[columns].to_numpy(dtype=object)
    # Cells of one explained row in one round: a row for each column that is replaced.
    each = (len(columns) + 1) * len(columns)
    count = min(EXPLAINED_ROWS, max(_FEWEST_ROWS, _BATCH_CELLS // each), len(cells))
    explained = random.choice(len(cells), count, replace=False)
    total: Floats | None = None
    expected: list[Floats] = []
    rounds = 0
    together = max(1, min(_BATCH_ROWS * len(columns), _BATCH_CELLS) // (each * count))
    while rounds < _ROUNDS and (rounds == 0 or time.monotonic() - began < seconds):
        batch = min(together if rounds else 1, _ROUNDS - rounds)
        shares, base = _round(predict, cells, columns, np.tile(explained, batch), random)
        shares = shares.reshape(batch, len(explained), len(columns), -1).sum(axis=0)
        total = shares if total is None else total + shares
        expected.append(base)
        rounds += batch
    assert total is not None
    return Attributions(tuple(columns), total / rounds, np.concatenate(expected).mean(axis=0))


def analysis(attributions: Attributions, problem_type: str) -> dict[str, object]:
    """Clarify's ``analysis.json``: ``label0`` is the number or the positive class; several classes have a label
    each.
    """
    named = _named(attributions, problem_type)
    return {
        "version": "1.0",
        "explanations": {
            "kernel_shap": {
                label: {
                    "global_shap_values": {
                        column: float(np.abs(attributions.values[:, index, output]).mean())
                        for index, column in enumerate(attributions.columns)
                    },
                    "expected_value": float(attributions.expected[output]),
                }
                for label, output in named.items()
            }
        },
    }


def rows(attributions: Attributions, problem_type: str) -> bytes:
    """Clarify's ``explanations_shap/out.csv``: a line for each explained row, a column for each feature and label."""
    named = _named(attributions, problem_type)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([f"{column}_{label}" for label in named for column in attributions.columns])
    for values in attributions.values:
        writer.writerow([repr(float(value)) for output in named.values() for value in values[:, output]])
    return out.getvalue().encode()


def _named(attributions: Attributions, problem_type: str) -> dict[str, int]:
    if problem_type == "BinaryClassification":
        return {"label0": 1}
    return {f"label{index}": index for index in range(attributions.values.shape[2])}


def _round(
    predict: Callable[[pd.DataFrame], Floats],
    cells: NDArray[np.object_],
    columns: list[str],
    explained: NDArray[np.int64],
    random: np.random.Generator,
) -> tuple[Floats, Floats]:
    """One permutation per explained row: shares of shape (explained, columns, outputs), the backgrounds'
    predictions.
    """
    width = len(columns)
    orders = np.array([random.permutation(width) for _ in explained])
    background = cells[random.integers(len(cells), size=len(explained))]
    steps = np.repeat(background[:, None, :], width + 1, axis=1)
    for index, order in enumerate(orders):
        for step, column in enumerate(order, start=1):
            steps[index, step:, column] = cells[explained[index], column]
    frame = pd.DataFrame(steps.reshape(-1, width), columns=pd.Index(columns), dtype=object)
    predicted = predict(frame)
    predicted = predicted.reshape(len(explained), width + 1, -1)
    gains = np.diff(predicted, axis=1)
    shares = np.empty_like(gains)
    for index, order in enumerate(orders):
        shares[index, order] = gains[index]
    return shares, predicted[:, 0]
