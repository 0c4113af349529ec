"""The shared poller: few calls for many who wait, and no wait that ends for the wrong reason."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.sagemaker.jobs import ENDPOINT, TRAINING, TRANSFORM
from automl_retraining.triggers import poller as module
from automl_retraining.triggers.pace import Eager
from automl_retraining.triggers.poller import FEW, Observation, Poller, Watch, common_beginning, interval, shared
from tests.support.fake_sagemaker import FakeSageMaker, error

START = datetime(2026, 11, 21, 5, tzinfo=UTC)
BEFORE = START - timedelta(days=1)


class Clock:
    """A clock that the test winds, and a sleep that winds it."""

    def __init__(self) -> None:
        self.at = START
        self.naps: list[float] = []

    def now(self) -> datetime:
        """The time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Wind it, and let others run."""
        self.naps.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0.001)


def transform(sm: FakeSageMaker, name: str) -> None:
    """A job in progress, changed long ago."""
    sm.jobs["transform", name] = {
        "TransformJobName": name,
        "TransformJobStatus": "InProgress",
        "LastModifiedTime": START - timedelta(days=1),
    }


def finish(sm: FakeSageMaker, name: str, at: datetime) -> None:
    """It completes."""
    sm.jobs["transform", name].update(TransformJobStatus="Completed", LastModifiedTime=at)


def poller(sm: FakeSageMaker, clock: Clock) -> Poller:
    """The poller under test; its loop never ticks by itself unless a test lets it."""
    return Poller(TRANSFORM, lambda: sm, pace=Eager(), now=clock.now, sleep=clock.sleep)


def drive(body: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine, for at most ten seconds."""

    async def limited() -> Any:
        return await asyncio.wait_for(body(), 10)

    return asyncio.run(limited())


async def taken(watch: Watch) -> list[str]:
    """The states a waiter has not taken yet."""
    states = []
    while not watch.queue.empty():
        seen = watch.queue.get_nowait()
        states.append(seen.job.status if seen.job else seen.error or "gone")
    return states


def still(poller: Poller) -> Poller:
    """Keep the loop from ticking by itself: the test ticks."""

    async def nothing() -> None:
        await asyncio.Event().wait()

    poller._run = nothing  # type: ignore[method-assign]
    return poller


def test_few_jobs_are_described_and_only_changes_are_told() -> None:
    """Two waiters of one job both learn of it; a look without a change says nothing."""
    sm, clock = FakeSageMaker(), Clock()
    transform(sm, "job")

    async def body() -> None:
        eye = still(poller(sm, clock))
        with eye.watching("job", START) as first:
            await eye.tick()
            clock.at += timedelta(seconds=2)
            await eye.tick()
            assert sm.count("describe_transform_job") == 2
            assert await taken(first) == ["InProgress"]
            with eye.watching("job", START) as second:
                finish(sm, "job", clock.at)
                clock.at += timedelta(seconds=2)
                await eye.tick()
                assert await taken(first) == ["Completed"]
                assert await taken(second) == ["InProgress", "Completed"]
            assert eye.size == 1
        assert eye.size == 0
        assert sm.count("list_transform_jobs") == 0

    drive(body)


def many(sm: FakeSageMaker, count: int) -> list[str]:
    """So many jobs in progress for a day."""
    names = [f"art-transform-{i:03}" for i in range(count)]
    for name in names:
        transform(sm, name)
    return names


def test_many_jobs_are_made_known_by_a_roll_and_an_end_is_told_from_a_list() -> None:
    """A restarted triggerer with a hundred jobs: two lists; then one list for an end, and nothing is described."""
    sm, clock = FakeSageMaker(), Clock()
    names = many(sm, 100)

    async def body() -> None:
        eye = still(poller(sm, clock))
        with ExitStack() as stack:
            watches = {name: stack.enter_context(eye.watching(name, BEFORE)) for name in names}
            await eye.tick()
            assert [await taken(watch) for watch in watches.values()] == [["InProgress"]] * 100
            assert sm.count("list_transform_jobs") == 2
            clock.at += timedelta(seconds=10)
            finish(sm, names[41], clock.at)
            clock.at += timedelta(seconds=1)
            await eye.tick()
            assert await taken(watches[names[41]]) == ["Completed"]
            assert (sm.count("list_transform_jobs"), sm.count("describe_transform_job")) == (3, 0)
            assert sm.calls[-1][1]["NameContains"] == "art-transform-0"

    drive(body)


