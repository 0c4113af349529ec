"""Sending messages: events to EventBridge's default bus, and alarms' notifications to topics of SNS.

Both are moto's, and are reached over HTTP through the same API that anybody would use. Messages wait in memory in the
order of their making; those that were not sent when the server is killed are lost.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

log = logging.getLogger(__name__)

MOST_WAITING = 100_000
_BATCH = 10
"""Entries of one PutEvents (API reference)."""


@dataclass(frozen=True)
class _Event:
    region: str
    entry: Mapping[str, Any]


@dataclass(frozen=True)
class _Notice:
    region: str
    topic: str
    subject: str
    message: str


class Bus:
    """The messages that wait, and the thread that sends them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: queue.Queue[_Event | _Notice | None] = queue.Queue(MOST_WAITING)
        self._clients: dict[tuple[str, str], Any] = {}
        self._closing = threading.Event()
        self._sender = threading.Thread(target=self._send_all, name="event-bus", daemon=True)

    def begin(self) -> None:
        """Start sending; call it when this AWS can be reached."""
        self._sender.start()

    def close(self) -> None:
        """Stop sending: the port is closed, or will be."""
        self._closing.set()
        self._put(None)
        if self._sender.is_alive():
            self._sender.join(5)

    def emit(
        self, region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Send an event, in the background."""
        entry = {
            "Time": time.time(),
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "Resources": list(resources),
        }
        self._put(_Event(region, entry))

    def notify(self, region: str, topic: str, subject: str, message: Mapping[str, Any]) -> None:
        """Publish to a topic of SNS, in the background."""
        self._put(_Notice(region, topic, subject[:100], json.dumps(message)))

    def _put(self, message: _Event | _Notice | None) -> None:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            log.warning("%d messages wait for EventBridge and SNS; one more is dropped", MOST_WAITING)

    def _send_all(self) -> None:
        while (message := self._waiting.get()) is not None and not self._closing.is_set():
            try:
                if isinstance(message, _Event):
                    self._send_events(message)
                else:
                    self._client("sns", message.region).publish(
                        TopicArn=message.topic, Subject=message.subject, Message=message.message
                    )
            except (BotoCoreError, ClientError) as error:
                if not self._closing.is_set():
                    log.warning("could not send %s: %s", message, error)

    def _send_events(self, first: _Event) -> None:
        """The event, with those of its region that wait right behind it."""
        batch = [first]
        while len(batch) < _BATCH and (following := self._peek()) is not None and following.region == first.region:
            batch.append(following)
            self._waiting.get_nowait()
        answer = self._client("events", first.region).put_events(Entries=[dict(each.entry) for each in batch])
        if answer["FailedEntryCount"]:
            log.warning("EventBridge refused events: %s", answer["Entries"])

    def _peek(self) -> _Event | None:
        with self._waiting.mutex:
            following = self._waiting.queue[0] if self._waiting.queue else None
        return following if isinstance(following, _Event) else None

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            session = boto3.session.Session("local", "local", region_name=region)
            config = Config(retries={"max_attempts": 3}, connect_timeout=2, read_timeout=10)
            self._clients[(service, region)] = session.client(service, endpoint_url=self._url, config=config)
        return self._clients[(service, region)]
