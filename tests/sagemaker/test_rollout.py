"""How an update moves the traffic, as SageMaker's request says it, and what the fleet and the model allow."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest

from automl_retraining.core.endpoint_spec import EndpointSpec
from automl_retraining.core.errors import RolloutRefused, StorageError
from automl_retraining.sagemaker import rollout
from automl_retraining.sagemaker.endpoint import Endpoint
from automl_retraining.sagemaker.storage import ObjectMissing
from tests.support.botocore_check import accepted

ALARMS = {"names": ["mine"], "errors_5xx": 3}
FLEET = {"instance_count": 10, "lease": 7200, "alarms": ALARMS}


def test_nothing_asked_for_is_nothing_sent() -> None:
    """SageMaker's default: all at once, no alarm."""
    assert rollout.deployment(EndpointSpec(), []) is None


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (
            {"strategy": "canary", "step": 10, "wait": 120, "termination_wait": 60, "max_time": 3600},
            {"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "CANARY", "WaitIntervalInSeconds": 120,
                    "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                },
                "TerminationWaitInSeconds": 60,
                "MaximumExecutionTimeoutInSeconds": 3600,
            }},
        ),
        (
            {"strategy": "linear", "step": 25, "wait": 60},
            {"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": "LINEAR", "WaitIntervalInSeconds": 60,
                    "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25},
                },
                "TerminationWaitInSeconds": 0,
            }},
        ),
        (
            {"strategy": "rolling", "step": 20, "wait": 60, "max_time": 1200},
            {"RollingUpdatePolicy": {
                "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 20}, "WaitIntervalInSeconds": 60,
                "MaximumExecutionTimeoutInSeconds": 1200,
            }},
        ),
        (
            {"termination_wait": 300},
            {"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
                "TerminationWaitInSeconds": 300,
            }},
        ),
    ],
)  # fmt: skip
def test_each_strategy_is_the_request_that_sagemaker_takes(asked: dict[str, Any], sent: dict[str, Any]) -> None:
    """With the alarms that roll it back; botocore's validator takes it."""
    found = rollout.deployment(EndpointSpec.model_validate({**FLEET, "rollout": asked}), ["mine", "ours"])
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "mine"}, {"AlarmName": "ours"}]}}
    assert found == {**sent, **alarms}
    request = {"EndpointName": "e", "EndpointConfigName": "c", "DeploymentConfig": found}
    accepted("update_endpoint", request)


def fleet(**counts: int) -> Endpoint:
    """An endpoint whose configuration says ten instances, and whose fleet is these."""
    variants = [{"VariantName": name, "InitialInstanceCount": 10} for name in counts]
    return Endpoint(
        "e", "arn", "InService", "c1", None, None, datetime.now(UTC), config={"ProductionVariants": variants},
        counts=counts,
    )  # fmt: skip


def test_the_fleet_as_it_is_now_counts_and_not_the_configuration() -> None:
    """Autoscaling has left two of ten instances: a canary of a tenth cannot be done, and is not done all at once."""
    asked = EndpointSpec.model_validate({**FLEET, "rollout": {"strategy": "canary", "step": 10}})
    rollout.check_fleet(asked, fleet(champion=10))
    with pytest.raises(RolloutRefused, match=r"variant 'champion': expected at least 10 instances .* found 2: .*writt"):
        rollout.check_fleet(asked, fleet(champion=2))
    with pytest.raises(RolloutRefused, match="variant 'b'"):
        rollout.check_fleet(asked, fleet(champion=10, b=1))
    rollout.check_fleet(EndpointSpec(), fleet(champion=1))


def test_a_fleet_that_grew_so_that_the_lease_does_not_cover_its_steps_is_refused() -> None:
    """Three instances in steps of one, where there were two."""
    asked = EndpointSpec.model_validate(
        {"instance_count": 2, "lease": 900, "alarms": ALARMS,
         "rollout": {"strategy": "linear", "step": 50, "wait": 300}}
    )  # fmt: skip
    rollout.check_fleet(asked, fleet(champion=2))
    with pytest.raises(RolloutRefused, match=r"with 3 instances: endpoint\.lease: expected at least 1200 s"):
        rollout.check_fleet(asked, fleet(champion=3))


def test_a_variant_without_instances_cannot_be_moved_in_steps() -> None:
    """A serverless one."""
    found = fleet(champion=1)
    serverless = Endpoint(
        **{**vars(found), "counts": {}, "config": {"ProductionVariants": [{"VariantName": "champion"}]}}
    )
    with pytest.raises(RolloutRefused, match="serverless"):
        rollout.check_fleet(EndpointSpec.model_validate({**FLEET, "rollout": {"strategy": "canary", "step": 10}}),
                            serverless)  # fmt: skip


class Models:
    """A SageMaker with one model."""

    def __init__(self, **model: Any) -> None:
        self.model = model

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        """As boto3 does."""
        return {"ModelName": ModelName, **self.model}


def test_a_model_that_is_too_large_is_named_with_its_largest_artifact(s3_bucket: Any) -> None:
    """Every container's artifact counts, each once; a prefix counts with all its objects."""
    s3_bucket.upload_fileobj(BytesIO(b"0" * 300_000), "runs", "a/model.tar.gz")
    s3_bucket.upload_fileobj(BytesIO(b"0" * 500_000), "runs", "b/model/one")
    s3_bucket.upload_fileobj(BytesIO(b"0" * 100_000), "runs", "b/model/two")
    one = {"Image": "i", "ModelDataUrl": "s3://runs/a/model.tar.gz"}
    prefix = {"Image": "i", "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://runs/b/model/"}}}
    sm = Models(Containers=[one, one, prefix, {"Image": "without"}])
    assert rollout.too_large(sm, s3_bucket, "m", 0.9) is None
    said = rollout.too_large(sm, s3_bucket, "m", 0.89)
    assert said == (
        "The champion was kept: expected the challenger's artifacts to be at most 0.89 MB (endpoint.max_model_mb), "
        "found 0.9 MB, the largest of them s3://runs/b/model/ with 0.6 MB."
    )
    assert rollout.too_large(Models(PrimaryContainer=one), s3_bucket, "m", 0.3) is None


def test_an_artifact_that_is_not_there_is_an_error_and_not_a_small_model(s3_bucket: Any) -> None:
    """Whether an object or a prefix."""
    with pytest.raises(ObjectMissing, match="s3://runs/gone"):
        rollout.too_large(Models(PrimaryContainer={"ModelDataUrl": "s3://runs/gone"}), s3_bucket, "m", 1)
    prefix = {"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://runs/gone/"}}}
    with pytest.raises(StorageError, match="found none"):
        rollout.too_large(Models(PrimaryContainer=prefix), s3_bucket, "m", 1)


@pytest.fixture
def s3_bucket() -> Any:
    """S3 with the bucket ``runs``."""
    import boto3
    from moto import mock_aws

    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        s3.create_bucket(Bucket="runs")
        yield s3