def test_jobs_that_ended_while_nobody_watched_are_found_at_once() -> None:
    """The roll does not have them, so they are described."""
    sm, clock = FakeSageMaker(), Clock()
    names = many(sm, 100)
    for name in names[:30]:
        finish(sm, name, BEFORE)

    async def body() -> None:
        eye = still(poller(sm, clock))
        with ExitStack() as stack:
            watches = {name: stack.enter_context(eye.watching(name, BEFORE)) for name in names}
            await eye.tick()
            assert [await taken(watches[name]) for name in names[:30]] == [["Completed"]] * 30
            assert sm.count("describe_transform_job") == 30

    drive(body)


def test_a_page_that_is_throttled_is_asked_for_again() -> None:
    """The tick goes on where it was, after a while."""
    sm, clock = FakeSageMaker(), Clock()
    names = many(sm, 20)
    finish(sm, names[3], START)
    sm.failing = [("list_transform_jobs", error("ThrottlingException"))] * 3

    async def body() -> None:
        eye = still(poller(sm, clock))
        with ExitStack() as stack:
            watches = {name: stack.enter_context(eye.watching(name, BEFORE)) for name in names}
            await eye.tick()
            assert await taken(watches[names[3]]) == ["Completed"]
            assert clock.naps[0] < clock.naps[2]

    drive(body)


def test_an_old_in_service_in_a_list_is_not_the_new_one() -> None:
    """Endpoints are updated again and again: a list may show the end of the update before, so they are described."""
    sm, clock = FakeSageMaker(), Clock()
    names = [f"endpoint-{i}" for i in range(FEW + 1)]
    for name in names:
        sm.jobs["endpoint", name] = {
            "EndpointName": name, "EndpointStatus": "Updating", "LastModifiedTime": START
        }  # fmt: skip
    stale = [{"EndpointName": "endpoint-0", "EndpointStatus": "InService", "LastModifiedTime": START}]

    async def body() -> None:
        eye = still(Poller(ENDPOINT, lambda: sm, pace=Eager(), now=clock.now, sleep=clock.sleep))
        with ExitStack() as stack:
            watches = [stack.enter_context(eye.watching(name, BEFORE)) for name in names]
            await eye.tick()
            sm.list_endpoints = lambda **_: {"Endpoints": stale}  # type: ignore[method-assign]
            await eye.tick()
            assert [seen.job.status for seen in _all(watches[0]) if seen.job] == ["Updating"]

    drive(body)


def test_a_change_that_shows_late_in_the_list_is_not_lost() -> None:
    """The list of this tick misses it; the next reaches back far enough; absence is no news."""
    sm, clock = FakeSageMaker(), Clock()
    names = [f"job-{i}" for i in range(FEW + 1)]
    for name in names:
        transform(sm, name)

    async def body() -> None:
        eye = still(poller(sm, clock))
        with ExitStack() as stack:
            watches = [stack.enter_context(eye.watching(name, BEFORE)) for name in names]
            await eye.tick()
            changed_at = clock.at + timedelta(seconds=1)
            clock.at += timedelta(seconds=20)
            await eye.tick()  # lists with nothing in them
            finish(sm, "job-0", changed_at)  # it shows only now, with its old time
            clock.at += timedelta(seconds=20)
            await eye.tick()
            assert await taken(watches[0]) == ["InProgress", "Completed"]

    drive(body)


def test_a_change_that_never_shows_in_the_list_is_found_all_the_same() -> None:
    """The roll of those in progress is called each minute: who is missing is described."""
    sm, clock = FakeSageMaker(), Clock()
    names = [f"job-{i}" for i in range(FEW + 1)]
    for name in names:
        transform(sm, name)

    async def body() -> None:
        eye = still(poller(sm, clock))
        with ExitStack() as stack:
            watches = [stack.enter_context(eye.watching(name, BEFORE)) for name in names]
            await eye.tick()
            finish(sm, "job-0", START - timedelta(days=1))
            clock.at += timedelta(seconds=61)
            await eye.tick()
            assert await taken(watches[0]) == ["InProgress", "Completed"]

    drive(body)


