"""Deleting what a plan lists: what is gone already counts as deleted, so that it can be done again after any crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_retraining.core.errors import StorageError
from automl_retraining.core.retention import Item, Kind
from automl_retraining.sagemaker import failures, storage
from automl_retraining.sagemaker.in_use import says_gone

_BATCH = 1000
"""Keys of one DeleteObjects (its API reference)."""
_OPERATIONS: dict[Kind, tuple[str, str]] = {
    "version": ("delete_model_package", "ModelPackageName"),
    "endpoint configuration": ("delete_endpoint_config", "EndpointConfigName"),
    "model": ("delete_model", "ModelName"),
}


@dataclass
class Deleted:
    """What was done so far."""

    items: list[Item] = field(default_factory=list)
    failed: list[tuple[Item, str]] = field(default_factory=list)
    stopped: str | None = None
    """Why it ended early, where it did: AWS was asked too often, or did not answer. The rest is there next time."""


def delete(sm: Any, s3: Any, items: Sequence[Item], *, done: Deleted, before_each: Callable[[Item], None]) -> None:
    """Delete these things, in this order.

    Args:
        sm: a SageMaker client.
        s3: an S3 client.
        items: what to delete.
        done: what comes out is added to it.
        before_each: called before each one: to renew a lease.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    for item in items:
        before_each(item)
        try:
            if item.kind == "run folder":
                delete_below(s3, item.name.rstrip("/") + "/")
            else:
                operation, member = _OPERATIONS[item.kind]
                _gone_is_fine(getattr(sm, operation), **{member: item.name})
        except (ClientError, BotoCoreError) as error:
            words = failures.sentence(error, f"delete {item.kind} {item.name}")
            if failures.retryable(error):
                done.stopped = words
                return
            done.failed.append((item, words))
        except StorageError as error:
            if error.retryable:
                done.stopped = str(error)
                return
            done.failed.append((item, str(error)))
        else:
            done.items.append(item)


def delete_below(s3: Any, prefix_uri: str) -> int:
    """Delete every object whose key begins so, a thousand a call; how many there were.

    Raises:
        StorageError: S3 refuses one of them, in its words.
    """
    bucket, prefix = storage.parse_uri(prefix_uri)
    if not prefix.strip("/"):
        raise storage.StorageRefused(f"expected a folder to delete, found the whole bucket: {prefix_uri}")
    deleted = 0
    with storage.words("delete", prefix_uri):
        for keys in _batches(s3, bucket, prefix):
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
            errors = answer.get("Errors") or ()
            for each in errors:
                raise StorageError(
                    f"expected to delete s3://{bucket}/{each.get('Key')}, S3 answered {each.get('Code')}: "
                    f"{each.get('Message')}"
                )
            deleted += len(keys)
    return deleted


def _batches(s3: Any, bucket: str, prefix: str) -> Iterator[list[str]]:
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": _BATCH}
    ):
        keys = [entry["Key"] for entry in page.get("Contents", ())]
        if keys:
            yield keys


def _gone_is_fine(operation: Callable[..., Any], **name: str) -> None:
    from botocore.exceptions import ClientError

    try:
        operation(**name)
    except ClientError as error:
        if not says_gone(error):
            raise
