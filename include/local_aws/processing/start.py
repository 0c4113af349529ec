"""Starting a processing job, for CreateProcessingJob and for jobs that process by it; its description."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.experiments import catalogue
from include.local_aws.jobs.runner import Runner
from include.local_aws.processing.job import KIND, ProcessingJob
from include.local_aws.processing.requests import DEFAULT_RUNTIME, check
from include.local_aws.sagemaker import jobs, names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record


def start(
    services: Services, runner: Runner, region: str, request: Mapping[str, Any], *, tags: Mapping[str, str]
) -> Record:
    """Validate as CreateProcessingJob does, insert the job and let it run; raises `wire.errors.AwsError`.

    `request` is CreateProcessingJob's input without its tags.
    """
    name = request["ProcessingJobName"]
    if services.store.find(KIND, region, name) is not None:
        raise names.job_in_use(KIND, region, name)
    check(request)
    catalogue.check(services.store, region, request.get("ExperimentConfig"))
    record = jobs.record(services.store, KIND, region, name, "InProgress", {"request": dict(request)}, tags)
    runner.start(ProcessingJob(services, record))
    return record


def stop(services: Services, runner: Runner, region: str, name: str) -> None:
    """Stop a job: it is Stopping until its processes are gone. One that is over already stays as it is."""
    services.store.update(
        KIND, region, name, lambda now: now.having(status="Stopping") if now.status == "InProgress" else now
    )
    runner.stop(KIND, region, name)


def insert_finished(
    services: Services,
    region: str,
    *,
    name: str,
    request: Mapping[str, Any],
    tags: Mapping[str, str],
    started: float,
    ended: float,
    status: str = "Completed",
    failure: str | None = None,
    message: str | None = None,
    automl_job_arn: str | None = None,
) -> Record:
    """A processing that another job did itself, as the job that AWS would have run for it; raises `ResourceInUse`.

    Times are epoch seconds; `message` is its ExitMessage.
    """
    body = {
        "request": {key: value for key, value in request.items() if key != "Tags"},
        "created": started,
        "started": started,
        "ended": ended,
        "failure": failure,
        "message": message,
        "automl_job_arn": automl_job_arn,
    }
    return jobs.record(services.store, KIND, region, name, status, body, tags, parent=automl_job_arn)


def describe(record: Record) -> dict[str, Any]:
    """DescribeProcessingJob's answer."""
    body = record.body
    return {
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME},
        **body["request"],
        "ProcessingJobArn": names.arn(KIND, record.region, record.name),
        "ProcessingJobStatus": record.status,
        "ExitMessage": body.get("message"),
        "FailureReason": body.get("failure"),
        "CreationTime": body.get("created", record.created),
        "LastModifiedTime": record.modified,
        "ProcessingStartTime": body.get("started"),
        "ProcessingEndTime": body.get("ended"),
        "AutoMLJobArn": body.get("automl_job_arn"),
    }
