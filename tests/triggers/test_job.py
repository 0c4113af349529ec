"""The trigger: follows a job, fires once, and stops only what was really killed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from automl_retraining.sagemaker.jobs import AUTOML
from automl_retraining.triggers.job import JobTrigger
from tests.sagemaker.test_candidates import raw
from tests.support.sagemaker_tasks import World
from tests.support.tasks import DAG_ID, RUN_ID, FakeTaskInstance


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with one search in progress."""
    made = World(monkeypatch)
    made.sm.meta.endpoint_url = "http://127.0.0.1:4566"  # where jobs take seconds
    made.sm.jobs["automl", "job"] = {
        "AutoMLJobName": "job",
        "AutoMLJobStatus": "InProgress",
        "AutoMLJobSecondaryStatus": "Starting",
        "LastModifiedTime": datetime.now(UTC),
    }
    return made


def trigger(**kwargs: Any) -> JobTrigger:
    """The trigger under test, of a task that deferred long ago."""
    arguments = {"kind": "automl", "job_name": "job", "conn_id": "aws_default", "stop_on_kill": True}
    return JobTrigger(**{**arguments, "deferred_at": "2026-11-20T05:00:00+00:00", **kwargs})


def fired(trigger: JobTrigger, world: World, *moves: dict[str, str]) -> Any:
    """Run the trigger while the job makes its moves; the event's payload."""

    async def body() -> Any:
        async def move() -> None:
            for members in moves:
                await asyncio.sleep(0.05)
                world.sm.set(AUTOML, "job", **members)

        moving = asyncio.create_task(move())
        try:
            async for event in trigger.run():
                return event.payload
        finally:
            await moving

    return asyncio.run(asyncio.wait_for(body(), 20))


def test_it_is_made_again_from_what_it_serialises() -> None:
    """A restarted triggerer goes on where the other stopped."""
    first = trigger(region="eu-west-1", since="2026-11-21T05:00:00+00:00", until=["TrainingModels"])
    path, arguments = first.serialize()
    assert path == "automl_retraining.triggers.job.JobTrigger"
    assert JobTrigger(**arguments).serialize() == first.serialize()


def test_it_fires_when_the_job_is_over(world: World) -> None:
    """With the status, the reason and the transitions."""
    payload = fired(
        trigger(), world, {"AutoMLJobStatus": "Failed", "AutoMLJobSecondaryStatus": "Failed", "FailureReason": "rows"}
    )
    assert (payload["status"], payload["phase"], payload["reason"]) == ("Failed", "failed", "rows")
    assert [word for word, _ in payload["transitions"]][-1] == "Failed"


def test_it_fires_when_the_job_has_come_so_far(world: World) -> None:
    """Any of the named statuses is enough."""
    payload = fired(
        trigger(until=["TrainingModels", "Completed"], stop_on_kill=False),
        world,
        {"AutoMLJobSecondaryStatus": "TrainingModels"},
    )
    assert (payload["secondary"], payload["phase"]) == ("TrainingModels", "waiting")


def test_it_does_not_fire_before_the_worker_is_reported_as_finished(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is over at once: the task resumes a heartbeat and a second after it deferred, not before."""
    monkeypatch.setenv("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "0")
    deferred = datetime.now(UTC)
    fired(trigger(deferred_at=deferred.isoformat()), world, {"AutoMLJobStatus": "Completed"})
    assert (datetime.now(UTC) - deferred).total_seconds() >= 1


def test_it_fires_at_a_bad_end_too(world: World) -> None:
    """Whoever waits for training learns that it will not come."""
    payload = fired(trigger(until=["TrainingModels"]), world, {"AutoMLJobStatus": "Stopped"})
    assert payload["phase"] == "stopped"


def test_it_says_that_a_job_is_gone(world: World) -> None:
    """Deleted before it was ever seen, long after its submission."""
    world.sm.jobs.clear()
    payload = fired(trigger(since="2026-11-20T05:00:00+00:00"), world)
    assert payload["gone"]
    assert "somebody deleted it" in payload["error"]


def test_candidates_are_logged_as_they_arrive(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Each once, with its objective; a failed one with its reason."""
    world.sm.candidates["job"] = [raw("first", 0.7), raw("second", None)]
    fired(trigger(), world, {"AutoMLJobSecondaryStatus": "TrainingModels"}, {"AutoMLJobStatus": "Completed"})
    log = capsys.readouterr().out
    assert log.count("candidate first: AUC 0.7") == 1
    assert log.count("candidate second failed: out of memory") == 1


@pytest.mark.parametrize(
    ("state", "status"),
    [("failed", "Stopping"), ("success", "Stopping"), (None, "Stopping"), ("deferred", "InProgress")],
)
def test_the_job_is_stopped_only_when_the_task_is_no_longer_deferred(
    world: World, monkeypatch: pytest.MonkeyPatch, state: str | None, status: str
) -> None:
    """Marked, cleared: stopped. Handed from a stalled triggerer to another: left running."""
    asked: dict[str, Any] = {}

    def states(**arguments: Any) -> dict[str, Any]:
        asked.update(arguments)
        return {RUN_ID: {"search": state}}

    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", staticmethod(states))
    killed = trigger()
    killed.task_instance = FakeTaskInstance("search", {}, {})  # type: ignore[assignment]
    asyncio.run(killed.on_kill())
    assert world.sm.jobs["automl", "job"]["AutoMLJobStatus"] == status
    assert asked == {"dag_id": DAG_ID, "task_ids": ["search"], "run_ids": [RUN_ID], "map_index": -1}


def test_who_only_looks_stops_nothing(world: World) -> None:
    """A sensor that is killed does not own the job."""
    asyncio.run(trigger(stop_on_kill=False).on_kill())
    assert world.sm.jobs["automl", "job"]["AutoMLJobStatus"] == "InProgress"
