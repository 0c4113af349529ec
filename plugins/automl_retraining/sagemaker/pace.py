"""A boto3 client that does not call faster than it may: tidying up must not take the account's calls from others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any


class Paced:
    """Passes every call on to a client, at most so many a second; ``calls`` counts them by method."""

    def __init__(
        self,
        client: Any,
        per_second: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.meta = client.meta
        self._client = client
        self._interval = 1 / per_second
        self._sleep, self._clock = sleep, clock
        self._next = 0.0

    def __getattr__(self, method: str) -> Any:
        called = getattr(self._client, method)

        def call(**arguments: Any) -> Any:
            now = self._clock()
            if now < self._next:
                self._sleep(self._next - now)
            self._next = max(now, self._next) + self._interval
            self.calls[method] += 1
            return called(**arguments)

        return call


def pages(client: Any, operation: str, member: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
    """The entries of a List operation over all its pages."""
    token: dict[str, str] = {}
    while True:
        page = getattr(client, operation)(**arguments, **token)
        yield from page.get(member, ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
