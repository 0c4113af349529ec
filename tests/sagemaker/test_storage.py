"""Small objects in S3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from moto import mock_aws

from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import Outcome
from automl_retraining.sagemaker import storage


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 with one bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


def test_an_object_is_read_as_it_was_written(s3: Any) -> None:
    """Bytes, text and existence."""
    storage.write_text(s3, "s3://bucket/a/b.txt", "Grüße")
    assert storage.read_text(s3, "s3://bucket/a/b.txt") == "Grüße"
    assert storage.exists(s3, "s3://bucket/a/b.txt")
    assert not storage.exists(s3, "s3://bucket/a/c.txt")
    storage.copy(s3, "s3://bucket/a/b.txt", "s3://bucket/z.txt")
    assert storage.list_uris(s3, "s3://bucket/") == ["s3://bucket/a/b.txt", "s3://bucket/z.txt"]


def test_the_first_to_create_wins(s3: Any) -> None:
    """The second is told so, and writes nothing."""
    assert storage.create_text(s3, "s3://bucket/state.json", "first")
    assert not storage.create_text(s3, "s3://bucket/state.json", "second")
    assert storage.read_text(s3, "s3://bucket/state.json") == "first"


def test_a_record_is_read_back_equal(s3: Any) -> None:
    """Through JSON and S3."""
    outcome = Outcome(
        pipeline="churn", run_id="r", outcome="kept", sentence="Kept.", endpoint="art-churn", finished=datetime.now(UTC)
    )
    storage.write_record(s3, "s3://bucket/outcome.json", outcome)
    assert storage.read_record(s3, "s3://bucket/outcome.json", Outcome) == outcome


def test_what_is_not_there_is_named(s3: Any) -> None:
    """The sentence has the URI; retrying does not help."""
    with pytest.raises(storage.ObjectMissing, match=r"s3://bucket/none\.json") as caught:
        storage.read_bytes(s3, "s3://bucket/none.json")
    assert not caught.value.retryable
    with pytest.raises(storage.ObjectMissing):
        storage.copy(s3, "s3://bucket/none.json", "s3://bucket/z")


def test_a_missing_bucket_is_refused_for_good(s3: Any) -> None:
    """A wrong bucket is a wrong setting."""
    with pytest.raises(storage.StorageRefused, match="NoSuchBucket"):
        storage.write_text(s3, "s3://elsewhere/x", "x")


def test_a_record_of_another_shape_says_where(s3: Any) -> None:
    """The first wrong member is named."""
    storage.write_text(s3, "s3://bucket/outcome.json", "{}")
    with pytest.raises(storage.RecordUnreadable, match="member pipeline"):
        storage.read_record(s3, "s3://bucket/outcome.json", Outcome)


def test_an_unreachable_s3_is_worth_a_retry() -> None:
    """No connection is a StorageError that may pass."""
    lost = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
    )
    with pytest.raises(StorageError, match="could not reach S3") as caught:
        storage.read_bytes(lost, "s3://bucket/x")
    assert caught.value.retryable


def test_a_connection_without_credentials_is_no_lost_connection() -> None:
    """Trying again would meet it again; the sentence says where credentials come from."""

    class Bare:
        def get_object(self, **_: str) -> None:
            raise NoCredentialsError

    with pytest.raises(StorageError, match=r"aws\.conn_id") as caught:
        storage.read_bytes(Bare(), "s3://bucket/x")
    assert not caught.value.retryable


@pytest.mark.parametrize("uri", ["", "bucket/key", "https://bucket/key", "s3://", "s3://Bucket/key"])
def test_what_is_no_s3_uri_is_refused(uri: str) -> None:
    """The sentence shows what one looks like."""
    with pytest.raises(StorageError, match="s3://bucket/prefix/object"):
        storage.parse_uri(uri)


def test_uris_are_joined_with_single_slashes() -> None:
    """Whatever slashes the parts bring."""
    assert storage.join("s3://b/x/", "/y/", "z.json") == "s3://b/x/y/z.json"
    assert storage.parse_uri("s3://bucket") == ("bucket", "")
