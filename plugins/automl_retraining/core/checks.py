"""What a table must be to be trained on: found while it streams by, judged when it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from automl_retraining.core.cells import Cells
from automl_retraining.core.errors import DataError
from automl_retraining.core.layout import Layout, Roles
from automl_retraining.core.profile import ColumnProfiler
from automl_retraining.core.section import ProblemType
from automl_retraining.core.table import Block
from automl_retraining.core.target import PART_NAMES, Problem, TargetCheck, TargetTally

MIN_PART_ROWS = 10
"""Fewest rows of any part: below that no metric says anything."""
_SHOWN = 5


class Checks:
    """The checks of one pass. Methods with a block run while reading; ``after`` when all is read."""

    def __init__(self, name: str, roles: Roles, layout: Layout, tally: TargetTally) -> None:
        self._name = name
        self._roles = roles
        self._layout = layout
        self._tally = tally
        self._target = TargetCheck(name, roles.target, tally)
        self.missing_targets = 0
        self._first_missing_target = 0
        self._missing_keys = 0
        self._first_missing_key = 0

    # ------------------------------------------------------------ while reading

    def weights(self, block: Block, understood: Sequence[Cells]) -> None:
        """A sample weight is a number that is not negative."""
        if self._layout.weight is None:
            return
        numbers = understood[self._layout.weight].numbers
        wrong = np.flatnonzero(~(numbers >= 0))
        if len(wrong):
            cell = block.cells[self._layout.weight][int(wrong[0])]
            raise DataError(
                f"{self._name}: line {block.line_number(int(wrong[0]))}: expected a number of at least 0 in the sample "
                f"weight {self._roles.sample_weight!r}, found {cell[:60]!r}"
            )

    def keys_present(self, block: Block, columns: Sequence[Sequence[str]]) -> None:
        """Count rows whose key (or group) is blank in any of its columns."""
        if all(all(map(str.strip, column)) for column in columns):
            return
        blank = [any(not cell.strip() for cell in row) for row in zip(*columns, strict=True)]
        if not self._missing_keys:
            self._first_missing_key = block.line_number(blank.index(True))
        self._missing_keys += sum(blank)

    def targets_missing(self, block: Block, missing: NDArray[np.bool_]) -> None:
        """Count rows without a target."""
        if not self.missing_targets:
            self._first_missing_target = block.line_number(int(np.flatnonzero(missing)[0]))
        self.missing_targets += int(missing.sum())

    def refuse_words(self) -> None:
        """Stop at once where a regression's target is no number."""
        self._target.check_words(told=True)

    # ------------------------------------------------------------ when all is read

    def after(
        self,
        *,
        rows: int,
        part_rows: Sequence[int],
        min_train_rows: int,
        problem_type: ProblemType | None,
        positive_class: str | None,
        profiles: Sequence[ColumnProfiler],
        hashes: Sequence[NDArray[np.uint64]],
        key_lines: Sequence[NDArray[np.uint64]],
        blank_lines: int,
    ) -> tuple[Problem, list[str]]:
        """Judge the whole table.

        Returns:
            What is to be learned, and what a person should know although it stops nothing.

        Raises:
            DataError: the first thing that is wrong, in the order in which a person would mend it.
        """
        if rows == 0:
            raise DataError(f"{self._name}: expected rows below the header, found a header only")
        self._check_missing_targets(rows)
        self._check_keys(rows, hashes, key_lines)
        problem = self._target.resolve(problem_type, positive_class)
        self._check_part_rows(part_rows, min_train_rows)
        self._target.check_class_rows(problem.labels, self._roles.spec.min_class_rows)
        return problem, self._warnings(problem, rows, profiles, blank_lines)

    def _check_missing_targets(self, rows: int) -> None:
        if not self.missing_targets:
            return
        found = (
            f"{self._name}: expected a value of the target {self._roles.target!r} in every row, found none in "
            f"{self.missing_targets:,} of {rows:,} rows, the first at line {self._first_missing_target}"
        )
        if self.missing_targets == rows:
            raise DataError(f"{found}: there is nothing to learn")
        if self._roles.spec.missing_target == "stop":
            raise DataError(f"{found}: fill them in, or say split.missing_target: drop to leave those rows out")

    def _check_keys(
        self, rows: int, hashes: Sequence[NDArray[np.uint64]], key_lines: Sequence[NDArray[np.uint64]]
    ) -> None:
        spec = self._roles.spec
        columns = ", ".join(map(repr, spec.key or spec.group))
        what = "key" if spec.key else "group"
        if self._missing_keys:
            raise DataError(
                f"{self._name}: expected a {what} ({columns}) in every row, found none in {self._missing_keys:,} of "
                f"{rows:,} rows, the first at line {self._first_missing_key}: a row without one cannot keep its part. "
                "Fill it in or remove these rows"
            )
        if not hashes:
            return
        joined = np.concatenate(hashes)
        order = np.argsort(joined, kind="stable")
        ordered = joined[order]
        again = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(again):
            lines = np.concatenate(key_lines)
            pairs = sorted((int(lines[order[index]]), int(lines[order[index + 1]])) for index in again[:1000])
            shown = "; ".join(f"lines {first} and {second}" for first, second in pairs[:_SHOWN])
            raise DataError(
                f"{self._name}: expected each key ({columns}) once, found {len(again):,} again"
                f": {shown}{'; …' if len(again) > _SHOWN else ''}. Remove the doubles, add the column that tells "
                "them apart to split.key, or say split.group to keep them together"
            )

    def _check_part_rows(self, part_rows: Sequence[int], min_train_rows: int) -> None:
        total = sum(part_rows)
        spec = self._roles.spec
        shares = f"train {1 - spec.validation - spec.test:.0%}, validation {spec.validation:.0%}, test {spec.test:.0%}"
        least = (max(min_train_rows, MIN_PART_ROWS), MIN_PART_ROWS, MIN_PART_ROWS)
        for part, found, needed in zip(PART_NAMES, part_rows, least, strict=True):
            if found < needed:
                raise DataError(
                    f"{self._name}: expected at least {needed} rows in the {part} part, found {found} of {total:,} "
                    f"rows ({shares}): bring more rows, or change the shares of split"
                )

    def _warnings(self, problem: Problem, rows: int, profiles: Sequence[ColumnProfiler], blank_lines: int) -> list[str]:
        spec = self._roles.spec
        found = []
        if self._layout.by_value:
            found.append(
                "split has neither key nor group: a row is known by its features, so an edited row may move to another "
                "part"
            )
        if problem.inferred:
            found.append(f"problem_type is not given; {problem.type} follows from the target's values")
        if self.missing_targets:
            found.append(f"{self.missing_targets:,} of {rows:,} rows have no target and were left out")
        if blank_lines:
            found.append(f"{blank_lines:,} blank lines were left out")
        if spec.time and not spec.key:
            found.append("split.time without split.key: rows that agree in all features and their time count as one")
        for position, profiler in enumerate(profiles):
            if position in self._layout.features:
                found.extend(_about(profiler, rows))
        return found


def _about(profiler: ColumnProfiler, rows: int) -> list[str]:
    name = profiler.name
    if profiler.type == "empty":
        return [f"column {name!r} is empty"]
    if profiler.distinct == 1:
        return [f"column {name!r} has the same value in every row that has one"]
    words = profiler.kinds.get("text", 0)
    numbers = profiler.kinds.get("integer", 0) + profiler.kinds.get("number", 0)
    if profiler.type == "text" and numbers and words * 20 <= numbers:
        return [f"column {name!r} counts as text because {words:,} of {rows:,} cells are no numbers"]
    if profiler.type == "text" and not profiler.overflow and profiler.distinct * 10 > rows * 9:
        return [f"column {name!r} has nearly a value of its own in each row: drop it if it is a name or an identifier"]
    return []
