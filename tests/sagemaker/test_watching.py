"""Looking at a job, saying what changed, stopping it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from automl_retraining.core.errors import JobFailed, JobStopped
from automl_retraining.sagemaker import failures, watching
from automl_retraining.sagemaker.jobs import AUTOML, ENDPOINT, TRAINING, TRANSFORM, Job, read
from tests.support.fake_sagemaker import FakeSageMaker, error

START = datetime(2026, 11, 21, 5, tzinfo=UTC)


def at(seconds: int) -> datetime:
    """A moment after the start."""
    return START + timedelta(seconds=seconds)


def automl(status: str, secondary: str, **members: Any) -> Job:
    """An Autopilot job in that state."""
    return read(
        AUTOML,
        {"AutoMLJobName": "j", "AutoMLJobStatus": status, "AutoMLJobSecondaryStatus": secondary, **members},
    )


def test_each_change_is_said_once_with_its_duration() -> None:
    """Looking again without a change says nothing."""
    history = watching.History(AUTOML)
    assert history.observe(automl("InProgress", "Starting"), at(0)) == ["Autopilot job j: Starting"]
    assert history.observe(automl("InProgress", "Starting"), at(1)) == []
    assert history.observe(automl("InProgress", "AnalyzingData"), at(65)) == [
        "Autopilot job j: AnalyzingData, after 1 min 5 s of Starting, give or take a tick"
    ]
    assert history.observe(automl("Completed", "Completed"), at(7265))[0].startswith(
        "Autopilot job j: Completed, after 2 h 0 min of AnalyzingData"
    )
    assert history.summary() == "Starting 1 min 5 s, AnalyzingData 2 h 0 min"


def test_a_training_job_tells_its_own_times() -> None:
    """Transitions that passed between two looks are not lost, and their durations are exact."""
    history = watching.History(TRAINING)
    steps: list[dict[str, Any]] = [{"Status": "Starting", "StartTime": at(0)}]
    history.observe(read(TRAINING, {"TrainingJobName": "t", "SecondaryStatusTransitions": steps}), at(5))
    steps += [{"Status": "Downloading", "StartTime": at(20)}, {"Status": "Training", "StartTime": at(25)}]
    lines = history.observe(read(TRAINING, {"TrainingJobName": "t", "SecondaryStatusTransitions": steps}), at(60))
    assert lines == [
        "training job t: Downloading, after 20 s of Starting",
        "training job t: Training, after 5 s of Downloading",
    ]


def test_a_job_that_is_not_there_is_none() -> None:
    """Each kind's own way of saying so is understood, and other refusals are not taken for it."""
    sm = FakeSageMaker()
    assert watching.look(sm, AUTOML, "none") is None
    assert watching.look(sm, ENDPOINT, "none") is None
    sm.failing.append(("describe_endpoint", error("ValidationException", "1 validation error detected")))
    with pytest.raises(ClientError):
        watching.look(sm, ENDPOINT, "none")


def test_stopping_is_asked_for_once_and_never_an_error() -> None:
    """Running, ending already, not there, cannot be stopped: each has its sentence."""
    sm = FakeSageMaker()
    sm.create_transform_job(
        TransformJobName="t",
        ModelName="m",
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/i"}}},
        TransformOutput={"S3OutputPath": "s3://b/o"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    assert watching.stop(sm, TRANSFORM, "t") == "asked SageMaker to stop batch transform job t"
    assert "was ending already" in watching.stop(sm, TRANSFORM, "t")
    assert "nothing to stop" in watching.stop(sm, TRANSFORM, "none")
    assert "cannot stop one" in watching.stop(sm, ENDPOINT, "e")
    sm.failing.append(("stop_transform_job", error("AccessDeniedException")))
    with pytest.raises(ClientError):
        watching.stop(sm, TRANSFORM, "t")


def test_a_failure_carries_everything_that_is_known() -> None:
    """Reason, partial failures, link and log tail, in that order."""
    job = automl(
        "Failed", "Failed", FailureReason="too few rows.", PartialFailureReasons=[{"PartialFailureMessage": "x"}]
    )
    failed = watching.ending_error(AUTOML, job, "line 1\nline 2", "https://log")
    assert isinstance(failed, JobFailed)
    assert str(failed) == (
        "Autopilot job j ended as Failed/Failed. reason: too few rows. partial failures: x. log: https://log\n"
        "last lines of its log:\nline 1\nline 2"
    )


def test_a_clients_error_is_not_worth_a_retry() -> None:
    """SageMaker says that the input is wrong; an algorithm's or SageMaker's own failure may pass."""
    at_fault = watching.ending_error(AUTOML, automl("Failed", "Failed", FailureReason="ClientError: too few rows"))
    assert isinstance(at_fault, JobFailed)
    assert not at_fault.retryable
    assert watching.ending_error(AUTOML, automl("Failed", "Failed", FailureReason="AlgorithmError: x")).retryable


def test_stopped_is_an_error_of_its_own() -> None:
    """Never success, and not worth a retry."""
    stopped = watching.ending_error(AUTOML, automl("Stopped", "Stopped"))
    assert isinstance(stopped, JobStopped)
    assert not stopped.retryable


class Losing(FakeSageMaker):
    """Answers that lost all their members, so often."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def describe_transform_job(self, **_: Any) -> dict[str, Any]:
        """An empty answer, then a whole one."""
        self.times -= 1
        if self.times >= 0:
            return {}
        return {"TransformJobName": "t", "TransformJobStatus": "Completed"}


def test_an_answer_without_a_status_is_no_news() -> None:
    """A connection that drops can leave botocore with an empty answer: asked again, then a lost connection."""
    job = watching.look(Losing(2), TRANSFORM, "t")
    assert job is not None
    assert job.over
    with pytest.raises(ConnectionClosedError) as lost:
        watching.look(Losing(3), TRANSFORM, "t")
    assert failures.retryable(lost.value)
