"""S3 through unmodified boto3."""

import http.client
import io
import threading
import urllib.request
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.support.local_aws import Running

pytestmark = pytest.mark.local_aws
BUCKET = "tests"
MEGABYTE = 1024 * 1024


@pytest.fixture
def s3(aws: Running) -> Any:
    return aws.client("s3")


def status_of(error: pytest.ExceptionInfo[ClientError]) -> int:
    return int(error.value.response["ResponseMetadata"]["HTTPStatusCode"])


def test_buckets_are_listed_and_one_with_objects_is_not_deleted(s3: Any) -> None:
    s3.create_bucket(Bucket="other")
    s3.put_object(Bucket="other", Key="k", Body=b"x")
    assert {"tests", "other"} <= {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        s3.delete_bucket(Bucket="other")
    s3.delete_object(Bucket="other", Key="k")
    s3.delete_bucket(Bucket="other")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        s3.put_object(Bucket="other", Key="k", Body=b"x")


@pytest.mark.parametrize("key", ["plain", "größe/β ü.csv", "a b+c%20d&e=f?g#h.txt", "run=2026-01-01T00:00:00+00:00"])
def test_any_key_comes_back_under_its_own_name(s3: Any, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=f"keys/{key}", Body=key.encode())
    assert s3.get_object(Bucket=BUCKET, Key=f"keys/{key}")["Body"].read() == key.encode()
    assert f"keys/{key}" in [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="keys/")["Contents"]]
    s3.delete_object(Bucket=BUCKET, Key=f"keys/{key}")


def test_a_key_that_the_server_would_store_under_another_name_is_refused_in_words(s3: Any) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*empty or dot segments"):
        s3.put_object(Bucket=BUCKET, Key="double//slash", Body=b"x")


def test_a_range_is_answered_with_just_that_and_head_with_nothing(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="range", Body=bytes(range(256)), ContentType="text/x", Metadata={"owner": "me"})
    part = s3.get_object(Bucket=BUCKET, Key="range", Range="bytes=10-19")
    assert part["Body"].read() == bytes(range(10, 20))
    assert part["ContentRange"] == "bytes 10-19/256"
    head = s3.head_object(Bucket=BUCKET, Key="range")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (256, "text/x", {"owner": "me"})
    with pytest.raises(ClientError) as error:
        s3.head_object(Bucket=BUCKET, Key="nothing")
    assert status_of(error) == 404


def test_multipart_uploads_and_parallel_ranged_downloads_give_the_same_bytes(s3: Any) -> None:
    content = bytes(range(256)) * 4096 * 12
    config = TransferConfig(multipart_threshold=5 * MEGABYTE, multipart_chunksize=5 * MEGABYTE)
    s3.upload_fileobj(io.BytesIO(content), BUCKET, "big", Config=config)
    assert s3.head_object(Bucket=BUCKET, Key="big")["ETag"].endswith('-3"')
    back = io.BytesIO()
    s3.download_fileobj(BUCKET, "big", back, Config=config)
    assert back.getvalue() == content


def test_of_many_who_create_an_object_at_once_one_succeeds(aws: Running) -> None:
    results: list[int] = []
    barrier = threading.Barrier(8)

    def create() -> None:
        client = aws.client("s3")
        barrier.wait()
        try:
            client.put_object(Bucket=BUCKET, Key="lease", Body=b"mine", IfNoneMatch="*")
            results.append(200)
        except ClientError as error:
            results.append(error.response["ResponseMetadata"]["HTTPStatusCode"])

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results)[0] == 200
    assert set(sorted(results)[1:]) <= {409, 412}


def test_a_write_and_a_delete_can_be_tied_to_what_was_read(s3: Any) -> None:
    first = s3.put_object(Bucket=BUCKET, Key="tied", Body=b"1")["ETag"]
    second = s3.put_object(Bucket=BUCKET, Key="tied", Body=b"2", IfMatch=first)["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=BUCKET, Key="tied", Body=b"3", IfMatch=first)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.delete_object(Bucket=BUCKET, Key="tied", IfMatch=first)
    s3.delete_object(Bucket=BUCKET, Key="tied", IfMatch=second)


def test_a_presigned_url_works_for_anyone(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="shared page.html", Body=b"<p>")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "shared page.html"})
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.read() == b"<p>"


def test_pages_of_a_long_listing_and_deleting_many(s3: Any) -> None:
    for number in range(25):
        s3.put_object(Bucket=BUCKET, Key=f"many/{number:03d}", Body=b"")
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="many/", PaginationConfig={"PageSize": 10})
    )
    assert [len(page["Contents"]) for page in pages] == [10, 10, 5]
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": f"many/{number:03d}"} for number in range(25)]})
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")["KeyCount"] == 0


def test_an_object_is_copied_with_its_metadata(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="copy/from", Body=b"abc", Metadata={"sha": "1"})
    s3.copy_object(Bucket=BUCKET, Key="copy/to", CopySource={"Bucket": BUCKET, "Key": "copy/from"})
    answer = s3.get_object(Bucket=BUCKET, Key="copy/to")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"abc", {"sha": "1"})


def test_a_body_without_length_and_one_that_waits_for_100_continue_arrive_whole(aws: Running, s3: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request(
        "PUT",
        f"/{BUCKET}/chunked",
        body=iter([b"ab", b"", b"cd"]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert connection.getresponse().read() is not None
    connection.close()
    assert s3.get_object(Bucket=BUCKET, Key="chunked")["Body"].read() == b"abcd"
    s3.put_object(Bucket=BUCKET, Key="continued", Body=io.BytesIO(b"x" * MEGABYTE))  # boto3 asks for 100-continue here
    assert s3.head_object(Bucket=BUCKET, Key="continued")["ContentLength"] == MEGABYTE


def test_a_virtual_hosted_bucket_is_found(aws: Running, s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="virtual", Body=b"v")
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request("GET", "/virtual", headers={"Host": f"{BUCKET}.localhost:{aws.port}"})
    assert connection.getresponse().read() == b"v"
    connection.close()
