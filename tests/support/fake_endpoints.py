"""A SageMaker of endpoints, where AWS would stand: settles, rolls back or fails as it is told."""

# ruff: noqa: N803 - the arguments are boto3's

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError


def refused(operation: str, message: str, code: str = "ValidationException") -> ClientError:
    """The error that AWS would answer."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation
    )


class FakeSageMaker:
    """Endpoints, configurations, models and tags in memory; ``calls`` names the operations that write."""

    def __init__(self) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.transforms: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.deployments: list[dict[str, Any] | None] = []
        self._minutes = itertools.count()

    def now(self) -> datetime:
        """A clock that moves by a minute at each look."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=next(self._minutes))

    def model(self, name: str, **tags: str) -> None:
        """Put a model there."""
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:model/{name}"
        self.models[name] = {"ModelName": name, "ModelArn": arn}
        self.tags[arn] = [
            {"Key": key.replace("_", "-").replace("art-", "art:", 1), "Value": v} for key, v in tags.items()
        ]

    def settle(self, name: str, *, status: str = "InService", rolled_back: str | None = None) -> None:
        """Let the endpoint's change end: well, in another status, or on its old configuration for a reason."""
        endpoint = self.endpoints[name]
        pending = endpoint.pop("PendingDeploymentSummary", None)
        if rolled_back:
            endpoint["FailureReason"] = rolled_back
        elif pending:
            endpoint["EndpointConfigName"] = pending["EndpointConfigName"]
        endpoint |= {"EndpointStatus": status, "LastModifiedTime": self.now()}

    # -------------------------------------------------------- what boto3 has

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        if EndpointName not in self.endpoints:
            raise refused("DescribeEndpoint", f'Could not find endpoint "{EndpointName}".')
        return dict(self.endpoints[EndpointName])

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:
        if EndpointConfigName not in self.configs:
            raise refused("DescribeEndpointConfig", f'Could not find endpoint configuration "{EndpointConfigName}".')
        return {**self.configs[EndpointConfigName], "ResponseMetadata": {}}

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:
        if ModelName not in self.models:
            raise refused("DescribeModel", f'Could not find model "{ModelName}".')
        return dict(self.models[ModelName])

    def list_tags(self, *, ResourceArn: str, NextToken: str | None = None) -> dict[str, Any]:
        tags = self.tags.get(ResourceArn, [])
        start = int(NextToken or 0)  # one a page
        more = {"NextToken": str(start + 1)} if start + 1 < len(tags) else {}
        return {"Tags": tags[start : start + 1], **more}

    def create_endpoint_config(self, *, EndpointConfigName: str, Tags: list[dict[str, str]], **rest: Any) -> None:
        if EndpointConfigName in self.configs:
            raise refused("CreateEndpointConfig", "Cannot create already existing endpoint configuration")
        self.calls.append("create_endpoint_config")
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/{EndpointConfigName}"
        self.configs[EndpointConfigName] = {
            "EndpointConfigName": EndpointConfigName, "EndpointConfigArn": arn, "CreationTime": self.now(), **rest
        }  # fmt: skip
        self.tags[arn] = Tags

    def create_endpoint(self, *, EndpointName: str, EndpointConfigName: str, Tags: list[dict[str, str]]) -> None:
        self.calls.append("create_endpoint")
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{EndpointName}"
        now = self.now()
        self.endpoints[EndpointName] = {
            "EndpointName": EndpointName, "EndpointArn": arn, "EndpointStatus": "Creating", "CreationTime": now,
            "LastModifiedTime": now, "EndpointConfigName": EndpointConfigName,
        }  # fmt: skip
        self.tags[arn] = Tags

    def update_endpoint(
        self,
        *,
        EndpointName: str,
        EndpointConfigName: str,
        RetainAllVariantProperties: bool,
        DeploymentConfig: dict[str, Any] | None = None,
    ) -> None:
        assert RetainAllVariantProperties
        self.calls.append("update_endpoint")
        self.deployments.append(DeploymentConfig)
        endpoint = self.endpoints[EndpointName]
        if endpoint["EndpointStatus"] != "InService":
            raise refused("UpdateEndpoint", f"Cannot update in-progress endpoint {EndpointName}")
        endpoint |= {
            "EndpointStatus": "Updating",
            "PendingDeploymentSummary": {"EndpointConfigName": EndpointConfigName},
            "LastModifiedTime": self.now(),
        }

    def delete_endpoint(self, *, EndpointName: str) -> None:
        self.calls.append("delete_endpoint")
        del self.endpoints[EndpointName]

    def create_transform_job(self, *, TransformJobName: str, Tags: list[dict[str, str]], **rest: Any) -> None:
        if TransformJobName in self.transforms:
            raise refused("CreateTransformJob", "Job name must be unique", "ResourceInUse")
        self.calls.append("create_transform_job")
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:transform-job/{TransformJobName}"
        self.transforms[TransformJobName] = {
            "TransformJobName": TransformJobName, "TransformJobArn": arn, "TransformJobStatus": "InProgress",
            "CreationTime": self.now(), **rest,
        }  # fmt: skip
        self.tags[arn] = Tags

    def describe_transform_job(self, *, TransformJobName: str) -> dict[str, Any]:
        if TransformJobName not in self.transforms:
            raise refused("DescribeTransformJob", f"Could not find requested job with name: {TransformJobName}")
        return dict(self.transforms[TransformJobName])

    def list_transform_jobs(self, *, StatusEquals: str, NameContains: str, MaxResults: int) -> dict[str, Any]:
        found = [
            job
            for name, job in self.transforms.items()
            if NameContains in name and job["TransformJobStatus"] == StatusEquals
        ]
        return {"TransformJobSummaries": found[:MaxResults]}

    def list_auto_ml_jobs(self, **_: Any) -> dict[str, Any]:
        return {"AutoMLJobSummaries": []}

    def stop_transform_job(self, *, TransformJobName: str) -> None:
        self.transforms[TransformJobName]["TransformJobStatus"] = "Stopping"
