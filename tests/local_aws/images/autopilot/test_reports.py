"""The reports on the best candidate, and what is told of them."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

from include.local_aws.images.autopilot import reports, table, tuning
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.candidates import describe
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.spec import parse
from tests.local_aws.images.autopilot import jobs


def test_a_candidate_without_an_explanation_tells_of_no_report_because_sagemaker_tells_of_both_or_none(
    tmp_path: Path,
) -> None:
    root = jobs.write(tmp_path, jobs.table("Regression"))
    spec = dataclasses.replace(parse(jobs.job()), max_job_seconds=1000)
    context = Context(
        spec, table.load(root, spec), "HYPERPARAMETER_TUNING", "RMSE", ("linear-learner",), 1, Output(root),
        time.monotonic(),
    )  # fmt: skip
    (candidate, *_), material = tuning.search(context, tuning.lines(context))
    late = dataclasses.replace(context, started=time.monotonic() - 1000)
    locations = reports.write(late, candidate, material)
    assert "CandidateArtifactLocations" not in describe(candidate, "RMSE", locations)["CandidateProperties"]
    events = [json.loads(line) for line in (root / "output" / "events.jsonl").read_text().splitlines()]
    (partial,) = [event["partial_failure"] for event in events if "partial_failure" in event]
    assert partial.startswith(f"The explainability report of {candidate.name} was not made")
    assert list(late.output.artifacts.rglob("statistics.json"))
