"""``python -m include.local_aws --port 4566 --data DIR [--s3-url URL]``."""

import argparse
import logging
import os
import socket
import sys
import threading
from pathlib import Path
from types import FrameType

import uvicorn

from include.local_aws.data import DataDirectoryError
from include.local_aws.s3.server import S3Failed

HOST = "127.0.0.1"
EXIT_AFTER_SECONDS = 2.5
"""SIGTERM ends everything; whatever is not over by then is ended with the process."""


def main(arguments: list[str] | None = None) -> int:
    """Run the embedded AWS until SIGTERM or SIGINT; the exit status is 0 then, 1 where it can't start."""
    parser = argparse.ArgumentParser(prog="python -m include.local_aws", description="An AWS on the laptop.")
    parser.add_argument("--port", type=_port, default=4566, help="port on 127.0.0.1, 0 for a free one (default: 4566)")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="directory that everything is kept in")
    parser.add_argument("--s3-url", metavar="URL", help="an S3 server to use instead of the built-in one")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    try:
        listener = _listen(options.port)
    except OSError as error:
        print(f"Port {options.port} on {HOST} can't be used: {error}. Choose another with --port.", file=sys.stderr)
        return 1
    return _serve(listener, options.data, options.s3_url)


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, found {text!r}")
    return number


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _serve(listener: socket.socket, data: Path, s3_url: str | None) -> int:
    from include.local_aws.house import House

    # moto reads these when it is imported and when it is asked; none of them is a secret or leads anywhere.
    os.environ.setdefault("MOTO_ACCOUNT_ID", "123456789012")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_LOGS", "AWS_PROFILE"):
        os.environ.pop(name, None)  # this process is the endpoint: its own clients are told where to go
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    try:
        house = House(data, url, s3_url)
    except (DataDirectoryError, S3Failed) as error:
        print(error, file=sys.stderr)
        return 1
    server = _Server(
        uvicorn.Config(
            house.app, log_level="warning", access_log=False, lifespan="on", ws="none", timeout_keep_alive=30,
            timeout_graceful_shutdown=1, server_header=False, date_header=False,
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
