"""Killed in mid-search: the job stops when the task is killed, and is found again when a process is."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.acceptance.conftest import World

DAG_ID = "autopilot_accept_killed"


def searching(world: World, conf: dict[str, Any]) -> tuple[str, str]:
    """Trigger a run and wait until its job trains; the run's id and the job's name."""
    world.api.wait_for_dag(DAG_ID)
    world.api.unpause(DAG_ID)
    run_id = world.api.trigger(DAG_ID, conf)
    name = world.until(lambda: world.api.xcom(DAG_ID, run_id, "search", "job_name"), "the job is submitted")
    world.until(
        lambda: (
            world.api.tasks(DAG_ID, run_id)["search"]["state"] == "deferred"
            and job(world, name)["AutoMLJobSecondaryStatus"] != "Starting"
        ),
        "the search is under way",
    )
    return run_id, str(name)


def job(world: World, name: str) -> dict[str, Any]:
    """The job's description."""
    return dict(world.stack.aws_client("sagemaker").describe_auto_ml_job_v2(AutoMLJobName=name))


def test_the_sensor_sees_models_being_trained_while_the_search_goes_on(world: World) -> None:
    """Its log has the transitions; marking the whole run failed then stops the job."""
    run_id, name = searching(world, {})
    world.until(lambda: world.api.tasks(DAG_ID, run_id)["search_training"]["state"] == "success", "the sensor succeeds")
    assert job(world, name)["AutoMLJobStatus"] == "InProgress"
    log = world.api.task_log(DAG_ID, run_id, "search_training")
    assert "TrainingModels" in log
    world.api.send("PATCH", f"dags/{DAG_ID}/dagRuns/{run_id}", {"state": "failed"})
    world.until(lambda: job(world, name)["AutoMLJobStatus"] == "Stopped", "the job is stopped", 60)


def test_a_task_marked_failed_in_mid_search_stops_its_job(world: World) -> None:
    """The job is stopped, the run fails, and outcome.json says so."""
    run_id, name = searching(world, {})
    world.api.send("PATCH", f"dags/{DAG_ID}/dagRuns/{run_id}/taskInstances/search", {"new_state": "failed"})
    world.until(lambda: job(world, name)["AutoMLJobStatus"] in ("Stopping", "Stopped"), "the job stops", 60)
    assert world.wait(DAG_ID, run_id) == "failed"
    world.until(lambda: job(world, name)["AutoMLJobStatus"] == "Stopped", "the job is stopped", 60)


def test_a_killed_triggerer_and_scheduler_lose_no_job_and_make_no_second_one(world: World) -> None:
    """kill -9 of both in mid-search, both started again: the run ends well with the one job it submitted."""
    before = world.searches()
    run_id, name = searching(world, {"max_candidates": 8})
    for component in ("triggerer", "scheduler"):
        process = world.stack.process(component)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        world.stack.start_component(component)
    assert world.wait(DAG_ID, run_id, 300) == "success", world.explain(DAG_ID, run_id)
    leaderboard = world.api.xcom(DAG_ID, run_id, "search")
    assert leaderboard["job_name"] == name
    assert world.searches() - before == {name}
