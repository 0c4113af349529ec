"""Seeded models' answers, scores tables and manifests for the evidence tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.records import Manifest, ModelRef, Part, SourceFacts, SplitFacts
from automl_retraining.core.trainer_specs import SplitSpec

BINARY = Task("BinaryClassification", ("no", "yes"), "yes")
MULTICLASS = Task("MulticlassClassification", ("a", "b", "c"))
REGRESSION = Task("Regression")
CHALLENGER = ModelRef(model_name="art-model-new")
CHAMPION = ModelRef(model_name="art-model-old")


def binary(rng: np.random.Generator, rows: int, *signals: float, share: float = 0.3, ties: int = 0) -> list[Answers]:
    """Answers of one model per signal (how far it tells the classes apart) on the same rows, with shared noise."""
    truth = (rng.random(rows) < share).astype(np.int64)
    noise = rng.normal(size=rows)
    answers = []
    for signal in signals:
        score = 1 / (1 + np.exp(-(signal * (truth - 0.5) + 0.7 * noise + 0.7 * rng.normal(size=rows))))
        if ties:
            score = np.round(score * ties) / ties
        answers.append(Answers(truth, (score > 0.5).astype(np.int64), np.column_stack([1 - score, score])))
    return answers


def multiclass(rng: np.random.Generator, rows: int, signal: float = 1.5) -> Answers:
    """Answers of a three-class model."""
    truth = rng.integers(0, 3, rows)
    scores = np.exp(rng.normal(size=(rows, 3)) + signal * np.eye(3)[truth])
    shares = scores / scores.sum(axis=1, keepdims=True)
    return Answers(truth, shares.argmax(axis=1), shares)


def regression(rng: np.random.Generator, rows: int, *spreads: float) -> list[Answers]:
    """Answers of one model per spread of its own errors, on the same rows, with shared errors."""
    truth = rng.normal(23, 7, rows)
    shared = rng.normal(size=rows)
    return [Answers(truth, truth + shared + spread * rng.normal(size=rows)) for spread in spreads]


def scores(answers: Answers, task: Task, **carried: Any) -> pd.DataFrame:
    """The scores table of these answers; ``carried`` are further columns."""
    table = pd.DataFrame(index=pd.RangeIndex(1, len(answers.truth) + 1, name="row_id"))
    if task.problem_type == "Regression":
        table["truth"], table["prediction"] = answers.truth, answers.prediction
    else:
        names = np.array(task.labels, dtype=object)
        table["truth"], table["prediction"] = names[answers.truth], names[answers.prediction]
        if answers.probabilities is not None:
            for code, label in enumerate(task.labels):
                table["p:" + label] = answers.probabilities[:, code]
    return table.assign(**carried)


def manifest(task: Task, answers: Answers, **changes: Any) -> Manifest:
    """A manifest whose training part has the answers' class shares or mean."""
    counts = {label: int((answers.truth == code).sum()) * 3 for code, label in enumerate(task.labels)}
    mean = None if task.labels else float(answers.truth.mean())
    rows = len(answers.truth)
    part = Part(
        uri="s3://b/part.csv", rows=rows, bytes=rows * 40, sha256="0" * 64, class_counts=counts, target_mean=mean
    )
    split = SplitFacts(
        spec=SplitSpec(),
        salt="00",
        by=changes.pop("by", "features"),
        columns=("x",),
        train=part,
        validation=part,
        test=part,
        keys_uri="s3://b/keys.bin",
        keys_sha256="0" * 64,
    )
    fields: dict[str, Any] = {
        "pipeline": "churn",
        "run_id": "manual__2026-01-05",
        "created": datetime(2026, 1, 5, tzinfo=UTC),
        "source": SourceFacts(uri="include/data/churn.csv", bytes=rows * 100, sha256="1" * 64, rows=rows * 3),
        "target": "left",
        "problem_type": task.problem_type,
        "labels": task.labels,
        "positive_class": task.positive_class,
        "columns": (),
        "features": ("x",),
        "split": split,
        "transform_input_uri": "s3://b/test.csv",
        "truth_uri": "s3://b/truth.csv",
    }
    return Manifest(**{**fields, **changes})


def policy(metric: str, **changes: Any) -> GatePolicy:
    """A policy of few resamples, for speed."""
    return GatePolicy(**{"metric": metric, "resamples": 400, **changes})
