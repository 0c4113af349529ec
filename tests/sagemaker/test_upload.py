"""Streams to S3: all of it appears at once, or nothing does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from moto import mock_aws

from automl_retraining.core.errors import StorageError
from automl_retraining.sagemaker.upload import MIB, Uploads

BUCKET = "bucket"


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """An S3 client of moto, with a bucket."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def s3(aws: Any) -> Iterator[Any]:
    """The client; the bucket is empty before and after."""
    yield aws
    for key in keys(aws):
        aws.delete_object(Bucket=BUCKET, Key=key)
    assert unfinished(aws) == []


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def unfinished(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]


def read(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def test_a_large_stream_arrives_whole_and_in_order(s3: Any) -> None:
    """In parts of at least 5 MiB, however it was written."""
    data = b"".join(number.to_bytes(4, "big") for number in range(4 * MIB))
    with Uploads(s3, part_bytes=5 * MIB) as uploads:
        stream = uploads.open("s3://bucket/large.bin", "text/csv")
        for start in range(0, len(data), 1_000_003):
            assert stream.write(data[start : start + 1_000_003])
        assert keys(s3) == []
    answer = s3.get_object(Bucket=BUCKET, Key="large.bin")
    assert answer["Body"].read() == data
    assert answer["ETag"].endswith('-4"')
    assert answer["ContentType"] == "text/csv"


@pytest.mark.parametrize("data", [b"", b"few bytes"])
def test_a_small_stream_is_one_put(s3: Any, data: bytes) -> None:
    """Nothing at all is an empty object."""
    with Uploads(s3) as uploads:
        uploads.open("s3://bucket/small.csv").write(data)
    assert read(s3, "small.csv") == data
    assert "-" not in s3.head_object(Bucket=BUCKET, Key="small.csv")["ETag"]


def upload(s3: Any, streams: dict[str, bytes], fail: str = "") -> None:
    """Write the streams, then perhaps fail as a bad table does."""
    with Uploads(s3, part_bytes=5 * MIB) as uploads:
        for uri, data in streams.items():
            uploads.open(uri).write(data)
        if fail:
            raise ValueError(fail)


def test_an_error_leaves_neither_objects_nor_parts(s3: Any) -> None:
    """Small and large streams alike; the error itself goes on."""
    with pytest.raises(ValueError, match="bad row"):
        upload(s3, {"s3://bucket/large.bin": bytes(11 * MIB), "s3://bucket/small.csv": b"x"}, fail="bad row")
    assert keys(s3) == []
    assert unfinished(s3) == []


def test_streams_that_were_finished_are_removed_when_a_later_one_cannot_be(s3: Any) -> None:
    """They appear together or not at all; S3's answer is told in words."""
    with pytest.raises(StorageError, match=r"expected to write s3://no-such-bucket/b\.csv"):
        upload(s3, {"s3://bucket/a.csv": b"x", "s3://no-such-bucket/b.csv": b"x"})
    assert keys(s3) == []


def broken_line(params: dict[str, Any], **_: Any) -> None:
    """What botocore raises where S3 is gone after the first part."""
    if params["query_string"]["partNumber"] > 1:
        raise EndpointConnectionError(endpoint_url="https://s3.amazonaws.com")


def write_on(s3: Any) -> None:
    """Write many parts."""
    with Uploads(s3, part_bytes=5 * MIB) as uploads:
        stream = uploads.open("s3://bucket/large.bin")
        for _ in range(20):
            stream.write(bytes(5 * MIB))
        pytest.fail("writing went on although no part arrived")


def test_a_part_that_cannot_be_sent_stops_the_writer(s3: Any) -> None:
    """Not only at the end; the parts that did arrive are removed."""
    s3.meta.events.register("before-call.s3.UploadPart", broken_line)
    try:
        with pytest.raises(StorageError, match=r"expected to write s3://bucket/large\.bin, could not reach S3"):
            write_on(s3)
    finally:
        s3.meta.events.unregister("before-call.s3.UploadPart", broken_line)
    assert keys(s3) == []
    assert unfinished(s3) == []


def test_objects_are_encrypted_with_the_key_that_the_pipeline_names(s3: Any) -> None:
    """Small and large ones."""
    with Uploads(s3, kms_key="alias/ours", part_bytes=5 * MIB) as uploads:
        uploads.open("s3://bucket/small.csv").write(b"x")
        uploads.open("s3://bucket/large.csv").write(bytes(6 * MIB))
    for key in ("small.csv", "large.csv"):
        head = s3.head_object(Bucket=BUCKET, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "alias/ours")


def test_an_object_that_was_there_stays_when_the_new_one_fails(s3: Any) -> None:
    """A retried run does not lose the first attempt's file before it has a better one."""
    s3.put_object(Bucket=BUCKET, Key="table.csv", Body=b"old")
    with pytest.raises(ValueError, match="bad row"):
        upload(s3, {"s3://bucket/table.csv": b"new"}, fail="bad row")
    assert read(s3, "table.csv") == b"old"
