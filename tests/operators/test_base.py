"""What every job operator does: submit once, wait deferred, stop when killed, say why it failed; on a transform."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferralError, TaskDeferred
from botocore.exceptions import ClientError

from automl_retraining.core.errors import JobFailed
from automl_retraining.operators import capacity
from automl_retraining.operators.base import STATE_KEY, SageMakerJobOperator
from automl_retraining.operators.transform import TransformOperator
from automl_retraining.operators.tuning import TuningOperator
from automl_retraining.sagemaker.jobs import TRANSFORM
from automl_retraining.triggers.job import JobTrigger
from tests.support.fake_sagemaker import error
from tests.support.sagemaker_tasks import World, cleared, pipeline, run, split
from tests.support.tasks import context


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with nothing in it."""
    return World(monkeypatch)


def score(**kwargs: Any) -> TransformOperator:
    """The task under test."""
    arguments: dict[str, Any] = {
        "task_id": "score_challenger",
        "pipeline": pipeline(),
        "model_name": "art-model-x",
        "input_uri": "s3://bucket/in/test.csv",
        "output_uri": "s3://bucket/out",
        "problem_type": "BinaryClassification",
    }
    return TransformOperator(**{**arguments, **kwargs})


def submitted(operator: SageMakerJobOperator, ctx: Any) -> JobTrigger:
    """Run the task until it defers; its trigger."""
    with pytest.raises(TaskDeferred) as deferred:
        run(operator, ctx)
    assert deferred.value.method_name == "resume"
    trigger = deferred.value.trigger
    assert isinstance(trigger, JobTrigger)
    return trigger


def end(world: World, name: str, status: str, **members: Any) -> None:
    """The job ends."""
    world.sm.set(TRANSFORM, name, TransformJobStatus=status, **members)


def test_a_job_is_submitted_waited_for_and_read(world: World) -> None:
    """The name is stored and pushed before deferring; on success the result is returned and the state deleted."""
    ctx = context("score_challenger")
    trigger = submitted(score(), ctx)
    name = trigger.job_name
    assert ctx["ti"].xcoms["score_challenger", "job_name"] == name
    assert ctx["task_state_store"][STATE_KEY]["name"] == name
    assert trigger.stop_on_kill
    end(world, name, "Completed")
    event = {"job_name": name, "transitions": [["InProgress", datetime.now(UTC).isoformat()]]}
    result = run(score(), ctx, "resume", event=event)
    assert result == {"job_name": name, "output_uri": "s3://bucket/out", "model_name": "art-model-x"}
    assert STATE_KEY not in ctx["task_state_store"]


def test_every_job_carries_its_run_and_its_digest(world: World) -> None:
    """The tags tell whose it is."""
    name = submitted(score(), context("score_challenger")).job_name
    found = {tag["Key"]: tag["Value"] for tag in world.sm.tags[world.sm.jobs["transform", name]["TransformJobArn"]]}
    assert found["art:pipeline"] == "churn"
    assert found["art:run-folder"] == "s3://bucket/churn/runs/manual__2026-01-01"
    assert len(found["art:digest"]) == 32


def test_a_retry_finds_the_job_of_the_try_before(world: World) -> None:
    """One job, whether it still runs or has ended in the meantime: then there is nothing left to wait for."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    assert submitted(score(), ctx).job_name == name
    end(world, name, "Completed")
    assert run(score(), ctx)["job_name"] == name
    assert world.sm.count("create_transform_job") == 1


def test_clearing_a_finished_task_makes_a_new_job(world: World) -> None:
    """The state was deleted on success, and the clear number is in the name."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Completed")
    run(score(), ctx, "resume", event={"job_name": name})
    cleared(ctx)
    assert submitted(score(), ctx).job_name != name


def test_clearing_a_task_in_mid_job_stops_it(world: World) -> None:
    """The old job stops, the new one runs."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    cleared(ctx)
    assert submitted(score(), ctx).job_name != name
    assert world.sm.jobs["transform", name]["TransformJobStatus"] == "Stopping"


def test_something_else_cleared_in_the_run_does_not_touch_the_job(world: World) -> None:
    """The run's clear number rises for any task; only this task's own clearing raises its tries."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    tries = ctx["ti"].max_tries
    cleared(ctx)
    ctx["ti"].max_tries = tries
    assert submitted(score(), ctx).job_name == name


