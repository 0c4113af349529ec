"""Metrics as functions of row weights, so that thousands of resamples of the test rows are one matrix product.

Every metric but the AUC is a function of column sums: each row contributes a few numbers (its *columns*), a resample
contributes their weighted sums, and the metric is computed from the sums. Values are those of scikit-learn with
``sample_weight`` (https://scikit-learn.org/stable/modules/model_evaluation.html), except that a metric without a value
is NaN here and a sentence in ``undefined_reason``, never a silent 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.metric_table import MetricSpec
from automl_retraining.core.section import ProblemType

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]

ROWS_AT_ONCE = 1 << 18
"""Rows whose columns are in memory at the same time: tens of megabytes."""
PROBABILITY = "p:"
"""Prefix of the columns that hold a class's probability."""


@dataclass(frozen=True)
class Task:
    """What is predicted: the problem type and, for classes, their names and which one counts as positive."""

    problem_type: ProblemType
    labels: tuple[str, ...] = ()
    positive_class: str | None = None

    @property
    def positive(self) -> int:
        """Index of the positive class: the one named, else the second of the labels."""
        return self.labels.index(self.positive_class) if self.positive_class is not None else 1

    @property
    def positive_label(self) -> str:
        """Name of the positive class."""
        return self.labels[self.positive]


@dataclass(frozen=True)
class Answers:
    """One model's answers beside the truth: n rows.

    Regression: ``truth`` and ``prediction`` are numbers. Classification: both hold indices into the task's labels, as
    floats would only blur them, and ``probabilities`` is n × labels, or None where the model answers none.
    """

    truth: Floats | Codes
    prediction: Floats | Codes
    probabilities: Floats | None = None

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Answers:
        """These answers on some of the rows."""
        shares = None if self.probabilities is None else self.probabilities[rows]
        return Answers(self.truth[rows], self.prediction[rows], shares)


def encode(scores: pd.DataFrame, task: Task) -> Answers:
    """Turn a scores table (see docs/gate.md) into arrays.

    Raises:
        EvidenceError: a truth or a prediction that is no number, or no class of the task.
    """
    if task.problem_type == "Regression":
        return Answers(_numbers(scores["truth"]), _numbers(scores["prediction"]))
    columns = [PROBABILITY + label for label in task.labels]
    complete = all(column in scores for column in columns)
    return Answers(
        class_codes(scores["truth"], task.labels),
        class_codes(scores["prediction"], task.labels),
        _side_by_side(scores, columns) if complete else None,
    )


def _side_by_side(scores: pd.DataFrame, columns: list[str]) -> Floats:
    """These columns as one array; without a copy where the table holds them beside each other in memory."""
    first = scores.columns.tolist().index(columns[0])
    some = scores.iloc[:, first : first + len(columns)]
    return (some if list(some.columns) == columns else scores[columns]).to_numpy(np.float64)


def _numbers(values: pd.Series) -> Floats:
    known = pd.api.types.is_float_dtype(values.dtype)  # then it is taken as it stands, without a copy
    numbers = (values if known else pd.to_numeric(values, errors="coerce")).to_numpy(np.float64)
    bad = ~np.isfinite(numbers)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise EvidenceError(
            f"scores: expected a finite number as {values.name} in every row, found {values.iloc[first]!r} "
            f"for row_id {values.index[first]} and {int(bad.sum()) - 1} more: the model or the target is broken there"
        )
    return numbers


