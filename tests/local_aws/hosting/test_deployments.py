"""Traffic that moves in steps, under a load of which no request is lost; alarms that bring it back."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.hosted import ROW, config, invoke, reached, removed, settled, stage
from tests.support.load import Answers, Load
from tests.support.local_aws import Running, start
from tests.support.local_aws_requests import BUCKET, ROLE, Trained
from tests.support.trainings import XGBOOST, put_numbers
from tests.support.trainings import trained as train

pytestmark = pytest.mark.local_aws
ONE = {"Type": "INSTANCE_COUNT", "Value": 1}
HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


def blue_green(kind: str, wait: int, termination: int = 0, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": termination}}


def watching(*alarms: str) -> dict[str, Any]:
    return {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]}}


@pytest.fixture(scope="module")
def endpoint(aws: Running, trained: Trained) -> Iterator[str]:
    """An endpoint whose variant is called old."""
    name = config(aws, "shift-old", ("old", trained.model, 1.0), instances=4)
    aws.client("sagemaker").create_endpoint(EndpointName="shift", EndpointConfigName=name)
    assert settled(aws, "shift")["EndpointStatus"] == "InService"
    yield "shift"
    removed(aws, "shift")


def back_to_old(aws: Running, endpoint: str) -> None:
    """Whatever the test before left: the old configuration serves, unwatched."""
    if settled(aws, endpoint)["EndpointConfigName"] != "shift-old":
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName="shift-old")
        assert settled(aws, endpoint)["EndpointConfigName"] == "shift-old"


def all_answered(answers: Answers) -> None:
    assert answers.lost == []
    assert set(answers.statuses) == {200}, answers.refused


def shared(load: Load, seconds: float) -> tuple[int, int]:
    """How many requests the new variant, and all, got within so many seconds."""
    before, count = load.answers.variants["new"], load.count
    time.sleep(seconds)
    return load.answers.variants["new"] - before, load.count - count


def is_share(hits: int, number: int, expected: float) -> bool:
    """Whether so many hits are within five standard errors of a share."""
    return number >= 10 and abs(hits / number - expected) < 5 * sqrt(expected * (1 - expected) / number)


def test_a_canary_gets_its_share_then_all_and_no_request_is_lost(aws: Running, endpoint: str, trained: Trained) -> None:
    sagemaker, sqs, events = aws.client("sagemaker"), aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName="shift-stages")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Endpoint Deployment State Change"]}
    events.put_rule(Name="shift-stages", EventPattern=json.dumps({**pattern, "detail": {"EndpointName": [endpoint]}}))
    events.put_targets(Rule="shift-stages", Targets=[{"Id": "1", "Arn": arn}])
    new = config(aws, "shift-canary", ("new", trained.model, 1.0), instances=4)
    with Load(aws.port, endpoint, ROW, callers=8, rate=200) as load:
        deployment = blue_green("CANARY", 2, 1, CanarySize=ONE)
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=deployment)
        during = reached(aws, endpoint, "Baking for 2 seconds (WaitIntervalInSeconds) with traffic enabled on canary")
        hits, number = shared(load, 1.3)
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            sagemaker.delete_endpoint(EndpointName=endpoint)
        last = reached(aws, endpoint, "(TerminationWaitInSeconds) with traffic enabled on full capacity of 4")
        everything = shared(load, 0.5)
        after = settled(aws, endpoint)
    all_answered(load.answers)
    assert is_share(hits, number, 0.25), (hits, number)
    assert everything[0] >= everything[1] - 8 > 0, "a few may have been under way when traffic moved"
    assert (during["EndpointConfigName"], during["EndpointStatus"]) == ("shift-old", "Updating")
    pending = during["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "shift-canary"
    (variant,) = pending["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (4, 4)
    assert stage(during)[0] == stage(last)[0] == "Baking"
    assert pending["StartTime"] == last["PendingDeploymentSummary"]["StartTime"]
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", "shift-canary")
    assert "FailureReason" not in after
    assert after["LastDeploymentConfig"] == deployment
    assert stages(aws, queue, until="IN_SERVICE") == [
        "Launching 4 instance(s).",
        "Activating traffic on canary capacity of 1 instance(s).",
        "Baking for 2 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s).",
        "Activating traffic on full capacity of 4 instance(s).",
        "Baking for 1 seconds (TerminationWaitInSeconds) with traffic enabled on full capacity of 4 instance(s).",
    ]


def stages(aws: Running, queue: str, until: str) -> list[str]:
    """The messages of the deployment's events, up to the one that has this endpoint status."""
    found: list[str] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        received = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        details = [json.loads(each["Body"])["detail"] for each in received.get("Messages", ())]
        for detail in sorted(details, key=lambda each: each["LastModifiedTime"]):
            if detail["EndpointStatus"] == until:
                return found
            (variant,) = detail["PendingDeploymentSummary"]["ProductionVariants"]
            found.append(variant["VariantStatus"][0]["StatusMessage"])
    raise AssertionError(f"no event with {until}: {found}")


