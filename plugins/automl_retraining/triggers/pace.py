"""When to look at waiting jobs again: often where that costs nothing, at SageMaker never more than is gained by it.

A job of SageMaker's own has a machine to wait for: none ends in its first minute but one that is refused. So there, one
job is looked at once soon after its submission, and then as often as the stock provider looks by itself (30 s), which
is neither slower nor more calls than that, whatever the job's length. Many jobs share lists: those are read more often,
for a few calls altogether. Behind an endpoint of the connection's own (the embedded AWS), jobs end after seconds and
calls are free: the young are looked at every second, the old after a twentieth of their age.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod

FEW = 3
"""Up to so many jobs a describe each is the cheaper way."""
LEAST = 1.0
"""Seconds between two looks at the least."""
MOST = 60.0
"""Seconds between two looks at the most, however much AWS throttles."""
STOCK = 30.0
"""Seconds between two looks of the stock provider's triggers (``waiter_delay``, amazon provider 9.39.0)."""
SOON = 5.0
"""Seconds from a submission to the first look at the job."""
_SLOWEST = 32.0


def interval(age: float, jobs: int = 1) -> float:
    """Seconds to the next look, for a youngest job of that age in seconds: short at first, then a twentieth of the age.

    At most 30 s for a few jobs, 10 s for many, who share the calls.
    """
    return min(max(LEAST, age / 20), STOCK if jobs <= FEW else 10.0)


class Pace(ABC):
    """How long to wait between looks; ages in seconds since a job's submission."""

    @abstractmethod
    def first(self, age: float) -> float:
        """Seconds until the first look at a job that is to be watched from now on."""

    @abstractmethod
    def next(self, age: float) -> float:
        """Seconds from a look at one of a few jobs to the next look at it."""

    @abstractmethod
    def tick(self, youngest: float, jobs: int) -> float:
        """Seconds between two lists of many jobs."""


class Eager(Pace):
    """For an endpoint of the connection's own: jobs of seconds, calls that are free."""

    def first(self, age: float) -> float:  # noqa: ARG002 - at once, whatever the age
        """At once."""
        return 0.0

    def next(self, age: float) -> float:
        """From a second to half a minute."""
        return interval(age)

    def tick(self, youngest: float, jobs: int) -> float:
        """From a second to ten."""
        return interval(youngest, jobs)


class Patient(Pace):
    """For AWS itself. At no age has a job been looked at more often than the stock trigger has looked at it."""

    def first(self, age: float) -> float:
        """Soon after the submission; at once for an older job, which may have ended while nobody watched."""
        return SOON - age if 0 <= age < SOON else 0.0

    def next(self, age: float) -> float:
        """Thirty seconds; the early look stands for the stock trigger's first one, at the very beginning."""
        return STOCK - age if 0 <= age < STOCK / 2 else STOCK

    def tick(self, youngest: float, jobs: int) -> float:
        """Ten seconds for a handful of jobs, so that the calls stay fewer than one by one; five for ten jobs and more.

        Ten again where the youngest has gone on for an hour.
        """
        return min(10.0, max(5.0, 50.0 / jobs, youngest / 360))


def pace_of(endpoint_url: str) -> Pace:
    """The pace that suits a client of this endpoint."""
    return Patient() if ".amazonaws.com" in endpoint_url else Eager()


class Slowdown:
    """How much slower than its pace a poller goes: twice at each failure that passes, half that at each success."""

    def __init__(self) -> None:
        self.factor = 1.0

    def fail(self) -> None:
        """AWS throttles, or does not answer."""
        self.factor = min(self.factor * 2, _SLOWEST)

    def succeed(self) -> None:
        """It answers."""
        self.factor = max(1.0, self.factor / 2)

    def stretched(self, seconds: float) -> float:
        """So many seconds, stretched, with much jitter while AWS throttles: others are throttled with us."""
        if self.factor == 1:
            return max(LEAST, seconds)
        return min(max(LEAST, seconds) * self.factor, MOST) * random.uniform(0.7, 1.3)  # noqa: S311 - as below


def jittered(seconds: float) -> float:
    """So many seconds on average, give or take a tenth: pollers that began together drift apart."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, keeps no secret


class Allowance:
    """Calls that may be made besides those that must: so many a minute, saved up for at most a minute."""

    def __init__(self, per_minute: float) -> None:
        self._per_minute = per_minute
        self._saved = per_minute
        self._at: float | None = None

    def refill(self, now: float) -> None:
        """Time has gone on to `now`, in seconds."""
        if self._at is not None:
            self._saved = min(self._per_minute, self._saved + max(0.0, now - self._at) * self._per_minute / 60)
        self._at = now

    def take(self) -> bool:
        """Whether there was one left."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
