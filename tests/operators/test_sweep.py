"""Jobs that no DAG run owns: found, listed by default, stopped when asked, and never a job whose run is active."""

from __future__ import annotations

from typing import Any

import pytest

from automl_retraining.operators.sweep import SweepOperator
from automl_retraining.sagemaker import requests, tags
from automl_retraining.sagemaker.jobs import TRANSFORM
from tests.support.fake_sagemaker import FakeSageMaker
from tests.support.tasks import context
from tests.support.tidying import scope

DAG_ID = "autopilot_churn"


@pytest.fixture
def sm() -> FakeSageMaker:
    """One job in progress of each of three runs, and two that are not this Airflow's to judge."""
    fake = FakeSageMaker()
    begin(fake, "art-transform-active", run_id="active")
    begin(fake, "art-transform-over", run_id="over")
    begin(fake, "art-transform-gone", run_id="gone", dag_id="autopilot_gone")
    begin(fake, "art-transform-elsewhere", run_id="over", deployment="other")
    begin(fake, "art-transform-untold", run_id="over", dag_id=None)
    return fake


def begin(
    sm: FakeSageMaker, name: str, *, run_id: str, dag_id: str | None = DAG_ID, deployment: str = "default"
) -> None:
    """A batch transform job in progress with a run's tags."""
    options = requests.TransformOptions(
        model_name="m", input_uri="s3://b/i", output_uri="s3://b/o", classification=True
    )
    own = tags.own_tags(pipeline="churn", run_id=run_id, run_folder="s3://b/r", deployment=deployment, dag_id=dag_id)
    sm.create_transform_job(**requests.create_transform_job(name, options, own))


def swept(sm: FakeSageMaker, runs: dict[tuple[str, str], str], **params: Any) -> Any:
    """Execute the task in an Airflow that has these runs: state by DAG and run."""
    operator = SweepOperator(task_id="sweep", pipelines=[scope().pipeline])
    operator.__dict__["sm"] = sm
    ctx = context("sweep")
    ctx["params"] = {"dry_run": False, "grace": 0, **params}

    def get_dr_count(dag_id: str, run_ids: list[str] | None = None, states: list[str] | None = None) -> int:
        return sum(
            dag == dag_id and (run_ids is None or run in run_ids) and (states is None or state in states)
            for (dag, run), state in runs.items()
        )

    ctx["ti"].get_dr_count = get_dr_count
    return operator.execute(ctx)


RUNS = {(DAG_ID, "active"): "running", (DAG_ID, "over"): "failed"}


def in_progress(sm: FakeSageMaker) -> set[str]:
    """Names of the jobs that run."""
    return {name for (_, name), job in sm.jobs.items() if job["TransformJobStatus"] == "InProgress"}


def test_a_dry_run_names_what_no_run_owns_and_stops_nothing(sm: FakeSageMaker) -> None:
    """A run that is over owns nothing, nor does one that is gone."""
    found = swept(sm, RUNS, dry_run=True)
    assert sorted(found["unowned"]) == ["art-transform-gone", "art-transform-over"]
    assert found["stopped"] == []
    assert len(in_progress(sm)) == 5


def test_only_the_jobs_of_runs_that_are_over_or_gone_are_stopped(sm: FakeSageMaker) -> None:
    """An active run's, another Airflow's and one without a DAG's id live on; the last is told of."""
    found = swept(sm, RUNS)
    assert in_progress(sm) == {"art-transform-active", "art-transform-elsewhere", "art-transform-untold"}
    assert len(found["stopped"]) == 2
    assert "expected the tag art:dag-id, found none" in found["left"]["art-transform-untold"]


def test_a_job_younger_than_the_grace_is_left_alone(sm: FakeSageMaker) -> None:
    """Its run may only be about to be recorded."""
    assert swept(sm, RUNS, grace=600)["unowned"] == []
    assert len(in_progress(sm)) == 5


def test_a_run_whose_id_a_tag_cannot_hold_keeps_its_job(sm: FakeSageMaker) -> None:
    """``~`` becomes ``_`` in the tag: a run of that DAG is active, and no run is called what the tag says."""
    begin(sm, "art-transform-tilde", run_id="a~b")
    found = swept(sm, {**RUNS, (DAG_ID, "a~b"): "running"})
    assert "art-transform-tilde" in in_progress(sm)
    assert "one that is active may be meant" in found["left"]["art-transform-tilde"]
    # No run of the DAG is active any more: then nobody owns it.
    assert "art-transform-tilde" in swept(sm, {(DAG_ID, "a~b"): "failed"})["unowned"]


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_cleared_run_that_waits_for_its_turn_owns_its_jobs(sm: FakeSageMaker, state: str) -> None:
    """It adopts them when it is scheduled."""
    swept(sm, {**RUNS, (DAG_ID, "over"): state})
    assert "art-transform-over" in in_progress(sm)


def test_transform_is_swept_by_its_row_of_the_job_table(sm: FakeSageMaker) -> None:
    """What was stopped says so."""
    swept(sm, RUNS)
    assert sm.jobs[TRANSFORM.key, "art-transform-over"]["TransformJobStatus"] == "Stopping"
