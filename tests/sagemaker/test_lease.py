"""The lease on an endpoint, against S3 over HTTP (moto's server, for its clock header)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from automl_retraining.core.errors import LeaseHeld, StorageError
from automl_retraining.sagemaker import lease
from tests.support.s3_server import client, running

BUCKET = "leases"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 on a port of its own."""
    with running() as url:
        yield url


@pytest.fixture
def s3(server: str) -> Any:
    """A client with the bucket there."""
    s3 = client(server)
    s3.create_bucket(Bucket=BUCKET)
    return s3


def take(s3: Any, endpoint: str, owner: str, seconds: int = 600) -> None:
    """Take the lease."""
    lease.acquire(s3, BUCKET, endpoint, owner=owner, seconds=seconds, about=f"run of {owner}")


def test_a_held_lease_is_refused_to_others_naming_the_holder(s3: Any) -> None:
    """The second in line is told who holds it and until when."""
    take(s3, "held", "a")
    with pytest.raises(LeaseHeld, match=r"held by run of a for another (600|59\d) s"):
        take(s3, "held", "b")


def test_the_holder_may_take_it_again(s3: Any) -> None:
    """A retried task brings the same token and renews."""
    take(s3, "again", "a")
    take(s3, "again", "a", seconds=900)
    found = lease.read(s3, BUCKET, "again")
    assert found is not None
    assert (found.owner, found.seconds) == ("a", 900)


def test_a_released_lease_is_free_and_release_by_another_does_nothing(s3: Any) -> None:
    """Only the owner releases."""
    take(s3, "released", "a")
    assert not lease.release(s3, BUCKET, "released", owner="b")
    with pytest.raises(LeaseHeld):
        take(s3, "released", "b")
    assert lease.release(s3, BUCKET, "released", owner="a")
    take(s3, "released", "b")


def test_an_expired_lease_is_taken_over_and_its_late_owner_cannot_release_it(s3: Any) -> None:
    """A lost task's lease passes on; when it wakes up it takes nothing away."""
    take(s3, "expired", "a", seconds=0)
    take(s3, "expired", "b")
    assert not lease.release(s3, BUCKET, "expired", owner="a")
    found = lease.read(s3, BUCKET, "expired")
    assert found is not None
    assert found.owner == "b"


def test_of_many_at_once_exactly_one_gets_a_new_and_an_expired_lease(server: str, s3: Any) -> None:
    """Sixteen threads race for the same lease, first where there is none, then over an expired one."""
    take(s3, "race-expired", "old", seconds=0)
    for endpoint in ("race-new", "race-expired"):
        start = threading.Barrier(16)

        def attempt(number: int, endpoint: str = endpoint, start: threading.Barrier = start) -> bool:
            own = client(server)
            start.wait()
            try:
                take(own, endpoint, f"owner-{number}")
            except LeaseHeld:
                return False
            return True

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(attempt, range(16))) == 1


def test_a_renewal_between_read_and_write_beats_the_one_who_read_before(s3: Any) -> None:
    """Every write has its own ETag, so a take-over based on an older reading is refused."""
    take(s3, "renewed", "a", seconds=0)
    before = lease.read(s3, BUCKET, "renewed")
    take(s3, "renewed", "a", seconds=0)
    after = lease.read(s3, BUCKET, "renewed")
    assert before is not None
    assert after is not None
    assert before.etag != after.etag


def test_something_else_under_the_key_is_named(s3: Any) -> None:
    """An object that is no lease is an error in words, not a free lease."""
    s3.put_object(Bucket=BUCKET, Key=lease.lease_key("strange"), Body=b"hello")
    with pytest.raises(StorageError, match=r"expected a lease with owner, seconds and about, found b'hello'"):
        take(s3, "strange", "a")


def test_a_missing_bucket_is_a_storage_error(s3: Any) -> None:
    """The sentence names the object that could not be written."""
    with pytest.raises(StorageError, match=r"s3://nowhere-at-all/leases/endpoints/e\.json"):
        lease.acquire(s3, "nowhere-at-all", "e", owner="a", seconds=60, about="a")
