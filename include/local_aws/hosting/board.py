"""What answers now, by region and endpoint: set by deployments, asked for each invocation, watched by the keeper."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from include.local_aws.hosting.fleet import Fleet
from include.local_aws.hosting.routes import Lane, Routes
from include.local_aws.hosting.server import Server

Key = tuple[str, str]
"""Region and endpoint."""


class NotServed(LookupError):
    """There is no such endpoint here (now)."""


class NoSuchVariant(LookupError):
    """The endpoint has no variant of the name that the caller asked for; the argument is the list of those it has."""


@dataclass(frozen=True)
class _Serving:
    routes: Routes
    fleets: tuple[Fleet, ...]

    @property
    def servers(self) -> set[Server]:
        return {server for fleet in self.fleets for server in fleet.servers.values()}


class Board:
    """Safe to use from any thread; asking costs a lock and a choice by weight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: dict[Key, _Serving] = {}
        self._on_left: list[Callable[[Server], None]] = []

    def on_left(self, listener: Callable[[Server], None]) -> None:
        """From now on call `listener` with each process that will not be chosen any more, from whatever thread."""
        self._on_left.append(listener)

    def show(self, key: Key, routes: Routes, fleets: Iterable[Fleet]) -> None:
        """From now on these routes answer; `fleets` are those whose processes are to be kept alive."""
        now = _Serving(routes, tuple(fleets))
        with self._lock:
            before = self._serving.get(key)
            self._serving[key] = now
        self._tell(before.servers - now.servers if before else ())

    def withdraw(self, key: Key) -> tuple[Fleet, ...]:
        """From now on nothing answers; the fleets that did."""
        with self._lock:
            before = self._serving.pop(key, None)
        self._tell(before.servers if before else ())
        return before.fleets if before else ()

    def fleets(self, key: Key) -> tuple[Fleet, ...]:
        """The fleets that are there for an endpoint."""
        with self._lock:
            serving = self._serving.get(key)
        return serving.fleets if serving else ()

    def borrow(self, key: Key, target: str | None, chance: float) -> Lane | None:
        """Who answers a request, not ended until it is given back; None while its process is not healthy.

        Raises `NotServed` and `NoSuchVariant`.
        """
        with self._lock:
            serving = self._serving.get(key)
            if serving is None:
                raise NotServed
            lane = serving.routes.choose(target, chance)
            if lane is None:
                raise NoSuchVariant(serving.routes.variants)
            if not lane.server.port:
                return None
            lane.server.in_flight += 1
            return lane

    def give_back(self, lane: Lane) -> None:
        """A borrowed one is not needed any more."""
        with self._lock:
            lane.server.in_flight -= 1

    def servers(self) -> list[Server]:
        """Every process that is to be kept alive."""
        with self._lock:
            return [server for serving in self._serving.values() for server in serving.servers]

    def _tell(self, left: Iterable[Server]) -> None:
        for server in left:
            for listener in self._on_left:
                listener(server)
