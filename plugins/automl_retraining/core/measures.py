"""Calibration and drift of predictions: two distances between distributions, free of what sampling noise adds to them.

Both are a weighted sum of squared means, ``sum_b w_b mean(c_b)²`` over some cells b, where each row contributes a
number ``c_b`` per cell. Noise alone makes such a sum positive: ten cells of a perfectly calibrated model on 200 rows
show a calibration error near 0.08. So the value here is the unbiased one (the variances of the means taken off), and
its interval holds all distances under which a sum like the one found is likely.

- **Calibration error**: the root mean square difference between stated and observed shares in ten bins of equally many
  rows, debiased as by Bröcker 2012 and Kumar, Liang and Ma 2019 ("Verified Uncertainty Calibration"). Two classes: the
  positive class's probability. More: the predicted class's, as Guo et al. 2017.
- **Prediction drift**: the population stability index, which is Jeffreys's divergence (Jeffreys 1946), of the
  challenger's and the champion's predictions on the same rows; its sampling noise: Yurdakul 2018. Cells are ten bins of
  both models' predictions pooled (a number, or the positive class's probability), or the predicted classes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from automl_retraining.core.intervals import interval
from automl_retraining.core.metrics import ROWS_AT_ONCE, Answers, Codes, Floats, Task
from automl_retraining.core.records import Interval, Measure
from automl_retraining.core.resampling import Units

BINS = 10
FEWEST_BIN_ROWS = 20
"""Rows of a bin below which there are fewer bins, so that their variances can be estimated."""

_NORMAL = NormalDist()
_ROWS_FOR_EDGES = 200_000


def calibration(answers: Answers, task: Task, units: Units, confidence: float) -> Measure:
    """Root mean square calibration error of the stated probabilities, in 0..1."""
    if task.problem_type == "Regression":
        return Measure(undefined="a regression states no probabilities")
    if answers.probabilities is None:
        return Measure(undefined="the challenger answers no probabilities")
    rows = len(answers.truth)
    if rows < 2:
        return Measure(undefined="no test rows are left")
    if task.problem_type == "BinaryClassification":
        stated, right = answers.probabilities[:, task.positive], answers.truth == task.positive
    else:
        said = answers.probabilities.argmax(axis=1)
        stated, right = answers.probabilities[np.arange(rows), said], answers.truth == said
    cells, count = _bins(stated, stated)
    shares = np.bincount(cells, minlength=count) / rows
    apart = right - stated
    found = squared_distance([Part(cells, apart)], 1 / shares, units, confidence)
    return Measure(interval=interval(*(math.sqrt(end) for end in (found.value, found.low, found.high))))


def prediction_drift(challenger: Answers, champion: Answers, task: Task, units: Units, confidence: float) -> Measure:
    """Population stability index of the challenger's predictions against the champion's on the same rows, 0 or more."""
    rows = len(challenger.truth)
    if rows < 2:
        return Measure(undefined="no test rows are left")
    numbers = [_as_number(answers, task) for answers in (challenger, champion)]
    if numbers[0] is None or numbers[1] is None:
        mine, theirs, count = _codes(challenger), _codes(champion), len(task.labels)
    else:
        pooled = np.concatenate([numbers[0], numbers[1]])
        cells, count = _bins(pooled, pooled)
        mine, theirs = cells[:rows], cells[rows:]
    # Half a row is added to each cell, so that a cell that one of them never uses does not count without limit.
    counts = [np.bincount(cells, minlength=count) for cells in (mine, theirs)]
    shares = [np.asarray((cells + 0.5) / (rows + 0.5 * count)) for cells in counts]
    parts = [Part(mine, 1.0), Part(theirs, -1.0)]
    # (p - q) log(p / q) is (p - q)² over the logarithmic mean of p and q.
    found = squared_distance(parts, 1 / _logarithmic_mean(shares[0], shares[1]), units, confidence)
    return Measure(interval=found)


@dataclass(frozen=True)
class Part:
    """What each row contributes to one cell: the cell, and the number that is added there (its own, or one for all)."""

    cells: Codes
    numbers: Floats | float

    def some(self, rows: slice) -> tuple[Codes, Floats]:
        """Of some rows, ready to be added up."""
        cells = self.cells[rows].astype(np.int64)
        numbers = self.numbers
        return cells, np.full(len(cells), numbers) if isinstance(numbers, float) else numbers[rows]


def squared_distance(parts: Sequence[Part], weights: Floats, units: Units, confidence: float) -> Interval:
    """``sum_b w_b mu_b²`` of the true means mu of what rows contribute to some cells, with a two-sided interval.

    The sum of the observed means is taken as a scaled chi-square variable of its mean and variance (Patnaik 1949), by
    Wilson and Hilferty's approximation (1931); the interval is what a test at each distance does not reject.

    Args:
        parts: one or more contributions of each row.
        weights: one per cell.
        units: what is independent: rows, groups of rows or blocks of time.
        confidence: two-sided.
    """
    mean, covariance = _mean_and_covariance(parts, len(weights), units)
    scaled = weights[:, None] * covariance
    observed, noise = float(weights @ mean**2), float(np.trace(scaled))
    if noise <= 1e-15 * max(observed, 1e-300) or noise == 0:
        return interval(observed, observed, observed)  # nothing varies from row to row
    along = float((weights * mean) @ covariance @ (weights * mean)) / observed if observed > 0 else 0.0
    spread = 2 * float(np.einsum("ij,ji->", scaled, scaled))

    def likely(distance: float) -> float:
        """Standard normal quantile of the observed sum, if the true one were this."""
        middle, variance = distance + noise, 4 * distance * along + spread
        degrees = 2 * middle**2 / variance
        step = 2 / (9 * degrees)
        return (math.cbrt(observed / middle) - (1 - step)) / math.sqrt(step)

    quantile = _NORMAL.inv_cdf((1 + confidence) / 2)
    low, high = (_where(likely, level, observed + noise) for level in (quantile, -quantile))
    return interval(max(observed - noise, 0.0), low, high)


def _where(falling: Callable[[float], float], level: float, start: float) -> float:
    """The distance at which a falling function comes down to the level; 0 where it begins below."""
    if falling(0.0) <= level:
        return 0.0
    low, high = 0.0, start
    while falling(high) > level:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return (low + high) / 2


def _mean_and_covariance(parts: Sequence[Part], width: int, units: Units) -> tuple[Floats, Floats]:
    """Of the cells' means over the rows, with whole units as what varies."""
    rows = len(parts[0].cells)
    grouped = units.of_row is not None
    total, products = np.zeros(width), np.zeros(width * width)
    by_unit = np.zeros(units.count * width if grouped else 0)
    for start in range(0, rows, ROWS_AT_ONCE):
        found = [part.some(slice(start, start + ROWS_AT_ONCE)) for part in parts]
        for cells, numbers in found:
            total += np.bincount(cells, numbers, width)
            if units.of_row is not None:
                of_row = units.of_row[start : start + ROWS_AT_ONCE].astype(np.int64)
                np.add.at(by_unit, of_row * width + cells, numbers)
        if not grouped:
            for (one, its), (other, others) in itertools.product(found, found):
                products += np.bincount(one * width + other, its * others, width * width)
    squares = products.reshape(width, width)
    if grouped:
        sums = by_unit.reshape(units.count, width)
        squares = sums.T @ sums
    centred = squares - np.outer(total, total) / units.count
    return total / rows, centred * (units.count / max(units.count - 1, 1)) / rows**2


