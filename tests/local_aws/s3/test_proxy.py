"""The proxy's pure parts."""

import pytest

from include.local_aws.s3.proxy import bucket_of_host, takes, without_signature


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
