"""The proxy's pure parts."""

import pytest

from include.local_aws.s3.proxy import bucket_of_host, without_signature
from include.local_aws.s3.refusals import refusal, takes, with_own_key


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"", b""),
        (b"list-type=2&prefix=a%2Fb", b"list-type=2&prefix=a%2Fb"),
        (
            b"X-Amz-Algorithm=A&X-Amz-Credential=C&X-Amz-Date=D&X-Amz-Expires=9&X-Amz-SignedHeaders=h&X-Amz-Signature=s",
            b"",
        ),
        (b"versionId=1&AWSAccessKeyId=k&Signature=s&Expires=9", b"versionId=1"),
        (b"x-id=PutObject&uploadId=u&partNumber=1", b"x-id=PutObject&uploadId=u&partNumber=1"),
    ],
)
def test_a_presigned_query_loses_its_signature_and_nothing_else(query: bytes, kept: bytes) -> None:
    assert without_signature(query) == kept


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        (b"127.0.0.1:4566", None),
        (b"localhost:4566", None),
        (b"data.localhost:4566", b"data"),
        (b"my.data.localhost", b"my.data"),
    ],
)
def test_a_virtual_hosted_bucket_is_read_from_the_host(host: bytes, bucket: bytes | None) -> None:
    assert bucket_of_host(host) == bucket


@pytest.mark.parametrize(
    ("path", "fits"),
    [
        (b"/", True),
        (b"/bucket", True),
        (b"/bucket/", True),
        (b"/bucket/a/b.csv", True),
        (b"/bucket/folder/", True),
        (b"/bucket/a..b/.hidden", True),
        (b"/bucket//a", False),
        (b"/bucket/a//b", False),
        (b"/bucket/a%2F%2Fb", False),
        (b"/bucket/./a", False),
        (b"/bucket/a/..", False),
    ],
)
def test_keys_that_the_server_would_change_are_not_taken(path: bytes, fits: bool) -> None:
    assert takes(path) is fits


@pytest.mark.parametrize(
    ("method", "path", "query", "named"),
    [
        ("PUT", b"/bucket", b"", None),
        ("PUT", b"/bucket", b"versioning", None),
        ("PUT", b"/bucket", b"notification", "PUT ?notification of an S3 bucket"),
        ("PUT", b"/bucket/", b"website&x-id=PutBucketWebsite", "PUT ?website of an S3 bucket"),
        ("DELETE", b"/bucket", b"website", "DELETE ?website of an S3 bucket"),
        ("DELETE", b"/bucket", b"", None),
        ("PUT", b"/bucket/a/key", b"renameObject", "PUT ?renameObject of an S3 object"),
        ("PUT", b"/bucket/key", b"partNumber=1&uploadId=u&x-id=UploadPart", None),
        ("PUT", b"/bucket/key", b"X-Amz-Signature=s&X-Amz-Expires=9&Signature=a&Expires=1&AWSAccessKeyId=k", None),
        ("POST", b"/bucket/key", b"uploads", None),
        ("POST", b"/bucket", b"delete", None),
        ("GET", b"/bucket", b"list-type=2&prefix=inventory", None),
        ("GET", b"/bucket", b"inventory&id=1", "GET ?inventory of an S3 bucket"),
        ("GET", b"/bucket/key", b"torrent", "GET ?torrent of an S3 object"),
        ("GET", b"/", b"", None),
        ("PUT", b"/bucket/a//b", b"", "empty or dot segments"),
    ],
)
def test_what_the_server_would_take_for_something_else_is_refused_by_name(
    method: str, path: bytes, query: bytes, named: str | None
) -> None:
    said = refusal(method, path, query)
    assert said is None if named is None else said is not None and named in said.decode()


def test_a_kms_key_becomes_the_servers_own_and_other_headers_stay() -> None:
    kms = [
        (b"x-amz-server-side-encryption", b"aws:kms"),
        (b"x-amz-server-side-encryption-aws-kms-key-id", b"k"),
        (b"content-type", b"text/csv"),
    ]
    assert with_own_key(kms) == [(b"content-type", b"text/csv"), (b"x-amz-server-side-encryption", b"AES256")]
    assert with_own_key(kms[2:]) == kms[2:]
