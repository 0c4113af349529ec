"""One eye for all who wait: a poller per account, region and kind, shared by the triggers of one triggerer.

Few jobs are described one by one, each in its own time. Many are listed, a hundred a call, by last change with an
overlap. Lists are eventually consistent: they show the past, so what they show happened, and what they do not show is
no news. So an end is told from the list; other changes are described while the allowance lasts; each minute or so a
roll of those in progress is called, and who is missing is described; and each job is described now and then, whatever
lists say. Throttling and lost connections slow the tick down; they neither end a wait nor let a change be forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from automl_retraining.sagemaker import failures, watching
from automl_retraining.sagemaker.jobs import Job, JobKind, kind_of, list_arguments, read
from automl_retraining.triggers.pace import (
    FEW,
    LEAST,
    MOST,
    Allowance,
    Pace,
    Patient,
    Slowdown,
    interval,
    jittered,
    pace_of,
)

__all__ = ["FEW", "GRACE", "Observation", "Poller", "Watch", "common_beginning", "interval", "shared"]

OVERLAP = timedelta(seconds=60)
"""How far each list reaches back behind the one before: a change may show late."""
BATCH = 50
"""Descriptions in one tick."""
GRACE = timedelta(seconds=90)
"""How long a job just submitted may be missing before it counts as deleted."""
YOUNG = timedelta(seconds=15)
"""How long after its submission a job that many wait with is left to the lists, which will show it."""
SPARE = 10
"""Descriptions in a minute of what has changed without having ended, and of what rests."""
GATHER = 0.2
"""Seconds from the first trigger's arrival to the first look: a restarted triggerer has many that come together."""
TRIES = 6
"""How often a throttled call is made in one tick."""


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

    async def next(self, timeout: float | None = None) -> Observation | None:
        """The next change; None where nothing changed for so many seconds."""
        try:
            return await asyncio.wait_for(self.queue.get(), timeout)
        except TimeoutError:
            return None


@dataclass
class _Seen:
    """What the poller knows of one job."""

    due: datetime | None = None
    """When it is to be described next, while the jobs are few; None before that was thought of."""
    last: Observation | None = None
    described: datetime | None = None
    """When it was described last, or else first heard of."""
    modified: datetime | None = None
    """SageMaker's time of the last change that is known."""

    @property
    def state(self) -> tuple[str, str | None] | None:
        return (self.last.job.status, self.last.job.secondary) if self.last and self.last.job else None

    @property
    def over(self) -> bool:
        return self.last is not None and (self.last.job is None or self.last.job.over)


