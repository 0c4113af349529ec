"""Reading and writing the endpoint that serves the champion."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from automl_retraining.core.endpoint_spec import EndpointSpec
from automl_retraining.core.errors import EndpointBusy, EndpointError, JobConflict, NotOurs, RolledBack
from automl_retraining.sagemaker import endpoint, endpoint_config
from tests.support.fake_endpoints import FakeSageMaker

OURS = [{"Key": "art:pipeline", "Value": "churn"}, {"Key": "art:run-id", "Value": "r1"}]
SPEC = EndpointSpec(instance_type="ml.m5.large", instance_count=2)


@pytest.fixture
def sm() -> FakeSageMaker:
    """A SageMaker in which ``e`` serves ``m1`` in its variant champion, as configuration ``c1``."""
    fake = FakeSageMaker()
    fake.model("m1", art_run_id="r1", art_run_folder="s3://bucket/churn/runs/r1")
    deploy(fake, "c1", "m1")
    return fake


def request_for(current: endpoint.Endpoint | None, name: str, model: str, **options: Any) -> dict[str, Any]:
    """The configuration's request."""
    given = {"spec": SPEC, "kms_key": None, "tags": OURS, **options}
    return endpoint_config.config_request(current, config_name=name, model_name=model, **given)


def deploy(fake: FakeSageMaker, config: str, model: str, tags: list[dict[str, str]] = OURS) -> None:
    """Put a model behind ``e``."""
    current = endpoint.describe(fake, "e")
    endpoint_config.create_config(fake, request_for(current, config, model))
    endpoint.put(fake, current, endpoint_name="e", config_name=config, tags=tags)
    fake.settle("e")


def test_no_endpoint_means_no_champion() -> None:
    """The first run of a pipeline."""
    assert endpoint.read_champion(FakeSageMaker(), "e", adopt=False) is None


def test_the_champion_is_the_model_of_the_variant_champion_with_the_run_that_made_it(sm: FakeSageMaker) -> None:
    """Name, run and folder come from the endpoint, its configuration and the model's tags."""
    champion = endpoint.read_champion(sm, "e", adopt=False, pipeline="churn")
    assert champion is not None
    assert (champion.model_name, champion.run_id, champion.run_folder, champion.endpoint_config) == (
        "m1", "r1", "s3://bucket/churn/runs/r1", "c1"
    )  # fmt: skip


@pytest.mark.parametrize("tags", [[], [{"Key": "art:pipeline", "Value": "other"}]])
def test_somebody_elses_endpoint_is_refused_unless_adopted(tags: list[dict[str, str]]) -> None:
    """By the tag of the pipeline, also another pipeline of ours."""
    fake = FakeSageMaker()
    fake.model("m1")
    deploy(fake, "c1", "m1", tags)
    with pytest.raises(NotOurs, match=r"endpoint e: expected the tag art:pipeline .* endpoint.adopt: true"):
        endpoint.read_champion(fake, "e", adopt=False, pipeline="churn")
    champion = endpoint.read_champion(fake, "e", adopt=True, pipeline="churn")
    assert champion is not None
    assert champion.model_name == "m1"


def test_an_adopted_endpoint_s_only_variant_is_the_champion_s_under_its_own_name(sm: FakeSageMaker) -> None:
    """Variant names are kept; with several variants one must be named champion."""
    sm.configs["c1"]["ProductionVariants"][0]["VariantName"] = "AllTraffic"
    champion = endpoint.read_champion(sm, "e", adopt=False)
    assert champion is not None
    assert champion.model_name == "m1"
    request = request_for(endpoint.describe(sm, "e"), "c2", "m2")
    assert [(v["VariantName"], v["ModelName"]) for v in request["ProductionVariants"]] == [("AllTraffic", "m2")]
    sm.configs["c1"]["ProductionVariants"].append({"VariantName": "B", "ModelName": "m9"})
    with pytest.raises(EndpointError, match="found 'AllTraffic', 'B'"):
        endpoint.read_champion(sm, "e", adopt=False)


@pytest.mark.parametrize(
    ("status", "error"),
    [("Creating", EndpointBusy), ("Deleting", EndpointBusy), ("OutOfService", EndpointError),
     ("UpdateRollbackFailed", EndpointError)],
)  # fmt: skip
def test_an_endpoint_that_does_not_serve_one_configuration_says_its_state(
    sm: FakeSageMaker, status: str, error: type[EndpointError]
) -> None:
    """Creating and Deleting pass by themselves and are worth a retry; the others need somebody."""
    sm.endpoints["e"]["EndpointStatus"] = status
    with pytest.raises(error, match=status) as caught:
        endpoint.read_champion(sm, "e", adopt=False)
    assert caught.value.retryable == (error is EndpointBusy)


@pytest.mark.parametrize("status", ["Updating", "SystemUpdating", "RollingBack"])
def test_during_an_update_the_configuration_that_still_serves_counts(sm: FakeSageMaker, status: str) -> None:
    """What will serve is read again inside the lease."""
    sm.endpoints["e"] |= {"EndpointStatus": status, "PendingDeploymentSummary": {"EndpointConfigName": "c2"}}
    champion = endpoint.read_champion(sm, "e", adopt=False)
    assert champion is not None
    assert champion.endpoint_config == "c1"


def test_a_failed_endpoint_has_no_champion_and_is_deleted_before_it_is_made_again(sm: FakeSageMaker) -> None:
    """DeleteEndpoint is the only operation that a failed endpoint takes."""
    sm.endpoints["e"]["EndpointStatus"] = "Failed"
    assert endpoint.read_champion(sm, "e", adopt=False) is None
    current = endpoint.describe(sm, "e")
    assert endpoint.put(sm, current, endpoint_name="e", config_name="c2", tags=OURS) == "deleting"
    assert endpoint.put(sm, endpoint.describe(sm, "e"), endpoint_name="e", config_name="c2", tags=OURS) == "created"


