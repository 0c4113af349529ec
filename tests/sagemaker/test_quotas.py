"""The instances that a pipeline asks for, against the account's quotas, where AWS would stand."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from automl_retraining.sagemaker.quotas import Codes, Need, check, needs
from tests.support.fake_sagemaker import error
from tests.support.sagemaker_tasks import FakeS3, pipeline

URI = "s3://bucket/churn/state/quota_codes.json"
TRANSFORM = Need("transform.instance_type", "transform job", "ml.m5.large", 2)


class ReadableS3(FakeS3):
    """With reads."""

    def get_object(self, **arguments: Any) -> dict[str, Any]:
        """An object, or AWS's refusal."""
        uri = f"s3://{arguments['Bucket']}/{arguments['Key']}"
        if uri not in self.objects:
            raise error("NoSuchKey", status=404)
        return {"Body": Body(self.objects[uri])}


class Body:
    """What boto3 gives to read from."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self) -> bytes:
        """All of it."""
        return self.data


class Quotas:
    """Service Quotas: a list in two pages, values by code; ``calls`` tells what was asked."""

    def __init__(self, **values: float) -> None:
        self.values = values
        self.calls: list[str] = []
        self.denied = False

    def get_paginator(self, operation: str) -> Quotas:
        """The list's pages."""
        self.calls.append(operation)
        if self.denied:
            raise error("AccessDeniedException", "not authorized")
        return self

    def paginate(self, **_: Any) -> Any:
        """Something else first."""
        yield {"Quotas": [{"QuotaName": "Number of notebooks", "QuotaCode": "L-0", "Value": 4.0}]}
        for number, (kind, value) in enumerate(self.values.items(), start=1):
            name = f"ml.m5.large for {kind.replace('_', ' ')} usage"
            yield {"Quotas": [{"QuotaName": name, "QuotaCode": f"L-{number}", "Value": value}]}

    def get_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        """No quota was ever changed in this account."""
        self.calls.append("get_service_quota")
        raise error("NoSuchResourceException", f"{ServiceCode} {QuotaCode}")

    def get_aws_default_service_quota(self, *, ServiceCode: str, QuotaCode: str) -> dict[str, Any]:  # noqa: N803
        """AWS's default."""
        assert ServiceCode == "sagemaker"
        self.calls.append("get_aws_default_service_quota")
        return {"Quota": {"Value": list(self.values.values())[int(QuotaCode[2:]) - 1]}}


@pytest.fixture(scope="module")
def sm() -> Any:
    """boto3's SageMaker, for the instance types that it knows; nothing is called."""
    return boto3.client("sagemaker", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def findings(quotas: Quotas, sm: Any, s3: Any, *wanted: Need) -> list[tuple[bool, str]]:
    """What is found."""
    return [
        (found.missing, found.sentence) for found in check(quotas, sm, s3, wanted, codes_uri=URI, region="us-east-1")
    ]


@pytest.mark.parametrize(("value", "enough"), [(0.0, False), (1.0, False), (2.0, True), (20.0, True)])
def test_a_quota_below_what_one_request_asks_for_is_missing(sm: Any, value: float, enough: bool) -> None:
    """Zero, as new accounts have for many types, and fewer instances than the pipeline's count."""
    found = findings(Quotas(transform_job=value), sm, ReadableS3(), TRANSFORM)
    if enough:
        assert found == []
    else:
        ((missing, sentence),) = found
        assert missing
        assert (
            f"expected a quota of at least 2 for 'ml.m5.large for transform job usage' in us-east-1, found {value:g}"
            in sentence
        )


def test_the_list_of_all_quotas_is_read_once(sm: Any) -> None:
    """Its codes are kept in the pipeline's folder; later runs ask for the few, also AWS's defaults."""
    s3, quotas = ReadableS3(), Quotas(transform_job=0.0)
    first = findings(quotas, sm, s3, TRANSFORM)
    assert quotas.calls == ["list_service_quotas"]
    assert Codes.model_validate_json(s3.objects[URI]).codes == {TRANSFORM.quota: "L-1"}
    assert findings(quotas, sm, s3, TRANSFORM) == first
    assert quotas.calls[1:] == ["get_service_quota", "get_aws_default_service_quota"]


def test_an_instance_type_that_nobody_knows_is_missing(sm: Any) -> None:
    """boto3 may be older than a type: alone it only doubts."""
    typed = Need("transform.instance_type", "transform job", "ml.m5.lagre")
    quotas = Quotas(transform_job=4.0)
    ((missing, sentence),) = findings(quotas, sm, ReadableS3(), typed)
    assert missing
    assert "found 'ml.m5.lagre', which neither boto3 nor Service Quotas knows" in sentence
    quotas.denied = True
    denied, doubted = findings(quotas, sm, ReadableS3(), typed)
    assert not denied[0]
    assert "not authorized" in denied[1]
    assert doubted == (False, doubted[1])
    assert "is it a new one?" in doubted[1]


def test_each_story_asks_for_its_own_instances() -> None:
    """Autopilot chooses its own; spot trainings have a quota of their own."""
    own = pipeline(
        tuning={"spot": True}, candidates={"instance_type": "ml.m5.4xlarge"}, refit={"instance_type": "ml.c5.xlarge"}
    )
    shared = ["ml.m5.large for transform job usage", "ml.m5.large for endpoint usage"]
    assert [need.quota for need in needs(own, "autopilot")] == shared
    assert [need.quota for need in needs(own, "tuned")][2:] == [
        "ml.m5.large for processing job usage",
        "ml.m5.large for spot training job usage",
    ]
    assert [need.quota for need in needs(own, "candidates")][2:] == ["ml.m5.4xlarge for training job usage"]
    assert [need.quota for need in needs(own, "refit")][2:] == ["ml.c5.xlarge for training job usage"]
