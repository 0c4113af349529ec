"""Services that are not ours: what moto lacks or breaks on reaches its clients as an error that they can read."""

from collections.abc import Callable, Iterable
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from include.local_aws.rest import readable
from include.local_aws.wire.protocols import error, protocol_of
from tests.support.local_aws import Running

SIGNED = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("service", "headers", "protocol", "parser"),
    [
        ("events", {"x-amz-target": "AWSEvents.Nothing"}, "json", "json"),
        ("lambda", {}, "rest-json", "rest-json"),
        ("iam", {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, "query", "query"),
        ("ec2", {"content-type": "application/x-www-form-urlencoded"}, "ec2", "ec2"),
        ("cloudfront", {}, "rest-xml", "rest-xml"),
        ("monitoring", {"smithy-protocol": "rpc-v2-cbor"}, "cbor", "smithy-rpc-v2-cbor"),
    ],
)
def test_botocore_reads_the_error_of_each_protocol(
    service: str, headers: dict[str, str], protocol: str, parser: str
) -> None:
    assert protocol_of(service, headers) == protocol
    content_type, more, body = error(protocol, "NotImplemented", 501, "a < b & ü")
    answer = {"status_code": 501, "headers": {"content-type": content_type, **more}, "body": body}
    model = botocore.session.get_session().get_service_model("cloudwatch").operation_model("ListMetrics")
    parsed = create_parser(parser).parse(answer, model.output_shape)
    assert parsed["Error"] == {**parsed["Error"], "Code": "NotImplemented", "Message": "a < b & ü"}


def asked(application: Callable[..., Iterable[bytes]], service: str = "events") -> tuple[str, bytes]:
    """Status and body of one call with a target, as a JSON service's client makes it."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "HTTP_AUTHORIZATION": SIGNED.format(service),
        "HTTP_X_AMZ_TARGET": "X.Y",
    }
    body = readable(lambda _: application)(environ, lambda status, _: statuses.append(status))
    return statuses[-1], b"".join(body)


def test_an_answer_that_is_one_passes_through() -> None:
    def fine(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("404 NOT FOUND", [("Content-Type", "application/x-amz-json-1.1")])
        return [b"{}"]

    assert asked(fine) == ("404 NOT FOUND", b"{}")


def test_a_framework_s_page_becomes_an_error_of_the_service() -> None:
    def page(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("404 NOT FOUND", [("Content-Type", "text/html; charset=utf-8")])
        return [b"<!doctype html>"]

    status, body = asked(page)
    assert status == "501 Not Implemented"
    assert b"does not implement this call of events (POST /)" in body


def test_what_breaks_is_said_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raise KeyError("Name")

    status, body = asked(broken)
    assert status == "500 Internal Server Error"
    assert b"InternalFailure" in body
    assert b"KeyError: 'Name'" in body
    assert "moto could not answer a call of events" in caplog.text


@pytest.mark.local_aws
@pytest.mark.parametrize(
    ("service", "operation", "request_", "said"),
    [
        ("events", "list_partner_event_source_accounts", {"EventSourceName": "x"}, "this call of events"),
        ("sts", "decode_authorization_message", {"EncodedMessage": "x"}, "this call of sts"),
        ("cloudwatch", "list_metric_streams", {}, "this call of monitoring"),
        ("cloudfront", "list_field_level_encryption_configs", {}, "this call of cloudfront"),
        ("braket", "search_jobs", {"filters": []}, "the service braket"),
    ],
)
def test_operations_and_services_that_moto_lacks_are_named(
    aws: Running, service: str, operation: str, request_: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=f"does not implement {said}") as caught:
        getattr(aws.client(service), operation)(**request_)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


@pytest.mark.local_aws
def test_the_policy_simulator_allows_everything_as_there_is_no_access_control(aws: Running) -> None:
    answer = aws.client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/service",
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::b/*", "arn:aws:s3:::c & d"],
    )
    found = [(each["EvalActionName"], each["EvalResourceName"]) for each in answer["EvaluationResults"]]
    assert len(found) == 4
    assert ("s3:PutObject", "arn:aws:s3:::c & d") in found
    assert {each["EvalDecision"] for each in answer["EvaluationResults"]} == {"allowed"}
    assert not answer["IsTruncated"]


@pytest.mark.local_aws
def test_iam_itself_still_reads_its_forms(aws: Running) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument="{}", Description="a & b")
    assert iam.get_role(RoleName="kept")["Role"]["Description"] == "a & b"