class Poller:
    """Looks at all watched jobs of one kind. Lives in one event loop; calls AWS in threads."""

    def __init__(
        self,
        kind: JobKind,
        new_client: Callable[[], Any],
        *,
        pace: Pace | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        """`pace` is by default what suits the client's endpoint."""
        self.kind = kind
        self.calls = 0
        self._new_client = new_client
        self._pace = pace
        self._now = now
        self._sleep = sleep
        self._client: Any = None
        self._watches: dict[str, list[Watch]] = {}
        self._seen: dict[str, _Seen] = {}
        self._changed: dict[str, tuple[Job, datetime | None]] = {}
        self._missing: dict[str, None] = {}
        self._listed: datetime | None = None
        self._rolled: datetime | None = None
        self._latest: datetime | None = None
        """When the youngest job was submitted, or one that was watched at the last tick."""
        self._slow = Slowdown()
        self._spare = Allowance(SPARE)
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
        self._latest = max(since, self._latest or since)
        seen = self._seen.setdefault(name, _Seen())
        if seen.over and self._updated_again_and_again:
            seen = self._seen[name] = _Seen()  # whoever comes now waits for the next update
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
                self._forget_news(name)
            if not self._watches and self._task is not None:
                self._task.cancel()
                self._task = None
                self._listed = self._rolled = None

    async def call(self, function: Callable[[Any], Any]) -> Any:
        """Run a function of the client in a thread."""
        client = await self._connected()
        self.calls += 1
        return await asyncio.to_thread(function, client)

    async def _ask(self, function: Callable[[Any], Any]) -> Any:
        """Call, and where AWS throttles call again after a while: a tick of many calls must not begin anew each time.

        Other failures are the tick's.
        """
        for _ in range(TRIES):
            try:
                answer = await self.call(function)
            except Exception as error:
                if failures.code(error) not in failures.THROTTLED:
                    raise
                throttled = error
                self._slow.fail()
                await self._sleep(self._slow.stretched(LEAST))
            else:
                self._slow.succeed()
                return answer
        raise throttled

    @property
    def pace(self) -> Pace:
        """How often it looks; as at AWS until the client's endpoint is known."""
        return self._pace or Patient()

    async def _connected(self) -> Any:
        if self._client is None:
            self._client = await asyncio.to_thread(self._new_client)
        if self._pace is None:
            self._pace = pace_of(str(self._client.meta.endpoint_url))
        return self._client

    async def _run(self) -> None:
        await self._sleep(GATHER)
        while self._watches:
            self._wake.clear()
            try:
                await self.tick()
            except Exception as error:  # noqa: BLE001 - whoever waits must learn of it; nobody else can
                self._fail(error)
            await self._nap(self._now())

    async def _nap(self, ticked: datetime) -> None:
        """Sleep until the next look is due, which may be sooner when a new job is watched."""
        uneven = jittered(1.0)
        while self._watches:
            left = self._slow.stretched(self._pause(ticked, uneven)) - (self._now() - ticked).total_seconds()
            if left <= 0:
                return
            sleeping = asyncio.ensure_future(self._sleep(left))
            waking = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
                if sleeping.done():
                    return
                self._wake.clear()
            finally:
                sleeping.cancel()
                waking.cancel()

    def _pause(self, ticked: datetime, uneven: float) -> float:
        """Seconds from one tick to the next, as things are now."""
        if self._few:
            self._plan()
            due = [seen.due for seen in self._seen.values() if seen.due and not seen.over]
            return (min(due) - ticked).total_seconds() if due else MOST
        youngest = (self._now() - self._latest).total_seconds() if self._latest else 0.0
        return self.pace.tick(youngest, self.size) * uneven

    def _plan(self) -> None:
        """Say when the newly watched are to be looked at first."""
        now = self._now()
        for name, seen in self._seen.items():
            if seen.due is None:
                seen.due = now + timedelta(seconds=self.pace.first((now - self._since(name)).total_seconds()))

    @property
    def _few(self) -> bool:
        return self.size <= FEW

    def _since(self, name: str) -> datetime:
        return max(watch.since for watch in self._watches[name])

    async def tick(self) -> None:
        """One look at everything that is watched."""
        await self._connected()
        now = self._now()
        if self._few:
            self._listed = self._rolled = None
            self._changed.clear()
            self._missing.clear()
            self._plan()
            for name in [name for name, seen in self._seen.items() if seen.due and seen.due <= now and not seen.over]:
                await self._describe(name)
            return
        self._latest = max(self._since(name) for name in self._watches)
        await self._hear_changes(now)
        await self._find_missing(now)
        for name in list(self._missing)[:BATCH]:
            await self._describe(name)
        await self._describe_some(now)

    async def _find_missing(self, now: datetime) -> None:
        """Note the jobs of which lists have no news: where they are more than a few, by calling the roll first."""
        unseen = [
            name
            for name, seen in self._seen.items()
            if seen.last is None and name not in self._missing and now - self._since(name) > YOUNG
        ]
        behind = now - (self._rolled or now) > timedelta(seconds=max(60.0, 0.6 * self.size))
        if behind or len(unseen) > 1 + self.size // 100:
            unseen = await self._call_the_roll(now)
        elif self._rolled is None:
            self._rolled = now
        self._missing.update(dict.fromkeys(unseen))

    async def _hear_changes(self, now: datetime) -> None:
        """Read what has changed, and tell the waiters what can be told at once."""
        after = (self._listed or now) - OVERLAP
        async for summary in self._pages(list_arguments(common_beginning(self._watches), after)):
            self._hear(summary)
        self._listed = now

    def _hear(self, summary: Mapping[str, Any]) -> None:
        """Take one line of a list, which may be older than what is known."""
        job, modified = read(self.kind, summary), summary.get("LastModifiedTime")
        seen = self._seen.get(job.name)
        if seen is None or seen.over:
            return
        known = seen.state
        if not self.kind.listed_secondary_member and known is not None:
            job = replace(job, secondary=known[1])
        if (job.status, job.secondary) == known:
            seen.modified = modified or seen.modified
        elif self._updated_again_and_again:
            self._changed[job.name] = job, modified
        elif job.over or known is None:
            self._publish(job.name, Observation(self._now(), job), modified)
        elif seen.modified is None or modified is None or modified >= seen.modified:
            self._changed[job.name] = job, modified

    @property
    def _updated_again_and_again(self) -> bool:
        """Whether an end is no end: an endpoint's InService in a late list may be the one before its update."""
        return self.kind.stop is None

    async def _call_the_roll(self, now: datetime) -> list[str]:
        """The watched jobs that are not in progress by the list; of those that are, the unknown are made known."""
        names = list(self._watches)
        if self._updated_again_and_again:
            self._rolled = now
            return [name for name in names if self._seen[name].last is None]
        arguments = {**list_arguments(common_beginning(names), now), "StatusEquals": "InProgress"}
        del arguments["LastModifiedTimeAfter"]
        there = set()
        async for summary in self._pages(arguments):
            there.add(summary.get(self.kind.name_member))
            self._hear(summary)
        self._rolled = now
        return [
            name
            for name in names
            if name not in there and name in self._seen and not self._seen[name].over
            and (self._seen[name].last is not None or now - self._since(name) > YOUNG)
        ]  # fmt: skip

    async def _pages(self, arguments: dict[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """The lines of a list, page by page."""
        while True:
            page = await self._ask(partial(_list, operation=self.kind.list_operation, arguments=dict(arguments)))
            for summary in page.get(self.kind.list_result, ()):
                yield summary
            if not page.get("NextToken"):
                return
            arguments["NextToken"] = page["NextToken"]

    async def _describe_some(self, now: datetime) -> None:
        """Describe what has changed, then what was not described for long, as far as the allowance goes.

        Beyond it, changes are told as the list has them.
        """
        self._spare.refill(now.timestamp())
        for name, (job, modified) in list(self._changed.items()):
            if self._updated_again_and_again or self._spare.take():
                await self._describe(name)
            else:
                self._publish(name, Observation(now, job), modified)
        long = timedelta(seconds=max(300.0, 60.0 / SPARE * self.size))
        for name, seen in list(self._seen.items()):
            if not seen.over and name in self._seen and now - (seen.described or self._since(name)) > long:
                if not self._spare.take():
                    return
                await self._describe(name)

    async def _describe(self, name: str) -> None:
        if name not in self._watches:
            return
        description = await self._ask(lambda sm: watching.describe(sm, self.kind, name))
        now = self._now()
        if name not in self._watches:
            return
        seen, age = self._seen[name], now - self._since(name)
        seen.described = now
        seen.due = now + timedelta(seconds=jittered(self.pace.next(age.total_seconds())))
        self._forget_news(name)
        if description is None:
            if seen.state is None and age < GRACE:
                return  # just submitted: the news of it may still be on its way
            self._publish(name, Observation(now))
            return
        job = read(self.kind, description)
        seen.modified = description.get("LastModifiedTime") or seen.modified
        if (job.status, job.secondary) != seen.state:
            self._publish(name, Observation(now, job))

    def _forget_news(self, name: str) -> None:
        self._changed.pop(name, None)
        self._missing.pop(name, None)

    def _publish(self, name: str, observation: Observation, modified: datetime | None = None) -> None:
        seen = self._seen[name]
        seen.last, seen.modified = observation, modified or seen.modified
        seen.described = seen.described or observation.at
        self._forget_news(name)
        for watch in self._watches.get(name, ()):
            watch.queue.put_nowait(observation)

    def _fail(self, error: Exception) -> None:
        """Slow down for what passes; tell everybody of what does not."""
        from botocore.exceptions import BotoCoreError, ClientError

        if _passing(error):
            if failures.code(error) in failures.EXPIRED:
                self._client = None  # the connection may have been renewed
            self._slow.fail()
            return
        if isinstance(error, (ClientError, BotoCoreError)):
            words = failures.sentence(error, f"looking at {self.kind.title}s")
        else:
            words = f"looking at {self.kind.title}s broke: {type(error).__name__}: {error}"
        for name in list(self._watches):
            self._publish(name, Observation(self._now(), error=words))


def _passing(error: Exception) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    return isinstance(error, (ClientError, BotoCoreError)) and failures.retryable(error)


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
        found = (loop, Poller(kind_of(kind), lambda: client("sagemaker", conn_id=conn_id, region=region, attempts=2)))
        _POLLERS[key] = found
    return found[1]
