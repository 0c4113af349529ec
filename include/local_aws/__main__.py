"""``python -m include.local_aws --port 4566 --data DIR [--s3-url URL]``."""

import argparse
import logging
import os
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from include.local_aws.data import DataDirectoryError
from include.local_aws.faults.connection import PROTOCOL
from include.local_aws.faults.control import from_file
from include.local_aws.faults.settings import SettingsError
from include.local_aws.s3.server import S3Failed

HOST = "127.0.0.1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - for a container, whose port is published on 127.0.0.1 only
EXIT_AFTER_SECONDS = 2.5
"""SIGTERM ends everything; whatever is not over by then is ended with the process."""


def main(arguments: list[str] | None = None) -> int:
    """Run the embedded AWS until SIGTERM or SIGINT; the exit status is 0 then, 1 where it can't start."""
    parser = argparse.ArgumentParser(prog="python -m include.local_aws", description="An AWS on the laptop.")
    parser.add_argument("--port", type=_port, default=4566, help="port on 127.0.0.1, 0 for a free one (default: 4566)")
    parser.add_argument(
        "--bind",
        choices=(HOST, EVERYWHERE),
        default=HOST,
        help=f"{EVERYWHERE} is for containers: there is no access control, so publish the port on {HOST} only",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="directory that everything is kept in")
    parser.add_argument("--s3-url", metavar="URL", help="an S3 server to use instead of the built-in one")
    parser.add_argument("--control", type=Path, metavar="FILE", help="faults and limits to start with, as JSON")
    parser.add_argument(
        "--job-memory",
        type=_megabytes,
        metavar="MB",
        help="memory that one job may use (default: an equal part of the machine's for all that run at once)",
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        control = from_file(options.control) if options.control else {}
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        listener = _listen(options.port, options.bind)
    except OSError as error:
        print(
            f"Port {options.port} on {options.bind} can't be used: {error}. Choose another with --port.",
            file=sys.stderr,
        )
        return 1
    return _serve(listener, options.data, options.s3_url, options.job_memory, control)


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, found {text!r}")
    return number


def _megabytes(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 64:
        raise argparse.ArgumentTypeError(f"expected a whole number of megabytes, 64 or more, found {text!r}")
    return number * 1024 * 1024


def _listen(port: int, address: str = HOST) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError:
        listener.close()
        raise
    return listener


def _serve(
    listener: socket.socket, data: Path, s3_url: str | None, job_memory: int | None, control: Mapping[str, Any]
) -> int:
    from include.local_aws.house import House

    # moto reads these when it is imported and when it is asked; none of them is a secret or leads anywhere.
    os.environ.setdefault("MOTO_ACCOUNT_ID", "123456789012")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_LOGS", "AWS_PROFILE"):
        os.environ.pop(name, None)  # this process is the endpoint: its own clients are told where to go
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    try:
        house = House(data, url, s3_url, job_memory=job_memory, control=control)
    except (DataDirectoryError, S3Failed) as error:
        print(error, file=sys.stderr)
        return 1
    server = _Server(
        uvicorn.Config(
            house.app, http=PROTOCOL, log_level="warning", access_log=False, lifespan="on", ws="none",
            timeout_keep_alive=30, timeout_graceful_shutdown=1, server_header=False, date_header=False,
        )
    )  # fmt: skip
    server.on_started = house.begin
    print(f"embedded AWS on {url}, data in {data}", flush=True)
    try:
        server.run(sockets=[listener])
    finally:
        threading.Timer(EXIT_AFTER_SECONDS, os._exit, [0]).start()
        house.end()
    os._exit(0)  # threads of moto's pool and of jobs that were cut off need no farewell


class _Server(uvicorn.Server):
    """uvicorn, telling when the port is open, and ended by the first signal."""

    on_started = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        threading.Thread(target=self.on_started, name="begin", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's own signature
        # Not uvicorn's force_exit, even for SIGINT: it would cut its own lifespan off, with a traceback.
        self.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
