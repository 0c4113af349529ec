"""CloudWatch Logs of jobs and endpoints.

Lines are kept in files below the data directory, one per stream, and shipped to the Logs service (moto, which forgets
everything when it ends) in batches, through the same API that anybody would use. At start the files are shipped again.
"""

import json
import logging
import queue
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

BATCH = 1000
"""Events per PutLogEvents; the service takes 10,000 and 1 MiB."""
MAX_LINE = 10_000
"""Characters of one line that are kept, so that a batch stays below the service's 1 MiB in nearly every case."""


@dataclass(frozen=True)
class Stream:
    """One log stream: where the Logs service shows it."""

    region: str
    group: str
    name: str


@dataclass(frozen=True)
class Event:
    """One line, with the time it was read at (milliseconds since the epoch)."""

    stream: Stream
    time: int
    text: str


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


class Logs:
    """The log files, and the thread that ships them."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory
        self._url = url
        self._queue: queue.Queue[Event | None] = queue.Queue()
        self._clients: dict[str, Any] = {}
        self._known: set[Stream] = set()
        self._file_lock = threading.Lock()
        self._stopping = threading.Event()
        self._shipper = threading.Thread(target=self._ship, name="log-shipper", daemon=True)

    def begin(self) -> None:
        """Start shipping, what the files hold first; call it when the Logs service can be reached."""
        for event in self._kept():
            self._queue.put(event)
        self._shipper.start()

    def stop(self) -> None:
        """Stop shipping; what wasn't shipped is in the files."""
        self._stopping.set()
        self._queue.put(None)

    def write(self, stream: Stream, lines: list[str]) -> None:
        """Append lines to a stream, now."""
        if not lines:
            return
        now = int(time.time() * 1000)
        events = [Event(stream, now, line[:MAX_LINE]) for line in lines]
        path = self._path(stream)
        with self._file_lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps([event.time, event.text]) + "\n" for event in events)
        for event in events:
            self._queue.put(event)

    def _path(self, stream: Stream) -> Path:
        return self._directory / stream.region / quote(stream.group, safe="") / (quote(stream.name, safe="") + ".jsonl")

    def _kept(self) -> Iterator[Event]:
        for path in sorted(self._directory.glob("*/*/*.jsonl")):
            region, group, name = path.parts[-3], unquote(path.parts[-2]), unquote(path.stem)
            with path.open(encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):  # a line cut off by a kill is no line
                        moment, text = json.loads(line)
                        yield Event(Stream(region, group, name), moment, text)

    def _ship(self) -> None:
        ended = False
        while not ended:
            batch: list[Event] = []
            event = self._queue.get()
            while event is not None:
                batch.append(event)
                if len(batch) >= BATCH:
                    break
                try:
                    event = self._queue.get(timeout=0.2)
                except queue.Empty:
                    break
            else:
                ended = True
            by_stream: dict[Stream, list[Event]] = {}
            for each in batch:
                by_stream.setdefault(each.stream, []).append(each)
            for stream, events in by_stream.items():
                try:
                    self._put(stream, events)
                except (ClientError, BotoCoreError) as error:
                    # The lines are in the files and come with the next start; a job must not fail for its log.
                    if self._stopping.wait(0.5):
                        return  # the port is closed because the server ends
                    log.warning("could not ship %d lines to %s %s: %s", len(events), stream.group, stream.name, error)

    def _put(self, stream: Stream, events: list[Event]) -> None:
        client = self._client(stream.region)
        if stream not in self._known:
            for create, arguments in (
                (client.create_log_group, {"logGroupName": stream.group}),
                (client.create_log_stream, {"logGroupName": stream.group, "logStreamName": stream.name}),
            ):
                try:
                    create(**arguments)
                except client.exceptions.ResourceAlreadyExistsException:
                    continue
            self._known.add(stream)
        client.put_log_events(
            logGroupName=stream.group,
            logStreamName=stream.name,
            logEvents=[{"timestamp": event.time, "message": event.text or " "} for event in events],
        )

    def _client(self, region: str) -> Any:
        if region not in self._clients:
            session = boto3.session.Session("local", "local", region_name=region)
            config = Config(retries={"max_attempts": 2}, connect_timeout=2)
            self._clients[region] = session.client("logs", endpoint_url=self._url, config=config)
        return self._clients[region]
