"""CloudWatch Logs of jobs and endpoints.

Lines are kept in files below the data directory, one per stream, and shipped from there to the Logs service (moto,
which keeps all in memory and forgets it when it ends) in batches, through the same API that anybody would use: once,
and again after a restart. What is kept is bounded: the last part of each stream, the newest streams of two weeks.
"""

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger(__name__)

BATCH_EVENTS = 10_000
BATCH_BYTES = 512 * 1024
"""Per PutLogEvents; the service takes 10,000 events and 1 MiB, 26 bytes an event included."""
STREAM_BYTES = 4 * 1024 * 1024
"""A stream that is larger loses its older half (a job's own log.txt has all of it): the service holds it in memory."""
FORGET_BYTES = 16 * 1024 * 1024
"""A serving process's own log.txt is emptied beyond this."""
KEEP_BYTES = 32 * 1024 * 1024
KEEP_DAYS = 14
"""What is shipped again after a restart; the service takes no older events (API reference, PutLogEvents)."""
MAX_LINE = 10_000
"""Characters of one line that are kept, so that a batch stays below the service's 1 MiB in nearly every case."""


@dataclass(frozen=True)
class Stream:
    """One log stream: where the Logs service shows it."""

    region: str
    group: str
    name: str


class Follower:
    """Reads the lines that a process appends to a file, from where it last stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._pending = b""

    def lines(self, *, last: bool = False) -> Iterator[str]:
        """The whole lines that are new; with `last` also the one that has no newline yet."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while chunk := file.read(1 << 20):
                self._offset += len(chunk)
                *whole, self._pending = (self._pending + chunk).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "replace").rstrip("\r")
        if last and self._pending:
            rest, self._pending = self._pending, b""
            yield rest.decode("utf-8", "replace")

    def forget(self) -> None:
        """Empty the file where all of it was read and it is large; its writer must append (O_APPEND).

        What is written between the look and the cut is lost: a line now and then of those that never end.
        """
        if self._offset > FORGET_BYTES and self._path.stat().st_size == self._offset:
            os.truncate(self._path, 0)
            self._offset = 0


