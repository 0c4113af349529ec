"""What clients see when ``/_control`` makes things go wrong."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from tests.support.local_aws import ROOT, Running, start
from tests.support.local_aws_requests import BUCKET, ROLE, automl_request

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


@pytest.fixture
def faulty(aws: Running) -> Iterator[Running]:
    """The session's server; nothing goes wrong with it afterwards."""
    aws.control()
    yield aws
    aws.control()


def refusal(call: Any, **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def model(name: str) -> dict[str, Any]:
    return {"ModelName": name, "PrimaryContainer": {"Image": IMAGE}, "ExecutionRoleArn": ROLE}


def models(aws: Running, contains: str) -> list[str]:
    return [each["ModelName"] for each in aws.client("sagemaker").list_models(NameContains=contains)["Models"]]


@pytest.mark.local_aws
def test_throttled_calls_fail_as_on_aws_and_a_client_that_retries_gets_through(faulty: Running) -> None:
    faulty.control(faults=[{"kind": "throttle", "operation": "List*", "first": 2}])
    sagemaker = faulty.client("sagemaker")
    assert refusal(sagemaker.list_models) == ("ThrottlingException", 400)
    with pytest.raises(ClientError, match="Could not find model"):  # what isn't matched goes on as ever
        sagemaker.describe_model(ModelName="none")
    patient = faulty.client("sagemaker", retries={"max_attempts": 3, "mode": "standard"})
    assert "Models" in patient.list_models()
    state = faulty.controlled()
    assert state["injected"] == [2]
    assert state["calls"]["sagemaker"] == {"DescribeModel": 1, "ListModels": 3}


@pytest.mark.local_aws
def test_every_service_fails_in_its_own_form(faulty: Running) -> None:
    faulty.control(faults=[{"kind": "throttle", "every": 2}, {"kind": "error", "code": "ServiceUnavailable"}])
    for service, call, codes in (
        ("sagemaker", lambda client: client.list_models, ("ServiceUnavailable", "ThrottlingException")),
        ("s3", lambda client: client.list_buckets, ("ServiceUnavailable", "SlowDown")),
        ("sts", lambda client: client.get_caller_identity, ("ServiceUnavailable", "Throttling")),
        ("sqs", lambda client: client.list_queues, ("ServiceUnavailable", "ThrottlingException")),
    ):
        found = [refusal(call(faulty.client(service)))[0] for _ in codes]
        assert tuple(found) == codes, service
    runtime = faulty.client("sagemaker-runtime")
    assert refusal(runtime.invoke_endpoint, EndpointName="x", Body=b"") == ("ServiceUnavailable", 503)


@pytest.mark.local_aws
def test_a_dropped_connection_leaves_open_whether_the_request_was_carried_out(faulty: Running) -> None:
    sagemaker = faulty.client("sagemaker")
    for when, there in (("before", []), ("after", ["dropped-after"])):
        faulty.control(faults=[{"kind": "drop", "operation": "CreateModel", "when": when}])
        with pytest.raises(ConnectionClosedError):
            sagemaker.create_model(**model(f"dropped-{when}"))
        assert models(faulty, f"dropped-{when}") == there
    faulty.control(faults=[{"kind": "drop", "operation": "CreateModel", "when": "after", "first": 1}])
    patient = faulty.client("sagemaker", retries={"max_attempts": 3, "mode": "standard"})
    with pytest.raises(ClientError, match="Cannot create already existing model"):  # the retry meets its own first try
        patient.create_model(**model("dropped-retried"))


@pytest.mark.local_aws
def test_a_server_error_may_come_after_the_request_was_carried_out(faulty: Running) -> None:
    sagemaker, queues = faulty.client("sagemaker"), faulty.client("sqs")
    faulty.control(faults=[{"kind": "error", "operation": "Create*", "when": "after"}])
    assert refusal(sagemaker.create_model, **model("errored-after")) == ("InternalFailure", 500)
    assert refusal(queues.create_queue, QueueName="errored-after") == ("InternalFailure", 500)
    faulty.control()
    assert models(faulty, "errored-after") == ["errored-after"]
    assert "errored-after" in queues.get_queue_url(QueueName="errored-after")["QueueUrl"]


@pytest.mark.local_aws
def test_an_object_is_cut_off_in_the_middle_of_its_bytes(faulty: Running) -> None:
    s3 = faulty.client("s3")
    s3.put_object(Bucket=BUCKET, Key="faults/large", Body=b"x" * 300_000)
    faulty.control(faults=[{"kind": "drop", "service": "s3", "operation": "GetObject", "when": "during", "first": 1}])
    with pytest.raises(ResponseStreamingError):
        s3.get_object(Bucket=BUCKET, Key="faults/large")["Body"].read()
    assert len(s3.get_object(Bucket=BUCKET, Key="faults/large")["Body"].read()) == 300_000
    for when in ("during", "after"):  # its answer has no body that could be cut in two
        faulty.control(faults=[{"kind": "drop", "service": "s3", "operation": "PutObject", "when": when}])
        with pytest.raises(ConnectionClosedError):
            s3.put_object(Bucket=BUCKET, Key=f"faults/{when}", Body=b"y")
        assert s3.get_object(Bucket=BUCKET, Key=f"faults/{when}")["Body"].read() == b"y"


@pytest.mark.local_aws
def test_lists_lag_and_describe_does_not(faulty: Running) -> None:
    sagemaker = faulty.client("sagemaker")
    faulty.control(list_lag_seconds=3600)
    sagemaker.create_model(**model("lagging"))
    assert models(faulty, "lagging") == []
    assert sagemaker.describe_model(ModelName="lagging")["ModelName"] == "lagging"
    faulty.control()
    assert models(faulty, "lagging") == ["lagging"]


@pytest.mark.local_aws
def test_a_limit_refuses_in_awss_words_until_it_is_taken_back(faulty: Running) -> None:
    faulty.control(limits={"automl": 0})
    sagemaker = faulty.client("sagemaker")
    request = automl_request("over-the-limit", f"s3://{BUCKET}/none/")
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded, match="is 0 Jobs, with current utilization"):
        sagemaker.create_auto_ml_job_v2(**request)
    with pytest.raises(ClientError, match="can't find an AutoML job"):
        sagemaker.describe_auto_ml_job_v2(AutoMLJobName="over-the-limit")


