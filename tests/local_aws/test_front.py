"""Which room a request goes to."""

from typing import Any

import pytest

from include.local_aws.front import service_of


def scope(path: str = "/", method: str = "GET", query: str = "", **headers: str) -> dict[str, Any]:
    return {
        "path": path,
        "method": method,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


def signed(service: str, region: str = "eu-west-1") -> str:
    return f"AWS4-HMAC-SHA256 Credential=key/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("request_", "room"),
    [
        (scope("/_health"), ("health", "us-east-1")),
        (scope(authorization=signed("sagemaker"), x_amz_target="SageMaker.ListModels"), ("sagemaker", "eu-west-1")),
        (scope("/endpoints/x/invocations", "POST", authorization=signed("sagemaker")), ("runtime", "eu-west-1")),
        (scope("/endpoints/x/invocations", "POST"), ("runtime", "us-east-1")),
        (scope("/endpoints/key", authorization=signed("s3")), ("s3", "eu-west-1")),
        (scope("/b/k", query="X-Amz-Credential=k%2F20260101%2Feu-west-1%2Fs3%2Faws4_request"), ("s3", "eu-west-1")),
        (scope("/b/k", query="AWSAccessKeyId=k&Signature=s"), ("s3", "us-east-1")),
        (scope("/b/k"), ("s3", "us-east-1")),
        (scope(method="POST", authorization=signed("sts")), ("rest", "eu-west-1")),
        (scope(method="POST", x_amz_target="Logs_20140328.DescribeLogGroups"), ("rest", "us-east-1")),
        (scope(method="POST", content_type="application/x-www-form-urlencoded; charset=utf-8"), ("rest", "us-east-1")),
        (scope("/moto-api/"), ("rest", "us-east-1")),
    ],
)  # fmt: skip
def test_the_signature_names_the_service_and_what_has_none_is_guessed(
    request_: dict[str, Any], room: tuple[str, str]
) -> None:
    assert service_of(request_) == room
