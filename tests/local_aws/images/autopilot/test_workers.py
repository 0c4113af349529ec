"""Fits in child processes."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil  # type: ignore[import-untyped]

from include.local_aws.images.autopilot.workers import AHEAD, Job, Outcome, Workers


def sleep(seconds: float, value: Any, _limit: float) -> Any:
    time.sleep(seconds)
    return value


def fail(_limit: float) -> None:
    raise ValueError("no such luck")


def die(_limit: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stream(calls: Sequence[Callable[[float], Any]], seconds: float = 30) -> list[tuple[int, Outcome]]:
    told: list[tuple[int, Outcome]] = []
    jobs = iter(Job(number, call, lambda: seconds) for number, call in enumerate(calls))
    with Workers() as workers:
        workers.stream(lambda: next(jobs, None), lambda number, outcome: told.append((number, outcome)))
    return told


def test_outcomes_are_told_in_order_whatever_ends_first() -> None:
    """The slow one comes first."""
    calls = [functools.partial(sleep, wait, number) for number, wait in enumerate((0.4, 0, 0.1, 0))]
    told = stream(calls)
    assert [number for number, _ in told] == [0, 1, 2, 3]
    assert [outcome.value for _, outcome in told] == [0, 1, 2, 3]


def test_what_is_known_when_asking_does_not_depend_on_speed() -> None:
    """Job n is asked for when exactly n - AHEAD outcomes, rounded up to 0, were told."""
    told: list[int] = []
    known: list[int] = []

    def ask() -> Job[int] | None:
        number = len(known)
        if number == 6:
            return None
        known.append(len(told))
        return Job(number, functools.partial(sleep, 0.1 * (number % 3), number), lambda: 30)

    with Workers() as workers:
        workers.stream(ask, lambda number, _: told.append(number))
    assert known == [max(0, number + 1 - AHEAD) for number in range(6)]


def test_a_job_over_its_limit_is_killed_and_the_others_go_on() -> None:
    """Its outcome says so."""
    before = set(psutil.Process().children(recursive=True))
    told = stream([functools.partial(sleep, 60, "never"), functools.partial(sleep, 0, "value")], seconds=0.5)
    assert told[0][1].cut_off
    assert told[0][1].failure == "cut off after 0.5 s"
    assert told[1][1].value == "value"
    assert set(psutil.Process().children(recursive=True)) <= before


def test_an_error_and_a_death_are_outcomes() -> None:
    """With the reason."""
    outcomes = [outcome for _, outcome in stream([fail, die])]
    assert [outcome.failure for outcome in outcomes] == [
        "ValueError: no such luck",
        "the process ended with exit code -9 without a result",
    ]
    assert not any(outcome.cut_off for outcome in outcomes)


def test_leaving_the_block_ends_what_runs() -> None:
    """As SIGTERM does in a job."""
    with Workers() as workers:
        task = workers.start(lambda: time.sleep(60), 60)
        assert task.process.is_alive()
    assert not task.process.is_alive()


def test_what_a_job_needs_is_prepared_in_the_parent_when_it_starts() -> None:
    """The child finds it; a job that finds its time over after that is not started."""
    made: list[int] = []
    left = [30.0]

    def prepare() -> None:
        made.append(os.getpid())
        if len(made) == 2:
            left[0] = 0.0

    given = iter([Job(number, lambda _: list(made), lambda: left[0], prepare) for number in range(2)])
    told: list[Outcome] = []
    with Workers() as workers:
        workers.stream(lambda: next(given, None), lambda _, outcome: told.append(outcome))
    assert [outcome.value for outcome in told] == [[os.getpid()]]
    assert len(made) == 2


def test_a_job_without_time_is_not_started() -> None:
    """Nor told."""
    assert stream([functools.partial(sleep, 0, 1)], seconds=0) == []
