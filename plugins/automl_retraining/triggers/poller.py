"""One eye for all who wait: a poller per account, region and kind, shared by the triggers of one triggerer.

Few jobs are described one by one. Many are listed, a hundred a call, by last change with an overlap (lists are
eventually consistent: absence is no news), and described when the list shows a change, and each now and then.
Throttling and lost connections slow the tick down; they never end a wait.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from automl_retraining.sagemaker import failures, watching
from automl_retraining.sagemaker.jobs import Job, JobKind, kind_of, list_arguments, read

FEW = 3
"""Up to so many jobs a describe each is the cheaper way."""
OVERLAP = timedelta(seconds=60)
"""How far each list reaches back behind the one before: a change may show late."""
BATCH = 50
"""Descriptions in one tick."""
GRACE = timedelta(seconds=90)
"""How long a job just submitted may be missing before it counts as deleted."""


@dataclass(frozen=True)
class Observation:
    """What was seen of one job at one time. Neither a job nor an error means that there is no such job."""

    at: datetime
    job: Job | None = None
    error: str | None = None


@dataclass
class Watch:
    """One waiter's view: the observations it has not taken yet."""

    name: str
    since: datetime
    queue: asyncio.Queue[Observation] = field(default_factory=asyncio.Queue)

    async def next(self, timeout: float) -> Observation | None:
        """The next change; None where nothing changed for so many seconds."""
        try:
            return await asyncio.wait_for(self.queue.get(), timeout)
        except TimeoutError:
            return None


@dataclass
class _Seen:
    """What the poller knows of one job."""

    last: Observation | None = None
    described: datetime | None = None

    @property
    def state(self) -> tuple[str, str | None] | None:
        return (self.last.job.status, self.last.job.secondary) if self.last and self.last.job else None


def interval(age: float, jobs: int = 1) -> float:
    """Seconds to the next look, for a youngest job of that age in seconds: short at first, then a twentieth of the age.

    At most 30 s for a few jobs, 10 s for many, who share the calls.
    """
    return min(max(1.0, age / 20), 30.0 if jobs <= FEW else 10.0)


