"""Two manifests' column profiles side by side: what a page shows of how the data moved. Light."""

from __future__ import annotations

from typing import Literal

from automl_retraining.core.records import ColumnProfile, ColumnType, Manifest, Record

_SHOWN = 5


class ColumnChange(Record):
    """One column now and before. Shares are of all rows; ``shift`` is in the earlier standard deviations."""

    name: str
    role: Literal["target", "feature", "hidden"]
    state: Literal["same", "changed", "new", "gone"]
    type: ColumnType
    type_before: ColumnType | None = None
    missing: float
    missing_before: float | None = None
    distinct: int
    distinct_before: int | None = None
    mean: float | None = None
    mean_before: float | None = None
    std: float | None = None
    std_before: float | None = None
    minimum: float | None = None
    minimum_before: float | None = None
    maximum: float | None = None
    maximum_before: float | None = None
    top: tuple[tuple[str, int], ...] = ()
    top_before: tuple[tuple[str, int], ...] = ()
    shift: float | None = None

    @property
    def size(self) -> float:
        """How large the change is, to put the largest first: standard deviations, or ten times the share missing."""
        if self.state in ("new", "gone") or (self.type_before or self.type) != self.type:
            return float("inf")
        gained = abs(self.missing - self.missing_before) * 10 if self.missing_before is not None else 0.0
        return max(abs(self.shift or 0.0), gained)


def side_by_side(now: Manifest, before: Manifest | None) -> tuple[ColumnChange, ...]:
    """Every column of both, in the order of the table; those that are gone last. Without ``before`` all are as now."""
    earlier = {column.name: column for column in before.columns} if before else {}
    rows_before = (before.source.rows if before else 0) or 1
    rows = now.source.rows or 1
    changes = [
        _change(column, earlier.get(column.name), _role(now, column.name), rows, rows_before, known=before is not None)
        for column in now.columns
    ]
    present = {column.name for column in now.columns}
    gone = [
        ColumnChange(
            name=column.name,
            role=_role(before, column.name),
            state="gone",
            type=column.type,
            missing=column.missing / rows_before,
            distinct=column.distinct,
        )
        for column in earlier.values()
        if column.name not in present and before is not None
    ]
    return (*changes, *gone)


def _change(
    column: ColumnProfile,
    before: ColumnProfile | None,
    role: Literal["target", "feature", "hidden"],
    rows: int,
    rows_before: int,
    *,
    known: bool,
) -> ColumnChange:
    shift = None
    if before is not None and before.mean is not None and column.mean is not None and before.std:
        shift = (column.mean - before.mean) / before.std
    made = ColumnChange(
        name=column.name,
        role=role,
        state="new" if known and before is None else "same",
        type=column.type,
        missing=column.missing / rows,
        distinct=column.distinct,
        mean=column.mean,
        std=column.std,
        minimum=column.minimum,
        maximum=column.maximum,
        top=column.top[:_SHOWN],
        shift=shift,
    )
    if before is None:
        return made
    return made.model_copy(
        update={
            "state": "same" if before == column else "changed",
            "type_before": before.type,
            "missing_before": before.missing / rows_before,
            "distinct_before": before.distinct,
            "mean_before": before.mean,
            "std_before": before.std,
            "minimum_before": before.minimum,
            "maximum_before": before.maximum,
            "top_before": before.top[:_SHOWN],
        }
    )


def _role(manifest: Manifest, column: str) -> Literal["target", "feature", "hidden"]:
    if column == manifest.target:
        return "target"
    return "feature" if column in manifest.features else "hidden"