def test_a_failed_job_fails_the_task_with_everything_known(world: World) -> None:
    """Reason, link and log tail; a retry submits under the next name."""
    world.logs.lines = ["loading", "ValueError: could not convert string to float"]
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Failed", FailureReason="AlgorithmError")
    with pytest.raises(JobFailed, match=r"Failed\. reason: AlgorithmError\. log: https://console") as failed:
        run(score(), ctx, "resume", event={"job_name": name})
    assert "could not convert string to float" in str(failed.value)
    assert submitted(score(), ctx).job_name != name
    assert ctx["task_state_store"][STATE_KEY]["failures"] == 1


def test_a_stopped_job_fails_the_task_for_good(world: World) -> None:
    """Somebody stopped it: Airflow must not start it again by itself."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Stopped")
    with pytest.raises(AirflowFailException, match="ended as Stopped"):
        run(score(), ctx, "resume", event={"job_name": name})


def test_a_deleted_job_fails_the_task_for_good(world: World) -> None:
    """The sentence says that it was deleted and what to do."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    with pytest.raises(AirflowFailException, match="deleted"):
        run(score(), ctx, "resume", event={"job_name": name, "error": "it was deleted", "gone": True})
    del world.sm.jobs["transform", name]
    with pytest.raises(AirflowFailException, match="somebody deleted it"):
        run(score(), ctx, "resume", event={"job_name": name})


def test_a_wait_that_is_too_long_stops_the_job(world: World) -> None:
    """The deferral's timeout is handled where the task resumes: no bill runs on."""
    ctx = context("score_challenger")
    name = submitted(score(max_wait=60), ctx).job_name
    with pytest.raises(AirflowFailException, match=r"within 60 s.*asked SageMaker to stop"):
        run(score(max_wait=60), ctx, "__fail__", error="Trigger timeout")
    assert world.sm.jobs["transform", name]["TransformJobStatus"] == "Stopping"


def test_the_time_limit_counts_from_the_jobs_creation(world: World) -> None:
    """A retry does not start the clock again."""
    ctx = context("score_challenger")
    name = submitted(score(max_wait=600), ctx).job_name
    world.sm.set(TRANSFORM, name, CreationTime=datetime.now(UTC) - timedelta(seconds=500))
    with pytest.raises(TaskDeferred) as deferred:
        run(score(max_wait=600), ctx)
    assert timedelta(seconds=90) < deferred.value.timeout <= timedelta(seconds=100)


def test_a_broken_trigger_does_not_end_the_wait(world: World) -> None:
    """The job is fine: the task waits again; after three times it gives up and stops the job."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    for _ in range(3):
        with pytest.raises(TaskDeferred):
            run(score(), ctx, "__fail__", error="Trigger failure")
    with pytest.raises(TaskDeferralError):
        run(score(), ctx, "__fail__", error="Trigger failure")
    assert world.sm.jobs["transform", name]["TransformJobStatus"] == "Stopping"


def test_a_trigger_that_broke_while_the_job_ended_loses_nothing(world: World) -> None:
    """The result is read all the same."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Completed")
    assert run(score(), ctx, "__fail__", error="Trigger failure")["job_name"] == name


def test_a_job_that_cannot_be_followed_is_looked_at_by_the_task(world: World) -> None:
    """The trigger's error is not the job's."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Completed")
    assert run(score(), ctx, "resume", event={"job_name": name, "error": "denied"})["job_name"] == name


def test_killing_the_task_stops_its_job(world: World) -> None:
    """The task is killed while it holds a worker."""
    operator = score()
    name = submitted(operator, context("score_challenger")).job_name
    operator.on_kill()
    assert world.sm.jobs["transform", name]["TransformJobStatus"] == "Stopping"


def test_a_task_killed_while_it_submits_leaves_no_job_running(world: World) -> None:
    """The kill came before the answer: the job is stopped as soon as it is known."""
    operator = score()
    operator.on_kill()
    name = submitted(operator, context("score_challenger")).job_name
    assert world.sm.jobs["transform", name]["TransformJobStatus"] == "Stopping"


def test_without_deferring_the_worker_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same looks, in the worker; the job ends at the third."""
    ctx = context("score_challenger")

    def sleep(seconds: float) -> None:
        assert 1 <= seconds <= 30
        if world.sm.count("describe_transform_job") >= 2:
            end(world, ctx["task_state_store"][STATE_KEY]["name"], "Completed")

    monkeypatch.setattr("automl_retraining.operators.base.time.sleep", sleep)
    assert run(score(deferrable=False), ctx)["output_uri"] == "s3://bucket/out"
    assert world.sm.count("describe_transform_job") == 4


