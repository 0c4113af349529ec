"""The process that serves one model: its containers behind a loopback port (see `frames`)."""

import os
import socket
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from include.local_aws.hosting.chain import Chain, ChainError, load, read_specs
from include.local_aws.hosting.frames import PING, Frame, packed, receive
from include.local_aws.images import BadRequest

LINES_PER_SECOND = 20
"""Invocations that the log tells one by one; of the others of a second it tells how many there were."""


def main(root: str) -> None:
    """Load the chain described in ``chain.json``, then serve; the port is written to ``port`` once it is healthy."""
    directory = Path(root)
    try:
        chain = load(read_specs(directory / "chain.json"), directory)
    except ChainError as error:
        traceback.print_exc()
        (directory / "failure").write_text(str(error), encoding="utf-8")
        sys.exit(1)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    part = directory / "port.part"
    part.write_text(str(listener.getsockname()[1]), encoding="utf-8")
    part.replace(directory / "port")
    print(f"serving on process {os.getpid()}", flush=True)
    access = AccessLog()
    threading.Thread(target=access.keep, daemon=True).start()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection, chain, access), daemon=True).start()


def _converse(connection: socket.socket, chain: Chain, access: "AccessLog") -> None:
    """Answer what comes on one connection, one after the other; the front bounds how many connections there are."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        try:
            while (request := receive(connection)) is not None:
                if request.code == PING:
                    connection.sendall(packed(Frame(200)))
                    continue
                answer = _answer(chain, request)
                access.note(answer.code, len(answer.body))
                connection.sendall(packed(answer))
        except ConnectionError as error:
            print(f"a caller went away: {error}", flush=True)


def _answer(chain: Chain, request: Frame) -> Frame:
    try:
        body, content_type = chain.invoke(request.body, request.content_type, request.accept or None)
    except BadRequest as error:
        print(f"400: {error}", flush=True)
        return Frame(400, str(error).encode(), "text/plain")
    except Exception as error:  # noqa: BLE001 - whatever a container raises is its answer 500, and in its log
        traceback.print_exc()
        return Frame(500, f"{type(error).__name__}: {error}".encode(), "text/plain")
    return Frame(200, body, content_type)


class AccessLog:
    """A line for each invocation, unless there are many: then a line for those of a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._second = 0
        self._told = 0
        self._others: Counter[int] = Counter()

    def note(self, status: int, size: int) -> None:
        """Tell of one invocation, or count it."""
        with self._lock:
            self._turn_over()
            self._told += 1
            if self._told > LINES_PER_SECOND:
                self._others[status] += 1
                return
        print(f'"POST /invocations" {status} {size}', flush=True)

    def keep(self) -> None:
        """Tell of what was counted though nothing comes any more."""
        while True:
            time.sleep(1)
            with self._lock:
                self._turn_over()

    def _turn_over(self) -> None:
        second = int(self._clock())
        if second == self._second:
            return
        if self._others:
            counts = ", ".join(f"{count} with {status}" for status, count in sorted(self._others.items()))
            print(f'"POST /invocations" {self._others.total()} more within a second: {counts}', flush=True)
        self._second, self._told = second, 0
        self._others.clear()
