"""What stands in the path and the headers of an invocation is checked against the runtime's own service model."""

import http.client
import json

import pytest

from include.local_aws.wire.errors import ValidationException
from include.local_aws.wire.rest import check, operation, read
from tests.support.local_aws import Running
from tests.support.model_cases import VALIDATION, broken

PATH = "/endpoints/e/invocations"
MEMBERS = operation("InvokeEndpoint").input_shape.members
HEADERS = {name: shape.serialization["name"] for name, shape in MEMBERS.items() if "name" in shape.serialization}
BROKEN = [
    (name, case)
    for name in HEADERS
    if name != "EndpointName"
    for case in broken(MEMBERS[name], name[:1].lower() + name[1:])
    if case.code == VALIDATION and case.document.isprintable()  # HTTP carries no other header
]


def test_members_are_read_from_path_and_headers() -> None:
    headers = {"x-amzn-sagemaker-target-variant": "v", "content-type": "text/csv", "host": "h"}
    assert read("InvokeEndpoint", PATH, headers) == {
        "EndpointName": "e", "TargetVariant": "v", "ContentType": "text/csv"
    }  # fmt: skip


def test_there_are_cases_for_most_headers() -> None:
    assert len({name for name, _ in BROKEN}) >= 9


@pytest.mark.parametrize(("name", "case"), BROKEN, ids=str)
def test_every_broken_constraint_of_a_header_is_refused_by_name(name: str, case: object) -> None:
    with pytest.raises(ValidationException) as raised:
        read("InvokeEndpoint", PATH, {HEADERS[name].lower(): case.document})  # type: ignore[attr-defined]
    assert case.rule in raised.value.message  # type: ignore[attr-defined]
    assert f"at '{case.where}' failed to satisfy constraint" in raised.value.message  # type: ignore[attr-defined]


def test_a_sensitive_value_is_not_repeated() -> None:
    with pytest.raises(ValidationException, match="detected: Value at 'customAttributes' failed to satisfy"):
        read("InvokeEndpoint", PATH, {"x-amzn-sagemaker-custom-attributes": "ü"})


@pytest.mark.local_aws
@pytest.mark.parametrize(
    ("path", "headers", "where"),
    [
        ("/endpoints/_e/invocations", {}, "endpointName"),
        (f"/endpoints/{'e' * 64}/invocations", {}, "endpointName"),
        ("/endpoints/a%20b/invocations", {}, "endpointName"),
        (PATH, {"X-Amzn-SageMaker-Target-Variant": "_"}, "targetVariant"),
        (PATH, {"X-Amzn-SageMaker-Inference-Id": "i" * 65}, "inferenceId"),
    ],
)
def test_the_server_answers_in_the_runtimes_form(aws: Running, path: str, headers: dict[str, str], where: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=30)
    connection.request("POST", path, b"1", headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    assert (response.status, response.getheader("x-amzn-errortype")) == (400, "ValidationError")
    assert f"at '{where}' failed to satisfy constraint" in answer["Message"]


def test_what_was_right_once_does_not_make_another_request_right() -> None:
    for _ in range(2):
        check("InvokeEndpoint", PATH, {"content-type": "text/csv", "host": "h"})
        with pytest.raises(ValidationException):
            check("InvokeEndpoint", "/endpoints/_e/invocations", {"content-type": "text/csv"})
        with pytest.raises(ValidationException):
            check("InvokeEndpoint", PATH, {"content-type": "x" * 1025})
