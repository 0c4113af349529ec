"""A rollout by the update task: guarded by alarms, refused where it cannot be done, explained where it went back."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from botocore.exceptions import ClientError

from automl_retraining.core.errors import AlarmRaised
from automl_retraining.operators.endpoint import KEPT, UpdateEndpointOperator
from automl_retraining.operators.endpoint_writer import patience
from automl_retraining.operators.smoke_test import SmokeTestOperator
from automl_retraining.sagemaker import storage, tags
from automl_retraining.sagemaker.endpoint import tags_of
from tests.support.endpoint_runs import ENDPOINT, decided, folder, holder, pipeline, promote, with_clients
from tests.support.fake_cloudwatch import FakeCloudWatch
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.manifests import regression
from tests.support.tasks import context

CANARY = {
    "instance_count": 2, "lease": 1200, "alarms": {"errors_5xx": 1, "latency_ms": 200, "period": 10},
    "rollout": {"strategy": "canary", "step": 50, "wait": 60},
}  # fmt: skip


@pytest.fixture
def cloudwatch() -> FakeCloudWatch:
    """No alarm yet."""
    return FakeCloudWatch()


def rolling_out(sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch, endpoint: Any = CANARY) -> tuple[Any, Any]:
    """The operator that puts m2 over m1, and its context."""
    operator = UpdateEndpointOperator(task_id="update_endpoint", pipeline=pipeline(endpoint=endpoint), model_name="m2")
    with_clients(operator, sm, s3).__dict__["_client"] = lambda service: {"cloudwatch": cloudwatch}[service]
    ctx = context("update_endpoint")
    ctx["dag_run"].clear_number = 7
    decided(s3, ctx, "m2", "m1")
    return operator, ctx


def first_model(sm: FakeSageMaker, s3: Any) -> dict[str, Any]:
    """m1 serves, on two instances."""
    done = promote(sm, s3, "m1", None)
    sm.endpoints[ENDPOINT]["ProductionVariants"] = [{"VariantName": "champion", "DesiredInstanceCount": 2}]
    return done


def test_a_canary_is_asked_for_with_the_alarms_made_for_its_configuration(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """The alarms are there before the update begins, on the new configuration; which one served before is a tag."""
    first = first_model(sm, s3)
    operator, ctx = rolling_out(sm, s3, cloudwatch)
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    deployment = sm.deployments[-1]
    assert deployment is not None
    names = [each["AlarmName"] for each in deployment["AutoRollbackConfiguration"]["Alarms"]]
    assert names == ["art-alarm-art-churn.champion.errors-5xx", "art-alarm-art-churn.champion.latency-ms"]
    routing = deployment["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["CanarySize"] == {"Type": "CAPACITY_PERCENT", "Value": 50}
    move = ctx["task_state_store"]["move"]
    assert {alarm["Dimensions"][2]["Value"] for alarm in cloudwatch.alarms.values()} == {move["config"]}
    config = sm.configs[move["config"]]
    assert tags_of(sm, config["EndpointConfigArn"])[tags.PREVIOUS_CONFIG] == first["config"]
    sm.settle(ENDPOINT)
    assert operator.settled(ctx, {})["previous_config"] == first["config"]


def test_a_first_endpoint_is_created_without_a_rollout(sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch) -> None:
    """There is no traffic to move yet."""
    operator, ctx = rolling_out(sm, s3, cloudwatch)
    decided(s3, ctx, "m2", None)
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    assert (sm.calls, cloudwatch.calls) == (["create_endpoint_config", "create_endpoint"], [])


def test_a_fleet_that_cannot_do_the_canary_is_refused_before_anything_is_written(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """Autoscaling left one instance: never silently all at once."""
    first_model(sm, s3)
    sm.endpoints[ENDPOINT]["ProductionVariants"][0]["DesiredInstanceCount"] = 1
    writes = list(sm.calls)
    operator, ctx = rolling_out(sm, s3, cloudwatch)
    with pytest.raises(AirflowFailException, match=r"at least 2 instances for the rollout canary .* found 1"):
        operator.execute(ctx)
    assert (sm.calls, cloudwatch.calls, holder(s3)) == (writes, [], None)


def test_an_alarm_that_is_raised_before_the_rollout_is_worth_a_retry(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """A named one; nothing is written until it is quiet."""
    first_model(sm, s3)
    writes = list(sm.calls)
    operator, ctx = rolling_out(sm, s3, cloudwatch, {**CANARY, "alarms": {"names": ["mine"]}})
    with pytest.raises(AirflowFailException, match="found none of the name 'mine'"):
        operator.execute(ctx)
    cloudwatch.put_metric_alarm(AlarmName="mine", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1)
    cloudwatch.becomes("mine", "ALARM")
    with pytest.raises(AlarmRaised, match="alarm mine"):
        operator.execute(ctx)
    assert sm.calls == writes
    cloudwatch.becomes("mine", "OK")
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)


def test_a_rollback_fails_naming_the_alarm_and_what_it_said(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """Although the alarm is quiet again; the sentence is left for the record, the lease given back."""
    first_model(sm, s3)
    operator, ctx = rolling_out(sm, s3, cloudwatch)
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    cloudwatch.becomes("art-alarm-art-churn.champion.latency-ms", "ALARM", "Threshold Crossed: 412000 > 200000.")
    cloudwatch.becomes("art-alarm-art-churn.champion.latency-ms", "OK", "no data")
    sm.settle(ENDPOINT, rolled_back="An alarm went off.")
    with pytest.raises(AirflowFailException) as caught:
        operator.settled(ctx, {})
    assert (
        "An alarm went off: alarm art-alarm-art-churn.champion.latency-ms: Threshold Crossed: 412000 > 200000; the "
        "champion still serves" in str(caught.value)
    )
    assert ctx["ti"].xcom_pull("update_endpoint", "rolled_back") == str(caught.value)
    assert holder(s3) is None


def test_alarms_that_cannot_be_asked_do_not_hide_the_rollback(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails with the rollback's sentence, which says so."""
    first_model(sm, s3)
    operator, ctx = rolling_out(sm, s3, cloudwatch)
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    sm.settle(ENDPOINT, rolled_back="An alarm went off.")

    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarmHistory")

    monkeypatch.setattr(cloudwatch, "describe_alarm_history", refused)
    with pytest.raises(AirflowFailException, match="which alarm went off cannot be told: AWS answered AccessDenied"):
        operator.settled(ctx, {})


