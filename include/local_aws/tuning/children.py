"""The training jobs of a tuning job: the requests that start them, and what is told of them."""

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.local_aws.sagemaker import names
from include.local_aws.store import Record, Store
from include.local_aws.training import metrics
from include.local_aws.training.start import KIND as TRAINING
from include.local_aws.training.statuses import TERMINAL
from include.local_aws.tuning.requests import OBJECTIVE, Definition, Objective

KIND = "tuning"
CHILD = "tuning-child"
"""Rows that say what a training job was started with; their parent is the tuning job's key."""

_CARRIED = ("RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "StoppingCondition",
            "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining",
            "RetryStrategy", "Environment")  # fmt: skip


@dataclass(frozen=True)
class Child:
    """One training job of a tuning job, as it is now."""

    definition: str | None
    tuned: Mapping[str, str]
    objective: Objective
    record: Record

    @property
    def name(self) -> str:
        """The training job's name."""
        return self.record.name

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.record.status in TERMINAL

    @property
    def value(self) -> float | None:
        """The objective metric's final value, of a training job that ended well or was stopped."""
        if self.record.status not in ("Completed", "Stopped"):
            return None
        return metrics.final_value(self.record.body, self.objective.metric)

    @property
    def goodness(self) -> float:
        """Its value so that more is better; of no value, the least."""
        return -math.inf if self.value is None else self.objective.better(self.value)

    @property
    def objective_status(self) -> str:
        """Whether its value took part in the search."""
        if not self.over:
            return "Pending"
        return "Failed" if self.value is None else "Succeeded"


def training_request(tuning_job: str, definition: Definition, number: int, tuned: Mapping[str, str]) -> dict[str, Any]:
    """CreateTrainingJob's request for the training job of this number (from 1), without tags."""
    body = definition.body
    name = f"{tuning_job}-{number:03d}-{secrets.token_hex(4)}"
    request = {key: body[key] for key in _CARRIED if key in body}
    request["TrainingJobName"] = name
    request["HyperParameters"] = {OBJECTIVE: definition.objective.metric, **static_of(definition), **tuned}
    request["AlgorithmSpecification"] = dict(body["AlgorithmSpecification"])
    request["ResourceConfig"] = _resources(body)
    if "CheckpointConfig" in body:
        # A folder of its own, or one training job would go on from the checkpoints of another.
        config = body["CheckpointConfig"]
        request["CheckpointConfig"] = {**config, "S3Uri": f"{config['S3Uri'].rstrip('/')}/{name}"}
    return request


def static_of(definition: Definition) -> Mapping[str, str]:
    """The hyperparameters that are the same for all training jobs of a definition."""
    static: Mapping[str, str] = definition.body.get("StaticHyperParameters", {})
    return static


def _resources(body: Mapping[str, Any]) -> dict[str, Any]:
    if "ResourceConfig" in body:
        return dict(body["ResourceConfig"])
    flexible = body["HyperParameterTuningResourceConfig"]
    first = flexible["InstanceConfigs"][0] if "InstanceConfigs" in flexible else flexible
    members = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
    chosen = {member: first[member] for member in members if member in first}
    if "VolumeKmsKeyId" in flexible:
        chosen["VolumeKmsKeyId"] = flexible["VolumeKmsKeyId"]
    return chosen


def remember(
    store: Store, region: str, parent: str, name: str, definition: Definition, tuned: Mapping[str, str]
) -> None:
    """Write down what a training job is about to be started with."""
    body = {
        "definition": definition.name,
        "tuned": dict(tuned),
        "metric": definition.objective.metric,
        "maximize": definition.objective.maximize,
    }
    store.insert(CHILD, region, name, "", body, parent=parent)


def of_job(store: Store, job: Record, training: Sequence[Record] | None = None) -> list[Child]:
    """The training jobs of a tuning job, in the order of their start, or those of them that `training` has."""
    rows = store.all(CHILD, region=job.region, parent=job.name)
    if training is None:
        training = store.all(TRAINING, region=job.region, parent=names.arn(KIND, job.region, job.name))
    records = {record.name: record for record in training}
    return [_child(row.body, records[row.name]) for row in rows if row.name in records]


def one(store: Store, region: str, name: str) -> Child:
    """One training job of a tuning job."""
    return _child(store.get(CHILD, region, name).body, store.get(TRAINING, region, name))


def _child(row: Mapping[str, Any], record: Record) -> Child:
    return Child(row.get("definition"), row["tuned"], Objective(row["metric"], row["maximize"]), record)


def best_of(children: Iterable[Child]) -> Child | None:
    """The training job with the best objective, the earliest of equals; None where none has a value."""
    best: Child | None = None
    for child in children:
        if child.value is not None and (best is None or child.goodness > best.goodness):
            best = child
    return best


def goodness_by_end(children: Iterable[Child]) -> list[float]:
    """The values of those that have one, in the order in which the training jobs ended; more is better."""
    ended = sorted(
        (child for child in children if child.value is not None), key=lambda child: child.record.body["ended"]
    )
    return [child.goodness for child in ended]


def summary(child: Child, tuning_job: str | None = None) -> dict[str, Any]:
    """HyperParameterTrainingJobSummary; `tuning_job` is told where the job may be another's."""
    body = child.record.body
    final = None
    if child.value is not None:
        final = {"MetricName": child.objective.metric, "Value": child.value, "Type": child.objective.type}
    return {
        "TrainingJobDefinitionName": child.definition,
        "TrainingJobName": child.name,
        "TrainingJobArn": names.arn(TRAINING, child.record.region, child.name),
        "TuningJobName": tuning_job,
        "CreationTime": child.record.created,
        "TrainingStartTime": body.get("started"),
        "TrainingEndTime": body.get("ended"),
        "TrainingJobStatus": child.record.status,
        "TunedHyperParameters": dict(child.tuned),
        "FailureReason": body.get("failure"),
        "FinalHyperParameterTuningJobObjectiveMetric": final,
        "ObjectiveStatus": child.objective_status,
    }


def status_counters(children: Sequence[Child]) -> dict[str, int]:
    """TrainingJobStatusCounters: only failures that are not the request's own could be retried."""
    counted = dict.fromkeys(("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0)
    for child in children:
        match child.record.status:
            case "Failed":
                internal = child.record.body.get("failure", "").startswith("InternalServerError")
                counted["RetryableError" if internal else "NonRetryableError"] += 1
            case "Completed" | "Stopped" as status:
                counted[status] += 1
            case _:
                counted["InProgress"] += 1
    return counted


def objective_counters(children: Sequence[Child]) -> dict[str, int]:
    """ObjectiveStatusCounters."""
    counted = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
    for child in children:
        counted[child.objective_status] += 1
    return counted
