"""What waiting costs and how soon ends are told, for hours and a thousand jobs, in virtual time and at AWS's pace."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import Sequence
from datetime import timedelta

import pytest

from automl_retraining.sagemaker.jobs import TRAINING
from automl_retraining.triggers.pace import STOCK
from automl_retraining.triggers.poller import Poller
from tests.support.timed_sagemaker import START, TimedJob, TimedSageMaker, VirtualTime, training

SEED = 7


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The jitter is the same in every run."""
    random.seed(SEED)


def told(
    time: VirtualTime, sm: TimedSageMaker, jobs: Sequence[TimedJob], hours: float
) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Wait for all the jobs from their submissions on: seconds from each end to its news, and the states told."""
    delays: dict[str, float] = {}
    states: dict[str, list[str]] = {job.name: [] for job in jobs}

    async def body() -> None:
        eye = Poller(TRAINING, lambda: sm, now=time.now, sleep=time.sleep)

        async def wait(job: TimedJob) -> None:
            if job.created > time.at:
                await time.sleep((job.created - time.at).total_seconds())
            with eye.watching(job.name, job.created) as watch:
                while True:
                    seen = await watch.next()
                    assert seen is not None
                    assert seen.job is not None, seen
                    states[job.name].append(str(seen.job.secondary))
                    if seen.job.over:
                        delays[job.name] = (seen.at - job.moves[-1][0]).total_seconds()
                        return

        quiet = asyncio.Event()
        waiting = asyncio.gather(*(wait(job) for job in jobs))
        waiting.add_done_callback(lambda _: quiet.set())
        await time.run_until(START + timedelta(hours=hours), quiet)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(asyncio.wait_for(body(), 300))
    return delays, states


def stock_calls(jobs: Sequence[TimedJob]) -> float:
    """Calls of the stock provider's triggers: one at once, and one each thirty seconds until the end is seen."""
    lives = [(job.moves[-1][0] - job.created).total_seconds() for job in jobs]
    return sum(1 + life // STOCK + (life % STOCK > 0) for life in lives)


def test_one_job_costs_no_more_calls_than_the_stock_trigger_and_is_told_as_soon() -> None:
    """Thirty jobs of a minute to three hours, each alone."""
    draw, calls, stock, delays = random.Random(SEED), 0, 0.0, []
    for number in range(30):
        time, job = VirtualTime(), training(f"job-{number}", 0, draw.uniform(60, 2000 if number else 10800))
        sm = TimedSageMaker(time, [job])
        delays += told(time, sm, [job], 4)[0].values()
        calls += sm.calls.total()
        stock += stock_calls([job])
    assert len(delays) == 30
    assert calls <= 1.01 * stock
    assert statistics.fmean(delays) < STOCK / 2 + 2


def test_a_job_that_is_refused_at_once_is_told_within_seconds() -> None:
    """The tick is fast just after a submission."""
    time, job = VirtualTime(), training("job", 0, 3)
    delays, _ = told(time, TimedSageMaker(time, [job]), [job], 1)
    assert delays["job"] < 5


def test_a_thousand_jobs_cost_a_thirtieth_of_the_stock_triggers_calls() -> None:
    """Six minutes of a thousand jobs of up to an hour: all ends are told, in less than half of the stock's 15 s."""
    draw, time = random.Random(SEED), VirtualTime()
    jobs = [training(f"art-training-{n:04}", draw.uniform(0, 30), draw.uniform(90, 3600)) for n in range(1000)]
    sm = TimedSageMaker(time, jobs)
    delays, _ = told(time, sm, jobs, 0.1)
    ended = {job.name for job in jobs if job.moves[-1][0] < START + timedelta(minutes=5.5)}
    assert ended <= delays.keys()
    waited = sum(min(360.0, (job.moves[-1][0] - START).total_seconds()) for job in jobs)
    assert sm.calls.total() * 30 < waited / STOCK
    assert statistics.median(delays[name] for name in ended) < STOCK / 2 / 2


def test_two_calls_a_second_are_enough_for_all() -> None:
    """A hundred jobs, of which a half ended while no triggerer was there, and AWS throttles all the time."""
    draw, time = random.Random(SEED), VirtualTime()
    jobs = [
        training(f"art-training-{n:03}", -7200, -60 if n % 2 else draw.uniform(60, 900)) for n in range(100)
    ]  # fmt: skip
    delays, _ = told(time, TimedSageMaker(time, jobs, rate=2), jobs, 0.5)
    assert len(delays) == 100
    assert max(delays.values()) < 300


def test_lists_that_lag_lose_nothing_and_tell_nothing_old() -> None:
    """Statuses on the way come in their order, by descriptions while the allowance lasts and by the list beyond it."""
    time = VirtualTime()
    jobs = [training(f"art-training-{n:02}", 0, 600 + n) for n in range(40)]
    sm = TimedSageMaker(time, jobs, lag=20)
    delays, states = told(time, sm, jobs, 1)
    assert set(map(tuple, states.values())) == {("Starting", "Training", "Completed")}
    assert max(delays.values()) < 20 + STOCK
    assert 10 <= sm.calls["describe_training_job"] <= 40 + 12 * 10
