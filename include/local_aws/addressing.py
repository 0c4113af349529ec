"""For which service, region and operation an HTTP request is.

The service is read from the request's signature (its credential scope), as AWS's own would be from the host name.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from botocore.loaders import Loader

from include.local_aws.asgi import Scope, header

DEFAULT_REGION = "us-east-1"

_SCOPE = re.compile(r"Credential=[^/,\s]*/\d{8}/([^/]+)/([^/]+)/aws4_request")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_OWN = re.compile(r"Credential=local/\d{8}/[^/]+/logs/aws4_request")


def credential_scope(scope: Scope) -> tuple[str | None, str]:
    """Service and region of the request's signature, in a header or in a presigned URL; the service may be unknown."""
    authorization = header(scope, "authorization") or ""
    if match := _SCOPE.search(authorization):
        return match[2], match[1]
    query = scope["query_string"].decode("latin-1")
    if "X-Amz-Credential" in query:
        parts = parse_qs(query).get("X-Amz-Credential", [""])[0].split("/")
        if len(parts) == 5:
            return parts[3], parts[2]
    if authorization.startswith("AWS ") or "AWSAccessKeyId=" in query:
        return "s3", DEFAULT_REGION  # signature version 2, which only S3 still takes
    return None, DEFAULT_REGION


def signed_service(authorization: str) -> str | None:
    """The service of a signature in an Authorization header, None where there is none."""
    match = _SCOPE.search(authorization)
    return match[2] if match else None


def service_of(scope: Scope) -> tuple[str, str]:
    """Which room a request is for (health, control, sagemaker, runtime, s3, rest), and its region."""
    path: str = scope["path"]
    if path in ("/_health", "/_control"):
        return path[2:], DEFAULT_REGION
    service, region = credential_scope(scope)
    target = header(scope, "x-amz-target") or ""
    if service == "s3":
        return "s3", region
    if target.startswith("SageMaker.") or (service == "sagemaker" and path in ("/", "")):
        return "sagemaker", region
    if service == "sagemaker" or (service is None and path.startswith("/endpoints/") and scope["method"] == "POST"):
        return "runtime", region
    if service is not None or target or path.startswith("/moto-api"):
        return "rest", region
    form = (header(scope, "content-type") or "").startswith("application/x-www-form-urlencoded")
    return ("rest" if form else "s3"), region  # an unsigned request is for S3, unless it is a query-protocol form


def is_region(name: str) -> bool:
    """Whether a signature's region may be one: every name of that form is a region here."""
    return _REGION.fullmatch(name) is not None


def is_own(scope: Scope) -> bool:
    """Whether the embedded AWS itself sent the request, to ship the logs of its jobs."""
    return _OWN.search(header(scope, "authorization") or "") is not None


def call_of(room: str, scope: Scope) -> tuple[str, str, str]:
    """Service, operation and error form (json, rest-json, xml or query) of a request, for counters and faults.

    The operation of a service of moto's whose request does not name it outside its body is the HTTP method.
    """
    target = (header(scope, "x-amz-target") or "").rpartition(".")[2]
    match room:
        case "sagemaker":
            return "sagemaker", target or "unknown", "json"
        case "runtime":
            service, operation = rest_operation(scope["method"], scope["raw_path"].decode("latin-1")) or (
                "sagemaker-runtime",
                "unknown",
            )
            return service, operation, "rest-json"
        case "s3":
            return "s3", s3_operation(scope), "xml"
    service = credential_scope(scope)[0] or "unknown"
    content_type = header(scope, "content-type") or ""
    if target:
        return service, target, "json"
    _, marker, operation = scope["path"].partition("/operation/")
    form = "query" if content_type.startswith("application/x-www-form-urlencoded") else "rest-json"
    return service, operation if marker else scope["method"], form


_S3_OBJECT = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "PostObject",
}
_S3_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket",
              "POST": "PostObject"}  # fmt: skip
_S3_SPECIAL: Mapping[tuple[str, str], str] = {
    ("GET", "list-type"): "ListObjectsV2", ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "versions"): "ListObjectVersions", ("GET", "uploadId"): "ListParts", ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload", ("DELETE", "uploadId"): "AbortMultipartUpload",
    ("POST", "uploads"): "CreateMultipartUpload", ("POST", "delete"): "DeleteObjects",
}  # fmt: skip
_S3_PARTS = ("tagging", "acl", "versioning", "location", "policy", "encryption", "lifecycle", "cors", "notification")


def s3_operation(scope: Scope) -> str:
    """The name of the S3 operation that a request is."""
    method: str = scope["method"]
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    bucket, _, key = scope["path"].lstrip("/").partition("/")
    host = (header(scope, "host") or "").split(":")[0]
    if host.endswith(".localhost"):
        bucket, key = host.removesuffix(".localhost"), scope["path"].lstrip("/")
    for (verb, parameter), name in _S3_SPECIAL.items():
        if method == verb and parameter in query:
            return name
    for part in _S3_PARTS:
        if part in query:
            return f"{method.title()}{'Object' if key else 'Bucket'}{part.title()}"
    if not bucket:
        return "ListBuckets"
    if method == "PUT" and key and header(scope, "x-amz-copy-source"):
        return "CopyObject"
    return (_S3_OBJECT if key else _S3_BUCKET).get(method, method)


_INVOKE = re.compile("/endpoints/[^/]+/invocations")


@cache
def _rest_operations() -> tuple[tuple[str, str, re.Pattern[str], str], ...]:
    """Operations of the services whose requests are signed for "sagemaker" and named by method and path alone."""
    loader = Loader()
    found = []
    for service in loader.list_available_services("service-2"):
        if not service.startswith("sagemaker-"):
            continue
        description: dict[str, Any] = loader.load_service_model(service, "service-2")
        for name, operation in description["operations"].items():
            path = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(operation["http"]["requestUri"].split("?")[0]))
            found.append((service, operation["http"]["method"], re.compile(path), name))
    return tuple(found)


def rest_operation(method: str, path: str) -> tuple[str, str] | None:
    """Service and operation of a request that is signed for SageMaker and has no target, or None for no such one."""
    if method == "POST" and _INVOKE.fullmatch(path):
        return "sagemaker-runtime", "InvokeEndpoint"  # without reading the models, which takes a moment
    for service, verb, pattern, name in _rest_operations():
        if verb == method and pattern.fullmatch(path):
            return service, name
    return None