def test_a_first_configuration_has_the_variant_champion_with_the_pipelines_fleet() -> None:
    """One variant with all the traffic."""
    request = request_for(None, "c1", "m1", kms_key="key")
    assert request["ProductionVariants"] == [
        {"VariantName": "champion", "ModelName": "m1", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2,
         "InitialVariantWeight": 1.0}
    ]  # fmt: skip
    assert request["KmsKeyId"] == "key"


def test_a_new_configuration_keeps_everything_but_the_champions_model_and_is_legal(sm: FakeSageMaker) -> None:
    """Other variants, KMS, data capture and network stay; botocore's validator takes the request."""
    capture = {"EnableCapture": True, "InitialSamplingPercentage": 10, "DestinationS3Uri": "s3://b/capture",
               "CaptureOptions": [{"CaptureMode": "Input"}]}  # fmt: skip
    sm.configs["c1"] |= {"KmsKeyId": "key", "DataCaptureConfig": capture, "EnableNetworkIsolation": True}
    other = {"VariantName": "b", "ModelName": "m9", "InstanceType": "ml.c5.large", "InitialInstanceCount": 1}
    sm.configs["c1"]["ProductionVariants"].append(other)
    request = request_for(endpoint.describe(sm, "e"), "c2", "m2", spec=EndpointSpec(instance_type="ml.c5.xlarge"))
    champion, kept = request["ProductionVariants"]
    assert (champion["ModelName"], champion["InstanceType"], champion["InitialInstanceCount"]) == (
        "m2", "ml.c5.xlarge", 2
    )  # fmt: skip
    assert kept == other
    assert (request["KmsKeyId"], request["DataCaptureConfig"], request["EnableNetworkIsolation"]) == (
        "key", capture, True
    )  # fmt: skip
    shape = botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateEndpointConfig")
    assert not ParamValidator().validate(request, shape.input_shape).has_errors()


def test_a_configuration_that_exists_is_adopted_for_the_same_model_and_refused_for_another(sm: FakeSageMaker) -> None:
    """A retry after a lost answer goes on; a name in use for another model is a conflict."""
    current = endpoint.describe(sm, "e")
    endpoint_config.create_config(sm, request_for(current, "c2", "m2"))
    endpoint_config.create_config(sm, request_for(current, "c2", "m2"))
    assert sm.calls.count("create_endpoint_config") == 2  # c1 and c2
    with pytest.raises(JobConflict, match="c2"):
        endpoint_config.create_config(sm, request_for(current, "c2", "m3"))


def test_putting_the_same_configuration_again_changes_nothing(sm: FakeSageMaker) -> None:
    """A task that was killed after the update began finds it moving, then serving."""
    endpoint_config.create_config(sm, request_for(endpoint.describe(sm, "e"), "c2", "m2"))

    def put() -> str:
        return endpoint.put(sm, endpoint.describe(sm, "e"), endpoint_name="e", config_name="c2", tags=OURS)

    assert [put(), put()] == ["updated", "moving"]
    sm.settle("e")
    assert put() == "serving"
    assert sm.calls.count("update_endpoint") == 1


def test_an_endpoint_that_is_moving_elsewhere_is_busy(sm: FakeSageMaker) -> None:
    """Somebody else's update is not overwritten."""
    sm.update_endpoint(EndpointName="e", EndpointConfigName="theirs", RetainAllVariantProperties=True)
    with pytest.raises(EndpointBusy, match="found Updating"):
        endpoint.put(sm, endpoint.describe(sm, "e"), endpoint_name="e", config_name="c2", tags=OURS)


def test_verify_passes_only_the_configuration_that_was_asked_for(sm: FakeSageMaker) -> None:
    """InService on the old configuration is a rollback, with its reason; every other end is an error."""
    endpoint.verify(endpoint.describe(sm, "e"), endpoint_name="e", config_name="c1")
    sm.update_endpoint(EndpointName="e", EndpointConfigName="c2", RetainAllVariantProperties=True)
    sm.settle("e", rolled_back="the container did not pass the ping health check")
    with pytest.raises(RolledBack, match="went back to c1: the container did not pass the ping health check; the cha"):
        endpoint.verify(endpoint.describe(sm, "e"), endpoint_name="e", config_name="c2")
    for status in ("Failed", "UpdateRollbackFailed", "OutOfService", "Updating"):
        sm.endpoints["e"]["EndpointStatus"] = status
        with pytest.raises(EndpointError, match=status):
            endpoint.verify(endpoint.describe(sm, "e"), endpoint_name="e", config_name="c2")
    with pytest.raises(EndpointError, match="no endpoint of that name"):
        endpoint.verify(None, endpoint_name="e", config_name="c2")


def test_every_status_of_the_service_model_has_a_meaning_for_the_champion(sm: FakeSageMaker) -> None:
    """No status of botocore's model is left to chance."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    serving: set[str] = set()
    none: set[str] = set()
    errors: set[str] = set()
    for status in model.shape_for("EndpointStatus").enum:
        sm.endpoints["e"]["EndpointStatus"] = status
        try:
            champion = endpoint.read_champion(sm, "e", adopt=False)
        except EndpointError:
            errors.add(status)
        else:
            (serving if champion else none).add(status)
    assert serving == {"InService", "Updating", "SystemUpdating", "RollingBack"}
    assert none == {"Failed"}
    assert errors == {"Creating", "Deleting", "OutOfService", "UpdateRollbackFailed"}
