"""The reports on the best candidate, and what is told of them."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.local_aws.automl import statuses
from include.local_aws.images.autopilot import ensembling, reports, table
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.candidates import Candidate, describe
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.spec import parse
from include.local_aws.images.autopilot.trials import Material
from tests.local_aws.images.autopilot import jobs


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, Candidate, Material]:
    """A small search that is over, its reports not yet made."""
    root = jobs.write(tmp_path_factory.mktemp("reports"), jobs.table("Regression"))
    spec = dataclasses.replace(parse(jobs.job()), max_job_seconds=1000)
    context = Context(
        spec, table.load(root, spec), "ENSEMBLING", "RMSE", ("linear-learner",), 1, Output(root), time.monotonic()
    )
    (candidate, *_), material = ensembling.search(context, ensembling.lines(context))
    return context, candidate, material


def told(context: Context, folder: Path) -> tuple[Context, Path]:
    """The same search, telling its events in another folder."""
    (folder / "output").mkdir()
    return dataclasses.replace(context, output=Output(folder)), folder / "output" / "events.jsonl"


def events(path: Path, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [event for event in lines if event["event"] == kind]


def test_a_candidate_without_an_explanation_tells_of_no_report_because_sagemaker_tells_of_both_or_none(
    searched: tuple[Context, Candidate, Material], tmp_path: Path
) -> None:
    """Its time was over. The insights are made all the same, and the job's status says what is missing."""
    context, candidate, material = searched
    late, path = told(dataclasses.replace(context, started=time.monotonic() - 1000), tmp_path)
    locations = reports.write(late, candidate, material)
    assert "CandidateArtifactLocations" not in describe(candidate, "RMSE", locations)["CandidateProperties"]
    (partial,) = [event["partial_failure"] for event in events(path, "candidate")]
    assert partial.startswith(f"The explainability report of {candidate.name} was not made")
    assert [event["secondary_status"] for event in events(path, "status")] == [
        "GeneratingExplainabilityReport",
        "ExplainabilityError",
        "GeneratingModelInsightsReport",
    ]
    assert list(late.output.artifacts.rglob("statistics.json"))


def test_insights_that_fail_are_a_partial_failure(
    searched: tuple[Context, Candidate, Material], tmp_path: Path
) -> None:
    """The explanation stays; the status says which report is missing."""
    context, candidate, material = searched
    context, path = told(context, tmp_path)
    broken = dataclasses.replace(candidate, predicted=candidate.predicted * np.nan)
    locations = reports.write(context, broken, material)
    assert list(locations) == ["Explainability"]
    (partial,) = [event["partial_failure"] for event in events(path, "candidate")]
    assert partial.startswith(f"The model insights report of {candidate.name} was not made: ValueError: ")
    assert events(path, "status")[-1]["secondary_status"] == "ModelInsightsError"
    assert [file.name for file in sorted(context.output.artifacts.rglob("*.*"))] == ["analysis.json", "out.csv"]


def test_the_reports_statuses_are_those_of_a_job() -> None:
    """In this order, in both modes."""
    for mode in ("ENSEMBLING", "HYPERPARAMETER_TUNING"):
        assert statuses.advances(mode, "GeneratingExplainabilityReport", "ExplainabilityError")
        assert statuses.advances(mode, "ExplainabilityError", "GeneratingModelInsightsReport")
        assert statuses.advances(mode, "GeneratingModelInsightsReport", "ModelInsightsError")
