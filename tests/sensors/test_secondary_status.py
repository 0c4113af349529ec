"""The sensor: reached, later, never, failed, stopped, not yet there."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from automl_retraining.core.errors import JobFailed
from automl_retraining.sagemaker.jobs import AUTOML
from automl_retraining.sensors.secondary_status import SecondaryStatusSensor
from automl_retraining.triggers.job import JobTrigger
from tests.support.sagemaker_tasks import World, run
from tests.support.tasks import context


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with one search in progress; nobody sleeps."""
    made = World(monkeypatch)
    made.sm.jobs["automl", "job"] = {
        "AutoMLJobName": "job",
        "AutoMLJobStatus": "InProgress",
        "AutoMLJobSecondaryStatus": "Starting",
    }
    monkeypatch.setattr("automl_retraining.sensors.secondary_status._IN_ONE_GO", 0.0)
    monkeypatch.setattr("automl_retraining.sensors.secondary_status.time.sleep", lambda _: None)
    return made


def sensor(**kwargs: Any) -> SecondaryStatusSensor:
    """The task under test."""
    arguments: dict[str, Any] = {
        "task_id": "search_training", "kind": "automl", "status": "TrainingModels", "job_name": "job",
    }  # fmt: skip
    return SecondaryStatusSensor(**{**arguments, **kwargs})


def deferred(task: SecondaryStatusSensor, ctx: Any, method: str = "execute", **kwargs: Any) -> TaskDeferred:
    """Run the task until it defers."""
    with pytest.raises(TaskDeferred) as caught:
        run(task, ctx, method, **kwargs)
    return caught.value


def event(world: World, **members: Any) -> dict[str, Any]:
    """The job moves, and the trigger tells."""
    world.sm.set(AUTOML, "job", **members)
    job = world.sm.jobs["automl", "job"]
    return {
        "job_name": "job",
        "status": job["AutoMLJobStatus"],
        "secondary": job["AutoMLJobSecondaryStatus"],
        "transitions": [["Starting", "2026-11-21T05:00:00+00:00"]],
    }


def test_it_waits_for_the_status_or_a_later_one(world: World) -> None:
    """Deferred; a sensor does not own the job, so killing it stops nothing."""
    trigger = deferred(sensor(), context("search_training")).trigger
    assert isinstance(trigger, JobTrigger)
    assert {"TrainingModels", "GeneratingExplainabilityReport", "Completed"} <= set(trigger.until)
    assert not trigger.stop_on_kill


def test_it_succeeds_at_a_later_status(world: World) -> None:
    """The status it waited for went by between two looks."""
    reached = event(world, AutoMLJobStatus="Completed", AutoMLJobSecondaryStatus="MaxCandidatesReached")
    result = run(sensor(), context("search_training"), "reached", event=reached)
    assert result["status"] == "MaxCandidatesReached"
    assert result["transitions"][0][0] == "Starting"


def test_a_status_that_never_comes_fails_at_once(world: World) -> None:
    """Before any call; the sentence lists those that do come."""
    with pytest.raises(AirflowFailException, match="would never end"):
        run(sensor(status="ModelTuning", search_mode="ENSEMBLING"), context("search_training"))
    assert not world.sm.calls


def test_of_several_statuses_those_that_the_mode_has_count(world: World) -> None:
    """One DAG for both modes."""
    task = sensor(status="TrainingModels, ModelTuning", search_mode="HYPERPARAMETER_TUNING")
    assert "ModelTuning" in task.enough()
    assert "TrainingModels" not in task.enough()


def test_a_failed_job_fails_it_with_the_jobs_own_reason(world: World) -> None:
    """Worth a retry, since the search may submit another."""
    failed = event(world, AutoMLJobStatus="Failed", AutoMLJobSecondaryStatus="Failed", FailureReason="too few rows")
    with pytest.raises(JobFailed, match="reason: too few rows"):
        run(sensor(), context("search_training"), "reached", event=failed)


def test_a_stopped_job_fails_it_for_good(world: World) -> None:
    """Stopped is not later than training."""
    stopped = event(world, AutoMLJobStatus="Stopped", AutoMLJobSecondaryStatus="Stopped")
    with pytest.raises(AirflowFailException, match="ended as Stopped"):
        run(sensor(), context("search_training"), "reached", event=stopped)


def test_a_job_that_cannot_be_followed_fails_it(world: World) -> None:
    """With the trigger's sentence."""
    with pytest.raises(AirflowFailException, match="not authorized"):
        run(sensor(), context("search_training"), "reached", event={"job_name": "job", "error": "not authorized"})


