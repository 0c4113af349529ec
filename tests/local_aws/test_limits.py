"""Account limits count what is not over, per region, and are refused in AWS's words."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from include.local_aws.limits import GUARDED, check
from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.wire.errors import ResourceLimitExceeded
from tests.support.model_cases import good
from tests.support.sagemaker_in_process import InProcess, Refused


@pytest.fixture
def house(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path)


def training(count: int = 1, instance: str = "ml.m5.large", **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "new",
        "ResourceConfig": {"InstanceType": instance, "InstanceCount": count, "VolumeSizeInGB": 1},
        **more,
    }


def refused(house: InProcess, limits: dict[str, int], operation: str, request: dict[str, Any]) -> str | None:
    try:
        check(house.store, "us-east-1", operation, request, limits)
    except ResourceLimitExceeded as error:
        return error.message
    return None


def test_instances_of_jobs_that_are_not_over_count_and_the_refusal_is_in_awss_words(house: InProcess) -> None:
    limits = {"training/ml.m5.large": 2}
    assert refused(house, limits, "CreateTrainingJob", training(2)) is None
    house.put("training", "a", "InProgress", {"request": training(1)})
    house.put("training", "b", "Completed", {"request": training(7)})
    house.put("training", "c", "Stopping", {"request": training(9, "ml.m5.xlarge")})
    assert refused(house, limits, "CreateTrainingJob", training(1)) is None
    assert refused(house, limits, "CreateTrainingJob", training(2)) == (
        "The account-level service limit 'ml.m5.large for training job usage' is 2 Instances, with current utilization "
        "of 1 Instances and a request delta of 2 Instances. Please use AWS Service Quotas to request an increase for "
        "this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota."
    )
    assert refused(house, limits, "CreateTrainingJob", training(9, "ml.c5.large")) is None
    assert "is 9 Instances, with current utilization of 10" in str(
        refused(house, {"training/*": 9}, "CreateTrainingJob", training(1))
    )


def test_spot_instances_have_a_limit_of_their_own(house: InProcess) -> None:
    spot = training(1, EnableManagedSpotTraining=True)
    house.put("training", "a", "InProgress", {"request": spot})
    assert refused(house, {"training/ml.m5.large": 0}, "CreateTrainingJob", spot) is None
    said = refused(house, {"spot-training/ml.m5.large": 1}, "CreateTrainingJob", spot)
    assert said is not None
    assert "'ml.m5.large for spot training job usage' is 1 Instances" in said
    assert refused(house, {"training": 1}, "CreateTrainingJob", training()) is not None  # of either sort, one job


@pytest.mark.parametrize(
    ("kind", "operation", "member", "body"),
    [
        ("automl", "CreateAutoMLJobV2", "AutoMLJobName", {}),
        ("automl", "CreateAutoMLJob", "AutoMLJobName", {}),
        (
            "tuning", "CreateHyperParameterTuningJob", "HyperParameterTuningJobName",
            {"HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": 1}}},
        ),
        (
            "processing/ml.m5.large", "CreateProcessingJob", "ProcessingJobName",
            {"ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}},
        ),
        (
            "transform/ml.m5.large", "CreateTransformJob", "TransformJobName",
            {"TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
        ),
        (
            "training/ml.m5.large", "CreateTrainingJob", "TrainingJobName",
            {"ResourceConfig": {"InstanceGroups": [{"InstanceType": "ml.m5.large", "InstanceCount": 1}]}},
        ),
    ],
)  # fmt: skip
def test_every_kind_of_job_has_its_limit(
    house: InProcess, kind: str, operation: str, member: str, body: dict[str, Any]
) -> None:
    store_kind = kind.partition("/")[0]
    assert refused(house, {kind: 1}, operation, {member: "one", **body}) is None
    assert refused(house, {kind: 0}, operation, {member: "one", **body}) is not None
    house.put(store_kind, "one", "InProgress", {"request": body})
    assert refused(house, {kind: 1}, operation, {member: "two", **body}) is not None
    assert refused(house, {kind: 1}, operation, {member: "one", **body}) is None  # the name is taken: that comes first
    house.move(store_kind, "one", "Stopped")
    assert refused(house, {kind: 1}, operation, {member: "two", **body}) is None


def test_a_tuning_job_needs_room_for_the_training_jobs_that_it_runs_at_once(house: InProcess) -> None:
    small, large = ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": count}} for count in (1, 2))
    request = {
        "HyperParameterTuningJobName": "t",
        "HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": 3}},
        "TrainingJobDefinitions": [small, large],
    }
    said = refused(house, {"training/ml.m5.large": 5}, "CreateHyperParameterTuningJob", request)
    assert said is not None
    assert "a request delta of 6 Instances" in said
    assert refused(house, {"training/ml.m5.large": 6}, "CreateHyperParameterTuningJob", request) is None
    said = refused(house, {"tuning": 0, "training/*": 9}, "CreateHyperParameterTuningJob", request)
    assert said is not None
    assert "'Total number of concurrent hyperparameter tuning jobs' is 0 Jobs" in said


def test_an_update_of_an_endpoint_needs_room_for_both_fleets(house: InProcess) -> None:
    variant = {"VariantName": "v", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    house.put("endpoint-config", "c", "", {"ProductionVariants": [variant]})
    create = {"EndpointName": "e", "EndpointConfigName": "c"}
    limits = {"endpoint/ml.m5.large": 3}
    assert refused(house, limits, "CreateEndpoint", create) is None
    assert refused(house, {"endpoint": 0}, "CreateEndpoint", create) is not None
    fleet = [{"VariantName": "v", "count": 2}]
    house.put("endpoint", "e", "InService", {"config": "c", "variants": fleet})
    said = refused(house, limits, "UpdateEndpoint", create)
    assert said is not None
    assert "current utilization of 2 Instances and a request delta of 2 Instances" in said
    assert refused(house, {"endpoint": 1}, "UpdateEndpoint", create) is None
    more = {"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "v", "DesiredInstanceCount": 3}]}
    assert refused(house, limits, "UpdateEndpointWeightsAndCapacities", more) is None
    assert refused(house, {"endpoint/ml.m5.large": 2}, "UpdateEndpointWeightsAndCapacities", more) is not None
    house.store.update("endpoint", "us-east-1", "e", lambda now: now.having(pending={"config": "c", "variants": fleet}))
    said = refused(house, limits, "CreateEndpoint", {"EndpointName": "other", "EndpointConfigName": "c"})
    assert said is not None
    assert "current utilization of 4" in said


def test_regions_have_limits_of_their_own(house: InProcess) -> None:
    house.store.insert("automl", "eu-west-1", "a", "InProgress", {})
    assert refused(house, {"automl": 1}, "CreateAutoMLJobV2", {"AutoMLJobName": "b"}) is None


def test_every_operation_that_takes_something_of_a_limit_is_there() -> None:
    assert set(GUARDED) <= set(OPERATIONS)


def test_of_many_calls_at_once_only_as_many_are_taken_as_the_limit_leaves(tmp_path: Path) -> None:
    """A limit is checked and used up in one step."""

    def create(call: Any) -> dict[str, Any]:
        time.sleep(0.01)
        name = call.input["AutoMLJobName"]
        call.store.insert("automl", call.region, name, "InProgress", {})
        return {"AutoMLJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:automl-job/{name}"}

    house = InProcess(tmp_path, operations={"CreateAutoMLJobV2": create}, limits=lambda: {"automl": 3})
    from include.local_aws.wire.model import operation

    model = operation("CreateAutoMLJobV2")
    assert model is not None
    outcomes: list[str] = []

    def one(number: int) -> None:
        request = {**good(model.input_shape), "AutoMLJobName": f"job-{number}"}
        try:
            house.call("CreateAutoMLJobV2", **request)
            outcomes.append("taken")
        except Refused as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(outcomes) == ["ResourceLimitExceeded"] * 9 + ["taken"] * 3