class Logs:
    """The log files, and the thread that ships them."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory
        self._url = url
        self._lock = threading.Lock()
        self._waiting: dict[Stream, None] = {}
        """Streams with lines that aren't shipped, in the order of their asking."""
        self._shipped: dict[Stream, int] = {}
        """How far each stream's file is shipped, in bytes."""
        self._shortened: set[Stream] = set()
        """Streams whose file was cut, so that the service must begin them anew."""
        self._clients: dict[str, Any] = {}
        self._known: set[Stream] = set()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._shipper = threading.Thread(target=self._ship, name="log-shipper", daemon=True)

    def begin(self) -> None:
        """Start shipping, what the files hold first; call it when the Logs service can be reached."""
        with self._lock:
            self._waiting = dict.fromkeys(self._kept())
        self._news.set()
        self._shipper.start()

    def stop(self) -> None:
        """Stop shipping; what wasn't shipped is in the files."""
        self._stopping.set()
        self._news.set()

    def write(self, stream: Stream, lines: list[str]) -> None:
        """Append lines to a stream, now."""
        if not lines:
            return
        now = int(time.time() * 1000)
        path = self._path(stream)
        text = "".join(json.dumps([now, line[:MAX_LINE]]) + "\n" for line in lines)
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(text.encode())
                size = file.tell()
            if size > STREAM_BYTES:
                _keep_end(path, STREAM_BYTES // 2)
                self._shipped[stream] = 0
                self._shortened.add(stream)
            self._waiting[stream] = None
        self._news.set()

    def _path(self, stream: Stream) -> Path:
        return self._directory / stream.region / quote(stream.group, safe="") / (quote(stream.name, safe="") + ".jsonl")

    def _kept(self) -> list[Stream]:
        """The streams of former runs that are still to be shown, newest first; the files of others are removed."""
        found = sorted(((path.stat(), path) for path in self._directory.glob("*/*/*.jsonl")), key=_age)
        oldest, room = time.time() - KEEP_DAYS * 86_400, KEEP_BYTES
        streams = []
        for state, path in found:
            room -= state.st_size
            if state.st_mtime < oldest or room < 0:
                path.unlink()
                continue
            _end_with_a_line(path)
            streams.append(Stream(path.parts[-3], unquote(path.parts[-2]), unquote(path.stem)))
        return streams

    def _ship(self) -> None:
        while not self._stopping.is_set():
            self._news.wait()
            self._news.clear()
            self._stopping.wait(0.1)  # a job writes many lines in a row
            while not self._stopping.is_set() and (stream := self._next()) is not None:
                try:
                    self._ship_some(stream)
                except (ClientError, BotoCoreError) as error:
                    # The lines are in the files; a job must not fail for its log.
                    if not self._stopping.wait(0.5):  # else: the port is closed because the server ends
                        log.warning("could not ship lines to %s %s: %s", stream.group, stream.name, error)
                        self._wait_again(stream)

    def _next(self) -> Stream | None:
        with self._lock:
            if not self._waiting:
                return None
            stream = next(iter(self._waiting))
            del self._waiting[stream]
            return stream

    def _wait_again(self, stream: Stream) -> None:
        with self._lock:
            self._waiting.setdefault(stream)

    def _ship_some(self, stream: Stream) -> None:
        """Put one batch; what is left of the stream waits for its next turn."""
        client = self._client(stream.region)
        with self._lock:
            begin = self._shipped.get(stream, 0)
            anew = stream in self._shortened
            self._shortened.discard(stream)
            lines = _lines(self._path(stream), begin)
        if not lines:
            return
        try:
            self._open(client, stream, anew=anew)
            client.put_log_events(
                logGroupName=stream.group,
                logStreamName=stream.name,
                logEvents=[
                    {"timestamp": moment, "message": text or " "}
                    for moment, text in (json.loads(each) for each in lines)
                ],
            )
        except BaseException:
            with self._lock:
                self._shortened |= {stream} if anew else set()
            raise
        with self._lock:
            if stream not in self._shortened:
                self._shipped[stream] = begin + sum(map(len, lines))
            self._waiting.setdefault(stream)

    def _open(self, client: Any, stream: Stream, *, anew: bool) -> None:
        names = {"logGroupName": stream.group, "logStreamName": stream.name}
        if anew and stream in self._known:
            client.delete_log_stream(**names)
            self._known.discard(stream)
        if stream in self._known:
            return
        for create, arguments in (
            (client.create_log_group, {"logGroupName": stream.group}),
            (client.create_log_stream, names),
        ):
            try:
                create(**arguments)
            except client.exceptions.ResourceAlreadyExistsException:
                continue
        self._known.add(stream)

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            session = boto3.session.Session("local", "local", region_name=region)
            config = Config(retries={"max_attempts": 2}, connect_timeout=2)
            self._clients[region] = session.client("logs", endpoint_url=self._url, config=config)
        return self._clients[region]


def _age(found: tuple[os.stat_result, Path]) -> float:
    return -found[0].st_mtime


def _lines(path: Path, begin: int) -> list[bytes]:
    """The next lines of a file, with their ends, as many as fit a batch."""
    found: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        file.seek(begin)
        for line in file:
            size += len(line) + 26
            if found and (len(found) == BATCH_EVENTS or size > BATCH_BYTES):
                break
            found.append(line)
    return found


def _keep_end(path: Path, size: int) -> None:
    """Leave the last whole lines of a file, at most `size` bytes of them."""
    part = path.with_suffix(".part")
    with path.open("rb") as file, part.open("wb") as kept:
        file.seek(-size, os.SEEK_END)
        file.readline()
        shutil.copyfileobj(file, kept)
    part.replace(path)


def _end_with_a_line(path: Path) -> None:
    """Remove a last line that a kill cut off, or the next one would continue it."""
    content = path.read_bytes()
    if not content.endswith(b"\n"):
        with path.open("rb+") as file:
            file.truncate(content.rfind(b"\n") + 1)
