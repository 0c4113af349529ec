"""A SageMaker whose jobs change by a clock that the test winds: to wait for hours in a second.

It answers List… and Describe… of training jobs as the API does: pages of a hundred, filters by name, status and last
change. Lists may lag; calls may be throttled by a token bucket.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.support.fake_sagemaker import error, problems

START = datetime(2026, 11, 21, 5, tzinfo=UTC)


class VirtualTime:
    """A clock, and a sleep for any number of tasks: it goes on to the next waking as soon as all of them sleep."""

    def __init__(self) -> None:
        self.at = START
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        """The time."""
        return self.at

    async def sleep(self, seconds: float) -> None:
        """Until that much later."""
        woken = asyncio.Event()
        sleeper = self.at + timedelta(seconds=max(0.0, seconds)), woken
        self._sleepers.append(sleeper)
        try:
            await woken.wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    async def run_until(self, end: datetime, quiet: asyncio.Event | None = None) -> None:
        """Let time go by; `quiet`, where given, ends it sooner."""
        while self.at < end and not (quiet and quiet.is_set()):
            for _ in range(6):  # who was woken gets to its next sleep or call
                await asyncio.sleep(0)
            if not self._sleepers:
                await asyncio.sleep(0.0002)  # a call is under way in a thread
                continue
            due, woken = min(self._sleepers, key=lambda sleeper: sleeper[0])
            self._sleepers.remove((due, woken))
            self.at = max(self.at, due)
            woken.set()


@dataclass(frozen=True)
class TimedJob:
    """A training job's course: its submission, and its later statuses with their moments."""

    name: str
    created: datetime
    moves: tuple[tuple[datetime, str, str], ...]

    def at(self, moment: datetime) -> dict[str, Any] | None:
        """What SageMaker says of it; None before it was submitted."""
        if moment < self.created:
            return None
        changed, status, secondary = self.created, "InProgress", "Starting"
        for when, *state in self.moves:
            if when <= moment:
                changed, (status, secondary) = when, state
        return {
            "TrainingJobName": self.name,
            "TrainingJobStatus": status,
            "SecondaryStatus": secondary,
            "CreationTime": self.created,
            "LastModifiedTime": changed,
        }


def training(name: str, created: float, ends: float) -> TimedJob:
    """A job that starts to train after two minutes, or halfway to its end; in seconds from `START`."""
    moments = [START + timedelta(seconds=at) for at in (min(created + 120, (created + ends) / 2), ends)]
    moves = (moments[0], "InProgress", "Training"), (moments[1], "Completed", "Completed")
    return TimedJob(name, START + timedelta(seconds=created), moves)


class TimedSageMaker:
    """What the poller takes for a boto3 client."""

    def __init__(self, time: VirtualTime, jobs: list[TimedJob], *, lag: float = 0, rate: float | None = None) -> None:
        """`lag`: seconds that lists are behind; `rate`: calls a second beyond which it throttles."""
        self.meta = SimpleNamespace(endpoint_url="https://api.sagemaker.us-east-1.amazonaws.com")
        self.calls: Counter[str] = Counter()
        self._time, self._jobs = time, {job.name: job for job in jobs}
        self._lag, self._rate, self._tokens, self._filled = timedelta(seconds=lag), rate, 2.0, time.at

    def describe_training_job(self, **given: Any) -> dict[str, Any]:
        """The present."""
        self._called("describe_training_job", given)
        job = self._jobs.get(given["TrainingJobName"])
        found = job.at(self._time.at) if job else None
        if found is None:
            raise error("ValidationException", "Requested resource not found.")
        return found

    def list_training_jobs(self, **given: Any) -> dict[str, Any]:
        """The past, where lists lag."""
        self._called("list_training_jobs", given)
        seen = [job.at(self._time.at - self._lag) for job in self._jobs.values()]
        rows = [
            row
            for row in seen
            if row is not None
            and given.get("NameContains", "") in row["TrainingJobName"]
            and given.get("StatusEquals", row["TrainingJobStatus"]) == row["TrainingJobStatus"]
            and given.get("LastModifiedTimeAfter", START - timedelta(days=9)) < row["LastModifiedTime"]
        ]
        first, size = int(given.get("NextToken", 0)), given["MaxResults"]
        more = {"NextToken": str(first + size)} if len(rows) > first + size else {}
        return {"TrainingJobSummaries": rows[first : first + size], **more}

    def _called(self, method: str, given: dict[str, Any]) -> None:
        assert not problems(method, given), problems(method, given)
        self.calls[method] += 1
        if self._rate is None:
            return
        passed = (self._time.at - self._filled).total_seconds()
        self._tokens, self._filled = min(2.0, self._tokens + passed * self._rate), self._time.at
        if self._tokens < 1:
            raise error("ThrottlingException", "Rate exceeded")
        self._tokens -= 1