@pytest.mark.local_aws
def test_settings_that_are_wrong_change_nothing(faulty: Running) -> None:
    faulty.control(faults=[{"kind": "throttle", "operation": "ListModels"}])
    for method, body, status, said in (
        ("PUT", b'{"faults": [{"kind": "throttle", "rate": 2}]}', 400, "Expected a number from 0 to 1"),
        ("PUT", b"{", 400, "Expected a JSON object"),
        ("POST", b"{}", 405, "Expected GET, PUT or DELETE of /_control, found POST."),
    ):
        request = urllib.request.Request(f"{faulty.url}/_control", data=body, method=method)  # noqa: S310 - loopback
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request, timeout=5)  # noqa: S310 - loopback
        assert raised.value.code == status
        assert said in json.load(raised.value)["message"]
        raised.value.close()
    assert refusal(faulty.client("sagemaker").list_models) == ("ThrottlingException", 400)


@pytest.mark.local_aws
def test_a_web_page_of_another_site_can_not_make_things_go_wrong(faulty: Running) -> None:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{faulty.url}/_control", data=b"{}", method="PUT", headers={"Origin": "https://elsewhere.example"}
    )
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(request, timeout=5)  # noqa: S310 - loopback
    assert raised.value.code == 403
    raised.value.close()


@pytest.mark.local_aws
def test_a_file_says_what_goes_wrong_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    path.write_text(json.dumps({"faults": [{"kind": "throttle", "operation": "ListModels"}]}))
    running = start(tmp_path / "data", None, "--control", str(path))
    try:
        assert refusal(running.client("sagemaker").list_models) == ("ThrottlingException", 400)
    finally:
        running.stop()


def test_a_file_that_can_not_be_read_stops_the_start_in_words(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    path.write_text('{"fault": 1}')
    command = [sys.executable, "-m", "include.local_aws", "--data", str(tmp_path / "data"), "--control", str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"{path}: Unknown member 'fault' of the settings." in ended.stderr
    assert not (tmp_path / "data").exists()
