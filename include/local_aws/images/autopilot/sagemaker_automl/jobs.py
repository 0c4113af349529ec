"""SageMaker jobs: parts of their requests, and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

RECORDIO = "application/x-recordio-protobuf"
_POLL_FIRST = 0.2
_POLL_LONGEST = 15.0


class JobFailed(RuntimeError):
    """A SageMaker job did not complete; the sentence tells its name and its reason."""


def completed(describe: Callable[[], dict[str, Any]], kind: str) -> dict[str, Any]:
    """Wait until a job is over, asking seldomer and seldomer; raises `JobFailed`."""
    pause = _POLL_FIRST
    while (answer := describe())[f"{kind}JobStatus"] in ("InProgress", "Stopping"):
        time.sleep(pause)
        pause = min(2 * pause, _POLL_LONGEST)
    if answer[f"{kind}JobStatus"] != "Completed":
        name, status = answer[f"{kind}JobName"], answer[f"{kind}JobStatus"]
        raise JobFailed(f"The job {name} is {status}: {answer.get('FailureReason', 'no reason was given')}")
    return answer


def channel(name: str, uri: str, content_type: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": content_type}


def resources(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "InstanceType": config["instance_type"],
        "InstanceCount": config["instance_count"],
        "VolumeSizeInGB": config.get("volume_size_in_gb", 50),
    }
