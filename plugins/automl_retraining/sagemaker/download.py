"""A table in S3 as a source: one version of it, however often it is opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from automl_retraining.core.errors import DataError, StorageError
from automl_retraining.core.source import Readable, Source, WholeReader
from automl_retraining.sagemaker.storage import ObjectMissing, parse_uri, words


def s3_source(s3: Any, uri: str) -> Source:
    """The object at ``uri``, as it is now: opening it after it was replaced is an error.

    Raises:
        DataError: there is no such object, or it is empty.
        StorageError: S3 does not answer as it should.
    """
    bucket, key = parse_uri(uri)
    if not key or key.endswith("/"):
        raise DataError(f"source {uri}: expected one object, found a bucket or a folder: name the CSV file itself")
    try:
        with words("read", uri):
            head = s3.head_object(Bucket=bucket, Key=key)
    except ObjectMissing as error:
        raise DataError(f"source {uri}: expected an object, found none: check the bucket and the key") from error
    if head["ContentLength"] == 0:
        raise DataError(f"source {uri}: expected a header and rows, found an empty object")

    @contextmanager
    def opened() -> Iterator[Readable]:
        from botocore.exceptions import ClientError

        try:
            with words("read", uri):
                body = s3.get_object(Bucket=bucket, Key=key, IfMatch=head["ETag"])["Body"]
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in ("PreconditionFailed", "412"):
                raise StorageError(f"source {uri}: the object was replaced while it was read: try again") from error
            raise
        try:
            with words("read", uri):
                yield WholeReader(body, f"source {uri}", head["ContentLength"])
        finally:
            body.close()

    return Source(uri, head["ContentLength"], opened)
