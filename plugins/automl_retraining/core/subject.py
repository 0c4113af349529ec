"""What the scores are about: the facts that an evaluation needs beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.metrics import PROBABILITY
from automl_retraining.core.records import Manifest
from automl_retraining.core.section import ProblemType


@dataclass(frozen=True)
class Subject:
    """The facts: a manifest says them of a run of ours, the scores themselves say most of them of any other.

    ``target_mean`` and ``class_counts`` are the training part's, for the baseline; without them there is none.
    """

    pipeline: str
    run_id: str
    target: str
    problem_type: ProblemType
    labels: tuple[str, ...] = ()
    positive_class: str | None = None
    split_by: Literal["key", "group", "features", "time"] = "features"
    target_mean: float | None = None
    class_counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_manifest(cls, manifest: Manifest) -> Subject:
        """What the manifest says."""
        return cls(
            pipeline=manifest.pipeline,
            run_id=manifest.run_id,
            target=manifest.target,
            problem_type=manifest.problem_type,
            labels=manifest.labels,
            positive_class=manifest.positive_class,
            split_by=manifest.split.by,
            target_mean=manifest.split.train.target_mean,
            class_counts=manifest.split.train.class_counts,
        )

    @classmethod
    def of_scores(
        cls,
        *tables: pd.DataFrame,
        name: str,
        problem_type: ProblemType | None = None,
        positive_class: str | None = None,
    ) -> Subject:
        """What scores tables alone say: classes are those of the ``p:`` columns, else those that occur in any.

        Numbers without ``p:`` columns are a regression, unless ``problem_type`` says otherwise. A column ``group`` or
        ``time`` says what is resampled.

        Args:
            tables: one model's or more, as ``core.predictions.scores_from_csv`` reads them.
            name: stands for the pipeline and the run.
            problem_type: where it is known.
            positive_class: where it is known; else the second label.

        Raises:
            EvidenceError: one class only, or a positive class that is none of them.
        """
        columns = dict.fromkeys(column for table in tables for column in table.columns)
        labels = [column.removeprefix(PROBABILITY) for column in columns if column.startswith(PROBABILITY)]
        said = [table[column] for table in tables for column in ("truth", "prediction")]
        if not labels and (problem_type is None or problem_type == "Regression"):
            numbers = all(pd.api.types.is_numeric_dtype(one) for one in said)
            if numbers or problem_type == "Regression":
                return cls(name, name, "truth", "Regression", split_by=_split_by(tables[0]))
        if not labels:
            labels = sorted({str(value) for one in said for value in one.unique()})
        if len(labels) < 2:
            raise EvidenceError(
                f"scores: expected at least two classes (as p: columns, or in truth and prediction), found "
                f"{', '.join(map(repr, labels)) or 'none'}: add a column p:<label> for each class that there is"
            )
        if positive_class is not None and positive_class not in labels:
            raise EvidenceError(
                f"positive class: expected one of {', '.join(map(repr, labels))}, found {positive_class!r}"
            )
        found: ProblemType = "BinaryClassification" if len(labels) == 2 else "MulticlassClassification"
        return cls(
            name, name, "truth", problem_type or found, tuple(labels), positive_class, split_by=_split_by(tables[0])
        )


def _split_by(scores: pd.DataFrame) -> Literal["group", "time", "features"]:
    return "group" if "group" in scores else "time" if "time" in scores else "features"