def class_codes(values: pd.Series, labels: tuple[str, ...]) -> Codes:
    """Positions of the values in ``labels``; a label that is a number may be written differently (1, 1.0).

    Raises:
        EvidenceError: a value that is none of the labels.
    """
    code_of = {label: code for code, label in enumerate(labels)}
    by_number = {number: code for label, code in code_of.items() if (number := _as_number(label)) is not None}
    positions, levels = pd.factorize(values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype(str))
    # One byte a row where there are few classes, as there may be ten million rows.
    codes: Codes = np.empty(len(levels), np.int8 if len(labels) < 128 else np.int64)
    for position, level in enumerate(map(str, levels.tolist())):
        # A label such as 1 comes back as 1.0 from models that hold labels as floats.
        number = _as_number(level)
        code = code_of.get(level, by_number.get(number) if number is not None else None)
        if code is None:
            rows = values.index[positions == position]
            raise EvidenceError(
                f"scores: expected one of the classes {', '.join(map(repr, labels))} as {values.name}, found {level!r} "
                f"for row_id {rows[0]} and {len(rows) - 1} more: was the model trained on another target?"
            )
        codes[position] = code
    found: Codes = codes.take(positions)
    return found


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# ---------------------------------------------------------------- column sums

RowColumns = Callable[[slice], Floats]
"""The columns of some rows: a table of ten million rows is never turned into columns at once."""


def confusion_columns(answers: Answers, task: Task) -> RowColumns:
    """1 + 3 K columns: one, then per class whether it is hit, true, predicted."""
    classes = np.arange(len(task.labels))

    def columns(rows: slice) -> Floats:
        true = answers.truth[rows, None] == classes
        predicted = answers.prediction[rows, None] == classes
        return np.hstack([np.ones((len(true), 1)), true & predicted, true, predicted])

    return columns


def error_columns(answers: Answers, _task: Task) -> RowColumns:
    """6 columns: one, |error|, error², |error / truth|, truth and truth², those less the mean for accuracy."""
    mean = float(answers.truth.mean()) if len(answers.truth) else 0.0

    def columns(rows: slice) -> Floats:
        truth = answers.truth[rows].astype(np.float64)
        error = answers.prediction[rows] - truth
        share = np.abs(error) / np.maximum(np.abs(truth), np.finfo(np.float64).eps)
        shifted = truth - mean
        return np.column_stack([np.ones_like(truth), np.abs(error), error**2, share, shifted, shifted**2])

    return columns


def log_loss_columns(answers: Answers, _task: Task) -> RowColumns:
    """2 columns: one, and minus the logarithm of the true class's probability, clipped as scikit-learn clips it."""
    shares = answers.probabilities
    assert shares is not None
    epsilon = np.finfo(np.float64).eps

    def columns(rows: slice) -> Floats:
        codes = answers.truth[rows].astype(np.int64)
        probability = shares[rows][np.arange(len(codes)), codes]
        return np.column_stack([np.ones_like(probability), -np.log(np.clip(probability, epsilon, 1 - epsilon))])

    return columns