@pytest.mark.parametrize(
    ("name", "deployment", "left"),
    [
        ("linear", blue_green("LINEAR", 1, LinearStepSize=HALF), 4),
        ("rolling", {"RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 1}}, 2),
    ],
)
def test_half_a_fleet_gets_half_of_the_traffic(
    aws: Running, endpoint: str, trained: Trained, name: str, deployment: dict[str, Any], left: int
) -> None:
    back_to_old(aws, endpoint)
    new = config(aws, f"shift-{name}", ("new", trained.model, 1.0), instances=4)
    with Load(aws.port, endpoint, ROW, callers=8, rate=200) as load:
        aws.client("sagemaker").update_endpoint(
            EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=deployment
        )
        during = reached(aws, endpoint, "Baking for 1 seconds")
        hits, number = shared(load, 0.7)
        after = settled(aws, endpoint)
    all_answered(load.answers)
    assert is_share(hits, number, 0.5), (hits, number)
    assert during["ProductionVariants"][0]["CurrentInstanceCount"] == left
    assert after["EndpointConfigName"] == new


def test_a_canary_whose_alarm_trips_on_what_callers_get_is_rolled_back(
    aws: Running, endpoint: str, trained: Trained
) -> None:
    back_to_old(aws, endpoint)
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="shift-errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation4XXErrors",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "new"}],
        Statistic="Sum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    new = config(aws, "shift-alarm", ("new", trained.model, 1.0), instances=4)
    with Load(aws.port, endpoint, ROW, callers=8, rate=200) as load:
        aws.client("sagemaker").update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=new,
            DeploymentConfig={**blue_green("CANARY", 60, CanarySize=ONE), **watching("shift-errors")},
        )
        reached(aws, endpoint, "Baking for 60 seconds")
        with pytest.raises(ClientError, match="Received client error"):
            invoke(aws, endpoint, Body=b"1\n", TargetVariant="new")
        after = settled(aws, endpoint)
        hits, number = shared(load, 0.3)
    all_answered(load.answers)
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", "shift-old")
    assert after["FailureReason"].endswith("the following alarms are in ALARM state: shift-errors.")
    assert load.answers.variants["new"] > 0
    assert (hits, number > 0) == (0, True)
    with pytest.raises(ClientError, match="Variant new is not found"):
        invoke(aws, endpoint, TargetVariant="new")


def test_an_alarm_in_the_termination_wait_still_brings_the_old_fleet_back(
    aws: Running, endpoint: str, trained: Trained
) -> None:
    back_to_old(aws, endpoint)
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="shift-late",
        Namespace="Tests",
        MetricName="shift-late",
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    new = config(aws, "shift-late", ("new", trained.model, 1.0), instances=1)
    with Load(aws.port, endpoint, ROW, callers=8, rate=200) as load:
        aws.client("sagemaker").update_endpoint(
            EndpointName=endpoint,
            EndpointConfigName=new,
            DeploymentConfig={**blue_green("ALL_AT_ONCE", 0, 60), **watching("shift-late")},
        )
        reached(aws, endpoint, "Baking for 60 seconds (TerminationWaitInSeconds)")
        assert invoke(aws, endpoint)["InvokedProductionVariant"] == "new"
        cloudwatch.put_metric_data(Namespace="Tests", MetricData=[{"MetricName": "shift-late", "Value": 2.0}])
        after = settled(aws, endpoint)
    all_answered(load.answers)
    assert (after["EndpointConfigName"], "shift-late" in after["FailureReason"]) == ("shift-old", True)
    assert invoke(aws, endpoint)["InvokedProductionVariant"] == "old"


@pytest.mark.parametrize(
    ("deployment", "instances", "said"),
    [
        (watching("shift-nobody"), 1, "alarms .* do not exist in this account: shift-nobody"),
        (blue_green("CANARY", 1, CanarySize=ONE), 1, "only be updated all at once"),
        (blue_green("CANARY", 1), 4, "CanarySize belongs to traffic routing of type CANARY"),
    ],
)
def test_a_deployment_that_can_not_be_carried_out_is_refused_before_anything_changes(
    aws: Running, endpoint: str, trained: Trained, deployment: dict[str, Any], instances: int, said: str
) -> None:
    sagemaker = aws.client("sagemaker")
    before = settled(aws, endpoint)
    new = config(aws, "shift-refused", ("new", trained.model, 1.0), instances=instances)
    try:
        with pytest.raises(ClientError, match=f"ValidationException.*{said}"):
            sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=deployment)
    finally:
        sagemaker.delete_endpoint_config(EndpointConfigName=new)
    after = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert [each["LastModifiedTime"] for each in (before, after)] == [before["LastModifiedTime"]] * 2


