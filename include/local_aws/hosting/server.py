"""One serving process: started, found healthy, followed, started again when it dies, drained before it is ended."""

import logging
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.local_aws.hosting.chain import ContainerSpec, write_specs
from include.local_aws.hosting.frames import ping
from include.local_aws.jobs.forkserver import Process
from include.local_aws.jobs.logs import Follower, Stream
from include.local_aws.s3.client import split_uri
from include.local_aws.sagemaker.call import Services

log = logging.getLogger(__name__)

DRAIN_SECONDS = 60
"""How long requests that are under way may go on when their server is to end (an invocation's own limit)."""

PING_SECONDS = 2
"""How long a container has for one /ping (developer guide, "How containers serve requests")."""


class Unhealthy(RuntimeError):
    """The containers did not come up."""


def fetch(services: Services, root: Path, containers: Sequence[Mapping[str, Any]]) -> None:
    """Download the containers' model data below `root` and describe the chain there; raises `S3InputError`."""
    shutil.rmtree(root, ignore_errors=True)
    specs = []
    for number, container in enumerate(containers, start=1):
        archive = ""
        if "ModelDataUrl" in container:
            path = root / f"model-{number}.tar.gz"
            services.s3.download(*split_uri(container["ModelDataUrl"]), path)
            archive = path.name
        specs.append(ContainerSpec(container["Image"], archive, container.get("Environment", {})))
    write_specs(root / "chain.json", specs)


@dataclass(eq=False)
class Server:
    """A variant's process. `port` is 0 until it is healthy."""

    services: Services
    root: Path
    stream: Stream
    port: int = 0
    in_flight: int = 0
    failures: int = 0
    reviving: threading.Thread | None = None
    _process: Process | None = None
    _output: Follower = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _following: threading.Lock = field(default_factory=threading.Lock)
    _ended: bool = False

    def __post_init__(self) -> None:
        self._output = Follower(self.root / "log.txt")

    def start(self) -> None:
        """Fork the process; what `fetch` left below the root is what it serves."""
        for left in ("port", "failure", "log.txt"):
            (self.root / left).unlink(missing_ok=True)
        for left_folder in self.root.glob("container-*"):
            shutil.rmtree(left_folder)
        with self._following:
            self._output = Follower(self.root / "log.txt")
        with self._lock:
            self.port = 0
            if self._ended:
                return
            self._process = self.services.forks.run(
                "include.local_aws.hosting.process:main",
                [str(self.root)],
                cwd=self.root,
                log_file=self.root / "log.txt",
            )

    def wait_healthy(self, seconds: float) -> None:
        """Wait for the first good /ping; raises `Unhealthy` with the containers' own words."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.follow()
            process = self._process
            if process is None or process.ended.is_set():
                failure = self.root / "failure"
                said = failure.read_text("utf-8") if failure.exists() else "The serving process ended."
                raise Unhealthy(said)
            port = self.root / "port"
            if port.exists():
                number = int(port.read_text("utf-8"))
                if ping(number, PING_SECONDS):
                    self.port = number
                    return
            time.sleep(0.02)
        raise Unhealthy(f"No healthy /ping within {seconds:.0f} s.")

    @property
    def dead(self) -> bool:
        """Whether its process ended without being asked to."""
        return not self._ended and self._process is not None and self._process.ended.is_set()

    def follow(self, *, last: bool = False) -> None:
        """Write what the containers printed to the endpoint's log."""
        with self._following:
            self.services.logs.write(self.stream, list(self._output.lines(last=last)))
            self._output.forget()

    def end(self, *, drain: bool = True) -> None:
        """End the process, after the requests that are under way, and remove its files."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while drain and self.in_flight and time.monotonic() < deadline:
            time.sleep(0.02)
        with self._lock:
            self._ended = True
            self.port = 0
        if self._process is not None:
            self._process.kill()
        self.follow(last=True)
        shutil.rmtree(self.root, ignore_errors=True)
