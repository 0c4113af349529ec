"""What the checks of the data look at: rows of both parts, beside the manifests that say what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from automl_retraining.core.records import Manifest
from automl_retraining.core.sanity_features import Codes
from automl_retraining.core.sanity_parts import different, effective
from automl_retraining.core.sanity_sample import Column, Copies, Sample


@dataclass(frozen=True)
class Looked:
    """What the checks look at.

    Args:
        manifest: of this run.
        train: rows of its train part.
        test: rows of its test part, with the columns of ``split.group`` and their records.
        copies: of the test rows in the whole train part.
        champion: the manifest of the run that made the champion; None where there is none.
        champion_unknown: why there is none although there is a champion.
    """

    manifest: Manifest
    train: Sample
    test: Sample
    copies: Copies
    champion: Manifest | None = None
    champion_unknown: str | None = None

    def features(self, sample: Sample) -> list[Column]:
        """The columns that the model sees."""
        return [sample.columns[name] for name in self.manifest.features]

    @cached_property
    def independent(self) -> tuple[float, float]:
        """Independent rows per row of the train and the test part: what is kept in one part together is one draw."""
        spec = self.manifest.split.spec
        if spec.key:
            return 1.0, 1.0
        if spec.group:
            # The train part has no groups by name; as large ones, for the split knows none of the two from the other.
            groups = _groups(self)
            share = effective(groups) / max(1, len(groups))
            return share, share
        train, test = (different(self.features(sample)) / max(1, sample.rows) for sample in (self.train, self.test))
        return train, test


def comparable(column: Column) -> Sequence[object]:
    if column.words is not None:
        return column.words
    return [None if number != number else number for number in column.numbers.tolist()]  # NaN equals nothing


def _groups(looked: Looked) -> Codes:
    """The group of each test row, where the split keeps groups together."""
    columns = [looked.test.columns[name] for name in looked.manifest.split.spec.group]
    known: dict[tuple[object, ...], int] = {}
    rows = zip(*(comparable(column) for column in columns), strict=True)
    return np.array([known.setdefault(row, len(known)) for row in rows], dtype=np.int64)


def fixed_in_groups(looked: Looked) -> list[str]:
    """Features with one value in each group: they tell the groups, and so the parts, apart by construction."""
    if not looked.manifest.split.spec.group:
        return []
    groups = _groups(looked)
    if int(groups.max()) + 1 == len(groups):
        return []
    fixed = []
    for column in looked.features(looked.test):
        values = comparable(column)
        pairs = set(zip(groups.tolist(), values, strict=True))
        if len(pairs) == int(groups.max()) + 1 and len(set(values)) > 1:
            fixed.append(column.name)
    return fixed
