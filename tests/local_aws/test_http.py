"""The HTTP side of the one port: what any HTTP client may send, and how what can't be answered is refused."""

import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from include.local_aws.wire.model import service
from tests.support.local_aws import Running

pytestmark = pytest.mark.local_aws
LIST = {"X-Amz-Target": "SageMaker.ListModels"}


@pytest.fixture
def connection(aws: Running) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=30)
    yield opened
    opened.close()


def signed(region: str = "us-east-1", service_name: str = "sagemaker") -> dict[str, str]:
    scope = f"k/20260101/{region}/{service_name}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any, headers: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    connection.request(method, path, body, headers, encode_chunked=headers.get("Transfer-Encoding") == "chunked")
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_sagemaker_speaks_json_and_nothing_else() -> None:
    """Should botocore begin to prefer another protocol, its clients would not be understood here any more."""
    assert service().metadata["protocols"] == ["json"]


def test_bodies_may_be_packed_and_chunked(connection: http.client.HTTPConnection) -> None:
    packed = gzip.compress(b'{"MaxResults": 1000}', mtime=0)
    for body, headers in (
        (packed, {"Content-Encoding": "gzip"}),
        (b'{"MaxResults": 1000}', {"Content-Encoding": "identity"}),
        (iter([packed[:9], packed[9:]]), {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}),
    ):
        status, answer = exchange(connection, "POST", "/", body, {**LIST, **headers})
        assert (status, answer["__type"]) == (400, "ValidationException")
        assert "Value '1000' at 'maxResults' failed to satisfy" in answer["message"]  # it was read to its end
    assert exchange(connection, "POST", "/", b"", LIST)[0] == 200


@pytest.mark.parametrize(
    ("body", "headers", "status", "code", "said"),
    [
        (b"nonsense", {"Content-Encoding": "gzip"}, 400, "SerializationException", "Expected a body in gzip"),
        (
            gzip.compress(b"{}", mtime=0)[:-4],
            {"Content-Encoding": "gzip"},
            400,
            "SerializationException",
            "one that is cut off",
        ),
        (b"{}", {"Content-Encoding": "br"}, 400, "SerializationException", "gzip or none, found 'br'"),
        (
            gzip.compress(b" " * 5_000_000, mtime=0),
            {"Content-Encoding": "gzip"},
            413,
            "RequestEntityTooLarge",
            "once unpacked",
        ),
        (b" " * 5_000_000, {}, 413, "RequestEntityTooLarge", "at most 4194304 bytes"),
        (b"[1]", {}, 400, "SerializationException", "Expected an object at '/', found a list."),
        (b"<xml/>", {}, 400, "SerializationException", "Expected a JSON object in the request's body"),
    ],
)  # fmt: skip
def test_a_body_that_can_not_be_read_is_refused_and_the_connection_goes_on(
    connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str], status: int, code: str, said: str
) -> None:
    found, answer = exchange(connection, "POST", "/", body, {**LIST, **headers})
    assert (found, answer["__type"]) == (status, code)
    assert said in answer["message"]
    assert exchange(connection, "POST", "/", b"{}", LIST)[0] == 200


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("GET", LIST, 404, "UnknownOperationException"),
        ("PUT", LIST, 404, "UnknownOperationException"),
        ("POST", {"X-Amz-Target": "SageMaker.ListMoodels"}, 400, "UnknownOperationException"),
        ("POST", {"X-Amz-Target": "SageMaker."}, 400, "UnknownOperationException"),
        ("POST", signed(), 400, "UnknownOperationException"),
        ("POST", {**signed(), "X-Amz-Target": "Other.ListModels"}, 400, "UnknownOperationException"),
        ("POST", {"X-Amz-Target": "SageMaker.CreateDomain"}, 501, "NotImplemented"),
        ("POST", {**signed("mars_1"), **LIST}, 403, "InvalidSignatureException"),
        ("POST", {**signed(".."), **LIST}, 403, "InvalidSignatureException"),
    ],
)
def test_what_is_no_call_of_an_operation_is_refused_by_name(
    connection: http.client.HTTPConnection, method: str, headers: dict[str, str], status: int, code: str
) -> None:
    found, answer = exchange(connection, method, "/", b"{}", headers)
    assert (found, answer["__type"]) == (status, code)
    assert answer["message"]


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("POST", "/endpoints/e/async-invocations", 501, "InvokeEndpointAsync of sagemaker-runtime"),
        ("POST", "/endpoints/e/invocations-response-stream", 501, "InvokeEndpointWithResponseStream of sagemaker-run"),
        ("GET", "/FeatureGroup/g?RecordIdentifierValueAsString=1", 501, "GetRecord of sagemaker-featurestore-runtime"),
        ("PUT", "/BatchPutMetrics", 501, "BatchPutMetrics of sagemaker-metrics"),
        ("DELETE", "/endpoints/e/invocations", 404, "There is no operation DELETE /endpoints/e/invocations"),
    ],
)
def test_other_operations_that_sign_for_sagemaker_are_named(
    connection: http.client.HTTPConnection, method: str, path: str, status: int, said: str
) -> None:
    found, answer = exchange(connection, method, path, b"", signed())
    assert found == status
    assert said in answer["Message"]
