"""What clients ask of S3 beyond bytes: checksums, conditions, versions, encryption, and what there is not."""

import base64
import hashlib
import http.client
import os
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running

pytestmark = pytest.mark.local_aws
BUCKET = "tests"
HELLO = b"hello"
CRC32 = base64.b64encode(zlib.crc32(HELLO).to_bytes(4, "big")).decode()


@pytest.fixture
def s3(aws: Running) -> Any:
    return aws.client("s3")


def crc64nvme(content: bytes) -> str:
    """CRC-64/NVME (reflected polynomial 9a6c9329ac4bc9b5), as its header gives it."""
    value = 0xFFFFFFFFFFFFFFFF
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
    return base64.b64encode((value ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")).decode()


def put(aws: Running, key: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """A PUT of our own making; its status and answer."""
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request("PUT", f"/{BUCKET}/{key}", body=body, headers=headers)
    answer = connection.getresponse()
    said = answer.read().decode()
    connection.close()
    return answer.status, said


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_verified_kept_and_given_back(s3: Any, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    given = s3.put_object(Bucket=BUCKET, Key="checked", Body=HELLO, ChecksumAlgorithm=algorithm)[name]
    assert s3.head_object(Bucket=BUCKET, Key="checked", ChecksumMode="ENABLED")[name] == given
    answer = s3.get_object(Bucket=BUCKET, Key="checked", ChecksumMode="ENABLED")
    assert (answer[name], answer["Body"].read()) == (given, HELLO)
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=BUCKET, Key="wrong", Body=b"other", **{name: given})
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=BUCKET, Key="wrong")


def test_a_wrong_md5_is_refused(s3: Any) -> None:
    digest = base64.b64encode(hashlib.md5(b"other", usedforsecurity=False).digest()).decode()
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=BUCKET, Key="wrong", Body=HELLO, ContentMD5=digest)


def test_the_checksum_that_newer_clients_send_is_verified_too(aws: Running, s3: Any) -> None:
    assert crc64nvme(b"123456789") == base64.b64encode(bytes.fromhex("ae8b14860a799888")).decode()
    assert put(aws, "crc64", HELLO, {"x-amz-checksum-crc64nvme": crc64nvme(HELLO)})[0] == 200
    status, said = put(aws, "crc64-wrong", HELLO, {"x-amz-checksum-crc64nvme": crc64nvme(b"other")})
    assert (status, "BadDigest" in said) == (400, True)


@pytest.mark.parametrize(
    "kind",
    [
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    ],
)
def test_a_body_in_signed_or_unsigned_chunks_with_a_trailing_checksum_is_unpacked(
    aws: Running, s3: Any, kind: str
) -> None:
    signature = f";chunk-signature={'0' * 64}" if "AWS4" in kind else ""
    trailer = f"x-amz-checksum-crc32:{CRC32}\r\n" if kind.endswith("TRAILER") else ""
    trailer += f"x-amz-trailer-signature:{'0' * 64}\r\n" if trailer and signature else ""
    body = f"5{signature}\r\nhello\r\n0{signature}\r\n{trailer}\r\n".encode()
    headers = {
        "x-amz-content-sha256": kind,
        "x-amz-decoded-content-length": "5",
        "content-encoding": "aws-chunked",
        **({"x-amz-trailer": "x-amz-checksum-crc32"} if trailer else {}),
    }
    status, said = put(aws, "chunks", body, headers)
    assert status == 200, said
    answer = s3.get_object(Bucket=BUCKET, Key="chunks")
    assert answer["Body"].read() == HELLO
    assert "aws-chunked" not in answer.get("ContentEncoding", "")
    if trailer:
        wrong = body.replace(CRC32.encode(), b"AAAAAA==")
        assert put(aws, "chunks-wrong", wrong, headers)[0] == 400


def test_attributes_tell_size_and_parts(s3: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="parts")["UploadId"]
    parts = []
    for number, size in ((1, 5 * 1024 * 1024), (2, 10)):
        tag = s3.upload_part(Bucket=BUCKET, Key="parts", UploadId=upload, PartNumber=number, Body=b"x" * size)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    assert [part["PartNumber"] for part in s3.list_parts(Bucket=BUCKET, Key="parts", UploadId=upload)["Parts"]] == [
        1,
        2,
    ]
    s3.complete_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})
    wanted = ["ETag", "ObjectSize", "ObjectParts"]
    told = s3.get_object_attributes(Bucket=BUCKET, Key="parts", ObjectAttributes=wanted)
    assert (told["ObjectSize"], told["ObjectParts"]["TotalPartsCount"]) == (5 * 1024 * 1024 + 10, 2)
    assert s3.get_object(Bucket=BUCKET, Key="parts", PartNumber=2)["Body"].read() == b"x" * 10
    left = s3.create_multipart_upload(Bucket=BUCKET, Key="left")["UploadId"]
    s3.abort_multipart_upload(Bucket=BUCKET, Key="left", UploadId=left)
    with pytest.raises(ClientError, match="NoSuchUpload"):
        s3.upload_part(Bucket=BUCKET, Key="left", UploadId=left, PartNumber=1, Body=b"x")


