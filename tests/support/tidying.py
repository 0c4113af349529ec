"""A pipeline's past, where AWS would stand: runs with their models, configurations, versions and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from automl_retraining.core.config import Pipeline
from automl_retraining.sagemaker import tags
from automl_retraining.sagemaker.inventory import Scope
from tests.support.fake_registry import ACCOUNT, FakeAccount

BUCKET, NOW = "tidying", datetime(2027, 1, 1, tzinfo=UTC)


def scope(name: str = "churn", *, gate: dict[str, Any] | None = None, **retention: Any) -> Scope:
    """A pipeline with this policy."""
    document = {
        "name": name, "source": "a.csv", "target": "y", "gate": gate or {"metric": "rmse"}, "retention": retention
    }  # fmt: skip
    return Scope(Pipeline.model_validate(document), BUCKET, "default")


def run_tags(name: str, run: str) -> dict[str, str]:
    """Those of a run's resources."""
    folder = f"s3://{BUCKET}/{name}/runs/{run}"
    return tags.as_mapping(tags.own_tags(pipeline=name, run_id=run, run_folder=folder, deployment="default"))


def past(sm: FakeAccount, name: str, runs: int, *, promoted: Iterable[int] = (), every: float = 7.0) -> None:
    """A run each so many days, the last one now: its model and version, and a configuration where it was promoted."""
    wanted = set(promoted)
    group = f"art-{name}"
    sm.groups[group] = f"{ACCOUNT}:model-package-group/{group}"
    sm.tagged(sm.groups[group], {"art:pipeline": name, "art:deployment": "default"})
    for place in range(runs):
        created = NOW - timedelta(days=every * (runs - 1 - place), hours=1)
        own = run_tags(name, f"r{place}")
        sm.put_model(f"art-model-{name}-{place}", created, own, f"{own['art:run-folder']}/model.tar.gz")
        arn = f"{ACCOUNT}:model-package/{group}/{place + 1}"
        sm.versions[arn] = {
            "ModelPackageArn": arn, "ModelPackageGroupName": group, "ModelPackageVersion": place + 1,
            "CreationTime": created, "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved" if place in wanted else "Rejected",
            "CustomerMetadataProperties": {**own, "art:model": f"art-model-{name}-{place}"},
        }  # fmt: skip
        if place in wanted:
            sm.put_config(f"art-config-{name}-{place}", created, own, f"art-model-{name}-{place}")


class FakeFolders:
    """An S3 of run folders that are only listed: an object each, by key and age."""

    def __init__(self, objects: dict[str, datetime]) -> None:
        self.objects = objects
        self.pages = 0

    def get_paginator(self, operation: str) -> FakeFolders:
        """As boto3 does."""
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's
        """A thousand objects a page."""
        assert Bucket == BUCKET
        keys = [key for key in self.objects if key.startswith(Prefix)]
        for start in range(0, len(keys), 1000):
            self.pages += 1
            page = [{"Key": key, "LastModified": self.objects[key], "Size": 10} for key in keys[start : start + 1000]]
            yield {"Contents": page}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        """None of the records is there."""
        from tests.support.fake_endpoints import refused

        raise refused("GetObject", f"no {Key} in {Bucket}", "NoSuchKey")


class FakeAlarms:
    """A CloudWatch with these alarms of ours."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def get_paginator(self, operation: str) -> FakeAlarms:
        """As boto3 does."""
        assert operation == "describe_alarms"
        return self

    def paginate(self, *, AlarmNamePrefix: str, AlarmTypes: list[str]) -> Iterator[dict[str, Any]]:  # noqa: N803
        """One page."""
        found = sorted(name for name in self.names if name.startswith(AlarmNamePrefix))
        yield {"MetricAlarms": [{"AlarmName": name, "AlarmArn": f"arn:{name}", "StateValue": "OK"} for name in found]}

    def list_tags_for_resource(self, *, ResourceARN: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        """All of ours."""
        return {"Tags": [{"Key": "art:pipeline", "Value": "churn"}]}

    def delete_alarms(self, *, AlarmNames: list[str]) -> None:  # noqa: N803 - boto3's
        """Some of them."""
        self.names -= set(AlarmNames)
