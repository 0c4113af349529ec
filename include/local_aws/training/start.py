"""Starting a training job, for CreateTrainingJob and for jobs that train by it (tuning, AutoML); describing it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.experiments import catalogue
from include.local_aws.jobs.runner import Runner
from include.local_aws.sagemaker import jobs, names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record
from include.local_aws.training import statuses
from include.local_aws.training.artifacts import model_uri
from include.local_aws.training.job import TrainingJob
from include.local_aws.training.requests import DEFAULT_RUNTIME, check, metric_definitions

KIND = "training"


def start(
    services: Services,
    runner: Runner,
    region: str,
    request: Mapping[str, Any],
    *,
    tags: Mapping[str, str],
    tuning_job_arn: str | None = None,
    automl_job_arn: str | None = None,
) -> Record:
    """Validate as CreateTrainingJob does, insert the job and let it run; raises `wire.errors.AwsError`.

    `request` is CreateTrainingJob's input without its tags. The record's `parent` is the ARN of the tuning or AutoML
    job that it trains for, so that ``store.all("training", region=…, parent=arn)`` finds a tuning job's children.
    """
    name = request["TrainingJobName"]
    if services.store.find(KIND, region, name) is not None:
        raise names.job_in_use(KIND, region, name)
    check(request, region, services.s3)
    catalogue.check(services.store, region, request.get("ExperimentConfig"))
    body = {
        "request": dict(request),
        "secondary": "Starting",
        "transitions": statuses.FIRST,
        "model": model_uri(request),
        "tuning_job_arn": tuning_job_arn,
        "automl_job_arn": automl_job_arn,
    }
    parent = tuning_job_arn or automl_job_arn
    record = jobs.record(services.store, KIND, region, name, "InProgress", body, tags, parent=parent)
    runner.start(TrainingJob(services, record))
    return record


def stop(services: Services, runner: Runner, region: str, name: str) -> None:
    """Stop a training job: it is Stopping until its process is gone. One that is over already stays as it is."""
    now = time.time()

    def change(record: Record) -> Record:
        if record.status != "InProgress":
            return record
        return statuses.moved(record, "Stopping", now).having(status="Stopping")

    services.store.update(KIND, region, name, change)
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
    metrics: Sequence[tuple[str, float]],
    model_uri: str,
    transitions: Sequence[tuple[str, float]] | None = None,
    status: str = "Completed",
    failure: str | None = None,
    tuning_job_arn: str | None = None,
    automl_job_arn: str | None = None,
) -> Record:
    """A training that another job did itself, as the job that AWS would have run for it; raises `ResourceInUse`.

    Times are epoch seconds; `metrics` are name and final value; `transitions` are secondary status and its start (by
    default Starting, Downloading, Training, Uploading between `started` and `ended`, without the final one).
    """
    moves = transitions or [
        ("Starting", started),
        ("Downloading", started),
        ("Training", started),
        ("Uploading", ended),
    ]
    final = {"Completed": "Completed", "Stopped": "Stopped"}.get(status, "Failed")
    until = [at for _, at in moves[1:]] + [ended]
    body = {
        "request": {key: value for key, value in request.items() if key != "Tags"},
        "secondary": final,
        "transitions": [
            *(statuses.transition(each, at, to) for (each, at), to in zip(moves, until, strict=True)),
            statuses.transition(final, ended, ended),
        ],
        "metrics": [{"MetricName": each, "Value": value, "Timestamp": ended} for each, value in metrics],
        "model": model_uri,
        "created": started,
        "started": started,
        "ended": ended,
        "failure": failure,
        "tuning_job_arn": tuning_job_arn,
        "automl_job_arn": automl_job_arn,
    }
    parent = tuning_job_arn or automl_job_arn
    return jobs.record(services.store, KIND, region, name, status, body, tags, parent=parent)


def describe(record: Record) -> dict[str, Any]:
    """DescribeTrainingJob's answer."""
    body = record.body
    request = body["request"]
    seconds = seconds_of(record)
    definitions = [{"Name": name, "Regex": regex} for name, regex in metric_definitions(request)]
    return {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **request,
        "AlgorithmSpecification": {
            "EnableSageMakerMetricsTimeSeries": False,
            **request["AlgorithmSpecification"],
            "MetricDefinitions": definitions or None,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME, **request.get("StoppingCondition", {})},
        "TrainingJobArn": names.arn(KIND, record.region, record.name),
        "TuningJobArn": body.get("tuning_job_arn"),
        "AutoMLJobArn": body.get("automl_job_arn"),
        "ModelArtifacts": {"S3ModelArtifacts": body["model"]},
        "TrainingJobStatus": record.status,
        "SecondaryStatus": body["secondary"],
        "SecondaryStatusTransitions": statuses.transitions(record),
        "FailureReason": body.get("failure"),
        "CreationTime": body.get("created", record.created),
        "LastModifiedTime": record.modified,
        "TrainingStartTime": body.get("started"),
        "TrainingEndTime": body.get("ended"),
        "TrainingTimeInSeconds": seconds,
        "BillableTimeInSeconds": seconds,
        "FinalMetricDataList": body.get("metrics") or None,
        "ProfilingStatus": "Disabled",
    }


def seconds_of(record: Record) -> int | None:
    """Whole seconds that a job which is over has trained, at least 1; None before, and for one that never began."""
    body = record.body
    if "started" not in body or "ended" not in body:
        return None
    ended, started = float(body["ended"]), float(body["started"])
    return max(1, round(ended - started))
