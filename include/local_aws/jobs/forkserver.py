"""The front's side of the fork server: start a function in a fresh warm process, watch it, end it."""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.local_aws.children import end, kill_group, launch
from include.local_aws.jobs.memory import default_limit

log = logging.getLogger(__name__)

KILL_AFTER_SECONDS = 3
"""How long a stopped process has between SIGTERM and SIGKILL (SageMaker gives 120 s)."""

_POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_THREADS = dict.fromkeys(_POOLS, "1")
"""One thread per process: as many processes run as there are cores, and the pools must not multiply that."""


class ForkServerDown(RuntimeError):
    """The fork server can't start a process now."""


@dataclass
class Process:
    """One process that the fork server started. It is over when `ended` is set; `exit_code` is None if it got lost."""

    pid: int = 0
    exit_code: int | None = None
    ran: float | None = None
    """Seconds that the function itself took; None where the process did not live to tell."""
    peak: int = 0
    """Bytes of its largest resident size, what it shares with the fork server included; 0 if it got lost."""
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it is over within `timeout` seconds."""
        return self.ended.wait(timeout)

    def wait_or_wake(self, timeout: float) -> bool:
        """As `wait`, and back at once when `wake` is called, for the one thread that watches this process."""
        self._news.wait(timeout)
        return self.ended.is_set()

    def wake(self) -> None:
        """Let `wait_or_wake` return now, whatever the reason is."""
        self._news.set()

    def over(self) -> None:
        """It has ended, or was lost."""
        self.started.set()
        self.ended.set()
        self._news.set()

    def stop(self) -> None:
        """SIGTERM to its process group, SIGKILL after `KILL_AFTER_SECONDS`, and wait."""
        if self.ended.is_set():
            return
        kill_group(self.pid, signal.SIGTERM)
        if not self.ended.wait(KILL_AFTER_SECONDS):
            log.info("process %s did not end on SIGTERM; killing its group", self.pid)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to its process group, and wait."""
        kill_group(self.pid)
        self.ended.wait(KILL_AFTER_SECONDS)


class ForkServer:
    """The warm process; started again whenever it ends by itself."""

    def __init__(
        self, directory: Path, environment: Mapping[str, str] | None = None, *, job_memory: int | None = None
    ) -> None:
        """`environment` are variables that all its processes have beside those of this one. `job_memory` is how many
        bytes each may allocate, and those of one job together; None is an equal part of the machine's.
        """
        self.job_memory = job_memory or default_limit(os.cpu_count() or 1)
        self._directory = directory
        self._environment = dict(environment or {})
        self._lock = threading.Lock()
        self._running: dict[int, Process] = {}
        self._next = 0
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._warm = threading.Event()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="fork-server", daemon=True)

    @property
    def warm(self) -> bool:
        """Whether a process would start at once."""
        return self._warm.is_set()

    @property
    def pid(self) -> int | None:
        """The fork server's own process id, for the health page."""
        return self._process.pid if self._process else None

    @property
    def environment(self) -> dict[str, str]:
        """The variables that all its processes have beside those of this one."""
        return dict(self._environment)

    def begin(self) -> None:
        """Start warming up, without waiting."""
        self._keeper.start()

    def stop(self) -> None:
        """Kill the fork server and everything it started."""
        self._stopping.set()
        if self._process is not None:
            end(self._process)
        self._keeper.join(KILL_AFTER_SECONDS)

    def run(
        self,
        target: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        nice: int = 0,
    ) -> Process:
        """Start ``module:function`` with string arguments in a process of its own, in a session of its own.

        `nice` is how far it stands back for others when the cores are busy (0 to 19).
        Waits for the fork server to be warm. Raises `ForkServerDown` where it is not, for a minute.
        """
        if not self._warm.wait(60):
            raise ForkServerDown("The embedded AWS's fork server is not up; see zygote.log in its data directory.")
        process = Process()
        with self._lock:
            self._next += 1
            number = self._next
            self._running[number] = process
            request = {
                "id": number,
                "target": target,
                "arguments": list(arguments),
                "cwd": str(cwd),
                "log": str(log_file),
                "environment": dict(environment or {}),
                "memory": self.job_memory,
                "nice": nice,
            }
            try:
                assert self._connection is not None
                self._connection.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                self._running.pop(number)
                raise ForkServerDown(f"The embedded AWS's fork server is gone: {error}.") from error
        if not process.started.wait(30) or process.pid == 0:
            raise ForkServerDown("The embedded AWS's fork server did not start the process.")
        return process

    def _keep(self) -> None:
        while not self._stopping.is_set():
            ours, theirs = socket.socketpair()
            with theirs:
                self._process = launch(
                    [sys.executable, "-m", "include.local_aws.jobs.zygote", str(theirs.fileno())],
                    cwd=Path(__file__).parents[3],
                    environment={**os.environ, **self._environment, **_THREADS, "PYTHONUNBUFFERED": "1"},
                    log=self._directory / "zygote.log",
                    pass_fds=[theirs.fileno()],
                )
            with ours:
                self._connection = ours
                self._listen(ours)
                self._lost()
            self._process.wait()
            if not self._stopping.is_set():
                log.error("the fork server ended; starting it again")
                time.sleep(0.5)

    def _listen(self, connection: socket.socket) -> None:
        pending = b""
        while True:
            try:
                received = connection.recv(65536)
            except ConnectionResetError:
                return
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))

    def _hear(self, message: Mapping[str, Any]) -> None:
        if "ready" in message:
            self._warm.set()
            return
        with self._lock:
            process = self._running[message["id"]]
            if "exit" in message:
                del self._running[message["id"]]
        if "pid" in message:
            process.pid = message["pid"]
            process.started.set()
        else:
            # A child that started its own children and did not wait for them leaves none behind.
            kill_group(process.pid)
            process.exit_code = message["exit"]
            process.ran, process.peak = message["ran"], message["peak"]
            process.over()

    def _lost(self) -> None:
        """The fork server is gone: its children were killed by the kernel, theirs are killed here."""
        self._warm.clear()
        with self._lock:
            lost = list(self._running.values())
            self._running.clear()
        for process in lost:
            if process.pid:
                with contextlib.suppress(PermissionError):
                    kill_group(process.pid)
            process.over()
