"""Where the pages' work is done: threads of their own, so that Airflow's event loop and threads never wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Busy(Exception):
    """More is asked for than can be answered now. The message is for the page."""


class Threads:
    """A few threads and a short queue before them; who comes when it is full is told so at once.

    Args:
        name: of the threads.
        count: how many.
        most: how many requests may wait or be worked on.
    """

    def __init__(self, name: str, count: int, most: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self._room = threading.BoundedSemaphore(most)

    async def do(self, work: Callable[[], T]) -> T:
        """The result of the work; Busy where too much waits already."""
        if not self._room.acquire(blocking=False):
            raise Busy("Too many requests wait for an answer from AWS or for a computation: try again in a moment.")
        future = self._pool.submit(work)
        # A viewer who goes away leaves the work running: its place is free when that ends, not before.
        future.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(future)
