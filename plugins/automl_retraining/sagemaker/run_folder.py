"""What a run left in its folder, read back for the record and the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from automl_retraining.core import importance
from automl_retraining.core.errors import EvidenceError, StorageError
from automl_retraining.core.records import (
    DataChecks,
    Decision,
    Evaluation,
    Leaderboard,
    Manifest,
    Outcome,
    Record,
)
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.storage import join

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R", bound=Record)

_WRITTEN_BY = {"manifest": "split", "leaderboard": "search", "evaluation": "evaluate", "decision": "gate"}


@dataclass(frozen=True)
class RunFolder:
    """The records of a run as far as it came; None for what it did not get to."""

    uri: str
    manifest: Manifest | None
    leaderboard: Leaderboard | None
    evaluation: Evaluation | None
    decision: Decision | None
    checks: DataChecks | None = None


def read(s3: Any, uri: str, states: Mapping[str, str | None]) -> RunFolder:
    """Read the records that this run's tasks wrote.

    A cleared run writes into the same folder: what a task that did not succeed this time had left there before is not
    this run's, and is not read.

    Args:
        uri: the run folder.
        states: Airflow's state of each task.
    """

    def record(name: str, kind: type[R]) -> R | None:
        if states.get(_WRITTEN_BY[name]) != "success":
            return None
        return storage.read_record(s3, join(uri, f"{name}.json"), kind)

    return RunFolder(
        uri=uri,
        manifest=record("manifest", Manifest),
        leaderboard=record("leaderboard", Leaderboard),
        evaluation=record("evaluation", Evaluation),
        decision=record("decision", Decision),
        checks=_checks(s3, uri, states.get("check_data")),
    )


def _checks(s3: Any, uri: str, state: str | None) -> DataChecks | None:
    """What check_data found: also where it failed, for it fails because of what it found, and writes that first."""
    if state not in ("success", "failed"):
        return None
    try:
        return storage.read_record(s3, join(uri, "checks.json"), DataChecks)
    except storage.ObjectMissing:
        return None


def write_report(s3: Any, folder: RunFolder, outcome: Outcome, runs_a_year: float | None = None) -> str:
    """Render ``report.html`` from the folder and the outcome, write it, and return its URI.

    ``runs_a_year`` is the schedule's, None where no clock starts the runs.
    """
    from automl_retraining.core import report

    evaluated = folder.evaluation is not None
    page = report.render(
        manifest=folder.manifest,
        leaderboard=folder.leaderboard,
        evaluation=folder.evaluation,
        decision=folder.decision,
        checks=folder.checks,
        outcome=outcome,
        challenger_scores=_scores(s3, folder, "challenger") if evaluated else None,
        champion_scores=_scores(s3, folder, "champion") if evaluated else None,
        importance=feature_importance(s3, folder.leaderboard),
        runs_a_year=runs_a_year,
    )
    uri = join(folder.uri, "report.html")
    storage.write_text(s3, uri, page, "text/html; charset=utf-8")
    return uri


def feature_importance(s3: Any, leaderboard: Leaderboard | None) -> dict[str, float] | None:
    """The best candidate's feature importance; None where its search left no explainability report.

    Not every Autopilot job writes one (large tables, some time limits), so one that is missing or of another shape
    only leaves the figure out.
    """
    if leaderboard is None:
        return None
    best = next((candidate for candidate in leaderboard.candidates if candidate.name == leaderboard.best), None)
    if best is None or best.explainability_uri is None:
        return None
    try:
        document = json.loads(storage.read_bytes(s3, join(best.explainability_uri, "analysis.json")))
        return importance.from_clarify(document)
    except (StorageError, EvidenceError, ValueError):
        return None


def _scores(s3: Any, folder: RunFolder, model: str) -> pd.DataFrame | None:
    from automl_retraining.core import predictions

    assert folder.evaluation is not None
    if model == "champion" and (folder.evaluation.champion is None or folder.evaluation.champion_error is not None):
        return None
    return predictions.scores_from_csv(storage.read_bytes(s3, join(folder.uri, "scores", f"{model}.csv")))
