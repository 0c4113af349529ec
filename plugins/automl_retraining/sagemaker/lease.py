"""The lease on an endpoint: who may write it now.

SageMaker has no conditional update of an endpoint, S3 has conditional writes. So whoever writes an endpoint first
writes the lease object: with ``If-None-Match`` where there is none, with ``If-Match`` over one that is free or has
expired. S3 lets exactly one of several writers through. Only the store's own clock counts (``Last-Modified`` of the
lease against ``Date`` of the answer that brought it), so workers whose clocks differ agree on when it expires.

The object is never deleted: a release overwrites it with ``If-Match`` as well, so that a late release can never take
away the lease that somebody else has taken over in the meantime.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from automl_retraining.core.errors import LeaseHeld, StorageError

_ROUNDS = 5


@dataclass(frozen=True)
class Lease:
    """What the lease object says. ``seconds`` of 0 means that it was released.

    ``now`` is the store's clock when it was read, ``written`` its clock when the object was last written.
    """

    owner: str
    seconds: int
    about: str
    written: datetime
    now: datetime
    etag: str

    @property
    def expires(self) -> datetime:
        """When anybody may take it over."""
        return self.written + timedelta(seconds=self.seconds)

    @property
    def free(self) -> bool:
        """Released, or expired by the store's own clock."""
        return self.expires <= self.now


def lease_key(endpoint_name: str) -> str:
    """The key of an endpoint's lease: the same for all pipelines and DAGs of a bucket."""
    return f"leases/endpoints/{endpoint_name}.json"


def acquire(s3: Any, bucket: str, endpoint_name: str, *, owner: str, seconds: int, about: str) -> None:
    """Take the endpoint's lease for ``seconds``, or renew it where ``owner`` already holds it.

    Args:
        s3: a boto3 S3 client.
        bucket: where the leases are; all DAGs that write one endpoint must share it.
        owner: a token that nobody else has; a retry of the same task brings the same one.
        about: who that is, in words for the next in line.

    Raises:
        LeaseHeld: somebody else holds it; the message says who and until when.
        StorageError: the object cannot be read or written.
    """
    key = lease_key(endpoint_name)
    for _ in range(_ROUNDS):
        body = _body(owner, seconds, about)
        if _put(s3, bucket, key, body, IfNoneMatch="*"):
            return
        held = read(s3, bucket, endpoint_name)
        if held is None:  # the object was removed by hand between the two calls
            continue
        if held.owner != owner and not held.free:
            left = int((held.expires - held.now).total_seconds())
            raise LeaseHeld(
                f"endpoint {endpoint_name}: expected to take its lease s3://{bucket}/{key}, found it held by "
                f"{held.about} for another {left} s (until {held.expires:%Y-%m-%d %H:%M:%S} UTC): "
                "wait until that run has finished; a lost run's lease is taken over when it expires"
            )
        if _put(s3, bucket, key, body, IfMatch=held.etag):
            return
    raise LeaseHeld(
        f"endpoint {endpoint_name}: expected to take its lease s3://{bucket}/{key}, found that others wrote it "
        f"{_ROUNDS} times in between: try again later"
    )


def release(s3: Any, bucket: str, endpoint_name: str, *, owner: str) -> bool:
    """Give the lease back; False where ``owner`` does not hold it any more (it expired and was taken over)."""
    held = read(s3, bucket, endpoint_name)
    if held is None or held.owner != owner:
        return False
    return _put(s3, bucket, lease_key(endpoint_name), _body(owner, 0, f"{held.about} (released)"), IfMatch=held.etag)


def read(s3: Any, bucket: str, endpoint_name: str) -> Lease | None:
    """The lease object, or None where there was never one.

    Raises:
        StorageError: the object is not a lease, or S3 does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    key = lease_key(endpoint_name)
    where = f"s3://{bucket}/{key}"
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
        text = answer["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
            return None
        raise StorageError(f"{where}: expected to read the endpoint's lease, found: {error}") from error
    except BotoCoreError as error:
        raise StorageError(f"{where}: expected to read the endpoint's lease, found: {error}") from error
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        raise StorageError(f"{where}: expected S3's answer to carry its clock in the header Date, found none")
    try:
        document = json.loads(text)
        return Lease(
            owner=str(document["owner"]),
            seconds=int(document["seconds"]),
            about=str(document["about"]),
            written=answer["LastModified"].astimezone(UTC),
            now=parsedate_to_datetime(date).astimezone(UTC),
            etag=answer["ETag"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{where}: expected a lease with owner, seconds and about, found {text[:80]!r}: "
            "delete the object if no run is writing the endpoint"
        ) from error


def _body(owner: str, seconds: int, about: str) -> bytes:
    # Without the nonce a renewal would write the same bytes, hence the same ETag: somebody who read the lease before
    # it was renewed could still overwrite it.
    document = {"owner": owner, "seconds": seconds, "about": about, "nonce": secrets.token_hex(8)}
    return json.dumps(document, indent=2).encode() + b"\n"


def _put(s3: Any, bucket: str, key: str, body: bytes, **condition: str) -> bool:
    """Write under a condition; False where S3 says that the condition does not hold (412) or races (409, 404)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json", **condition)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412"}:
            return False
        raise StorageError(f"s3://{bucket}/{key}: expected to write the endpoint's lease, found: {error}") from error
    except BotoCoreError as error:
        raise StorageError(f"s3://{bucket}/{key}: expected to write the endpoint's lease, found: {error}") from error
    return True
