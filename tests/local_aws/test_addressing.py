"""Which service, region and operation a request is for."""

from typing import Any

import pytest

from include.local_aws.addressing import call_of, is_own, is_region, service_of


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
        (scope("/_control", authorization=signed("s3")), ("control", "us-east-1")),
        (scope("/", "POST", authorization=signed("sagemaker")), ("sagemaker", "eu-west-1")),
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


def raw(request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "raw_path": request["path"].encode()}


@pytest.mark.parametrize(
    ("room", "request_", "call"),
    [
        ("sagemaker", scope(x_amz_target="SageMaker.ListModels"), ("sagemaker", "ListModels", "json")),
        ("sagemaker", scope(), ("sagemaker", "unknown", "json")),
        ("runtime", scope("/endpoints/e/invocations", "POST"), ("sagemaker-runtime", "InvokeEndpoint", "rest-json")),
        ("runtime", scope("/nothing", "POST"), ("sagemaker-runtime", "unknown", "rest-json")),
        ("rest", scope(method="POST", x_amz_target="Logs_2014.PutLogEvents", authorization=signed("logs")),
         ("logs", "PutLogEvents", "json")),
        ("rest", scope(method="POST", content_type="application/x-www-form-urlencoded", authorization=signed("sts")),
         ("sts", "POST", "query")),
        ("rest", scope("/service/Monitoring/operation/ListMetrics", "POST", authorization=signed("monitoring")),
         ("monitoring", "ListMetrics", "rest-json")),
    ],
)  # fmt: skip
def test_a_call_has_a_service_an_operation_and_a_form_of_error(
    room: str, request_: dict[str, Any], call: tuple[str, str, str]
) -> None:
    assert call_of(room, raw(request_)) == call


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/", "", "ListBuckets"),
        ("GET", "/b", "list-type=2&prefix=x", "ListObjectsV2"),
        ("GET", "/b/", "", "ListObjects"),
        ("PUT", "/b", "", "CreateBucket"),
        ("PUT", "/b/k", "", "PutObject"),
        ("PUT", "/b/k", "partNumber=1&uploadId=x", "UploadPart"),
        ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId=x", "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId=x", "AbortMultipartUpload"),
        ("POST", "/b", "delete", "DeleteObjects"),
        ("HEAD", "/b/k", "", "HeadObject"),
        ("PUT", "/b/k", "tagging", "PutObjectTagging"),
        ("GET", "/b", "versioning", "GetBucketVersioning"),
        ("PATCH", "/b/k", "", "PATCH"),
    ],
)
def test_s3_operations_are_told_by_method_path_and_query(method: str, path: str, query: str, operation: str) -> None:
    assert call_of("s3", raw(scope(path, method, query)))[1] == operation


def test_a_copy_and_a_bucket_in_the_host_name_are_told_too() -> None:
    assert call_of("s3", raw(scope("/b/k", "PUT", x_amz_copy_source="b/other")))[1] == "CopyObject"
    assert call_of("s3", raw(scope("/k", "GET", host="b.localhost:4566")))[1] == "GetObject"
    assert call_of("s3", raw(scope("/", "HEAD", host="b.localhost:4566")))[1] == "HeadBucket"


def test_only_the_servers_own_shipping_of_logs_is_its_own() -> None:
    own = "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0"
    assert is_own(scope(authorization=own))
    assert not is_own(scope(authorization=signed("logs")))
    assert not is_own(scope(authorization=own.replace("logs", "sagemaker")))


@pytest.mark.parametrize(
    ("name", "fits"),
    [("us-east-1", True), ("eu-isoe-west-1", True), ("local", True), ("..", False), ("US", False), ("a/b", False)],
)
def test_a_region_is_a_name_that_can_stand_in_a_path(name: str, fits: bool) -> None:
    assert is_region(name) is fits