class Poller:
    """Looks at all watched jobs of one kind. Lives in one event loop; calls AWS in threads."""

    def __init__(
        self,
        kind: JobKind,
        new_client: Callable[[], Any],
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.kind = kind
        self.calls = 0
        self._new_client = new_client
        self._now = now
        self._sleep = sleep
        self._client: Any = None
        self._watches: dict[str, list[Watch]] = {}
        self._seen: dict[str, _Seen] = {}
        self._listed: datetime | None = None
        self._slow = 1.0
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    @property
    def size(self) -> int:
        """How many jobs are watched."""
        return len(self._watches)

    @contextmanager
    def watching(self, name: str, since: datetime) -> Iterator[Watch]:
        """Watch one job for as long as the body runs; the first observation comes with the next tick."""
        watch = Watch(name, since)
        self._watches.setdefault(name, []).append(watch)
        seen = self._seen.setdefault(name, _Seen())
        if seen.last is not None:
            watch.queue.put_nowait(seen.last)
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"poller-{self.kind.key}")
        try:
            yield watch
        finally:
            self._watches[name].remove(watch)
            if not self._watches[name]:
                del self._watches[name]
                del self._seen[name]
            if not self._watches and self._task is not None:
                self._task.cancel()
                self._task = None

    async def call(self, function: Callable[[Any], Any]) -> Any:
        """Run a function of the client in a thread."""
        self.calls += 1
        if self._client is None:
            self._client = await asyncio.to_thread(self._new_client)
        return await asyncio.to_thread(function, self._client)

    async def _run(self) -> None:
        while self._watches:
            try:
                await self.tick()
                self._slow = max(1.0, self._slow / 2)
            except Exception as error:  # noqa: BLE001 - whoever waits must learn of it; nobody else can
                self._fail(error)
            pause = self._pause()
            self._wake.clear()
            await self._nap(pause)

    async def _nap(self, pause: float) -> None:
        """Sleep, but look soon when a new job is watched."""
        sleeping = asyncio.ensure_future(self._sleep(pause))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    def _pause(self) -> float:
        if not self._watches:
            return 0.0
        youngest = max(watch.since for watches in self._watches.values() for watch in watches)
        age = (self._now() - youngest).total_seconds()
        jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, keeps no secret
        return min(interval(age, self.size) * self._slow, 60.0) * jitter

    async def tick(self) -> None:
        """One look at everything that is watched."""
        now = self._now()
        names = list(self._watches)
        if len(names) <= FEW:
            due = names
        else:
            changed = await self._changed(now)
            stale = timedelta(seconds=max(60.0, 1.2 * len(names)))
            resting = [
                name
                for name in names
                if name not in changed
                and ((seen := self._seen[name]).described is None or now - seen.described > stale)
            ]
            due = [*changed, *resting][:BATCH]
        for name in due:
            if name in self._watches:
                await self._describe(name)

    async def _changed(self, now: datetime) -> list[str]:
        """The watched jobs whose state in the list is not the one last seen."""
        after = (self._listed or now) - OVERLAP
        arguments = list_arguments(common_beginning(self._watches), after)
        changed: dict[str, None] = {}
        while True:
            page = await self.call(partial(_list, operation=self.kind.list_operation, arguments=dict(arguments)))
            for summary in page.get(self.kind.list_result, ()):
                job = read(self.kind, summary)
                seen = self._seen.get(job.name)
                if seen is None or seen.state is None:
                    continue
                secondary = job.secondary if self.kind.listed_secondary_member else seen.state[1]
                if (job.status, secondary) != seen.state:
                    changed[job.name] = None
            if not page.get("NextToken"):
                break
            arguments["NextToken"] = page["NextToken"]
        self._listed = now
        return list(changed)

    async def _describe(self, name: str) -> None:
        job = await self.call(lambda sm: watching.look(sm, self.kind, name))
        now = self._now()
        if name not in self._watches:
            return
        seen = self._seen[name]
        seen.described = now
        if job is None:
            since = max(watch.since for watch in self._watches[name])
            if seen.state is None and now - since < GRACE:
                return  # just submitted: the news of it may still be on its way
            self._publish(name, Observation(now))
        elif (job.status, job.secondary) != seen.state:
            self._publish(name, Observation(now, job))

    def _publish(self, name: str, observation: Observation) -> None:
        self._seen[name].last = observation
        for watch in self._watches.get(name, ()):
            watch.queue.put_nowait(observation)

    def _fail(self, error: Exception) -> None:
        """Slow down for what passes; tell everybody of what does not."""
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, (ClientError, BotoCoreError)) and failures.retryable(error):
            if failures.code(error) in failures.EXPIRED:
                self._client = None  # the connection may have been renewed
            self._slow = min(self._slow * 2, 32.0)
            return
        if isinstance(error, (ClientError, BotoCoreError)):
            words = failures.sentence(error, f"looking at {self.kind.title}s")
        else:
            words = f"looking at {self.kind.title}s broke: {type(error).__name__}: {error}"
        for name in list(self._watches):
            self._publish(name, Observation(self._now(), error=words))


def common_beginning(names: Iterable[str]) -> str:
    """The longest beginning that all the names share: what the list is filtered by."""
    ordered = sorted(names)
    first, last = ordered[0], ordered[-1]
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]


def _list(sm: Any, *, operation: str, arguments: dict[str, Any]) -> Any:
    return getattr(sm, operation)(**arguments)


_POLLERS: dict[tuple[int, str, str, str], tuple[asyncio.AbstractEventLoop, Poller]] = {}


def shared(kind: str, conn_id: str, region: str | None) -> Poller:
    """The poller of this event loop for that connection, region and kind."""
    loop = asyncio.get_running_loop()
    key = (id(loop), conn_id, region or "", kind)
    found = _POLLERS.get(key)
    if found is None or found[0] is not loop:
        from automl_retraining.operators._aws import client

        for old in [old for old, (other, _) in _POLLERS.items() if other.is_closed()]:
            del _POLLERS[old]
        found = (loop, Poller(kind_of(kind), lambda: client("sagemaker", conn_id=conn_id, region=region)))
        _POLLERS[key] = found
    return found[1]
