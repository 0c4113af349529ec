"""CloudWatch's metrics and alarms, as unmodified clients use them."""

import itertools
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from tests.support.local_aws import Running

pytestmark = pytest.mark.local_aws
_numbers = itertools.count()
WATCH = {
    "Period": 10, "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
    "Statistic": "Sum", "TreatMissingData": "notBreaching",
}  # fmt: skip


@pytest.fixture
def cloudwatch(aws: Running) -> Any:
    return aws.client("cloudwatch")


@pytest.fixture
def space() -> str:
    """A namespace of the test's own, also the name of its alarms."""
    return f"test-{next(_numbers)}"


def put(cloudwatch: Any, space: str, name: str, *values: float, **more: Any) -> None:
    cloudwatch.put_metric_data(
        Namespace=space, MetricData=[{"MetricName": name, "Value": value, **more} for value in values]
    )


def around() -> dict[str, datetime]:
    """From five minutes ago to the next minute."""
    now = datetime.now(UTC)
    return {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=1)}


def refusal(call: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**given)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def alarm(cloudwatch: Any, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found[0]


def reached(cloudwatch: Any, name: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while (found := alarm(cloudwatch, name))["StateValue"] != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_metric_data_are_answered_as_statistics(cloudwatch: Any, space: str) -> None:
    dimensions = [{"Name": "who", "Value": "a"}]
    put(cloudwatch, space, "m", 1.0, 2.0, 6.0, Dimensions=dimensions, Unit="Seconds")
    cloudwatch.put_metric_data(
        Namespace=space, MetricData=[{"MetricName": "m", "Values": [10.0, 1.0], "Counts": [1, 2], "Unit": "Seconds"}]
    )
    asked = {"Namespace": space, "MetricName": "m", "Period": 86_400, **around()}
    answer = cloudwatch.get_metric_statistics(
        Dimensions=dimensions, Statistics=["Sum", "Average"], ExtendedStatistics=["p50"], **asked
    )
    (point,) = answer["Datapoints"]
    assert (point["Sum"], point["Average"], point["Unit"]) == (9.0, 3.0, "Seconds")
    assert point["ExtendedStatistics"] == {"p50": 2.0}
    (point,) = cloudwatch.get_metric_statistics(Statistics=["SampleCount", "Maximum"], **asked)["Datapoints"]
    assert (point["SampleCount"], point["Maximum"]) == (3.0, 10.0)
    assert cloudwatch.list_metrics(Namespace=space, Dimensions=[{"Name": "who"}])["Metrics"] == [
        {"Namespace": space, "MetricName": "m", "Dimensions": dimensions}
    ]


def test_metric_data_queries_compute_expressions(cloudwatch: Any, space: str) -> None:
    put(cloudwatch, space, "errors", 1.0, 1.0)
    put(cloudwatch, space, "all", *[1.0] * 8)
    stat = {name: {"Metric": {"Namespace": space, "MetricName": name}, "Period": 86_400, "Stat": "Sum"}
            for name in ("errors", "all")}  # fmt: skip
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {"Id": "share", "Expression": "100 * bad / every", "Label": "percent"},
            {"Id": "bad", "MetricStat": stat["errors"], "ReturnData": False},
            {"Id": "every", "MetricStat": stat["all"]},
        ],
        **around(),
    )
    found = {each["Id"]: (each["Label"], each["Values"]) for each in answer["MetricDataResults"]}
    assert found == {"share": ("percent", [25.0]), "every": ("all", [8.0])}


def test_a_breach_is_an_alarm_before_its_period_is_over(cloudwatch: Any, space: str) -> None:
    cloudwatch.put_metric_alarm(AlarmName=space, Namespace=space, MetricName="m", **WATCH)
    assert alarm(cloudwatch, space)["StateValue"] in ("INSUFFICIENT_DATA", "OK")
    assert reached(cloudwatch, space, "OK")["StateReason"].endswith("treated as [NonBreaching].")
    put(cloudwatch, space, "m", 3.0, 4.0)  # one request, so one period
    found = reached(cloudwatch, space, "ALARM")
    assert "[7.0 (" in found["StateReason"]
    assert json.loads(found["StateReasonData"])["recentDatapoints"] == [7.0]
    history = cloudwatch.describe_alarm_history(AlarmName=space, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in history] == [
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]


