"""A load of invocations: many callers with connections that they keep, and what became of every request."""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=0"
ANSWER_SECONDS = 70
"""An answer that takes longer is lost: the service's own limit is 60 s."""


@dataclass
class Answers:
    """What a load got. `seconds` are those of each answer; `lost` says why a request has none."""

    statuses: Counter[int] = field(default_factory=Counter)
    variants: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """The bodies of the first answers that are no 200."""

    def latency(self, share: float) -> float:
        """The seconds that `share` of the answers stayed below."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Load:
    """Invocations of one endpoint from `callers` connections until it is left; `rate` bounds them per second."""

    def __init__(
        self, port: int, endpoint: str, body: bytes, *, callers: int = 16, rate: float | None = None, target: str = ""
    ) -> None:
        self.answers = Answers()
        self._address = ("127.0.0.1", port)
        self._request = (
            f"POST /endpoints/{endpoint}/invocations HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: {SIGNED}\r\nContent-Type: text/csv\r\nAccept: text/csv\r\n"
            + (f"X-Amzn-SageMaker-Target-Variant: {target}\r\n" if target else "")
            + f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        self._callers = callers
        self._pause = callers / rate if rate else 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), name="load")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def count(self) -> int:
        """How many requests have an answer by now."""
        return len(self.answers.seconds)

    async def _all(self) -> None:
        await asyncio.gather(*(self._caller(number) for number in range(self._callers)))

    async def _caller(self, number: int) -> None:
        if self._pause:
            await asyncio.sleep(self._pause * number / self._callers)
        due = time.perf_counter()
        while not self._done.is_set():
            try:
                reader, writer = await asyncio.open_connection(*self._address)
            except OSError as error:
                self.answers.lost.append(repr(error))
                continue
            try:
                while not self._done.is_set():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await self._ask(reader, writer)
                    if self._pause:
                        due = max(due + self._pause, time.perf_counter() - self._pause)
                        await asyncio.sleep(max(due - time.perf_counter(), 0))
            except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.answers.lost.append(repr(error))
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.perf_counter()
        writer.write(self._request)
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        answers = self.answers
        answers.seconds.append(time.perf_counter() - began)
        status = int(first.split()[1])
        answers.statuses[status] += 1
        if status == 200:
            answers.variants[headers["x-amzn-invoked-production-variant"]] += 1
        elif len(answers.refused) < 20:
            answers.refused.append(body.decode("utf-8", "replace"))