def test_variants_get_requests_by_their_weights(aws: Running, trained: Trained) -> None:
    sagemaker = aws.client("sagemaker")
    weights = {"a": 1.0, "b": 2.0, "c": 5.0, "off": 0.0}
    name = config(aws, "shares", *((variant, trained.model, weight) for variant, weight in weights.items()))
    sagemaker.create_endpoint(EndpointName="shares", EndpointConfigName=name)
    settled(aws, "shares")
    with Load(aws.port, "shares", ROW, callers=8) as load:
        deadline = time.monotonic() + 60
        while load.count < 300:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName="shares",
            DesiredWeightsAndCapacities=[
                {"VariantName": "c", "DesiredWeight": 0.0},
                {"VariantName": "off", "DesiredWeight": 1.0, "DesiredInstanceCount": 3},
            ],
        )
        after = settled(aws, "shares")
        first = dict(load.answers.variants)
        while load.answers.variants["off"] < 5:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    all_answered(load.answers)
    number = sum(first.values()) - first.get("off", 0)
    expected = {variant: number * weights[variant] / 8 for variant in "abc"}
    chi_square = sum((first[variant] - count) ** 2 / count for variant, count in expected.items())
    assert chi_square < 23, f"2 degrees of freedom, one in 100,000: {first}"
    current = {each["VariantName"]: each["CurrentWeight"] for each in after["ProductionVariants"]}
    assert current == {"a": 1.0, "b": 2.0, "c": 0.0, "off": 1.0}
    removed(aws, "shares")


def test_after_a_kill_in_the_middle_a_canary_begins_anew_or_is_rolled_back_if_its_time_is_over(tmp_path: Path) -> None:
    aws = start(tmp_path / "aws")
    try:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        put_numbers(aws)
        data = train(aws, "cut", {"num_round": 2})["ModelArtifacts"]["S3ModelArtifacts"]
        sagemaker = aws.client("sagemaker")
        container = {"Image": XGBOOST, "ModelDataUrl": data}
        sagemaker.create_model(ModelName="cut", PrimaryContainer=container, ExecutionRoleArn=ROLE)
        config(aws, "cut-old", ("old", "cut", 1.0), instances=2)
        config(aws, "cut-new", ("new", "cut", 1.0), instances=2)
        for name in ("cut", "late"):
            sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="cut-old")
        for name, wait in (("cut", 2), ("late", 300)):
            settled(aws, name)
            deployment = blue_green("CANARY", wait, CanarySize=ONE)
            deployment["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
            sagemaker.update_endpoint(EndpointName=name, EndpointConfigName="cut-new", DeploymentConfig=deployment)
        began = reached(aws, "cut", "Baking")["PendingDeploymentSummary"]["StartTime"]
        reached(aws, "late", "Baking")
        aws.kill()
        begun_long_ago(aws.data / "state.sqlite", "late", seconds=597)
        aws = start(tmp_path / "aws")
        with Load(aws.port, "cut", b"1,2,3,4\n", callers=4, rate=40) as load:
            again = reached(aws, "cut", "Baking for 2 seconds")
            after = settled(aws, "cut")
        assert load.answers.lost == []
        assert set(load.answers.statuses) <= {200, 503}, load.answers.refused
        assert load.answers.latency(1.0) < 30
        assert again["EndpointConfigName"] == "cut-old"
        assert again["PendingDeploymentSummary"]["StartTime"] == began
        assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", "cut-new")
        assert set(load.answers.variants) == {"old", "new"}
        late = settled(aws, "late")
        assert (late["EndpointStatus"], late["EndpointConfigName"]) == ("InService", "cut-old")
        assert "took longer than 600 seconds (MaximumExecutionTimeoutInSeconds)" in late["FailureReason"]
    finally:
        aws.stop()


def begun_long_ago(database: Path, endpoint: str, seconds: float) -> None:
    """Let an endpoint's deployment have begun so many seconds earlier."""
    with closing(sqlite3.connect(database)) as connection, connection:
        where = "WHERE kind = 'endpoint' AND name = ?"
        (body,) = connection.execute(f"SELECT body FROM resource {where}", (endpoint,)).fetchone()  # noqa: S608
        changed = json.loads(body)
        changed["pending"]["started"] -= seconds
        connection.execute(f"UPDATE resource SET body = ? {where}", (json.dumps(changed), endpoint))  # noqa: S608
