"""Starting the embedded AWS for tests, as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90


@dataclass
class Running:
    """An embedded AWS that answers."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    data: Path
    clients: dict[str, Any] = field(default_factory=dict)

    def health(self) -> dict[str, Any]:
        """What it tells about itself."""
        with urllib.request.urlopen(f"{self.url}/_health", timeout=5) as response:  # noqa: S310 - loopback
            answer: dict[str, Any] = json.load(response)
        return answer

    def control(self, **settings: Any) -> dict[str, Any]:
        """Make things go wrong by ``/_control`` (see include/local_aws/faults), or nothing any more; what it tells."""
        return self._control("PUT" if settings else "DELETE", json.dumps(settings).encode())

    def controlled(self) -> dict[str, Any]:
        """The settings of ``/_control``, calls by service and operation since they were made, and hits by fault."""
        return self._control("GET", None)

    def _control(self, method: str, body: bytes | None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/_control", data=body, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - loopback
            answer: dict[str, Any] = json.load(response)
        return answer

    def stop(self) -> None:
        """End it as a user would, and wait."""
        for client in self.clients.values():
            client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
                raise

    def kill(self) -> None:
        """End it without asking."""
        self.process.kill()
        self.process.wait()

    def client(self, service: str, region: str = "us-east-1", **config: Any) -> Any:
        """An unmodified boto3 client of one of its services, made once; it does not retry."""
        import boto3
        from botocore.config import Config

        key = f"{service} {region} {config}"
        if key not in self.clients:
            session = boto3.session.Session("test", "test", region_name=region)
            settings = Config(**{"retries": {"max_attempts": 0}, **config})
            self.clients[key] = session.client(service, endpoint_url=self.url, config=settings)
        return self.clients[key]


def descendants(pid: int) -> set[int]:
    """All processes below one, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except FileNotFoundError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def start(data_dir: Path, port: int | None = None, *arguments: str) -> Running:
    """Start it on `port` (None: a free one) with its data in `data_dir`, and wait until it is ready.

    Its output goes to ``data_dir/server.log``, whose end is in the error if it does not start.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    log = data_dir / "server.log"
    said = log.stat().st_size if log.exists() else 0
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "include.local_aws", "--port", str(port or 0), "--data", str(data_dir), *arguments],
            cwd=ROOT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        url = _url(log, said)
        if url is not None:
            running = Running(url, int(url.rsplit(":", 1)[1]), process, data_dir)
            try:
                if running.health()["ready"]:
                    return running
            except (urllib.error.URLError, ConnectionError):
                pass  # it has said where it will listen, and does not yet
        time.sleep(0.05)
    status = process.poll()
    process.kill()
    process.wait()
    tail = log.read_text(errors="replace")[-3000:]
    raise RuntimeError(f"The embedded AWS did not start (exit status {status}). Its output ends with:\n{tail}")


def _url(log: Path, offset: int) -> str | None:
    with log.open("rb") as file:
        file.seek(offset)
        for line in file.read().decode(errors="replace").splitlines():
            if line.startswith("embedded AWS on "):
                return line.split()[3].rstrip(",")
    return None
