"""Answers kept for a while, so that many viewers cost no more calls than one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

V = TypeVar("V")

_ERROR_AGE = 2.0
"""Seconds that an error is repeated to whoever asks, so that a crowd does not hammer what is down."""


@dataclass(frozen=True)
class _Kept:
    future: Future[object]
    until: float


class Cache(Generic[V]):
    """A bounded map from what was asked to its answer. Who asks for what is just being made waits for that one.

    Args:
        size: how many answers; the least recently asked goes first.
        max_age: seconds that an answer is good for.
        clock: seconds, monotonic.
    """

    def __init__(self, *, size: int, max_age: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._max_age, self._clock = size, max_age, clock
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], V], max_age: Callable[[V], float] | None = None) -> V:
        """The answer of ``make``, or the one that is kept. An error of ``make`` reaches everybody who waits for it.

        ``max_age`` says of an answer how many seconds it is good for, where that differs from answer to answer.
        """
        mine: Future[object] = Future()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.until > self._clock():
                self._kept.move_to_end(key)
                future = kept.future
            else:
                future = mine
                # Until it is made it does not get old.
                self._put(key, _Kept(mine, float("inf")))
        if future is not mine:
            return cast(V, future.result())
        try:
            value = make()
        except BaseException as error:
            self._settle(key, mine, _ERROR_AGE if isinstance(error, Exception) else 0.0)
            mine.set_exception(error)
            raise
        self._settle(key, mine, self._max_age if max_age is None else max_age(value))
        mine.set_result(value)
        return value

    def __len__(self) -> int:
        return len(self._kept)

    def _settle(self, key: Hashable, future: Future[object], age: float) -> None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.future is future:
                self._kept[key] = _Kept(future, self._clock() + age)

    def _put(self, key: Hashable, kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