def test_killed_in_mid_rollout_the_next_try_waits_on_and_still_knows_its_alarms(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """Nothing is asked for twice, and the alarm that fires is not taken for one before the rollout."""
    first_model(sm, s3)
    operator, ctx = rolling_out(sm, s3, cloudwatch)
    for _ in range(2):
        with pytest.raises(TaskDeferred):
            operator.execute(ctx)
        cloudwatch.becomes("art-alarm-art-churn.champion.errors-5xx", "ALARM", "two errors")
    assert sm.calls.count("update_endpoint") == 1
    sm.settle(ENDPOINT, rolled_back="An alarm went off.")
    with pytest.raises(AirflowFailException, match="errors-5xx: two errors"):
        operator.settled(ctx, {})


def test_a_model_above_the_size_limit_keeps_the_champion_without_failing(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """Looked at before the lease; the sentence is left for the record."""
    first_model(sm, s3)
    storage.write_bytes(s3, "s3://runs/m2/model.tar.gz", b"0" * 20_000)
    sm.models["m2"]["PrimaryContainer"] = {"Image": "i", "ModelDataUrl": "s3://runs/m2/model.tar.gz"}
    writes = list(sm.calls)
    operator, ctx = rolling_out(sm, s3, cloudwatch, {"max_model_mb": 0.01})
    assert operator.execute(ctx) is None
    assert "at most 0.01 MB" in ctx["ti"].xcom_pull("update_endpoint", KEPT)
    assert (sm.calls, holder(s3)) == (writes, None)
    operator, ctx = rolling_out(sm, s3, cloudwatch, {"max_model_mb": 0.02})
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)


def test_capture_goes_into_the_pipelines_part_of_the_bucket(
    sm: FakeSageMaker, s3: Any, cloudwatch: FakeCloudWatch
) -> None:
    """Requests and answers, with CSV kept as text; without the section what is there stays as it is."""
    operator, ctx = rolling_out(sm, s3, cloudwatch, {"capture": {"percent": 20}})
    decided(s3, ctx, "m2", None)
    with pytest.raises(TaskDeferred):
        operator.execute(ctx)
    (config,) = sm.configs.values()
    assert config["DataCaptureConfig"] == {
        "EnableCapture": True, "InitialSamplingPercentage": 20, "DestinationS3Uri": "s3://runs/churn/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }  # fmt: skip


def test_a_median_latency_above_the_limit_goes_back_as_a_wrong_answer_does(
    sm: FakeSageMaker, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All traffic at once, whatever the rollout was."""
    first_model(sm, s3)
    updated = promote(sm, s3, "m2", "m1")
    ctx = context("smoke_test")
    ctx["ti"].xcoms["update_endpoint", "return_value"] = updated
    storage.write_record(s3, folder("manifest.json"), regression(folder("data/transform/test.csv")))
    storage.write_text(s3, folder("data/transform/test.csv"), "7,1.0,a\n")
    storage.write_text(s3, folder("scores/challenger.csv"), "row_id,truth,prediction\n7,2.0,2.5\n")

    class Answers:
        def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
            return {"Body": BytesIO(b"2.5\n")}

    def smoke(limit: float) -> Any:
        asked = pipeline(endpoint={**CANARY, "max_latency_ms": limit})
        operator = with_clients(SmokeTestOperator(task_id="smoke_test", pipeline=asked), sm, s3)
        operator.__dict__["_client"] = lambda service: Answers()
        return operator

    passed = smoke(60_000).execute(ctx)
    assert passed["rows"] == 1
    assert passed["latency_ms"] >= 0
    with pytest.raises(TaskDeferred):
        smoke(1e-9).execute(ctx)
    assert sm.deployments[-1] is None
    sm.settle(ENDPOINT)
    with pytest.raises(AirflowFailException, match=r"median latency of at most 1e-09 ms .* m1, was put back"):
        smoke(1e-9).settled(ctx, {})


@pytest.mark.parametrize("lease", [60, 1800, 6 * 3600])
def test_a_task_tries_until_another_ones_lease_has_surely_expired(lease: int) -> None:
    """However long a rollout may take; a lost run's lease is taken over only then."""
    given = patience(pipeline(endpoint={"lease": lease}))
    delays = [min(10 * 2**number, given["max_retry_delay"].total_seconds()) for number in range(given["retries"])]
    assert sum(delays) > lease
    assert given["retries"] >= 8
