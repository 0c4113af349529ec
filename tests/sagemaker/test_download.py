"""A table in S3 as a source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automl_retraining.core.errors import DataError, StorageError
from automl_retraining.sagemaker.download import s3_source


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """An S3 client of moto, with one table."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="bucket")
        yield client


def test_an_object_can_be_opened_again_and_again(s3: Any) -> None:
    """In pieces, to its end; the size is known before."""
    s3.put_object(Bucket="bucket", Key="a/table.csv", Body=b"a,b\n1,2\n")
    source = s3_source(s3, "s3://bucket/a/table.csv")
    assert (source.uri, source.size) == ("s3://bucket/a/table.csv", 8)
    for _ in range(2):
        with source.open() as stream:
            assert b"".join(iter(lambda: stream.read(3), b"")) == b"a,b\n1,2\n"


def test_an_object_that_was_replaced_meanwhile_is_not_read(s3: Any) -> None:
    """Its parts would be of two tables."""
    s3.put_object(Bucket="bucket", Key="moving.csv", Body=b"a,b\n1,2\n")
    source = s3_source(s3, "s3://bucket/moving.csv")
    s3.put_object(Bucket="bucket", Key="moving.csv", Body=b"a,b\n3,4\n")
    with pytest.raises(StorageError, match="was replaced"), source.open():
        pass


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("s3://bucket/none.csv", "found none"),
        ("s3://bucket/", "a bucket or a folder"),
        ("s3://bucket/a/", "a bucket or a folder"),
        ("s3://bucket/empty.csv", "an empty object"),
    ],
)
def test_what_is_no_table_is_bad_data(s3: Any, uri: str, sentence: str) -> None:
    """In words, and not worth another try."""
    s3.put_object(Bucket="bucket", Key="empty.csv", Body=b"")
    with pytest.raises(DataError, match=sentence):
        s3_source(s3, uri)
