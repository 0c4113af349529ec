"""Which of the calls a fault hits.

Every fault has a random stream of its own, drawn from the seed and its place in the list, and one draw for each call
that it matches: the same calls in the same order are hit alike in every run.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from include.local_aws.faults.settings import Fault, Settings


@dataclass(frozen=True)
class Hit:
    """What happens to one call: it waits so many seconds, and then this fault, if any, ends it."""

    delay: float = 0.0
    fault: Fault | None = None


NOTHING = Hit()


class _Schedule:
    """One fault's turn-taking."""

    def __init__(self, fault: Fault, seed: str, clock: Callable[[], float]) -> None:
        self.fault = fault
        self.matched = 0
        self.hits = 0
        self._random = random.Random(seed)
        self._clock = clock
        self._tokens = fault.burst
        self._filled = clock()

    def matches(self, service: str, operation: str) -> bool:
        return _like(service, self.fault.service) and _like(operation, self.fault.operation)

    def strikes(self) -> bool:
        """Count one matching call; whether it is hit."""
        self.matched += 1
        if not self._turn() or (self.fault.at_most is not None and self.hits >= self.fault.at_most):
            return False
        self.hits += 1
        return True

    def seconds(self) -> float:
        return self._random.uniform(*self.fault.seconds)

    def _turn(self) -> bool:
        fault = self.fault
        if fault.rate is not None:
            return self._random.random() < fault.rate
        if fault.first is not None:
            return self.matched <= fault.first
        if fault.every is not None:
            return self.matched % fault.every == 0
        if fault.calls_per_second is not None:
            return not self._take(fault.calls_per_second)
        return True

    def _take(self, rate: float) -> bool:
        now = self._clock()
        self._tokens = min(self.fault.burst, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _like(name: str, pattern: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


class Injector:
    """The faults asked for, in their order: delays add up, and the first other fault whose turn it is ends the call.

    Not safe to use from several threads: the front asks it on its event loop.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._schedules = [
            _Schedule(fault, f"{settings.seed}/{number}", clock) for number, fault in enumerate(settings.faults)
        ]

    def hit(self, service: str, operation: str) -> Hit:
        """What happens to this call."""
        delay = 0.0
        for schedule in self._schedules:
            if not schedule.matches(service, operation) or not schedule.strikes():
                continue
            if schedule.fault.kind != "latency":
                return Hit(delay, schedule.fault)
            delay += schedule.seconds()
        return Hit(delay) if delay else NOTHING

    def injected(self) -> list[int]:
        """How many calls each fault has hit, in the order of the settings."""
        return [schedule.hits for schedule in self._schedules]
