"""The events that SageMaker's resources send when their status changes.

Source: SageMaker developer guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge". The detail has
the members by which rules choose (names, statuses, times, the reason of a failure, a package's approval), not all that
Describe tells. Training jobs tell each secondary status too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from include.local_aws.hosting import stages
from include.local_aws.sagemaker import names
from include.local_aws.store import Record


@dataclass(frozen=True)
class Event:
    """One event for the bus."""

    region: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: tuple[str, ...]


def changes(before: Record | None, after: Record) -> list[Event]:
    """The events of a change in the store; `before` is None for a record that is new."""
    if after.kind not in _KINDS:
        return []
    detail_type, detail, told = _KINDS[after.kind]
    if before is not None and told(before) == told(after):
        return []
    arn = names.arn(after.kind, after.region, after.name)
    made = {
        **detail(after, arn),
        "CreationTime": _milliseconds(after.created),
        "LastModifiedTime": _milliseconds(after.modified),
        "FailureReason": after.body.get("failure"),
    }
    present = {name: value for name, value in made.items() if value is not None}
    return [Event(after.region, detail_type, present, (arn,))]


def _milliseconds(moment: Any) -> int | None:
    return round(moment * 1000) if isinstance(moment, int | float) else None


def _job(word: str) -> Callable[[Record, str], dict[str, Any]]:
    def detail(record: Record, arn: str) -> dict[str, Any]:
        times = word.removesuffix("Job") if word != "HyperParameterTuningJob" else "HyperParameterTuning"
        return {
            f"{word}Name": record.name,
            f"{word}Arn": arn,
            f"{word}Status": record.status,
            "SecondaryStatus": record.body.get("secondary"),
            f"{times}StartTime": _milliseconds(record.body.get("started")),
            f"{times}EndTime": _milliseconds(record.body.get("ended")),
        }

    return detail


def _endpoint(record: Record, _: str) -> dict[str, Any]:
    return stages.event_detail(record, {})


def _package(record: Record, arn: str) -> dict[str, Any]:
    request = record.body["request"]
    members = ("ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus", "ApprovalDescription",
               "ModelPackageDescription", "CustomerMetadataProperties")  # fmt: skip
    return {
        "ModelPackageName": request.get("ModelPackageName", record.name),
        "ModelPackageArn": arn,
        "ModelPackageStatus": record.status,
        **{member: request.get(member) for member in members},
    }


def _status(record: Record) -> tuple[Any, ...]:
    return record.status, record.body.get("secondary")


def _approval(record: Record) -> tuple[Any, ...]:
    return record.status, record.body["request"].get("ModelApprovalStatus")


_KINDS: Mapping[str, tuple[str, Callable[[Record, str], dict[str, Any]], Callable[[Record], tuple[Any, ...]]]] = {
    "training": ("SageMaker Training Job State Change", _job("TrainingJob"), _status),
    "processing": ("SageMaker Processing Job State Change", _job("ProcessingJob"), _status),
    "transform": ("SageMaker Transform Job State Change", _job("TransformJob"), _status),
    "tuning": ("SageMaker HyperParameter Tuning Job State Change", _job("HyperParameterTuningJob"), _status),
    "endpoint": ("SageMaker Endpoint State Change", _endpoint, _status),
    "model-package": ("SageMaker Model Package State Change", _package, _approval),
}
"""By kind in the store: the detail type, the detail, and what must change for there to be an event."""
