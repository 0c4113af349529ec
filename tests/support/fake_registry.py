"""The rest of SageMaker that tidying up and the model registry need, where AWS would stand; every call is counted."""

# ruff: noqa: N803 - the arguments are boto3's

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.support.fake_endpoints import FakeSageMaker, refused
from tests.support.fake_sagemaker import problems

ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"


class FakeAccount(FakeSageMaker):
    """Endpoints, configurations, models, jobs, and groups with their versions, listed in pages.

    ``counted`` says how often each method was called; ``breaking`` raises what it gives for a method's next call.
    Requests are held against botocore's model unless ``validated`` is turned off, for speed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.meta = SimpleNamespace(region_name="us-east-1", endpoint_url="http://fake")
        self.groups: dict[str, str] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.counted: Counter[str] = Counter()
        self.breaking: dict[str, list[Exception]] = {}
        self.page = 100
        self.validated = True

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.split("_")[0] not in ("list", "describe", "create", "update", "delete", "add", "stop"):
            return found

        def call(**arguments: Any) -> Any:
            assert not self.validated or not problems(name, arguments), problems(name, arguments)
            self.counted[name] += 1
            if queue := self.breaking.get(name):
                raise queue.pop(0)
            return found(**arguments)

        return call

    # -------------------------------------------------------- putting things there

    def tagged(self, arn: str, tags: dict[str, str]) -> None:
        """Give a resource these tags and no others."""
        self.tags[arn] = [{"Key": key, "Value": value} for key, value in tags.items()]

    def put_model(self, name: str, created: datetime, tags: dict[str, str], url: str = "s3://runs/m.tar.gz") -> None:
        """A model of one container."""
        arn = f"{ACCOUNT}:model/{name}"
        container = {"Image": "image", "ModelDataUrl": url, "Environment": {"A": "1"}}
        self.models[name] = {
            "ModelName": name, "ModelArn": arn, "CreationTime": created, "PrimaryContainer": container
        }  # fmt: skip
        self.tagged(arn, tags)

    def put_config(self, name: str, created: datetime, tags: dict[str, str], *models: str) -> None:
        """An endpoint configuration with a variant for each model, the first one the champion."""
        arn = f"{ACCOUNT}:endpoint-config/{name}"
        variants = [
            {"VariantName": f"v{place}" if place else "champion", "ModelName": model, "InstanceType": "ml.m5.large"}
            for place, model in enumerate(models)
        ]
        self.configs[name] = {
            "EndpointConfigName": name, "EndpointConfigArn": arn, "CreationTime": created,
            "ProductionVariants": variants,
        }  # fmt: skip
        self.tagged(arn, tags)

    def put_endpoint(self, name: str, config: str, tags: dict[str, str], **more: Any) -> None:
        """An endpoint in service."""
        arn = f"{ACCOUNT}:endpoint/{name}"
        now = self.now()
        self.endpoints[name] = {
            "EndpointName": name, "EndpointArn": arn, "EndpointStatus": "InService", "EndpointConfigName": config,
            "CreationTime": now, "LastModifiedTime": now, **more,
        }  # fmt: skip
        self.tagged(arn, tags)

    # -------------------------------------------------------- what boto3 has

    def list_tags(self, *, ResourceArn: str, NextToken: str | None = None) -> dict[str, Any]:
        return {"Tags": list(self.tags.get(ResourceArn, []))}

    def add_tags(self, *, ResourceArn: str, Tags: list[dict[str, str]]) -> None:
        kept = {tag["Key"]: tag["Value"] for tag in self.tags.get(ResourceArn, [])}
        self.tagged(ResourceArn, {**kept, **{tag["Key"]: tag["Value"] for tag in Tags}})

    def list_models(self, **asked: Any) -> dict[str, Any]:
        return self._page(asked, "Models", self.models.values(), "ModelName")

    def list_endpoint_configs(self, **asked: Any) -> dict[str, Any]:
        return self._page(asked, "EndpointConfigs", self.configs.values(), "EndpointConfigName")

    def list_endpoints(self, **asked: Any) -> dict[str, Any]:
        return self._page(asked, "Endpoints", self.endpoints.values(), "EndpointName")

    def list_transform_jobs(self, **asked: Any) -> dict[str, Any]:
        jobs = [job for job in self.transforms.values() if job["TransformJobStatus"] == asked["StatusEquals"]]
        return self._page(asked, "TransformJobSummaries", jobs, "TransformJobName")

    def list_training_jobs(self, **_: Any) -> dict[str, Any]:
        return {"TrainingJobSummaries": []}

    def list_processing_jobs(self, **_: Any) -> dict[str, Any]:
        return {"ProcessingJobSummaries": []}

    def list_hyper_parameter_tuning_jobs(self, **_: Any) -> dict[str, Any]:
        return {"HyperParameterTuningJobSummaries": []}

    def list_model_packages(self, **asked: Any) -> dict[str, Any]:
        group = asked["ModelPackageGroupName"]
        rows = [each for each in self.versions.values() if each["ModelPackageGroupName"] == group]
        return self._page(asked, "ModelPackageSummaryList", rows, "ModelPackageArn")

    def delete_model(self, *, ModelName: str) -> None:
        self._delete(self.models, ModelName, "model")

    def delete_endpoint_config(self, *, EndpointConfigName: str) -> None:
        self._delete(self.configs, EndpointConfigName, "endpoint configuration")

    def delete_model_package(self, *, ModelPackageName: str) -> None:
        self._delete(self.versions, ModelPackageName, "model package")

    def delete_endpoint(self, *, EndpointName: str) -> None:
        self._delete(self.endpoints, EndpointName, "endpoint")

    def create_model_package_group(
        self, *, ModelPackageGroupName: str, ModelPackageGroupDescription: str, Tags: list[dict[str, str]]
    ) -> None:
        arn = f"{ACCOUNT}:model-package-group/{ModelPackageGroupName}"
        if ModelPackageGroupName in self.groups:
            raise refused("CreateModelPackageGroup", f"Model Package Group already exists: {arn}")
        self.calls.append("create_model_package_group")
        self.groups[ModelPackageGroupName] = arn
        self.tags[arn] = Tags

    def describe_model_package_group(self, *, ModelPackageGroupName: str) -> dict[str, Any]:
        if ModelPackageGroupName not in self.groups:
            raise refused("DescribeModelPackageGroup", f"ModelPackageGroup {ModelPackageGroupName} does not exist.")
        return {
            "ModelPackageGroupName": ModelPackageGroupName,
            "ModelPackageGroupArn": self.groups[ModelPackageGroupName],
        }

    def delete_model_package_group(self, *, ModelPackageGroupName: str) -> None:
        if any(each["ModelPackageGroupName"] == ModelPackageGroupName for each in self.versions.values()):
            raise refused("DeleteModelPackageGroup", "The group is not empty", "ConflictException")
        self._delete(self.groups, ModelPackageGroupName, "model package group")

    def create_model_package(self, *, ModelPackageGroupName: str, ClientToken: str, **rest: Any) -> dict[str, Any]:
        if ClientToken not in self.tokens:
            self.calls.append("create_model_package")
            taken = [each for each in self.tokens.values() if f"/{ModelPackageGroupName}/" in each]
            number = len(taken) + 1
            arn = f"{ACCOUNT}:model-package/{ModelPackageGroupName}/{number}"
            self.tokens[ClientToken] = arn
            self.versions[arn] = {
                "ModelPackageArn": arn, "ModelPackageGroupName": ModelPackageGroupName, "ModelPackageVersion": number,
                "CreationTime": self.now(), "ModelPackageStatus": "Completed", **rest,
            }  # fmt: skip
        return {"ModelPackageArn": self.tokens[ClientToken]}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:
        if ModelPackageName not in self.versions:
            raise refused("DescribeModelPackage", f"ModelPackage {ModelPackageName} does not exist.")
        return dict(self.versions[ModelPackageName])

    def update_model_package(self, *, ModelPackageArn: str, **changes: Any) -> dict[str, Any]:
        self.calls.append("update_model_package")
        version = self.versions[ModelPackageArn]
        metadata = {**version.get("CustomerMetadataProperties", {}), **changes.pop("CustomerMetadataProperties", {})}
        version |= {**changes, "CustomerMetadataProperties": metadata}
        return {"ModelPackageArn": ModelPackageArn}

    # -------------------------------------------------------- how

    def _delete(self, where: dict[str, Any], name: str, what: str) -> None:
        if name not in where:
            raise refused("Delete", f'Could not find {what} "{name}".')
        self.calls.append(f"delete {what} {name}")
        del where[name]

    def _page(self, asked: dict[str, Any], member: str, rows: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
        def kept(row: dict[str, Any]) -> bool:
            young = "CreationTimeBefore" in asked and row["CreationTime"] >= asked["CreationTimeBefore"]
            return asked.get("NameContains", "") in row[name] and not young

        found = sorted(filter(kept, rows), key=lambda row: row["CreationTime"])
        start = int(asked.get("NextToken", 0))
        more = {"NextToken": str(start + self.page)} if start + self.page < len(found) else {}
        return {member: found[start : start + self.page], **more}