def test_a_read_can_be_tied_to_what_is_known(s3: Any) -> None:
    tag = s3.put_object(Bucket=BUCKET, Key="known", Body=HELLO)["ETag"]
    assert s3.get_object(Bucket=BUCKET, Key="known", IfMatch=tag)["Body"].read() == HELLO
    with pytest.raises(ClientError, match="304"):
        s3.get_object(Bucket=BUCKET, Key="known", IfNoneMatch=tag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.get_object(Bucket=BUCKET, Key="known", IfMatch='"other"')
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.copy_object(
            Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "known"}, CopySourceIfMatch='"other"'
        )


def test_versions_are_kept_listed_read_and_brought_back(s3: Any) -> None:
    s3.create_bucket(Bucket="versions")
    assert "Status" not in s3.get_bucket_versioning(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket="versions")["Status"] == "Enabled"
    first, second = (s3.put_object(Bucket="versions", Key="k", Body=body)["VersionId"] for body in (b"1", b"2"))
    listed = s3.list_object_versions(Bucket="versions")["Versions"]
    assert [(each["VersionId"], each["IsLatest"]) for each in listed] == [(second, True), (first, False)]
    assert s3.get_object(Bucket="versions", Key="k", VersionId=first)["Body"].read() == b"1"
    marker = s3.delete_object(Bucket="versions", Key="k")
    assert marker["DeleteMarker"]
    assert s3.list_objects_v2(Bucket="versions")["KeyCount"] == 0
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="versions", Key="k")
    s3.delete_object(Bucket="versions", Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket="versions", Key="k")["Body"].read() == b"2"
    s3.delete_object(Bucket="versions", Key="k", VersionId=second)
    assert s3.get_object(Bucket="versions", Key="k")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="NoSuchVersion"):
        s3.get_object(Bucket="versions", Key="k", VersionId=second)


@pytest.mark.parametrize(
    "asked", [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key"}]
)
def test_an_object_that_is_to_be_encrypted_is_and_comes_back_whole_and_in_ranges(
    aws: Running, s3: Any, asked: dict[str, str]
) -> None:
    body = b"a secret that stands in no file, " * 40_000
    assert s3.put_object(Bucket=BUCKET, Key="secret", Body=body, **asked)["ServerSideEncryption"] == "AES256"
    answer = s3.get_object(Bucket=BUCKET, Key="secret")
    assert (answer["ServerSideEncryption"], answer["Body"].read()) == ("AES256", body)
    assert (
        s3.get_object(Bucket=BUCKET, Key="secret", Range="bytes=1000000-1000099")["Body"].read()
        == body[1000000:1000100]
    )
    for volume in (aws.data / "s3" / "data").glob("*.dat"):
        assert b"a secret that stands in no file" not in volume.read_bytes()


def test_a_bucket_that_encrypts_by_default_takes_objects(s3: Any) -> None:
    s3.create_bucket(Bucket="encrypted")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket="encrypted", Key="k", Body=HELLO)
    answer = s3.get_object(Bucket="encrypted", Key="k")
    assert (answer["ServerSideEncryption"], answer["Body"].read()) == ("AES256", HELLO)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key"}}
    with pytest.raises(ClientError, match=r"NotImplemented.*aws:kms"):
        s3.put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]})


def test_what_there_is_not_is_refused_by_name_and_changes_nothing(s3: Any) -> None:
    with pytest.raises(ClientError, match=r"NotImplemented.*PUT \?notification of an S3 bucket"):
        s3.put_bucket_notification_configuration(Bucket="never-made", NotificationConfiguration={})
    assert "never-made" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    with pytest.raises(ClientError, match=r"NotImplemented.*DELETE \?website of an S3 bucket"):
        s3.delete_bucket_website(Bucket=BUCKET)
    with pytest.raises(ClientError, match=r"NotImplemented.*PUT \?renameObject of an S3 object"):
        s3.rename_object(Bucket=BUCKET, Key="renamed", RenameSource=f"{BUCKET}/known")
    s3.head_bucket(Bucket=BUCKET)


def test_a_large_object_goes_out_whole_although_it_is_asked_for_in_pieces(s3: Any) -> None:
    body = os.urandom(66 * 1024 * 1024)  # more than two ranges of the proxy
    s3.put_object(Bucket=BUCKET, Key="large", Body=body)
    answer = s3.get_object(Bucket=BUCKET, Key="large")
    assert answer["ContentLength"] == len(body)
    assert hashlib.sha256(answer["Body"].read()).digest() == hashlib.sha256(body).digest()
    s3.delete_object(Bucket=BUCKET, Key="large")
