"""What an endpoint's invocations leave behind: captured data in S3, metrics in CloudWatch, events."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from include.local_aws.hosting.capture import Capture, Exchange, line, summary
from include.local_aws.jobs.logs import Logs
from include.local_aws.s3.client import S3Files, S3InputError
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until
from tests.support.processing import SKLEARN
from tests.support.script_mode import archive

BOTH = [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]
TYPES = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}
CONFIG = {
    "InitialSamplingPercentage": 100, "DestinationS3Uri": "s3://b/p/", "CaptureOptions": BOTH,
    "CaptureContentTypeHeader": TYPES,
}  # fmt: skip
SCRIPT = """
def model_fn(folder):
    return None

def transform_fn(model, body, kind, accept):
    if body.startswith("bad"):
        raise ValueError("bad row")
    return body.upper(), "text/csv; charset=utf-8"
"""


def exchange(**changed: Any) -> Exchange:
    plain: dict[str, Any] = {
        "region": "us-east-1", "endpoint": "e", "variant": "v", "at": 1_800_000_000.25, "sent_type": "text/csv",
        "sent": b"1,2", "answered_type": "application/json; charset=utf-8", "answered": b"[1]",
    }  # fmt: skip
    return Exchange(**{**plain, **changed})


class FakeS3:
    """What S3 was sent; it fails as often as asked."""

    def __init__(self, *failures: Exception) -> None:
        self.objects: dict[str, bytes] = {}
        self._failures = list(failures)

    def upload(self, source: Path, uri: str) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.objects[uri] = source.read_bytes()


def capture(folder: Path, s3: FakeS3) -> Capture:
    made = Capture(folder / "capture", cast("S3Files", s3), Logs(folder / "logs", "http://127.0.0.1:9"))
    made.begin()
    return made


def test_a_line_has_what_the_monitor_reads() -> None:
    told = json.loads(line(CONFIG, exchange(inference_id="row-7", custom="c")))
    assert told["captureData"] == {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
        "endpointOutput": {
            "observedContentType": "application/json; charset=utf-8", "mode": "OUTPUT", "data": "[1]",
            "encoding": "JSON",
        },
    }  # fmt: skip
    metadata = told["eventMetadata"]
    assert (metadata["inferenceTime"], metadata["inferenceId"]) == ("2027-01-15T08:00:00Z", "row-7")
    assert (metadata["customAttributes"], told["eventVersion"]) == (["c"], "0")


def test_what_no_header_names_is_base64_and_what_no_option_names_is_left_out() -> None:
    config = {**CONFIG, "CaptureContentTypeHeader": {}, "CaptureOptions": [{"CaptureMode": "Output"}]}
    told = json.loads(line(config, exchange()))["captureData"]
    assert list(told) == ["endpointOutput"]
    assert told["endpointOutput"]["encoding"] == "BASE64"
    assert base64.b64decode(told["endpointOutput"]["data"]) == b"[1]"
    broken = json.loads(line(CONFIG, exchange(sent=b"\xff\xfe")))["captureData"]["endpointInput"]
    assert (broken["encoding"], base64.b64decode(broken["data"])) == ("BASE64", b"\xff\xfe")


def test_lines_of_a_variant_go_to_a_file_of_its_hour_when_the_server_ends(tmp_path: Path) -> None:
    s3 = FakeS3()
    taking = capture(tmp_path, s3)
    for n in range(3):
        taking.take(CONFIG, exchange(inference_id=str(n)))
    taking.take({**CONFIG, "EnableCapture": False}, exchange(inference_id="off"))
    taking.take(None, exchange(inference_id="none"))
    taking.take(CONFIG, exchange(variant="w"))
    taking.close()
    first, second = sorted(s3.objects)
    assert first.startswith("s3://b/p/e/v/2027/01/15/08/00-00-250-")
    assert first.endswith(".jsonl")
    assert second.startswith("s3://b/p/e/w/2027/01/15/08/")
    ids = [json.loads(each)["eventMetadata"]["inferenceId"] for each in s3.objects[first].splitlines()]
    assert ids == ["0", "1", "2"]
    assert [path for path in (tmp_path / "capture").rglob("*") if path.is_file()] == []


def test_a_share_of_the_requests_is_taken(tmp_path: Path) -> None:
    s3 = FakeS3()
    taking = capture(tmp_path, s3)
    for _ in range(2000):
        taking.take({**CONFIG, "InitialSamplingPercentage": 25}, exchange())
    taking.close()
    (content,) = s3.objects.values()
    assert 400 < len(content.splitlines()) < 600


def test_what_a_killed_server_left_is_sent_by_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "capture/us-east-1/e/v"
    folder.mkdir(parents=True)
    (folder / "left.jsonl").write_bytes(b"{}\n")
    (folder / "left.uri").write_text("s3://b/where/left.jsonl")
    s3 = FakeS3()
    taking = capture(tmp_path, s3)
    deadline = time.monotonic() + 10
    while not s3.objects:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    taking.close()
    assert s3.objects == {"s3://b/where/left.jsonl": b"{}\n"}


def test_data_without_a_bucket_are_dropped_and_the_endpoints_log_says_so(tmp_path: Path) -> None:
    taking = capture(tmp_path, FakeS3(S3InputError("Could not write s3://b/x: there is no bucket 'b'.")))
    taking.take(CONFIG, exchange())
    taking.close()
    (stream,) = (tmp_path / "logs").rglob("*.jsonl")
    assert "there is no bucket" in stream.read_text()
    assert list((tmp_path / "capture").rglob("*.jsonl")) == []


def test_data_that_could_not_be_sent_are_kept(tmp_path: Path) -> None:
    taking = capture(tmp_path, FakeS3(ClientError({"Error": {"Code": "InternalError"}}, "PutObject")))
    taking.take(CONFIG, exchange())
    taking.close()
    assert len(list((tmp_path / "capture").rglob("*.jsonl"))) == 1


def test_the_summary_says_whether_data_are_taken() -> None:
    assert summary({**CONFIG, "EnableCapture": False})["CaptureStatus"] == "Stopped"
    assert summary(CONFIG) == {
        "EnableCapture": True, "CaptureStatus": "Started", "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": "s3://b/p/", "KmsKeyId": "",
    }  # fmt: skip


@pytest.mark.local_aws
def test_an_endpoints_invocations_are_captured_counted_and_told(aws: Running) -> None:
    sagemaker, s3, name = aws.client("sagemaker"), aws.client("s3"), "captured"
    queue, arn = _queue(aws, name)
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Endpoint State Change"],
               "detail": {"EndpointName": [name]}}  # fmt: skip
    aws.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    aws.client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    s3.put_object(Bucket=BUCKET, Key=f"{name}/model.tar.gz", Body=archive({"code/inference.py": SCRIPT}))
    container = {
        "Image": SKLEARN, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz",
        "Environment": {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    }  # fmt: skip
    sagemaker.create_model(ModelName=name, Containers=[container], ExecutionRoleArn=ROLE)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    destination = f"s3://{BUCKET}/{name}/data"
    sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[variant],
        DataCaptureConfig={**CONFIG, "EnableCapture": True, "DestinationS3Uri": destination},
    )  # fmt: skip
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.delete_endpoint_config(EndpointConfigName=name)  # what serves does not hang on it
    described = until(lambda: sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus", ("Creating",))
    assert described["DataCaptureConfig"]["CaptureStatus"] == "Started", described
    runtime = aws.client("sagemaker-runtime")
    asked: dict[str, Any] = {"EndpointName": name, "ContentType": "text/csv", "Accept": "text/csv"}
    for n in range(5):
        runtime.invoke_endpoint(**asked, Body=f"a{n}", InferenceId=f"id-{n}")
    with pytest.raises(ClientError):
        runtime.invoke_endpoint(**asked, Body="bad")

    lines = _captured(s3, f"{name}/data/{name}/v/", 5)
    assert {each["eventMetadata"]["inferenceId"] for each in lines} == {f"id-{n}" for n in range(5)}
    assert {each["captureData"]["endpointOutput"]["data"] for each in lines} == {f"A{n}" for n in range(5)}

    for dimensions in ({}, {"EndpointConfigName": name}):
        counted = _metrics(aws, {"EndpointName": name, "VariantName": "v", **dimensions})
        assert (counted["Invocations"]["Sum"], counted["Invocation5XXErrors"]["Sum"]) == (6.0, 1.0)
        assert (counted["InvocationModelErrors"]["Sum"], counted["Invocation4XXErrors"]["Sum"]) == (1.0, 0.0)
        assert 0 < counted["ModelLatency"]["ExtendedStatistics"]["p99"] < 60e6
        assert counted["ModelLatency"]["Unit"] == "Microseconds"
    assert _told(aws, queue, 2) == ["CREATING", "IN_SERVICE"]


def _queue(aws: Running, name: str) -> tuple[str, str]:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return url, attributes["QueueArn"]


def _told(aws: Running, queue: str, count: int) -> list[str]:
    """The statuses in the events, in their order."""
    found: list[tuple[int, str]] = []
    deadline = time.monotonic() + 10
    while len(found) < count:
        assert time.monotonic() < deadline, found
        for message in aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ()):
            detail = json.loads(message["Body"])["detail"]
            found.append((detail["LastModifiedTime"], detail["EndpointStatus"]))
    return list(dict.fromkeys(status for _, status in sorted(found)))


def _captured(s3: Any, prefix: str, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 20
    while True:
        objects = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
        bodies = [s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in objects]
        lines = [json.loads(text) for body in bodies for text in body.splitlines()]
        if len(lines) >= count:
            return lines
        assert time.monotonic() < deadline, lines
        time.sleep(0.2)


def _metrics(aws: Running, dimensions: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The one datapoint of each of the runtime's metrics."""
    now = datetime.now(UTC)
    found = {}
    for name in ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors", "ModelLatency"):
        (point,) = aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(seconds=1), Period=86_400,
            Statistics=["Sum"], ExtendedStatistics=["p99"],
        )["Datapoints"]  # fmt: skip
        found[name] = point
    return found
