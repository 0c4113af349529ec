"""What jobs read and write, and the sentences for what they can't."""

from pathlib import Path

import pytest

from include.local_aws.s3.client import S3Files, S3InputError, split_object_uri, split_uri
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET


@pytest.fixture
def files(aws: Running) -> S3Files:
    return S3Files(aws.health()["services"]["s3"], signed=False)


@pytest.mark.parametrize("uri", ["https://bucket/key", "s3://", "s3:///key", "s3://no bucket!/key", "key"])
def test_what_is_no_s3_uri_is_refused_with_an_example(uri: str) -> None:
    with pytest.raises(S3InputError, match="Expected an S3 URI such as s3://bucket/key, found "):
        split_uri(uri)


def test_a_bucket_alone_is_a_prefix_and_no_object() -> None:
    assert split_uri("s3://bucket") == split_uri("s3://bucket/") == ("bucket", "")
    with pytest.raises(S3InputError, match="Expected the S3 URI of an object such as s3://bucket/key, found 's3://b/'"):
        split_object_uri("s3://b/")


@pytest.mark.local_aws
@pytest.mark.parametrize("key", ["not-there", "a/../b"])
def test_an_object_that_is_not_there_or_never_could_be_is_told_by_its_uri(
    files: S3Files, tmp_path: Path, key: str
) -> None:
    uri = f"s3://{BUCKET}/{key}"
    assert not files.exists(uri)
    with pytest.raises(S3InputError, match=r"Could not find an object at s3://tests/"):
        files.read(uri)
    with pytest.raises(S3InputError, match=r"Could not find an object at s3://tests/"):
        files.download(BUCKET, key, tmp_path / "file")


@pytest.mark.local_aws
def test_what_s3_refuses_to_take_is_told_without_the_path_of_the_file(files: S3Files, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_text("x")
    with pytest.raises(
        S3InputError, match="Could not write s3://no-such-bucket/a: there is no bucket 'no-such-bucket'"
    ):
        files.upload(source, "s3://no-such-bucket/a")
    with pytest.raises(S3InputError, match="could not write s3://tests/a/") as raised:
        files.upload(source, f"s3://{BUCKET}/a/../b")
    assert str(tmp_path) not in str(raised.value)
