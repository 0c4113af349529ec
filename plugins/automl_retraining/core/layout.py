"""Which column plays which role in a split."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from automl_retraining.core.errors import DataError
from automl_retraining.core.trainer_specs import SplitSpec

By = Literal["key", "group", "features", "time"]


@dataclass(frozen=True)
class Roles:
    """The columns that a pipeline names. Key, group, time and dropped columns are hidden from the model."""

    target: str
    spec: SplitSpec = field(default_factory=SplitSpec)
    drop: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    sample_weight: str | None = None
    feature_types: tuple[str, ...] = ()

    def named(self) -> list[tuple[str, str]]:
        """(key of the YAML, column) for each column named, the target first."""
        return [
            ("target", self.target),
            *(("split.key", column) for column in self.spec.key),
            *(("split.group", column) for column in self.spec.group),
            *(("split.time", column) for column in (self.spec.time,) if column),
            *(("drop", column) for column in self.drop),
            *(("search.sample_weight", column) for column in (self.sample_weight,) if column),
            *(("search.feature_types", column) for column in self.feature_types),
            *(("gate.slices", column) for column in self.slices),
        ]


@dataclass(frozen=True)
class Layout:
    """The roles as positions in one table's header.

    ``trained`` are the columns of the train and validation files (features, target, sample weight) and ``hashed`` those
    whose hash decides a row's part; both count from 0.
    """

    names: tuple[str, ...]
    target: int
    features: tuple[int, ...]
    trained: tuple[int, ...]
    hashed: tuple[int, ...]
    by_value: bool
    time: int | None
    group: tuple[int, ...]
    slices: tuple[int, ...]
    weight: int | None
    by: By

    @property
    def whole_lines(self) -> bool:
        """Nothing is hidden, so that train and validation lines are the table's own."""
        return len(self.trained) == len(self.names)

    def named(self, positions: Sequence[int]) -> tuple[str, ...]:
        """The names at these positions."""
        return tuple(self.names[position] for position in positions)


def lay_out(name: str, header: Sequence[str], roles: Roles) -> Layout:
    """Find the columns in the header of the table called ``name``.

    Raises:
        DataError: a column that the pipeline names is not there, or no feature is left.
    """
    for key, column in roles.named():
        if column not in header:
            raise DataError(_not_there(name, header, key, column))
    at = {column: position for position, column in enumerate(header)}
    spec = roles.spec
    hidden = {*roles.drop, *spec.key, *spec.group, *((spec.time,) if spec.time else ()), roles.target}
    weight = roles.sample_weight
    features = tuple(at[column] for column in header if column not in hidden and column != weight)
    if not features:
        raise DataError(
            f"{name}: expected at least one feature, found none: of {', '.join(header)} every column is the target, "
            "dropped, or names rows"
        )
    trained = tuple(at[column] for column in header if column not in hidden or column == roles.target)
    named = spec.key or spec.group
    values = [*(header[position] for position in features), *((spec.time,) if spec.time else ())]
    by: By = "time" if spec.time else "key" if spec.key else "group" if spec.group else "features"
    return Layout(
        names=tuple(header),
        target=at[roles.target],
        features=features,
        trained=trained,
        hashed=tuple(at[column] for column in (named or sorted(values))),
        by_value=not named,
        time=at[spec.time] if spec.time else None,
        group=tuple(at[column] for column in spec.group),
        slices=tuple(at[column] for column in roles.slices),
        weight=at[weight] if weight else None,
        by=by,
    )


def _not_there(name: str, header: Sequence[str], key: str, column: str) -> str:
    found = ", ".join(header[:20]) + (f" and {len(header) - 20} more" if len(header) > 20 else "")
    lower = {other.strip().lower(): other for other in header}
    close = difflib.get_close_matches(column.strip().lower(), lower, n=1, cutoff=0.75)
    hint = f"; did you mean {lower[close[0]]!r}?" if close else ""
    if len(header) == 1:
        separator = next((sign for sign in (";", "\t", "|") if sign in header[0]), None)
        if separator:
            hint = f"; columns are separated by commas here, this header looks separated by {separator!r}: convert it"
    return f"{name}: line 1: expected a column {column!r}, which {key} names, found {found}{hint}"
