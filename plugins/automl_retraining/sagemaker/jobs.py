"""The job table: one row per kind of SageMaker job, and the pure functions that read a description by its row.

The kinds differ in names, not in behaviour. Everything that submits, waits, stops or reports is written once,
against this table. A test holds every row against botocore's service model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from automl_retraining.core import names
from automl_retraining.core.errors import RequestError

Description = Mapping[str, Any]
"""What Describe… or one summary of List… answers."""

Phase = Literal["waiting", "stopping", "succeeded", "failed", "stopped"]


@dataclass(frozen=True)
class JobKind:
    """How one kind of job is called and read. Operations are boto3's method names, members are the API's."""

    key: str
    title: str
    create: str
    describe: str
    list_operation: str
    stop: str | None
    name_member: str
    arn_member: str
    status_member: str
    list_result: str
    # Jobs share these words; rows that differ say so.
    waiting: frozenset[str] = frozenset({"InProgress"})
    stopping: frozenset[str] = frozenset({"Stopping"})
    succeeded: frozenset[str] = frozenset({"Completed"})
    failed: frozenset[str] = frozenset({"Failed"})
    stopped: frozenset[str] = frozenset({"Stopped"})
    reason_member: str = "FailureReason"
    exit_message_member: str | None = None
    secondary_member: str | None = None
    listed_secondary_member: str | None = None
    transitions_member: str | None = None
    ended_member: str | None = None
    not_found: tuple[str, ...] = ("ResourceNotFound",)
    taken: tuple[str, ...] = ("ResourceInUse",)
    log_groups: tuple[str, ...] = ()
    console_path: str = ""

    @property
    def prefix(self) -> str:
        """What every name of ours of this kind begins with."""
        return names.name_prefix(self.key)

    @property
    def name_limit(self) -> int:
        """The most characters in a name."""
        return names.name_limit(self.key)

    @property
    def statuses(self) -> frozenset[str]:
        """Every status that the service model knows for this kind."""
        return self.waiting | self.stopping | self.succeeded | self.failed | self.stopped

    def phase(self, status: str) -> Phase:
        """What a status means for whoever waits. ``Stopped`` is never success; an unknown status is still waiting."""
        if status in self.succeeded:
            return "succeeded"
        if status in self.failed:
            return "failed"
        if status in self.stopped:
            return "stopped"
        return "stopping" if status in self.stopping else "waiting"


@dataclass(frozen=True)
class Job:
    """What a description says, whatever the kind."""

    kind: str
    name: str
    arn: str | None
    status: str
    phase: Phase
    secondary: str | None = None
    reason: str | None = None
    partial_failures: tuple[str, ...] = ()
    created: datetime | None = None
    ended: datetime | None = None
    transitions: tuple[tuple[str, datetime], ...] = ()

    @property
    def over(self) -> bool:
        """Whether the job will not change any more."""
        return self.phase in ("succeeded", "failed", "stopped")

    @property
    def state(self) -> str:
        """The status in one word or two: ``InProgress/ModelTuning``."""
        return f"{self.status}/{self.secondary}" if self.secondary else self.status


AUTOML = JobKind(
    key="automl",
    title="Autopilot job",
    create="create_auto_ml_job_v2",
    describe="describe_auto_ml_job_v2",
    list_operation="list_auto_ml_jobs",
    stop="stop_auto_ml_job",
    name_member="AutoMLJobName",
    arn_member="AutoMLJobArn",
    status_member="AutoMLJobStatus",
    secondary_member="AutoMLJobSecondaryStatus",
    listed_secondary_member="AutoMLJobSecondaryStatus",
    list_result="AutoMLJobSummaries",
    ended_member="EndTime",
    # Autopilot has no log group of its own: its steps log as training and processing jobs named after it.
    log_groups=("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs"),
    console_path="jobs/{name}",
)

PROCESSING = JobKind(
    key="processing",
    title="processing job",
    create="create_processing_job",
    describe="describe_processing_job",
    list_operation="list_processing_jobs",
    stop="stop_processing_job",
    name_member="ProcessingJobName",
    arn_member="ProcessingJobArn",
    status_member="ProcessingJobStatus",
    exit_message_member="ExitMessage",
    list_result="ProcessingJobSummaries",
    ended_member="ProcessingEndTime",
    log_groups=("/aws/sagemaker/ProcessingJobs",),
    console_path="processing-jobs/{name}",
)

TRAINING = JobKind(
    key="training",
    title="training job",
    create="create_training_job",
    describe="describe_training_job",
    list_operation="list_training_jobs",
    stop="stop_training_job",
    name_member="TrainingJobName",
    arn_member="TrainingJobArn",
    status_member="TrainingJobStatus",
    secondary_member="SecondaryStatus",
    listed_secondary_member="SecondaryStatus",
    transitions_member="SecondaryStatusTransitions",
    list_result="TrainingJobSummaries",
    ended_member="TrainingEndTime",
    log_groups=("/aws/sagemaker/TrainingJobs",),
    console_path="jobs/{name}",
    stopping=frozenset({"Stopping", "Deleting"}),
)

TUNING = JobKind(
    key="tuning",
    title="tuning job",
    create="create_hyper_parameter_tuning_job",
    describe="describe_hyper_parameter_tuning_job",
    list_operation="list_hyper_parameter_tuning_jobs",
    stop="stop_hyper_parameter_tuning_job",
    name_member="HyperParameterTuningJobName",
    arn_member="HyperParameterTuningJobArn",
    status_member="HyperParameterTuningJobStatus",
    list_result="HyperParameterTuningJobSummaries",
    ended_member="HyperParameterTuningEndTime",
    log_groups=("/aws/sagemaker/TrainingJobs",),
    console_path="hyper-tuning-jobs/{name}",
    stopping=frozenset({"Stopping", "Deleting"}),
    failed=frozenset({"Failed", "DeleteFailed"}),
)

TRANSFORM = JobKind(
    key="transform",
    title="batch transform job",
    create="create_transform_job",
    describe="describe_transform_job",
    list_operation="list_transform_jobs",
    stop="stop_transform_job",
    name_member="TransformJobName",
    arn_member="TransformJobArn",
    status_member="TransformJobStatus",
    list_result="TransformJobSummaries",
    ended_member="TransformEndTime",
    log_groups=("/aws/sagemaker/TransformJobs",),
    console_path="transform-jobs/{name}",
)

ENDPOINT = JobKind(
    key="endpoint",
    title="endpoint",
    create="create_endpoint",
    describe="describe_endpoint",
    list_operation="list_endpoints",
    # An endpoint serves until it is deleted; an update in progress cannot be stopped.
    stop=None,
    name_member="EndpointName",
    arn_member="EndpointArn",
    status_member="EndpointStatus",
    list_result="Endpoints",
    not_found=("ValidationException", "ResourceNotFound"),
    taken=("ValidationException", "ResourceInUse"),
    log_groups=("/aws/sagemaker/Endpoints/{name}",),
    console_path="endpoints/{name}",
    waiting=frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"}),
    stopping=frozenset({"Deleting"}),
    # InService alone does not prove an update: which configuration serves must be compared by whoever asked.
    succeeded=frozenset({"InService"}),
    failed=frozenset({"Failed", "OutOfService", "UpdateRollbackFailed"}),
    stopped=frozenset(),
)

KINDS: Mapping[str, JobKind] = {kind.key: kind for kind in (AUTOML, PROCESSING, TRAINING, TUNING, TRANSFORM, ENDPOINT)}


def kind_of(key: str) -> JobKind:
    """The row of that kind; RequestError naming the kinds that there are."""
    if key not in KINDS:
        raise RequestError(f"expected a job kind, one of {', '.join(KINDS)}; found {key!r}")
    return KINDS[key]


def read(kind: JobKind, description: Description) -> Job:
    """A description, or a summary of a list, as a value. A member that is missing reads as unknown, never fails."""
    status = str(description.get(kind.status_member) or "Unknown")
    phase = kind.phase(status)
    secondary = description.get(kind.secondary_member) if kind.secondary_member else None
    reason = description.get(kind.reason_member) or None
    if kind.exit_message_member and (message := description.get(kind.exit_message_member)):
        reason = f"{reason}: {message}" if reason and message not in reason else message
    partial = description.get("PartialFailureReasons") or ()
    transitions = description.get(kind.transitions_member) if kind.transitions_member else None
    return Job(
        kind=kind.key,
        name=str(description.get(kind.name_member) or ""),
        arn=description.get(kind.arn_member),
        status=status,
        phase=phase,
        secondary=secondary or None,
        reason=reason,
        partial_failures=tuple(
            str(entry["PartialFailureMessage"]) for entry in partial if entry.get("PartialFailureMessage")
        ),
        created=description.get("CreationTime"),
        ended=description.get(kind.ended_member) if kind.ended_member else None,
        transitions=tuple(
            (str(entry["Status"]), entry["StartTime"])
            for entry in transitions or ()
            if entry.get("Status") and entry.get("StartTime")
        ),
    )


def stop_arguments(kind: JobKind, name: str) -> dict[str, str]:
    """The arguments of stop and describe: the name under its member."""
    return {kind.name_member: name}


def list_arguments(prefix: str, changed_after: datetime) -> dict[str, Any]:
    """The arguments of List…: by last change and a part of the name, 100 a page, oldest creation first."""
    arguments: dict[str, Any] = {
        "LastModifiedTimeAfter": changed_after,
        "SortBy": "CreationTime",
        "SortOrder": "Ascending",
        "MaxResults": 100,
    }
    if prefix:
        arguments["NameContains"] = prefix
    return arguments
