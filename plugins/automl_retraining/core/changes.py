"""What differs between this table and the last run's, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_retraining.core.records import ColumnProfile, Manifest
from automl_retraining.core.split import SplitOutcome

_NUMERIC = frozenset({"integer", "number"})
_MEAN_SHIFT = 0.25
"""Standard deviations that a column's mean must move to be mentioned."""
_SHARE_SHIFT = 0.05
"""Share of the rows by which missing values or a class must grow or shrink to be mentioned."""


@dataclass(frozen=True)
class Changes:
    """``schema`` are changes that a model trained before cannot be expected to survive; ``other`` are worth reading."""

    schema: tuple[str, ...]
    other: tuple[str, ...]


def compare(previous: Manifest, outcome: SplitOutcome, ignored: Sequence[str] = ()) -> Changes:
    """Hold what was found against the last run's manifest; the columns ``ignored`` may come, go and change."""
    before = {column.name: column for column in previous.columns if column.name not in ignored}
    now = {column.name: column for column in outcome.columns if column.name not in ignored}
    identifying = {*previous.split.spec.key, *previous.split.spec.group}
    schema = [
        *(f"column {name!r} is new" for name in now if name not in before),
        *(f"column {name!r} is gone" for name in before if name not in now),
    ]
    other = []
    if outcome.rows != previous.source.rows:
        other.append(f"{outcome.rows:,} rows, {previous.source.rows:,} before")
    for name, column in now.items():
        if (last := before.get(name)) is None:
            continue
        if _retyped(last, column, exact=name in identifying):
            schema.append(f"column {name!r} is now {column.type}, {last.type} before")
        elif last.type != column.type:
            other.append(f"column {name!r} is now {column.type}, {last.type} before")
        other.extend(_moved(last, column, previous.source.rows, outcome.rows))
    other.extend(_classes(previous, outcome))
    if list(now) != list(before) and set(now) == set(before):
        schema.append("the columns are in another order, and a model without column names goes by their order")
    return Changes(tuple(schema), tuple(other))


def _retyped(last: ColumnProfile, column: ColumnProfile, *, exact: bool) -> bool:
    """Whole numbers may become broken ones and an empty column may fill, unless rows are known by it."""
    if last.type == column.type:
        return False
    if exact:
        return True
    if last.type == "empty":
        return False
    return not {last.type, column.type} <= _NUMERIC


def _moved(last: ColumnProfile, column: ColumnProfile, rows_before: int, rows_now: int) -> list[str]:
    found = []
    share_before, share_now = last.missing / rows_before, column.missing / rows_now
    if abs(share_now - share_before) > _SHARE_SHIFT:
        found.append(f"column {column.name!r} has {share_now:.1%} missing, {share_before:.1%} before")
    if last.mean is not None and column.mean is not None and last.std:
        shift = (column.mean - last.mean) / last.std
        if abs(shift) > _MEAN_SHIFT:
            found.append(
                f"column {column.name!r} has mean {column.mean:.4g}, {last.mean:.4g} before "
                f"({shift:+.2f} standard deviations)"
            )
    return found


def _classes(previous: Manifest, outcome: SplitOutcome) -> list[str]:
    parts = (previous.split.train, previous.split.validation, previous.split.test)
    before = {label: sum(part.class_counts.get(label, 0) for part in parts) for label in previous.labels}
    now = {label: sum(part.class_counts[label] for part in outcome.parts) for label in outcome.problem.labels}
    if not before or not now:
        return []
    found = [
        *(f"class {label!r} is new" for label in now if label not in before),
        *(f"class {label!r} is gone" for label in before if label not in now),
    ]
    total_before, total_now = sum(before.values()), sum(now.values())
    for label in sorted(now.keys() & before.keys()):
        share_now, share_before = now[label] / total_now, before[label] / total_before
        if abs(share_now - share_before) > _SHARE_SHIFT:
            found.append(f"class {label!r} is {share_now:.1%} of the rows, {share_before:.1%} before")
    return found
