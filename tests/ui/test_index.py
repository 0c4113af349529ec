"""The runs in memory: read once, again where they changed, and never in the way of who asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automl_retraining.core.names import run_folder_name
from automl_retraining.sagemaker.storage import StorageRefused
from automl_retraining.ui.cache import Cache
from automl_retraining.ui.folder import Shelf
from automl_retraining.ui.index import FRESH, SETTLED, RunIndex
from tests.support import run_folders


class Counting:
    """An S3 client that counts its calls and can be held up."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.gets: list[str] = []
        self.lists = 0
        self.open = threading.Event()
        self.open.set()

    def get_object(self, **arguments: Any) -> Any:
        """GetObject."""
        self.open.wait(10)
        self.gets.append(arguments["Key"])
        return self._s3.get_object(**arguments)

    def list_objects_v2(self, **arguments: Any) -> Any:
        """ListObjectsV2."""
        self.open.wait(10)
        self.lists += 1
        return self._s3.list_objects_v2(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


RUNS = 6


@cache
def objects() -> list[tuple[str, bytes]]:
    """The records of six runs, with larger leaderboards than their beginnings hold."""
    found = [pair for number in range(RUNS) for pair in run_folders.objects(number, candidates=60)]
    return [(key, data) for key, data in found if key.endswith(".json")]


class World:
    """An index over six runs with a clock that the test moves."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.counting = Counting(s3)
        self.now = 1000.0
        self.failure: Exception | None = None
        self.index = RunIndex(self.shelf, ThreadPoolExecutor(4), clock=lambda: self.now)

    def shelf(self) -> Shelf:
        """The folders, or what is wrong with them."""
        if self.failure is not None:
            raise self.failure
        return Shelf(self.counting, "tests", "churn")

    def later(self, seconds: float) -> Any:
        """What a look at the folders so much later finds, once it is through."""
        self.now += seconds
        self.index.view(10)
        running = self.index._running
        if running is not None:
            assert running.wait(10)
        return self.index.view(10)


@pytest.fixture
def world() -> Iterator[World]:
    """Six runs."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        s3.create_bucket(Bucket="tests")
        for key, data in objects():
            s3.put_object(Bucket="tests", Key=key, Body=data)
        yield World(s3)


def test_a_second_look_reads_nothing_that_has_not_changed(world: World) -> None:
    """One list call for each run that may have changed, no object; and none at all when nobody asks again so soon."""
    view = world.later(0)
    assert (len(view.runs), view.done, view.total, view.ready) == (RUNS, RUNS, RUNS, True)
    assert view.runs[0].billable_seconds == 905.0  # out of the beginning of a leaderboard
    assert view.runs[0].candidates is None
    assert len(world.counting.gets) == RUNS * 5
    lists = world.counting.lists
    again = world.later(1)
    assert world.counting.lists == lists
    assert again.version == view.version
    again = world.later(FRESH + 1)
    assert (len(world.counting.gets), world.counting.lists) == (RUNS * 5, lists + RUNS)
    assert again.version == view.version


def test_a_run_that_changed_is_read_again_and_one_that_went_is_gone(world: World) -> None:
    """A clear writes over the records; retention removes whole folders."""
    first = world.later(0)
    changed = run_folders.records(3)["outcome"].model_copy(update={"outcome": "rolled_back"})
    folder = run_folder_name(run_folders.run_id(3))
    world.s3.put_object(Bucket="tests", Key=f"churn/runs/{folder}/outcome.json", Body=changed.to_json().encode())
    gone = run_folder_name(run_folders.run_id(0))
    for entry in world.s3.list_objects_v2(Bucket="tests", Prefix=f"churn/runs/{gone}/")["Contents"]:
        world.s3.delete_object(Bucket="tests", Key=entry["Key"])
    view = world.later(SETTLED + 1)
    assert view.version > first.version
    assert [run.outcome for run in view.runs if run.run_id == run_folders.run_id(3)] == ["rolled_back"]
    assert run_folders.run_id(0) not in {run.run_id for run in view.runs}


def test_who_asks_does_not_wait_for_s3(world: World) -> None:
    """The first answer is empty and says how far it is; the next one is complete."""
    world.counting.open.clear()
    view = world.index.view(0.05)
    assert (view.runs, view.ready, view.error) == ((), False, None)
    world.counting.open.set()
    assert len(world.later(0).runs) == RUNS


def test_an_s3_that_refuses_is_said_and_what_was_read_stays(world: World) -> None:
    """Until it answers again."""
    world.later(0)
    world.failure = StorageRefused("expected to list it, S3 answered AccessDenied")
    view = world.later(FRESH + 1)
    assert view.error == "expected to list it, S3 answered AccessDenied"
    assert (len(view.runs), view.ready) == (RUNS, True)
    world.failure = None
    assert world.later(FRESH + 1).error is None


def test_a_folder_without_records_is_no_run_yet(world: World) -> None:
    """It becomes one when its manifest is there."""
    world.s3.put_object(Bucket="tests", Key="churn/runs/manual__new/data/part.csv", Body=b"1")
    assert len(world.later(0).runs) == RUNS
    body = run_folders.records(9)["manifest"].to_json().encode()
    world.s3.put_object(Bucket="tests", Key="churn/runs/manual__new/manifest.json", Body=body)
    view = world.later(FRESH + 1)
    assert (view.runs[0].run_id, view.runs[0].outcome) == (run_folders.run_id(9), None)


@pytest.mark.parametrize("rubbish", [b"", b"\xff\xfe\x00", b"[]", b'{"a": ' * 5000, b"null", b'{"run_id": 7}'])
def test_rubbish_in_a_record_spoils_that_line_only(world: World, rubbish: bytes) -> None:
    """Whatever it is."""
    name = run_folder_name(run_folders.run_id(2))
    for record in ("outcome", "manifest", "evaluation", "leaderboard", "decision"):
        world.s3.put_object(Bucket="tests", Key=f"churn/runs/{name}/{record}.json", Body=rubbish)
    view = world.later(0)
    assert (len(view.runs), view.error, view.ready) == (RUNS, None, True)
    spoilt = next(run for run in view.runs if run.run_id == name)
    assert spoilt.error is not None
    assert "outcome.json: expected the record Outcome" in spoilt.error


def test_a_record_that_goes_while_it_is_read_is_found_gone_the_next_time(world: World) -> None:
    """A run that is cleared, or retention, may remove it between the list and the read."""
    name = run_folder_name(run_folders.run_id(2))
    key = f"churn/runs/{name}/decision.json"
    reading = world.counting.get_object

    def removing(**arguments: Any) -> Any:
        if arguments["Key"] == key:
            world.s3.delete_object(Bucket="tests", Key=key)
        return reading(**arguments)

    world.counting.get_object = removing  # type: ignore[method-assign]
    view = world.later(0)
    assert (len(view.runs), view.error) == (RUNS, None)
    assert next(run for run in view.runs if run.run_id == run_folders.run_id(2)).verdict is None


def test_who_asks_for_what_is_being_made_waits_for_that_one() -> None:
    """Ten at once cost one."""
    kept: Cache[int] = Cache(size=2, max_age=60)
    began, go = threading.Event(), threading.Event()
    made: list[int] = []

    def make() -> int:
        began.set()
        go.wait(5)
        made.append(1)
        return 7

    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(kept.get, "a", make)]
        assert began.wait(5)
        waiting += [pool.submit(kept.get, "a", make) for _ in range(9)]
        go.set()
        assert [one.result(5) for one in waiting] == [7] * 10
    assert len(made) == 1


def test_the_cache_is_bounded_gets_old_and_keeps_errors_only_for_a_moment() -> None:
    """The least recently asked goes first."""
    now = [0.0]
    kept: Cache[int] = Cache(size=2, max_age=60, clock=lambda: now[0])
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda: 1)
    assert len(kept) == 2
    assert kept.get("a", lambda: 2) == 1
    assert kept.get("b", lambda: 2) == 2
    now[0] = 61
    assert kept.get("b", lambda: 3) == 3

    def failing() -> int:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        kept.get("x", failing)
    with pytest.raises(OSError, match="no"):
        kept.get("x", lambda: 1)
    now[0] += 3
    assert kept.get("x", lambda: 1) == 1