def test_it_looks_again_while_nothing_is_submitted(world: World) -> None:
    """Deferred for a moment; as soon as the name is there it waits for the job."""
    ctx = context("search_training", search="running")
    task = sensor(job_name=None, submitted_by="search")
    again = deferred(task, ctx)
    assert again.method_name == "look_again"
    ctx["ti"].xcoms["search", "job_name"] = "job"
    waiting = deferred(task, ctx, "look_again", **(again.kwargs or {}), event=None)
    assert isinstance(waiting.trigger, JobTrigger)
    assert waiting.trigger.job_name == "job"


@pytest.mark.parametrize("state", ["failed", "upstream_failed", "skipped"])
def test_it_does_not_wait_for_a_job_that_will_never_come(world: World, state: str) -> None:
    """The submitting task has ended without one."""
    with pytest.raises(AirflowFailException, match=f"task search is {state}"):
        run(sensor(job_name="", submitted_by="search"), context("search_training", search=state))


def test_it_waits_for_the_next_job_of_a_task_that_tries_again(world: World) -> None:
    """The first job failed, the search is up for retry: the second job is waited for, not the first one's failure."""
    ctx = context("search_training", search="up_for_retry")
    ctx["ti"].xcoms["search", "job_name"] = "job"
    task = sensor(job_name=None, submitted_by="search")
    waiting = deferred(task, ctx)
    failed = event(world, AutoMLJobStatus="Failed", AutoMLJobSecondaryStatus="Failed", FailureReason="spot")
    again = deferred(task, ctx, "reached", event=failed, **(waiting.kwargs or {}))
    assert again.method_name == "look_again"
    still = deferred(sensor(job_name=None, submitted_by="search"), ctx, "look_again", **(again.kwargs or {}))
    assert still.method_name == "look_again"
    ctx["ti"].xcoms["search", "job_name"] = "next"
    found = deferred(sensor(job_name=None, submitted_by="search"), ctx, "look_again", **(still.kwargs or {}))
    assert isinstance(found.trigger, JobTrigger)
    assert found.trigger.job_name == "next"


def test_it_fails_with_the_last_jobs_reason_when_the_task_gives_up(world: World) -> None:
    """No further job will come."""
    ctx = context("search_training", search="failed")
    ctx["ti"].xcoms["search", "job_name"] = "job"
    task = sensor(job_name=None, submitted_by="search")
    failed = event(world, AutoMLJobStatus="Failed", AutoMLJobSecondaryStatus="Failed", FailureReason="spot")
    assert (
        deferred(task, ctx, "look_again", started="2026-11-21T05:00:00+00:00", given_up="job").method_name == "reached"
    )
    with pytest.raises(JobFailed, match="reason: spot"):
        run(task, ctx, "reached", event=failed)


def test_a_task_that_submits_nothing_is_named(world: World) -> None:
    """It succeeded, but pushed no name."""
    with pytest.raises(AirflowFailException, match="is it the right task"):
        run(sensor(job_name="None", submitted_by="split"), context("search_training", split="success"))


def test_without_any_job_it_says_what_it_needs(world: World) -> None:
    """Neither a name nor a task."""
    with pytest.raises(AirflowFailException, match="expected a job's name, or submitted_by"):
        run(sensor(job_name=""), context("search_training"))


def test_it_has_a_sensors_timeout(world: World) -> None:
    """Counted from the first look, over all looks."""
    assert deferred(sensor(timeout=100), context("search_training")).timeout.total_seconds() <= 100
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(timeout=100), context("search_training"), "__fail__", error="Trigger timeout")


def test_it_can_poke_in_a_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As other sensors do; each transition is logged."""
    task = sensor(deferrable=False, poke_interval=0)
    steps = iter(["AnalyzingData", "TrainingModels"])
    monkeypatch.setattr(
        "airflow.sdk.bases.sensor.time.sleep",
        lambda _: world.sm.set(AUTOML, "job", AutoMLJobSecondaryStatus=next(steps)),
    )
    result = run(task, context("search_training"))
    assert result["status"] == "TrainingModels"
    assert [word for word, _ in result["transitions"]] == ["Starting", "AnalyzingData", "TrainingModels"]


def test_links_lead_to_the_job(world: World) -> None:
    """As the operator's do."""
    task = sensor()
    deferred(task, context("search_training"))
    assert "job" in task.console_url
