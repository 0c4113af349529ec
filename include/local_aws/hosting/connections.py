"""The front's connections to serving processes: a few for each, kept, with a queue where all of them are busy."""

import asyncio
from collections import deque
from typing import cast

from include.local_aws.hosting.frames import BrokenFrame, Frame, packed, unpacked


class Moved(Exception):
    """The process is to end: the request was not sent to it, and another one may answer it."""


class NoAnswer(TimeoutError):
    """The process did not answer in time."""


class _Connection(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[Frame] | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not derive from it

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = unpacked(self._received)
        if answer is not None and self._answer is not None and not self._answer.done():
            self._received.clear()
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(BrokenFrame(f"the process ended ({exc or 'its connection was closed'})"))

    async def ask(self, request: Frame, seconds: float) -> Frame:
        """Send a request; raises `NoAnswer` and `BrokenFrame`, after which the connection is of no use."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Frame] = loop.create_future()
        self._answer = answer
        if self.closed or self._transport is None:
            raise BrokenFrame("the process ended")
        self._transport.write(packed(request))
        clock = loop.call_later(seconds, _late, answer, seconds)
        try:
            return await answer
        except BaseException:
            self.close()  # whatever is still to arrive would be taken for the next answer
            raise
        finally:
            clock.cancel()

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()


def _late(answer: asyncio.Future[Frame], seconds: float) -> None:
    if not answer.done():
        answer.set_exception(NoAnswer(f"no answer within {seconds:.0f} s"))


class Pool:
    """The connections to one process. `limit` requests are with it at a time; others wait here, in their order.

    For the event loop's own thread only.
    """

    def __init__(self, port: int, limit: int) -> None:
        self.port = port
        self.limit = limit
        self._busy = 0
        self._idle: list[_Connection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ended = False

    async def ask(self, request: Frame, seconds: float) -> Frame:
        """Send a request when there is a connection for it.

        Raises `Moved` where the pool is ended before, ConnectionRefusedError where nobody listens (nothing was sent
        then), `NoAnswer` and `BrokenFrame`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        if self._ended:
            raise Moved
        if self._busy >= self.limit:
            await self._turn(seconds)
        else:
            self._busy += 1
        try:
            connection = self._kept() or await self._connect()
            answer = await connection.ask(request, max(deadline - loop.time(), 0.001))
            if self._ended:
                connection.close()
            elif not connection.closed:
                self._idle.append(connection)
            return answer
        finally:
            self._next()

    def end(self) -> None:
        """Send no more requests: those that wait are told, those under way get their answers."""
        self._ended = True
        for each in self._waiting:
            if not each.done():
                each.set_exception(Moved())
        self._waiting.clear()
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _turn(self, seconds: float) -> None:
        """Wait for another request's end, whose place this one takes."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        clock = loop.call_later(seconds, _no_turn, turn, seconds)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._next()  # the place was given already, and is passed on
            raise
        finally:
            clock.cancel()

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._busy -= 1

    def _kept(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self.port)
        return connection


def _no_turn(turn: asyncio.Future[None], seconds: float) -> None:
    if not turn.done():
        turn.set_exception(NoAnswer(f"no answer within {seconds:.0f} s"))