def test_without_waiting_the_name_is_returned(world: World) -> None:
    """Submit and go."""
    result = run(score(wait_for_completion=False), context("score_challenger"))
    assert world.sm.jobs["transform", result["job_name"]]["TransformJobStatus"] == "InProgress"


@pytest.mark.parametrize(
    ("code", "status", "for_good"),
    [
        ("ValidationException", 400, True),
        ("AccessDeniedException", 400, True),
        ("ResourceLimitExceeded", 400, False),
        ("ThrottlingException", 400, False),
        ("InternalFailure", 500, False),
    ],
)
def test_only_what_may_pass_is_retried(world: World, code: str, status: int, for_good: bool) -> None:
    """Requests and rights that are wrong use up no retries."""
    world.sm.failing.append(("create_transform_job", error(code, status=status)))
    with pytest.raises(AirflowException, match=f"AWS answered {code}") as raised:
        run(score(), context("score_challenger"))
    assert isinstance(raised.value, AirflowFailException) is for_good


def test_a_log_that_cannot_be_read_changes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The job's outcome does not hang on its log; the warning says why there is none."""
    world.logs.failure = error("AccessDeniedException", "not yours")
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Completed")
    assert run(score(), ctx, "resume", event={"job_name": name})["job_name"] == name
    assert "not yours" in capsys.readouterr().out


def test_links_lead_to_the_job(world: World) -> None:
    """The console page and the log; nothing for an AWS without a console."""
    operator = score()
    submitted(operator, context("score_challenger"))
    links = {link.name: link.get_link(operator, ti_key=None) for link in operator.operator_extra_links}
    assert "#/transform-jobs/art-transform-" in links["SageMaker console"]
    assert "TransformJobs" in links["CloudWatch log"]
    world.sm.meta.endpoint_url = "http://127.0.0.1:4566"
    local = score()
    submitted(local, context("score_challenger"))
    assert {link.get_link(local, ti_key=None) for link in local.operator_extra_links} == {""}


def test_a_missing_setting_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No bucket anywhere: the sentence says which key and which variable."""
    monkeypatch.delenv("AUTOML_RETRAINING_BUCKET")
    with pytest.raises(AirflowFailException, match=r"aws\.bucket.*AUTOML_RETRAINING_BUCKET"):
        run(score(), context("score_challenger"))


def full(limit: int = 4) -> Any:
    """AWS's refusal where that quota is used up."""
    return error(
        "ResourceLimitExceeded",
        f"The account-level service limit 'ml.m5.large for transform job usage' is {limit} Instances, with current "
        f"utilization of {limit} Instances and a request delta of 1 Instances.",
    )


def refused(world: World, ctx: Any, method: str = "execute", **kwargs: Any) -> TaskDeferred:
    """Run the task into a quota that is used up; how it defers."""
    world.sm.failing.append(("create_transform_job", full()))
    with pytest.raises(TaskDeferred) as deferred:
        run(score(**kwargs), ctx, method)
    assert deferred.value.method_name == "submit_again"
    return deferred.value


