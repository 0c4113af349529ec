"""Data capture: what was asked of an endpoint and what it answered, as JSON Lines in S3.

Lines are kept in files of the data directory until they are sent, a few seconds later or when a file is large; those
that a killed server left are sent when it is started again. Source of layout and members: SageMaker developer guide,
"Capture data from real-time endpoint".
"""

import base64
import json
import logging
import queue
import random
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.local_aws.jobs.logs import Logs, Stream
from include.local_aws.s3.client import S3Files, S3InputError

log = logging.getLogger(__name__)

SEND_SECONDS = 5
"""How long a file takes lines before it is sent (SageMaker: some minutes)."""
SEND_BYTES = 8 * 1024 * 1024
RETRY_SECONDS = 10
_WHERE_TO = ".uri"
MOST_WAITING = 10_000
"""Captures that wait to be written; beyond them requests are answered and not captured, as SageMaker does it too."""


@dataclass(frozen=True)
class Exchange:
    """One invocation that the container answered; `inference_id` and `custom` are the caller's headers."""

    region: str
    endpoint: str
    variant: str
    at: float
    sent_type: str
    sent: bytes
    answered_type: str
    answered: bytes
    inference_id: str | None = None
    custom: str | None = None


@dataclass
class _File:
    path: Path
    uri: str
    opened: float
    stream: Stream


class Capture:
    """Takes invocations, and the thread that writes and sends them."""

    def __init__(self, directory: Path, s3: S3Files, logs: Logs) -> None:
        self._directory = directory
        self._s3 = s3
        self._logs = logs
        self._waiting: queue.Queue[tuple[Mapping[str, Any], Exchange]] = queue.Queue(MOST_WAITING)
        self._files: dict[tuple[str, str, str, str], _File] = {}
        self._retries: dict[Path, float] = {}
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_all, name="data-capture", daemon=True)

    def begin(self) -> None:
        """Start writing; what a former server left is sent first."""
        self._retries = dict.fromkeys(self._directory.glob("*/*/*/*.jsonl"), 0.0)
        self._writer.start()

    def close(self) -> None:
        """Write and send what was taken; nothing may be taken afterwards."""
        self._closing.set()
        if self._writer.is_alive():
            self._writer.join(10)

    def take(self, config: Mapping[str, Any] | None, exchange: Exchange) -> None:
        """Capture an invocation where its endpoint's DataCaptureConfig and its share of requests ask for it.

        It is written in the background.
        """
        if not config or not config.get("EnableCapture", True):
            return
        if random.random() * 100 >= config["InitialSamplingPercentage"]:
            return
        try:
            self._waiting.put_nowait((config, exchange))
        except queue.Full:
            log.warning("%d captures wait; one of endpoint %s is dropped", MOST_WAITING, exchange.endpoint)

    def _write_all(self) -> None:
        while not self._closing.is_set() or not self._waiting.empty():
            try:
                self._write_next()
                self._send_due()
            except Exception:  # the thread must live on: the next capture may succeed
                log.exception("capturing data")
        for key in list(self._files):
            self._send(self._files.pop(key))

    def _write_next(self) -> None:
        try:
            config, exchange = self._waiting.get(timeout=0.2)
        except queue.Empty:
            return
        self._write(config, exchange)

    def _write(self, config: Mapping[str, Any], exchange: Exchange) -> None:
        destination = config["DestinationS3Uri"].rstrip("/")
        key = (exchange.region, exchange.endpoint, exchange.variant, destination)
        if key not in self._files:
            self._files[key] = self._opened(destination, exchange)
        file = self._files[key]
        with file.path.open("ab") as target:
            target.write(line(config, exchange))
            large = target.tell() > SEND_BYTES
        if large:
            self._send(self._files.pop(key))

    def _opened(self, destination: str, exchange: Exchange) -> _File:
        moment = datetime.fromtimestamp(exchange.at, UTC)
        name = f"{moment:%M-%S}-{moment.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        uri = f"{destination}/{exchange.endpoint}/{exchange.variant}/{moment:%Y/%m/%d/%H}/{name}"
        folder = self._directory / exchange.region / exchange.endpoint / exchange.variant
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        path.with_suffix(_WHERE_TO).write_text(uri, encoding="utf-8")  # so that it can be sent after a restart
        return _file(path, uri)

    def _send_due(self) -> None:
        now = time.monotonic()
        for key, file in list(self._files.items()):
            if now - file.opened >= SEND_SECONDS:
                self._send(self._files.pop(key))
        for path, at in list(self._retries.items()):
            if now >= at:
                del self._retries[path]
                self._send(_file(path, path.with_suffix(_WHERE_TO).read_text("utf-8")))

    def _send(self, file: _File) -> None:
        try:
            self._s3.upload(file.path, file.uri)
        except S3InputError as error:
            said = f"Data capture: {error} What was captured is dropped."
            log.warning("endpoint %s: %s", file.stream.group, said)
            self._logs.write(file.stream, [said])
        except (BotoCoreError, ClientError, OSError) as error:
            log.warning("could not send captured data to %s, trying again: %s", file.uri, error)
            self._retries[file.path] = time.monotonic() + RETRY_SECONDS
            return
        file.path.unlink()
        file.path.with_suffix(_WHERE_TO).unlink()


def _file(path: Path, uri: str) -> _File:
    region, endpoint, variant = path.parts[-4:-1]
    return _File(path, uri, time.monotonic(), Stream(region, f"/aws/sagemaker/Endpoints/{endpoint}", variant))


def line(config: Mapping[str, Any], exchange: Exchange) -> bytes:
    """One line of a capture file, with its end."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    both = "InputAndOutput" in modes
    captured = {}
    if both or "Input" in modes:
        captured["endpointInput"] = _part(config, "INPUT", exchange.sent_type, exchange.sent)
    if both or "Output" in modes:
        captured["endpointOutput"] = _part(config, "OUTPUT", exchange.answered_type, exchange.answered)
    moment = datetime.fromtimestamp(exchange.at, UTC)
    metadata: dict[str, Any] = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
    if exchange.custom is not None:
        metadata["customAttributes"] = [exchange.custom]
    if exchange.inference_id is not None:
        metadata["inferenceId"] = exchange.inference_id
    document = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(document).encode() + b"\n"


def _part(config: Mapping[str, Any], mode: str, content_type: str, body: bytes) -> dict[str, str]:
    encoding = _encoding(config, content_type)
    try:
        text = body.decode() if encoding != "BASE64" else base64.b64encode(body).decode()
    except UnicodeDecodeError:  # it only says that it is text
        encoding, text = "BASE64", base64.b64encode(body).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}


def _encoding(config: Mapping[str, Any], content_type: str) -> str:
    """CSV or JSON for the content types that CaptureContentTypeHeader names, else BASE64."""
    named = config.get("CaptureContentTypeHeader", {})
    plain = content_type.partition(";")[0].strip().lower()
    for member, encoding in (("CsvContentTypes", "CSV"), ("JsonContentTypes", "JSON")):
        if plain in (each.lower() for each in named.get(member, ())):
            return encoding
    return "BASE64"


def summary(config: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeEndpoint's DataCaptureConfig."""
    enabled = config.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }
