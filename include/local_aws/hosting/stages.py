"""What DescribeEndpoint, and the events of a deployment, tell of an endpoint's variants and of where they stand.

Messages and their words: the developer guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge", endpoint
deployment state change.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.hosting import capture
from include.local_aws.sagemaker import names
from include.local_aws.store import Record


def description(record: Record) -> dict[str, Any]:
    """DescribeEndpoint. EndpointConfigName is the configuration that serves, PendingDeploymentSummary the next one."""
    pending = record.body.get("pending")
    answer: dict[str, Any] = {
        "EndpointName": record.name,
        "EndpointArn": names.arn("endpoint", record.region, record.name),
        "EndpointConfigName": record.body["config"],
        "EndpointStatus": record.status,
        "FailureReason": record.body.get("failure"),
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "LastDeploymentConfig": record.body.get("deployment"),
    }
    if variants := record.body.get("variants"):
        answer["ProductionVariants"] = [_summary(each, record, pending) for each in variants]
        if "capture" in variants[0]:
            answer["DataCaptureConfig"] = capture.summary(variants[0]["capture"])
    if pending and record.status in ("Creating", "Updating"):
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending["config"],
            "ProductionVariants": [_pending_summary(each, record, pending) for each in pending["variants"]],
            "StartTime": pending["started"],
        }
    return answer


def _summary(variant: Mapping[str, Any], record: Record, pending: Mapping[str, Any] | None) -> dict[str, Any]:
    desired = variant.get("desired", variant)
    answer = {
        "VariantName": variant["VariantName"],
        "DeployedImages": _images(variant, record.modified),
        "CurrentWeight": variant["weight"],
        "DesiredWeight": desired["weight"],
        "CurrentInstanceCount": _left(variant, pending),
        "DesiredInstanceCount": desired["count"],
    }
    if desired["count"] != variant["count"]:
        way = "out" if desired["count"] > variant["count"] else "in"
        message = f"Scaling {way} desired instance count to {desired['count']}."
        answer["VariantStatus"] = [{"Status": "Updating", "StatusMessage": message, "StartTime": record.modified}]
    return answer


def _left(variant: Mapping[str, Any], pending: Mapping[str, Any] | None) -> int:
    """Instances of the old fleet: a rolling update ends as many as it has brought into service."""
    count: int = variant["count"]
    stage = (pending or {}).get("stage", {})
    if pending is None or stage.get("strategy") != "ROLLING":
        return count
    new = {each["VariantName"]: each["count"] for each in pending["variants"]}
    active, name = stage["active"], variant["VariantName"]
    done = active[name] / new[name] if name in new else sum(active.values()) / sum(new.values())
    return count - int(count * done)


def _pending_summary(variant: Mapping[str, Any], record: Record, pending: Mapping[str, Any]) -> dict[str, Any]:
    stage = pending.get("stage")
    count = variant["count"]
    answer = {
        "VariantName": variant["VariantName"],
        "DeployedImages": _images(variant, record.modified),
        "CurrentWeight": variant["weight"],
        "DesiredWeight": variant["weight"],
        "CurrentInstanceCount": 0 if stage is None else _launched(stage, variant["VariantName"], count),
        "DesiredInstanceCount": count,
    }
    if stage is not None:
        message = _message(stage, variant["VariantName"], count)
        answer["VariantStatus"] = [{"Status": stage["status"], "StatusMessage": message, "StartTime": stage["since"]}]
    return answer


def _launched(stage: Mapping[str, Any], name: str, count: int) -> int:
    """Instances of the new fleet: all of them once they are up, or under a rolling update those of its batches."""
    if stage["status"] == "Creating":
        return 0
    return int(stage["active"][name]) if stage["strategy"] == "ROLLING" else count


def _message(stage: Mapping[str, Any], name: str, count: int) -> str:
    active = stage["active"][name]
    part = {"CANARY": "canary capacity", "ROLLING": "batch capacity"}.get(stage["strategy"], "capacity")
    capacity = f"{'full capacity' if active >= count else part} of {active} instance(s)"
    match stage["status"]:
        case "Creating":
            return f"Launching {count} instance(s)."
        case "Baking":
            return f"Baking for {stage['seconds']} seconds ({stage['wait']}) with traffic enabled on {capacity}."
    return f"Activating traffic on {capacity}."


def _images(variant: Mapping[str, Any], moment: float) -> list[dict[str, Any]]:
    containers: Sequence[Mapping[str, Any]] = variant["containers"]
    return [
        {"SpecifiedImage": each["Image"], "ResolvedImage": each["Image"], "ResolutionTime": moment}
        for each in containers
    ]


_TIMES = ("CreationTime", "LastModifiedTime", "StartTime", "ResolutionTime")


def event_detail(record: Record, tags: Mapping[str, str]) -> dict[str, Any]:
    """The detail of an endpoint's event: the description with the status in capitals and times in milliseconds."""
    detail = {**description(record), "EndpointStatus": capitals(record.status), "Tags": dict(tags)}
    told: dict[str, Any] = _in_milliseconds(detail)
    return told


def capitals(status: str) -> str:
    """A status as events have it: InService is IN_SERVICE."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


def _in_milliseconds(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: int(each * 1000) if key in _TIMES else _in_milliseconds(each)
            for key, each in value.items()
            if each is not None
        }
    return [_in_milliseconds(each) for each in value] if isinstance(value, list) else value