def test_a_full_quota_is_waited_for_without_a_worker(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Deferred, longer each time, and submitted under the same name as soon as there is room."""
    ctx = context("score_challenger")
    pauses = [refused(world, ctx).trigger.moment]
    names = {ctx["task_state_store"][STATE_KEY]["name"]}
    pauses += [refused(world, ctx, "submit_again").trigger.moment for _ in range(2)]
    assert pauses[0] < pauses[1] < pauses[2]
    assert "waiting for room, at most 7200 s in all: trying again in" in capsys.readouterr().out
    with pytest.raises(TaskDeferred) as deferred:
        run(score(), ctx, "submit_again")
    assert deferred.value.method_name == "resume"
    assert {job for _, job in world.sm.jobs} == names
    assert capacity.STATE_KEY not in ctx["task_state_store"]


def test_capacity_is_waited_for_no_longer_than_the_pipeline_says(world: World) -> None:
    """Counted from the first refusal; clearing the task then starts the clock anew."""
    ctx = context("score_challenger")
    refused(world, ctx)
    stored = ctx["task_state_store"][capacity.STATE_KEY]
    stored["since"] = (datetime.now(UTC) - timedelta(seconds=7201)).isoformat()
    world.sm.failing.append(("create_transform_job", full()))
    with pytest.raises(AirflowFailException, match=r"within 7200 s, found none: .*aws\.capacity_wait"):
        run(score(), ctx, "submit_again")
    assert not world.sm.jobs
    cleared(ctx)
    refused(world, ctx)
    assert ctx["task_state_store"][capacity.STATE_KEY]["refusals"] == 1


@pytest.mark.parametrize(("limit", "wait"), [(0, 7200), (4, 0)])
def test_a_quota_of_zero_is_not_waited_for(world: World, limit: int, wait: int) -> None:
    """It fails for good; one that is full with ``capacity_wait: 0`` fails at once too, and Airflow tries again."""
    world.sm.failing.append(("create_transform_job", full(limit)))
    with pytest.raises(AirflowException, match="AWS answered ResourceLimitExceeded") as raised:
        run(score(pipeline=pipeline(aws={"capacity_wait": wait})), context("score_challenger"))
    assert isinstance(raised.value, AirflowFailException) is (limit == 0)


def test_a_timer_that_broke_loses_no_wait(world: World) -> None:
    """There is no job yet: the task tries again instead of looking for it."""
    ctx = context("score_challenger")
    refused(world, ctx)
    with pytest.raises(TaskDeferred) as deferred:
        run(score(), ctx, "__fail__", error="Trigger failure")
    assert deferred.value.method_name == "resume"
    assert len(world.sm.jobs) == 1


def test_without_deferring_the_worker_waits_for_capacity(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two refusals, then the job; the pauses grow."""
    naps: list[float] = []
    world.sm.failing += [("create_transform_job", full())] * 2
    monkeypatch.setattr("automl_retraining.operators.base.time.sleep", naps.append)
    run(score(deferrable=False, wait_for_completion=False), context("score_challenger"))
    assert len(naps) == 2
    assert naps[0] < naps[1]


def test_credentials_that_expire_while_waiting_cost_one_try_and_no_job(world: World) -> None:
    """The trigger waits on with them (see the poller); the task that wakes with them retries and reads its job."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    end(world, name, "Completed")
    world.sm.failing.append(("describe_transform_job", error("ExpiredTokenException", "expired")))
    with pytest.raises(AirflowException, match="renew the connection's credentials") as raised:
        run(score(), ctx, "resume", event={"job_name": name})
    assert not isinstance(raised.value, AirflowFailException)
    assert run(score(), ctx)["job_name"] == name
    assert world.sm.count("create_transform_job") == 1


def test_a_task_woken_too_early_waits_again(world: World) -> None:
    """An answer from before the end is no failure of the job."""
    ctx = context("score_challenger")
    name = submitted(score(), ctx).job_name
    with pytest.raises(TaskDeferred):
        run(score(), ctx, "resume", event={"job_name": name})
    end(world, name, "Completed")
    assert run(score(), ctx, "resume", event={"job_name": name})["job_name"] == name


@pytest.mark.parametrize(
    ("used", "best", "succeeds"), [(3600, True, True), (3600, False, False), (1200, True, False), (None, True, False)]
)
def test_a_stopped_tuning_job_is_success_only_at_its_own_limit(used: int | None, best: bool, succeeds: bool) -> None:
    """With a best training job, and its time used up; one that somebody stopped is a failure."""
    operator = TuningOperator(task_id="search", pipeline=pipeline(), split=split(), preprocessed={})
    description: dict[str, Any] = {
        "HyperParameterTuningJobStatus": "Stopped",
        "HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxRuntimeInSeconds": 3600}},
        "ConsumedResources": {} if used is None else {"RuntimeInSeconds": used},
        "BestTrainingJob": {"TrainingJobName": "t"} if best else {},
    }
    assert operator.succeeded(description) is succeeds
    assert operator.succeeded({**description, "HyperParameterTuningJobStatus": "Completed"})
    assert not operator.succeeded({})


def test_a_job_that_cannot_be_stopped_is_said_to_run_on(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever killed the task must know that the bill does not end."""
    operator = score()
    name = submitted(operator, context("score_challenger")).job_name
    world.sm.failing.append(("stop_transform_job", error("AccessDeniedException", "not authorized")))
    with pytest.raises(ClientError):
        operator.on_kill()
    said = capsys.readouterr().out
    assert f"the task was killed: batch transform job {name} runs on and costs money" in said
    assert "not authorized" in said


def test_a_job_that_is_ending_already_is_no_error_of_a_kill(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It ended between the last look and the kill."""
    operator = score()
    name = submitted(operator, context("score_challenger")).job_name
    end(world, name, "Completed")
    operator.on_kill()
    assert "was ending already" in capsys.readouterr().out
    assert world.sm.jobs["transform", name]["TransformJobStatus"] == "Completed"