@pytest.mark.parametrize(
    "failure",
    [
        error("ThrottlingException"),
        error("InternalFailure", status=503),
        error("ExpiredTokenException"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
    ],
    ids=lambda failure: type(failure).__name__ + str(getattr(failure, "response", "")),
)
def test_what_passes_slows_the_tick_and_ends_no_wait(failure: Exception) -> None:
    """Five failures in a row, then the job is seen to have ended; the naps grow and shrink again."""
    sm, clock = FakeSageMaker(), Clock()
    transform(sm, "job")
    finish(sm, "job", START)
    sm.failing = [("describe_transform_job", failure)] * 5

    async def body() -> None:
        eye = poller(sm, clock)
        with eye.watching("job", START) as watch:
            seen = await watch.next(5)
            assert seen is not None
            assert seen.job is not None
            assert seen.job.over

    drive(body)
    assert clock.naps[3] > 4 * clock.naps[0]


def test_what_does_not_pass_is_told_to_everybody() -> None:
    """Rights that are missing: each waiter gets the sentence."""
    sm, clock = FakeSageMaker(), Clock()
    transform(sm, "job")
    sm.failing = [("describe_transform_job", error("AccessDeniedException", "not authorized"))]

    async def body() -> None:
        eye = poller(sm, clock)
        with eye.watching("job", START) as watch:
            seen = await watch.next(5)
            assert seen is not None
            assert seen.error is not None
            assert "AccessDeniedException: not authorized" in seen.error

    drive(body)


def test_a_job_is_missed_only_after_a_while() -> None:
    """Just submitted, the news may be on its way; later, or once it was seen, it was deleted."""
    sm, clock = FakeSageMaker(), Clock()
    transform(sm, "seen")

    async def body() -> None:
        eye = still(poller(sm, clock))
        with eye.watching("new", START) as new, eye.watching("seen", START) as seen:
            await eye.tick()
            assert await taken(new) == []
            del sm.jobs["transform", "seen"]
            clock.at += timedelta(seconds=2)
            await eye.tick()
            assert await taken(seen) == ["InProgress", "gone"]
            clock.at += module.GRACE + timedelta(seconds=1)
            await eye.tick()
            assert await taken(new) == ["gone"]

    drive(body)


def test_secondary_statuses_in_a_list_are_changes_too() -> None:
    """A training job goes on from Downloading to Training without a new status."""
    sm, clock = FakeSageMaker(), Clock()
    names = [f"job-{i}" for i in range(FEW + 1)]
    for name in names:
        sm.jobs["training", name] = {
            "TrainingJobName": name,
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Downloading",
            "LastModifiedTime": START,
        }

    async def body() -> None:
        eye = still(Poller(TRAINING, lambda: sm, now=clock.now, sleep=clock.sleep))
        with ExitStack() as stack:
            watches = [stack.enter_context(eye.watching(name, BEFORE)) for name in names]
            await eye.tick()
            sm.jobs["training", "job-0"].update(SecondaryStatus="Training", LastModifiedTime=clock.at)
            clock.at += timedelta(seconds=5)
            await eye.tick()
            states = [seen.job.secondary for seen in _all(watches[0]) if seen.job]
            assert states == ["Downloading", "Training"]

    drive(body)


def _all(watch: Watch) -> list[Observation]:
    return [watch.queue.get_nowait() for _ in range(watch.queue.qsize())]


def test_a_new_waiter_wakes_the_poller() -> None:
    """It does not wait for the end of a long nap."""
    sm = FakeSageMaker()
    for name in ("old", "new"):
        transform(sm, name)
    finish(sm, "new", START)

    async def body() -> None:
        async def long_nap(seconds: float) -> None:
            await asyncio.sleep(60 if seconds > 5 else 0)

        eye = Poller(TRANSFORM, lambda: sm, pace=Eager(), sleep=long_nap)
        with eye.watching("old", BEFORE) as old:
            assert await old.next(5)
            with eye.watching("new", datetime.now(UTC)) as new:
                seen = await new.next(5)
                assert seen is not None
                assert seen.job is not None
                assert seen.job.over

    drive(body)


def test_one_poller_is_shared_by_all_who_wait_alike() -> None:
    """By connection, region and kind; another event loop has its own."""

    async def body() -> Poller:
        first = shared("transform", "aws_default", None)
        assert shared("transform", "aws_default", None) is first
        assert shared("training", "aws_default", None) is not first
        assert shared("transform", "other", None) is not first
        assert shared("transform", "aws_default", "eu-west-1") is not first
        return first

    assert drive(body) is not drive(body)


@given(st.floats(0, 1e6), st.integers(1, 2000))
def test_the_tick_is_fast_for_the_young_and_bounded_for_the_old(age: float, jobs: int) -> None:
    """Between one second and thirty; ten for many jobs, who share the calls."""
    assert 1 <= interval(age, jobs) <= (30 if jobs <= FEW else 10)
    assert interval(age, jobs) <= interval(age + 1, jobs)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_the_common_beginning_begins_every_name(names: list[str]) -> None:
    """And is as long as it can be."""
    beginning = common_beginning(names)
    assert all(name.startswith(beginning) for name in names)
    longer = {name[: len(beginning) + 1] for name in names}
    assert len(longer) > 1 or longer == {beginning}
