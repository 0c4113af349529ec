"""Endpoints of the embedded AWS for tests: configured, waited for, asked, removed."""

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import until

BUSY = ("Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting")
ROW = b"2.0,2.0,x\n"
"""What the session's trained model says "yes" to."""


def config(aws: Running, name: str, *variants: tuple[str, str, float], instances: int = 1) -> str:
    """An endpoint configuration of variants (name, model, weight)."""
    aws.client("sagemaker").create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": variant,
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": instances,
                "InitialVariantWeight": weight,
            }
            for variant, model, weight in variants
        ],
    )
    return name


def settled(aws: Running, name: str) -> dict[str, Any]:
    """The endpoint's description when nothing is under way."""
    return until(lambda: aws.client("sagemaker").describe_endpoint(EndpointName=name), "EndpointStatus", BUSY)


def stage(description: dict[str, Any]) -> tuple[str, str]:
    """Status and message of the first variant of a deployment that is under way."""
    pending = description.get("PendingDeploymentSummary", {}).get("ProductionVariants", [{}])[0]
    (status,) = pending.get("VariantStatus", [{"Status": "", "StatusMessage": ""}])
    return status["Status"], status["StatusMessage"]


def reached(aws: Running, name: str, said: str) -> dict[str, Any]:
    """The description in the middle of a deployment, when its stage's message has these words."""
    deadline = time.monotonic() + 60
    while True:
        answer: dict[str, Any] = aws.client("sagemaker").describe_endpoint(EndpointName=name)
        if said in stage(answer)[1]:
            return answer
        assert answer["EndpointStatus"] in BUSY, f"it is over before {said!r}: {answer}"
        assert time.monotonic() < deadline, f"{said!r} is not reached: {answer}"
        time.sleep(0.02)


def invoke(aws: Running, name: str, **more: Any) -> dict[str, Any]:
    """One row's answer."""
    answer: dict[str, Any] = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=name, **{"Body": ROW, "ContentType": "text/csv", "Accept": "text/csv", **more}
    )
    return answer


def removed(aws: Running, name: str) -> None:
    """Delete an endpoint and wait until it is gone."""
    sagemaker = aws.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=name)
    deadline = time.monotonic() + 20
    while any(each["EndpointName"] == name for each in sagemaker.list_endpoints(NameContains=name)["Endpoints"]):
        assert time.monotonic() < deadline, "the endpoint is still there"
        time.sleep(0.02)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName=name)