def test_an_alarm_on_an_expression_judges_the_periods_that_are_over(cloudwatch: Any, space: str) -> None:
    over = datetime.fromtimestamp(time.time() // 10 * 10 - 5, UTC)
    put(cloudwatch, space, "bad", 1.0, 1.0, Timestamp=over)
    put(cloudwatch, space, "all", *[1.0] * 4, Timestamp=over)
    stat = {name: {"Metric": {"Namespace": space, "MetricName": name}, "Period": 10, "Stat": "Sum"}
            for name in ("bad", "all")}  # fmt: skip
    cloudwatch.put_metric_alarm(
        AlarmName=space, EvaluationPeriods=1, Threshold=20, ComparisonOperator="GreaterThanThreshold",
        Metrics=[
            {"Id": "share", "Expression": "FILL(bad, 0) / every * 100"},
            {"Id": "bad", "MetricStat": stat["bad"], "ReturnData": False},
            {"Id": "every", "MetricStat": stat["all"], "ReturnData": False},
        ],
    )  # fmt: skip
    assert "[50.0 (" in reached(cloudwatch, space, "ALARM")["StateReason"]


def test_changes_of_state_go_to_event_rules_and_topics(aws: Running, cloudwatch: Any, space: str) -> None:
    sqs, events, sns = aws.client("sqs"), aws.client("events"), aws.client("sns")
    queues = {name: sqs.create_queue(QueueName=f"{space}-{name}")["QueueUrl"] for name in ("rule", "topic")}
    arns = {
        name: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for name, url in queues.items()
    }
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [space], "state": {"value": ["ALARM"]}}}
    events.put_rule(Name=space, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=space, Targets=[{"Id": "1", "Arn": arns["rule"]}])
    topic = sns.create_topic(Name=space)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["topic"])
    cloudwatch.put_metric_alarm(AlarmName=space, Namespace=space, MetricName="m", AlarmActions=[topic], **WATCH)
    put(cloudwatch, space, "m", 9.0)
    reached(cloudwatch, space, "ALARM")
    told = {name: _message(sqs, url) for name, url in queues.items()}
    assert (told["rule"]["detail-type"], told["rule"]["detail"]["state"]["value"]) == (
        "CloudWatch Alarm State Change", "ALARM",
    )  # fmt: skip
    assert json.loads(told["topic"]["Message"])["NewStateValue"] == "ALARM"


def _message(sqs: Any, url: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while not (found := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")):
        assert time.monotonic() < deadline
    body: dict[str, Any] = json.loads(found[0]["Body"])
    return body


def test_a_state_set_by_hand_is_told_with_its_reason(cloudwatch: Any, space: str) -> None:
    cloudwatch.put_metric_alarm(AlarmName=space, Namespace=space, MetricName="m", **WATCH)
    cloudwatch.set_alarm_state(AlarmName=space, StateValue="ALARM", StateReason="by hand", StateReasonData='{"a":1}')
    found = alarm(cloudwatch, space)
    assert (found["StateValue"], found["StateReason"], found["StateReasonData"]) == ("ALARM", "by hand", '{"a": 1}')


def test_alarms_are_described_by_name_prefix_state_and_page(cloudwatch: Any, space: str) -> None:
    for n in range(3):
        cloudwatch.put_metric_alarm(
            AlarmName=f"{space}-page-{n}", Namespace=space, MetricName=f"m{n}", Tags=[{"Key": "n", "Value": str(n)}],
            **{**WATCH, "Statistic": "Maximum"},
        )  # fmt: skip
    pages = list(
        cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=f"{space}-page-", PaginationConfig={"PageSize": 2}
        )
    )
    assert [[each["AlarmName"][-1] for each in page["MetricAlarms"]] for page in pages] == [["0", "1"], ["2"]]
    found = cloudwatch.describe_alarms_for_metric(Namespace=space, MetricName="m1")["MetricAlarms"]
    assert [each["AlarmName"] for each in found] == [f"{space}-page-1"]
    arn = found[0]["AlarmArn"]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "o", "Value": "p"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["n"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "o", "Value": "p"}]
    cloudwatch.disable_alarm_actions(AlarmNames=[f"{space}-page-1"])
    assert alarm(cloudwatch, f"{space}-page-1")["ActionsEnabled"] is False
    cloudwatch.delete_alarms(AlarmNames=[f"{space}-page-{n}" for n in range(3)])
    assert cloudwatch.describe_alarms(AlarmNamePrefix=f"{space}-page-")["MetricAlarms"] == []


BASE = {"AlarmName": "refused", "Namespace": "n", "MetricName": "m", **WATCH}
STAT = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}


@pytest.mark.parametrize(
    ("changed", "code", "word"),
    [
        ({"Statistic": None}, "ValidationError", "Exactly one of Statistic"),
        ({"Statistic": None, "ExtendedStatistic": "p0x"}, "ValidationError", "p0x"),
        ({"Statistic": None, "ExtendedStatistic": "tm99"}, "NotImplemented", "tm99"),
        ({"Period": 45}, "ValidationError", "multiple of 60"),
        ({"Period": 3540, "EvaluationPeriods": 100}, "ValidationError", "86400"),
        ({"DatapointsToAlarm": 2}, "ValidationError", "DatapointsToAlarm"),
        ({"TreatMissingData": "maybe"}, "ValidationError", "maybe"),
        ({"Threshold": None}, "MissingParameter", "Threshold"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "NotImplemented", "GreaterThanUpperThreshold"),
        ({"AlarmActions": ["arn:aws:lambda:us-east-1:123456789012:function:f"]}, "NotImplemented", "lambda"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "NotImplemented", "EvaluateLowSampleCountPercentile"),
        ({"Metrics": [{"Id": "m", "MetricStat": STAT}]}, "ValidationError", "together"),
    ],
)
def test_alarms_that_can_not_be_judged_are_refused(cloudwatch: Any, changed: Any, code: str, word: str) -> None:
    request = {key: value for key, value in {**BASE, **changed}.items() if value is not None}
    found, message = refusal(cloudwatch.put_metric_alarm, **request)
    assert (found, word in message) == (code, True), message
    assert cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"] == []