def _bins(values: Floats, of: Floats) -> tuple[Codes, int]:
    """Bins of about equally many of ``of``; equal numbers are never parted. Cell of each value, and their number."""
    of = of[:: max(len(of) // _ROWS_FOR_EDGES, 1)]  # every so many are enough to find tenths
    wanted = min(max(len(of) // FEWEST_BIN_ROWS, 1), BINS)
    edges = np.unique(np.quantile(of, np.arange(1, wanted) / wanted)) if wanted > 1 else np.empty(0)
    # One byte a row and some rows at a time, as there may be ten million rows.
    cells = np.empty(len(values), np.int8)
    for start in range(0, len(values), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        cells[part] = np.searchsorted(edges, values[part], side="left")
    used = np.bincount(cells, minlength=len(edges) + 1) > 0
    return (np.cumsum(used) - 1).astype(np.int8)[cells], int(used.sum())


def _as_number(answers: Answers, task: Task) -> Floats | None:
    """What is binned: the predicted number or the positive class's probability; None where there is neither."""
    if task.problem_type == "Regression":
        return np.asarray(answers.prediction, np.float64)
    if task.problem_type == "BinaryClassification" and answers.probabilities is not None:
        return np.asarray(answers.probabilities[:, task.positive])
    return None


def _codes(answers: Answers) -> Codes:
    return answers.prediction.astype(np.int64)


def _logarithmic_mean(one: Floats, other: Floats) -> Floats:
    """(p - q) / log(p / q), and p where both are equal."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (one - other) / np.log(one / other)
    near = np.isclose(one, other, rtol=1e-9, atol=0)
    return np.asarray(np.where(near, (one + other) / 2, mean))
