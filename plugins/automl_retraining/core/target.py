"""What the target column asks for: which problem, which classes, and whether it can be learned from these rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import Cells, classify
from automl_retraining.core.errors import DataError
from automl_retraining.core.profile import Moments
from automl_retraining.core.section import ProblemType

CLASS_LIMIT = 10_000
"""More distinct target values than this are not counted one by one."""
_FEW_CLASSES = 20
_ROWS_FOR_IDENTIFIER = 20
PART_NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Problem:
    """What is to be learned. ``labels`` are sorted (by value where they are numbers) and empty for a regression."""

    type: ProblemType
    labels: tuple[str, ...]
    positive_class: str | None
    inferred: bool


class TargetTally:
    """Counts the target's values by part while the table streams by."""

    def __init__(self) -> None:
        self.counts: tuple[Counter[str], ...] = (Counter(), Counter(), Counter())
        self.moments = (Moments(), Moments(), Moments())
        self.whole = Moments()
        self.rows = 0
        self.words = 0
        self.decimals = 0
        self.first_word: tuple[int, str] | None = None
        self.overflow = False
        self.repeats = False
        self.ascending = self.descending = True
        self._last: float | None = None

    def update(
        self, cells: Sequence[str], understood: Cells, parts: NDArray[np.int8], line_number: Callable[[int], int]
    ) -> None:
        """Take in one block; rows whose part is negative are not used."""
        used = parts >= 0
        values = understood.numbers[used]
        numbers = ~np.isnan(values)
        self.rows += len(values)
        self.words += int(len(values) - numbers.sum())
        self.decimals += understood.counts.get("number", 0)
        if self.first_word is None and not numbers.all():
            index = int(np.flatnonzero(used)[np.flatnonzero(~numbers)[0]])
            self.first_word = line_number(index), cells[index]
        self._follow(values[numbers])
        self.whole.update(values[numbers])
        for part, (counts, moments) in enumerate(zip(self.counts, self.moments, strict=True)):
            inside = parts == part
            numbers_inside = understood.numbers[inside]
            moments.update(numbers_inside[~np.isnan(numbers_inside)])
            if not self.overflow:
                counts.update(compress(cells, inside.tolist()))
        if not self.overflow and sum(map(len, self.counts)) > CLASS_LIMIT:
            merged = self.merged
            self.repeats = merged.total() > len(merged)
            self.overflow = len(merged) > CLASS_LIMIT
            if self.overflow:
                for counts in self.counts:
                    counts.clear()

    def _follow(self, values: NDArray[np.float64]) -> None:
        """Watch whether the values only ever rise, or only ever fall, down the file."""
        if not len(values):
            return
        steps = np.diff(values if self._last is None else np.concatenate(([self._last], values)))
        self.ascending = self.ascending and bool((steps > 0).all())
        self.descending = self.descending and bool((steps < 0).all())
        self._last = float(values[-1])

    @property
    def merged(self) -> Counter[str]:
        """Counts over all parts; empty once there are too many values."""
        return self.counts[0] + self.counts[1] + self.counts[2]

    @property
    def all_different(self) -> bool:
        """No value was seen twice (while they were counted, where there are too many to count)."""
        if self.overflow:
            return not self.repeats
        return len(self.merged) == self.rows


