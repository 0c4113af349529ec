"""One run: its records as they are in its folder, and what the plots are drawn from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from automl_retraining.core import importance
from automl_retraining.core.effects import effects, metric_lines
from automl_retraining.core.errors import EvidenceError, StorageError
from automl_retraining.core.profile_changes import side_by_side
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
from automl_retraining.ui.folder import LARGEST, RECORDS, Entry, Folder, Shelf
from automl_retraining.ui.folder import too_large as too_large_record
from automl_retraining.ui.summary import unreadable

R = TypeVar("R", bound=Record)

MOST_SCORES = 48 * 10**6
"""Bytes of scores that a page reads: more would take the api-server's memory and the reader's patience."""

SCORES = ("challenger", "champion")
_KINDS: Mapping[str, type[Record]] = {
    "manifest": Manifest, "leaderboard": Leaderboard, "evaluation": Evaluation, "decision": Decision,
    "outcome": Outcome, "checks": DataChecks,
}  # fmt: skip


@dataclass(frozen=True)
class RunRecords:
    """The records of a run as far as it came; ``problems`` says which of them could not be read."""

    manifest: Manifest | None
    leaderboard: Leaderboard | None
    evaluation: Evaluation | None
    decision: Decision | None
    outcome: Outcome | None
    checks: DataChecks | None
    problems: tuple[str, ...]
    has_report: bool

    @property
    def dag_id(self) -> str | None:
        """The DAG that the run was of, as its outcome says it."""
        found = self.outcome.facts.get("dag_id") if self.outcome else None
        return found if isinstance(found, str) else None


def read_records(folder: Folder, entries: Mapping[str, Entry]) -> RunRecords:
    """Read every record that the folder lists."""
    problems: list[str] = []
    found: dict[str, Any] = dict.fromkeys(RECORDS)
    for name in RECORDS:
        if f"{name}.json" not in entries:
            continue
        if (size := entries[f"{name}.json"].size) > LARGEST:
            problems.append(too_large_record(name, size))
            continue
        try:
            found[name] = _KINDS[name].model_validate_json(folder.read(f"{name}.json"))
        except ValidationError as error:
            problems.append(unreadable(name, _KINDS[name], error))
        except storage.ObjectMissing:
            continue  # removed between the listing and now
    return RunRecords(**found, problems=tuple(problems), has_report="report.html" in entries)


def as_json(records: RunRecords) -> dict[str, Any]:
    """The records and what follows from them, for the page. Candidates come without their containers."""
    evaluation, decision = records.evaluation, records.decision
    shown: dict[str, Any] = {name: getattr(records, name) for name in RECORDS}
    if records.leaderboard is not None:
        shown["leaderboard"] = records.leaderboard.model_dump(exclude={"candidates": {"__all__": {"containers"}}})
    return {
        "records": shown,
        "problems": records.problems,
        "metrics": metric_lines(evaluation, decision.policy.metric if decision else None) if evaluation else [],
        "effects": effects(evaluation, decision) if evaluation and decision else None,
        "has_report": records.has_report,
        "has_scores": evaluation is not None,
        "previous_run": records.manifest.previous_run if records.manifest else None,
    }


def profile(records: RunRecords, before: Manifest | None) -> dict[str, Any]:
    """The columns beside the last run's."""
    manifest = records.manifest
    if manifest is None:
        return {
            "run_id": None,
            "against_run_id": None,
            "columns": [],
            "parts": None,
            "reason": "The task split writes the profile of the data; it has not ended yet, or it failed.",
        }
    return {
        "run_id": manifest.run_id,
        "against_run_id": before.run_id if before else None,
        "columns": side_by_side(manifest, before),
        "parts": {"train": manifest.split.train, "validation": manifest.split.validation, "test": manifest.split.test},
        "reason": None,
    }


def manifest_of(shelf: Shelf, run_id: str | None) -> Manifest | None:
    """Another run's manifest; None where there is none, or none that can be read."""
    if run_id is None:
        return None
    try:
        return Manifest.model_validate_json(shelf.run(run_id).read("manifest.json"))
    except (storage.ObjectMissing, ValidationError):
        return None


def plots(folder: Folder, records: RunRecords, scores: Mapping[str, Entry]) -> dict[str, Any]:
    """What the plots of the test rows and the importance plot are drawn from."""
    manifest, evaluation = records.manifest, records.evaluation
    nothing: dict[str, Any] = {
        "problem_type": manifest.problem_type if manifest else None,
        "roles": [],
        "rows": 0,
        "curves": None,
        "classes": None,
        "errors": None,
        "importance": _importance(folder.shelf, records.leaderboard),
    }
    if manifest is None or evaluation is None:
        return {**nothing, "reason": "The task evaluate joins the predictions to the truth; it has not ended yet."}
    if (reason := too_large(scores)) is not None:
        return {**nothing, "reason": f"{reason}; the report has the figures"}

    from automl_retraining.core import plot_data
    from automl_retraining.core.metrics import Task, encode
    from automl_retraining.core.predictions import scores_from_csv

    task = Task(manifest.problem_type, manifest.labels, manifest.positive_class)
    scored = evaluation.champion is not None and evaluation.champion_error is None
    roles = [role for role in SCORES if f"scores/{role}.csv" in scores and (role == "challenger" or scored)]
    models = {role: encode(scores_from_csv(folder.read(f"scores/{role}.csv")), task) for role in roles}
    if not models or not len(models[roles[0]].truth):
        return {**nothing, "reason": "The folder holds no scores: they were removed, or the run is of another version."}
    regression = task.problem_type == "Regression"
    return {
        **nothing,
        "roles": roles,
        "rows": len(models[roles[0]].truth),
        "curves": plot_data.curves(models, task),
        "classes": None if regression else plot_data.classes(models, task),
        "errors": plot_data.errors(models, manifest.target) if regression else None,
        "reason": None,
    }


def too_large(scores: Mapping[str, Entry]) -> str | None:
    """Why the scores are too much for a page; None where they are not."""
    total = sum(entry.size for entry in scores.values())
    if total <= MOST_SCORES:
        return None
    return f"expected at most {MOST_SCORES / 1e6:.0f} MB of scores to read for a page, found {total / 1e6:,.0f} MB"


def _importance(shelf: Shelf, leaderboard: Leaderboard | None) -> list[dict[str, Any]] | None:
    """The best candidate's; None where its search left none. Its report lies where the leaderboard says: that is
    followed only below the pipeline's own prefix."""
    best = next((one for one in leaderboard.candidates if one.name == leaderboard.best), None) if leaderboard else None
    if best is None or best.explainability_uri is None:
        return None
    try:
        document = json.loads(shelf.read(storage.join(best.explainability_uri, "analysis.json")))
        shares = importance.from_clarify(document)
    except (StorageError, EvidenceError, ValueError):
        return None  # not every search writes one; the plot is left out, as in the report
    return [{"feature": feature, "value": value} for feature, value in shares.items()]