def test_what_cloudwatch_would_refuse_is_refused(cloudwatch: Any) -> None:
    data = [{"MetricName": "m", "Value": 1.0}]
    assert refusal(cloudwatch.put_metric_data, Namespace="AWS/X", MetricData=data)[0] == "InvalidParameterValue"
    both = [{"MetricName": "m", "Value": 1.0, "Values": [1.0]}]
    assert refusal(cloudwatch.put_metric_data, Namespace="n", MetricData=both)[0] == "InvalidParameterCombination"
    old = [{"MetricName": "m", "Value": 1.0, "Timestamp": datetime(2001, 1, 1, tzinfo=UTC)}]
    assert refusal(cloudwatch.put_metric_data, Namespace="n", MetricData=old)[0] == "InvalidParameterValue"
    circle = [{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}]
    assert refusal(cloudwatch.get_metric_data, MetricDataQueries=circle, **around())[0] == "ValidationError"
    assert (
        refusal(cloudwatch.set_alarm_state, AlarmName="no", StateValue="OK", StateReason="r")[0] == "ResourceNotFound"
    )
    composite = refusal(cloudwatch.put_composite_alarm, AlarmName="c", AlarmRule="ALARM(a)")
    assert composite[0] == "NotImplemented"


@pytest.mark.parametrize("protocol", ["query", "json"])
def test_older_clients_speak_their_own_protocols(aws: Running, space: str, protocol: str) -> None:
    from botocore.loaders import Loader

    class Older(Loader):  # type: ignore[misc]
        def load_service_model(self, *args: Any, **kwargs: Any) -> Any:
            model = super().load_service_model(*args, **kwargs)
            if args[0] != "cloudwatch" or args[1] != "service-2":
                return model
            return {**model, "metadata": {**model["metadata"], "protocol": protocol, "protocols": [protocol]}}

    session = boto3.session.Session("test", "test", region_name="us-east-1")
    session._session.register_component(
        "data_loader", Older(session._session.get_component("data_loader").search_paths)
    )
    client = session.client("cloudwatch", endpoint_url=aws.url)
    put(client, space, "m", 4.0, Dimensions=[{"Name": "a", "Value": "<&>"}], Timestamp=datetime.now(UTC))
    client.put_metric_alarm(AlarmName=space, Namespace=space, MetricName="m", **WATCH)
    answer = client.get_metric_statistics(
        Namespace=space, MetricName="m", Dimensions=[{"Name": "a", "Value": "<&>"}], Period=86_400,
        Statistics=["Sum"], ExtendedStatistics=["p99"], **around(),
    )  # fmt: skip
    assert [(each["Sum"], each["ExtendedStatistics"]) for each in answer["Datapoints"]] == [(4.0, {"p99": 4.0})]
    found = alarm(client, space)
    assert (found["Threshold"], found["ActionsEnabled"]) == (5.0, True)
    assert abs(found["StateUpdatedTimestamp"].timestamp() - time.time()) < 60
    code, _ = refusal(client.set_alarm_state, AlarmName="no", StateValue="OK", StateReason="r")
    assert code == "ResourceNotFound"


def test_rubbish_is_answered_and_dashboards_are_still_there(aws: Running, cloudwatch: Any, space: str) -> None:
    scope = (
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/monitoring/aws4_request, SignedHeaders=host, Signature=0"
    )
    for headers, body in (
        ({"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}, b"\xa1\x01"),
        ({"x-amz-target": "GraniteServiceVersion20100801.PutMetricData"}, b"{"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"Action=DescribeAlarms&MaxRecords=many"),
        ({"smithy-protocol": "rpc-v2-cbor", "content-encoding": "gzip"}, b"no gzip"),
    ):
        path = "/service/GraniteServiceVersion20100801/operation/PutMetricData" if "smithy-protocol" in headers else "/"
        answer = requests.post(aws.url + path, data=body, headers={"authorization": scope, **headers}, timeout=10)
        assert answer.status_code == 400, answer.content
    cloudwatch.put_dashboard(DashboardName=space, DashboardBody='{"widgets": []}')
    assert [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]] == [space]


def test_a_target_that_would_get_nothing_is_refused(aws: Running, space: str) -> None:
    events = aws.client("events")
    events.put_rule(Name=space, EventPattern='{"source": ["aws.sagemaker"]}')
    targets = [{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}]
    assert refusal(events.put_targets, Rule=space, Targets=targets)[0] == "NotImplemented"