class TargetCheck:
    """Decides what the target asks for.

    Args:
        name: How errors call the table.
        target: The target's column.
        tally: What was counted.
    """

    def __init__(self, name: str, target: str, tally: TargetTally) -> None:
        self._name = name
        self._target = target
        self._tally = tally

    def resolve(self, problem_type: ProblemType | None, positive_class: str | None) -> Problem:
        """The problem, as told or as it follows from the values.

        Raises:
            DataError: the target is an identifier, is text where numbers are needed, has one class, or has other
                classes than told.
        """
        if problem_type in (None, "Regression"):
            self.check_words(told=problem_type == "Regression")
        self._check_identifier(told=problem_type == "Regression")
        if problem_type == "Regression":
            return self._regression(inferred=False)
        if self._tally.overflow and problem_type is None and not self._tally.words:
            return self._regression(inferred=True)
        labels = self._labels()
        if problem_type is None and not self._looks_like_classes(len(labels)):
            return self._regression(inferred=True)
        self._check_labels(labels, problem_type)
        kind: ProblemType = "BinaryClassification" if len(labels) == 2 else "MulticlassClassification"
        if positive_class is not None and positive_class not in labels:
            raise DataError(
                f"{self._name}: expected the positive class {positive_class!r} among the values of {self._target!r}, "
                f"found {_listed(labels)}: change positive_class in the pipeline's YAML"
            )
        if kind == "BinaryClassification":
            positive_class = positive_class or labels[1]
        return Problem(kind, labels, positive_class, inferred=problem_type is None)

    def check_words(self, *, told: bool) -> None:
        """A regression's target is numbers; a few words among many numbers are a mistake too, not a class."""
        tally = self._tally
        if tally.first_word is None or (not told and tally.words * 10 > tally.rows):
            return
        if not told and not tally.overflow and len(tally.merged) <= _FEW_CLASSES:
            return
        line, word = tally.first_word
        raise DataError(
            f"{self._name}: line {line}: expected a number in the regression target {self._target!r}, found "
            f"{word[:60]!r} ({tally.words:,} of {tally.rows:,} rows are no numbers): correct them, or say "
            "problem_type: MulticlassClassification"
        )

    def check_class_rows(self, labels: Sequence[str], least: int) -> None:
        """Each part must hold ``least`` rows of each class, or the run stops."""
        rare = []
        for label in labels:
            rows = [counts[label] for counts in self._tally.counts]
            if min(rows) < least:
                where = ", ".join(f"{count} in {part}" for part, count in zip(PART_NAMES, rows, strict=True))
                rare.append((sum(rows), f"class {label!r} has {where}"))
        if rare:
            shown = "; ".join(sentence for _, sentence in sorted(rare)[:5])
            more = f" (and {len(rare) - 5} more classes)" if len(rare) > 5 else ""
            raise DataError(
                f"{self._name}: expected at least {least} rows of each class of {self._target!r} in each part, found "
                f"too few: {shown}{more}. Bring more rows of it, merge it with another class, or lower "
                "split.min_class_rows"
            )

    # ------------------------------------------------------------ one check each

    def _regression(self, *, inferred: bool) -> Problem:
        whole = self._tally.whole
        if whole.minimum == whole.maximum:
            raise DataError(
                f"{self._name}: expected a target {self._target!r} that varies, found {whole.minimum:g} in every row: "
                "there is nothing to learn"
            )
        return Problem("Regression", (), None, inferred)

    def _check_identifier(self, *, told: bool) -> None:
        tally, rows = self._tally, self._tally.rows
        if rows < _ROWS_FOR_IDENTIFIER:
            return
        sentence = (
            f"{self._name}: expected a target to predict in {self._target!r}, found what looks like an identifier: "
        )
        if tally.words:
            distinct = CLASS_LIMIT + 1 if tally.overflow else len(tally.merged)
            if tally.overflow or distinct * 2 > rows:
                many = f"more than {CLASS_LIMIT:,}" if tally.overflow else f"{distinct:,}"
                raise DataError(f"{sentence}{many} different texts in {rows:,} rows. Name another column as target")
            return
        if tally.decimals or not tally.all_different:
            return
        if tally.whole.maximum - tally.whole.minimum < 2 * rows:
            raise DataError(
                f"{sentence}{rows:,} whole numbers, all different, between {tally.whole.minimum:.0f} and "
                f"{tally.whole.maximum:.0f}. Name another column as target"
            )
        if not told and (tally.ascending or tally.descending):
            order = "rising" if tally.ascending else "falling"
            raise DataError(
                f"{sentence}{rows:,} whole numbers that keep {order} down the file. Name another column as target, "
                "or say problem_type: Regression if it is a quantity"
            )

    def _labels(self) -> tuple[str, ...]:
        if self._tally.overflow:
            raise DataError(
                f"{self._name}: expected classes in the target {self._target!r}, found more than {CLASS_LIMIT:,} "
                "different values: is it a regression?"
            )
        labels = list(self._tally.merged)
        seen: dict[object, str] = {}
        for label in labels:
            kind, value = classify(label)
            meaning = value if kind in ("integer", "number") else label.strip()
            if meaning in seen:
                raise DataError(
                    f"{self._name}: expected each class of {self._target!r} in one spelling, found {seen[meaning]!r} "
                    f"and {label!r}: write them alike"
                )
            seen[meaning] = label
        return sort_labels(labels)

    def _looks_like_classes(self, n_labels: int) -> bool:
        """Words are classes; so are two values, and few whole numbers that come again and again."""
        if self._tally.words or n_labels <= 2:
            return True
        return not self._tally.decimals and n_labels <= _FEW_CLASSES and self._tally.rows >= 20 * n_labels

    def _check_labels(self, labels: tuple[str, ...], told: ProblemType | None) -> None:
        if len(labels) < 2:
            raise DataError(
                f"{self._name}: expected at least two classes in the target {self._target!r}, found one class only, "
                f"{labels[0]!r}, in all {self._tally.rows:,} rows: there is nothing to learn"
            )
        if told == "BinaryClassification" and len(labels) > 2:
            raise DataError(
                f"{self._name}: expected two classes in {self._target!r} for BinaryClassification, found {len(labels)}:"
                f" {_listed(labels)}: correct the table or say problem_type: MulticlassClassification"
            )
        if told == "MulticlassClassification" and len(labels) == 2:
            raise DataError(
                f"{self._name}: expected more than two classes in {self._target!r} for MulticlassClassification, found "
                f"{_listed(labels)}: say problem_type: BinaryClassification"
            )


def sort_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Classes in order: by value where all are numbers, else as text."""
    values = {label: classify(label)[1] for label in labels}
    if any(math.isnan(value) for value in values.values()):
        return tuple(sorted(labels))
    return tuple(sorted(labels, key=lambda label: (values[label], label)))


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels[:10])) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")
