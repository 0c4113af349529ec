"""Small objects in S3: records and texts of a run folder. Every function takes a boto3 S3 client.

Errors are ``StorageError`` in words; what cannot be mended by trying again says so through ``retryable``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError

from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import Record
from automl_retraining.sagemaker import failures

R = TypeVar("R", bound=Record)

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_EXISTS = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict", "409"})
_REFUSED = frozenset({"AccessDenied", "403", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch",
                      "NoSuchBucket", "AllAccessDisabled"})  # fmt: skip


class ObjectMissing(StorageError):
    """There is no such object."""

    retryable: ClassVar[bool] = False


class StorageRefused(StorageError):
    """S3 refuses, or the connection cannot ask: no bucket, no right, no credentials. Trying again does not help."""

    retryable: ClassVar[bool] = False


class RecordUnreadable(StorageError):
    """The object is not the record that it should be."""

    retryable: ClassVar[bool] = False


def parse_uri(uri: str) -> tuple[str, str]:
    """``s3://bucket/key`` as (bucket, key); the key may be empty.

    Raises:
        StorageRefused: the text is no S3 URI.
    """
    match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.\-]{1,61}[a-z0-9])(?:/(.*))?", uri, flags=re.DOTALL)
    if match is None:
        raise StorageRefused(f"expected an S3 URI such as s3://bucket/prefix/object, found {uri!r}")
    return match[1], match[2] or ""


def join(base: str, *parts: str) -> str:
    """The URI of an object below another, with single slashes between."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts)])


def read_bytes(s3: Any, uri: str) -> bytes:
    """The object's bytes; ObjectMissing where there is none."""
    bucket, key = parse_uri(uri)
    with words("read", uri):
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def read_text(s3: Any, uri: str) -> str:
    """The object as UTF-8 text."""
    return read_bytes(s3, uri).decode("utf-8")


def write_bytes(s3: Any, uri: str, data: bytes, content_type: str = "application/octet-stream") -> None:
    """Write the object, over whatever was there."""
    bucket, key = parse_uri(uri)
    with words("write", uri):
        s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType=content_type)


def write_text(s3: Any, uri: str, text: str, content_type: str = "text/plain; charset=utf-8") -> None:
    """Write the text as UTF-8."""
    write_bytes(s3, uri, text.encode("utf-8"), content_type)


def create_text(s3: Any, uri: str, text: str) -> bool:
    """Write the text only where no object is yet (``If-None-Match: *``); False where one was first."""
    from botocore.exceptions import ClientError

    bucket, key = parse_uri(uri)
    try:
        with words("write", uri):
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=text.encode("utf-8"),
                ContentType="application/json" if key.endswith(".json") else "text/plain; charset=utf-8",
                IfNoneMatch="*",
            )
    except StorageError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _EXISTS:
            return False
        raise
    return True


def exists(s3: Any, uri: str) -> bool:
    """Whether there is such an object."""
    bucket, key = parse_uri(uri)
    try:
        with words("look for", uri):
            s3.head_object(Bucket=bucket, Key=key)
    except ObjectMissing:
        return False
    return True


def any_below(s3: Any, prefix_uri: str) -> bool:
    """Whether there is an object whose key begins so."""
    bucket, prefix = parse_uri(prefix_uri)
    with words("list", prefix_uri):
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    return bool(answer.get("Contents"))


def list_uris(s3: Any, prefix_uri: str) -> list[str]:
    """The URIs of all objects whose key begins so, sorted, over all pages."""
    bucket, prefix = parse_uri(prefix_uri)
    found: list[str] = []
    with words("list", prefix_uri):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            found.extend(f"s3://{bucket}/{entry['Key']}" for entry in page.get("Contents", ()))
    return sorted(found)


def copy(s3: Any, source_uri: str, target_uri: str) -> None:
    """Copy one object inside S3; ObjectMissing where there is no source."""
    bucket, key = parse_uri(source_uri)
    target_bucket, target_key = parse_uri(target_uri)
    with words("copy", source_uri):
        s3.copy_object(Bucket=target_bucket, Key=target_key, CopySource={"Bucket": bucket, "Key": key})


def read_record(s3: Any, uri: str, record_type: type[R]) -> R:
    """The JSON record at that URI.

    Raises:
        ObjectMissing: there is none.
        RecordUnreadable: it is not a record of that type; the sentence names the first member that is wrong.
    """
    data = read_bytes(s3, uri)
    try:
        return record_type.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in first["loc"]) or "(the object)"
        raise RecordUnreadable(
            f"expected a {record_type.__name__} at {uri}, found something else: member {member}: {first['msg']}. "
            "Was it written by another version? Run the pipeline again, or remove the object"
        ) from error


def write_record(s3: Any, uri: str, record: Record) -> None:
    """Write the record as indented JSON."""
    write_text(s3, uri, record.to_json(), "application/json")


@contextmanager
def words(doing: str, uri: str) -> Iterator[None]:
    """Say in a sentence what S3 refused."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        sentence = f"expected to {doing} {uri}, S3 answered {code}: {error.response.get('Error', {}).get('Message')}"
        if code in _MISSING:
            raise ObjectMissing(f"expected an object to {doing} at {uri}, found none") from error
        if code in _REFUSED:
            raise StorageRefused(f"{sentence}; check the bucket's name and the connection's rights") from error
        raise StorageError(sentence) from error
    except BotoCoreError as error:
        if failures.misconfigured(error):
            raise StorageRefused(failures.sentence(error, f"{doing} {uri}")) from error
        raise StorageError(f"expected to {doing} {uri}, could not reach S3: {error}") from error