def auc_columns(answers: Answers, task: Task) -> RowColumns:
    """4 K' columns of the AUC's linear part, one block per class that is held against the rest.

    The AUC is no function of sums, but up to a term of order 1/n it is one of each row's placement among the rows of
    the other class (Hájek projection; DeLong, DeLong and Clarke-Pearson 1988). Columns per class: is it, is it not,
    the row's placement in either case, less half the AUC.
    """
    assert answers.probabilities is not None
    placed = []
    for code in auc_classes(task):
        positive = answers.truth == code
        score = answers.probabilities[:, code]
        placement = np.empty(len(score))
        of_positive, of_negative = np.sort(score[positive]), np.sort(score[~positive])
        for start in range(0, len(score), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            mine, some = positive[rows], score[rows]
            placement[rows][mine] = _share_below(some[mine], of_negative)
            placement[rows][~mine] = 1 - _share_below(some[~mine], of_positive)
        placement -= placement[positive].mean() / 2
        placed.append((positive, placement))

    def columns(rows: slice) -> Floats:
        blocks = [
            np.column_stack([mine[rows], ~mine[rows], centred[rows] * mine[rows], centred[rows] * ~mine[rows]])
            for mine, centred in placed
        ]
        return np.hstack(blocks)

    return columns


def auc_classes(task: Task) -> list[int]:
    """The classes whose AUC is averaged: the positive one, or each against the rest."""
    return [task.positive] if task.problem_type == "BinaryClassification" else list(range(len(task.labels)))


def _share_below(scores: Floats, ordered: Floats) -> Floats:
    """Share of the others, in order, below each score, ties counting half."""
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return below / (2.0 * max(len(ordered), 1))


def auc_of_weights(answers: Answers, task: Task, weights: Floats) -> Floats:
    """The exact AUC under each of B weightings of the rows: ``weights`` is B × n, the result B long.

    Several classes: the unweighted mean of each class against the rest. NaN where a weighting leaves out a class.
    """
    assert answers.probabilities is not None
    values = []
    for code in auc_classes(task):
        positive = answers.truth == code
        score = answers.probabilities[:, code]
        # Cumulate over the larger class and look up the smaller: the look-up is the dearer half.
        turned = positive.sum() > (~positive).sum()
        few, many = (~positive, positive) if turned else (positive, ~positive)
        order = np.flatnonzero(many)[np.argsort(score[many], kind="stable")]
        below = np.zeros((len(weights), len(order) + 1))
        np.cumsum(weights[:, order], axis=1, out=below[:, 1:])
        ordered = score[order]
        left, right = (np.searchsorted(ordered, score[few], side) for side in ("left", "right"))
        of_few = weights[:, few]
        pairs = np.einsum("bi,bi->b", of_few, below[:, left] + below[:, right]) / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            value = pairs / (of_few.sum(axis=1) * below[:, -1])
        values.append(1 - value if turned else value)
    mean: Floats = np.mean(values, axis=0)
    return mean


# ---------------------------------------------------------------- values from sums

Columns = Callable[[Answers, Task], RowColumns]
Value = Callable[[Floats, Task], Floats]


def _classes(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Hits, true rows and predicted rows per class (last axis)."""
    size = (sums.shape[-1] - 1) // 3
    return sums[..., 1 : 1 + size], sums[..., 1 + size : 1 + 2 * size], sums[..., 1 + 2 * size :]


def _accuracy(sums: Floats, _task: Task) -> Floats:
    return np.asarray(_classes(sums)[0].sum(axis=-1) / sums[..., 0])


def _balanced_accuracy(sums: Floats, _task: Task) -> Floats:
    hits, true, _ = _classes(sums)
    return _mean(hits / true, true > 0)


def _f1_by_class(sums: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    hits, true, predicted = _classes(sums)
    return 2 * hits / (true + predicted), (true + predicted) > 0


def _mean(values: Floats, present: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(present, values, 0).sum(axis=-1) / present.sum(axis=-1))


def _f1(sums: Floats, task: Task) -> Floats:
    return np.asarray(_f1_by_class(sums)[0][..., task.positive])


def _f1_macro(sums: Floats, _task: Task) -> Floats:
    return _mean(*_f1_by_class(sums))


def _f1_weighted(sums: Floats, _task: Task) -> Floats:
    values, present = _f1_by_class(sums)
    true = _classes(sums)[1]
    return np.asarray((np.where(present, values, 0) * true).sum(axis=-1) / true.sum(axis=-1))


def _precision(sums: Floats, task: Task) -> Floats:
    hits, _, predicted = _classes(sums)
    return np.asarray((hits / predicted)[..., task.positive])


def _recall(sums: Floats, task: Task) -> Floats:
    hits, true, _ = _classes(sums)
    return np.asarray((hits / true)[..., task.positive])


def _precision_macro(sums: Floats, _task: Task) -> Floats:
    hits, true, predicted = _classes(sums)
    return _mean(np.where(predicted > 0, hits / predicted, 0), (true + predicted) > 0)


def _recall_macro(sums: Floats, _task: Task) -> Floats:
    hits, true, predicted = _classes(sums)
    return _mean(np.where(true > 0, hits / true, 0), (true + predicted) > 0)


def _auc(sums: Floats, _task: Task) -> Floats:
    blocks = sums.reshape(*sums.shape[:-1], -1, 4)
    value = blocks[..., 2] / blocks[..., 0] + blocks[..., 3] / blocks[..., 1]
    return np.asarray(value.mean(axis=-1))


def _r2(sums: Floats, _task: Task) -> Floats:
    return np.asarray(1 - sums[..., 2] / (sums[..., 5] - sums[..., 4] ** 2 / sums[..., 0]))


VALUES: dict[str, tuple[Columns, Value]] = {
    "rmse": (error_columns, lambda sums, _: np.sqrt(sums[..., 2] / sums[..., 0])),
    "mae": (error_columns, lambda sums, _: sums[..., 1] / sums[..., 0]),
    "mape": (error_columns, lambda sums, _: sums[..., 3] / sums[..., 0]),
    "r2": (error_columns, _r2),
    "log_loss": (log_loss_columns, lambda sums, _: sums[..., 1] / sums[..., 0]),
    "roc_auc": (auc_columns, _auc),
    "roc_auc_ovr": (auc_columns, _auc),
    "accuracy": (confusion_columns, _accuracy),
    "balanced_accuracy": (confusion_columns, _balanced_accuracy),
    "f1": (confusion_columns, _f1),
    "f1_macro": (confusion_columns, _f1_macro),
    "f1_weighted": (confusion_columns, _f1_weighted),
    "precision": (confusion_columns, _precision),
    "recall": (confusion_columns, _recall),
    "precision_macro": (confusion_columns, _precision_macro),
    "recall_macro": (confusion_columns, _recall_macro),
}
"""Per metric: the columns that a row contributes, and the value of their sums (sums on the last axis)."""


def value_of_sums(name: str, sums: Floats, task: Task) -> Floats:
    """The metric for each row of sums; NaN where it has no value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return VALUES[name][1](sums, task)


def metric_value(name: str, answers: Answers, task: Task) -> float:
    """The metric on these rows, as scikit-learn computes it; NaN where it has no value."""
    return float(value_of_sums(name, sums_by(VALUES[name][0](answers, task), len(answers.truth)), task))


def sums_by(columns: RowColumns, rows: int, of_row: Codes | None = None, count: int = 1) -> Floats:
    """The columns' sums, some rows at a time: over all rows, or (count × columns) by the row's number in ``of_row``."""
    width = columns(slice(0, 0)).shape[1]
    total: Floats = np.zeros(width if of_row is None else (count, width))
    for start in range(0, rows, ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        if of_row is None:
            total += columns(part).sum(axis=0)
            continue
        codes = of_row[part].astype(np.intp)
        for place, column in enumerate(columns(part).T):
            total[:, place] += np.bincount(codes, column, count)
    return total


def undefined_reason(spec: MetricSpec, answers: Answers, task: Task, who: str) -> str | None:
    """Why the metric has no value on these rows, as a sentence about ``who``, or None where it has one."""
    n = len(answers.truth)
    if n == 0:
        return "no test rows are left"
    if spec.needs_probabilities:
        if answers.probabilities is None:
            return f"{who} answers no probabilities"
        if spec.name.startswith("roc_auc"):
            absent = [label for code, label in enumerate(task.labels) if not (answers.truth == code).any()]
            if absent:
                return f"the test rows hold no {' and no '.join(map(repr, absent))}"
    if spec.name == "precision" and not (answers.prediction == task.positive).any():
        return f"{who} never predicts {task.positive_label!r}"
    if spec.name == "recall" and not (answers.truth == task.positive).any():
        return f"the test rows hold no {task.positive_label!r}"
    if spec.name == "f1" and not ((answers.truth == task.positive) | (answers.prediction == task.positive)).any():
        return f"{task.positive_label!r} is neither in the test rows nor predicted by {who}"
    if spec.name == "r2" and np.ptp(answers.truth) == 0:
        return "the target is the same in all test rows"
    if spec.name == "mape" and (zeros := int((answers.truth == 0).sum())):
        return f"the target is 0 in {zeros:,} of {n:,} test rows"
    return None
