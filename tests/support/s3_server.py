"""An S3 over HTTP for tests that need its clock or several clients at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import httpx
from moto.server import ThreadedMotoServer


@contextmanager
def running() -> Iterator[str]:
    """The address of moto's server, on a port of its own."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    empty(url)
    try:
        yield url
    finally:
        server.stop()


def empty(url: str) -> None:
    """Forget every bucket: moto keeps its state in the process, so any test before may have left its own."""
    httpx.post(f"{url}/moto-api/reset", timeout=30, trust_env=False).raise_for_status()


def client(url: str) -> Any:
    """A client of that S3."""
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
