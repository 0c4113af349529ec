"""The process that serves one model: its containers behind ``/ping`` and ``/invocations`` on a loopback port."""

import os
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from include.local_aws.hosting.chain import Chain, ChainError, load, read_specs
from include.local_aws.images import BadRequest

AT_ONCE = 2
"""Invocations that compute at the same time; others wait for their turn, so that memory does not grow with callers."""


def main(root: str) -> None:
    """Load the chain described in ``chain.json``, then serve; the port is written to ``port`` once it is healthy."""
    directory = Path(root)
    try:
        chain = load(read_specs(directory / "chain.json"), directory)
    except ChainError as error:
        traceback.print_exc()
        (directory / "failure").write_text(str(error), encoding="utf-8")
        sys.exit(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(chain))
    server.daemon_threads = True
    part = directory / "port.part"
    part.write_text(str(server.server_address[1]), encoding="utf-8")
    part.replace(directory / "port")
    print(f"serving on process {os.getpid()}", flush=True)
    server.serve_forever()


def _handler(chain: Chain) -> type[BaseHTTPRequestHandler]:
    places = threading.BoundedSemaphore(AT_ONCE)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == "/ping":
                self._answer(200, b"", "text/plain")
            else:
                self._answer(404, b"Expected GET /ping or POST /invocations.", "text/plain")

        def do_POST(self) -> None:
            if self.path != "/invocations":
                self._answer(404, b"Expected GET /ping or POST /invocations.", "text/plain")
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content_type = self.headers.get("Content-Type", "application/octet-stream")
            try:
                with places:
                    answer, answer_type = chain.invoke(body, content_type, self.headers.get("Accept"))
            except BadRequest as error:
                print(f"400: {error}", flush=True)
                self._answer(400, str(error).encode(), "text/plain")
            except Exception as error:  # noqa: BLE001 - whatever a container raises is its answer 500, and in its log
                traceback.print_exc()
                self._answer(500, f"{type(error).__name__}: {error}".encode(), "text/plain")
            else:
                self._answer(200, answer, answer_type)

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            if self.path != "/ping":
                print(f'"{self.command} {self.path}" {code} {size}', flush=True)

    return Handler
