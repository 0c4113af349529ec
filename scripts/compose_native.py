"""``docker compose up`` without an engine: every service of docker-compose.yaml as a process of this machine.

Each service runs the very command and environment that the file gives, in the order of its ``depends_on``, and counts
as healthy when the file's own health check says so. Namespaces stand in for containers (scripts/compose_namespaces.py),
this virtual environment and Debian's packages for the images (scripts/compose_images.py). Needs root.

    python -m scripts.compose_native [--profile celery] [--state DIR]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from scripts.compose_file import ComposeError, Dependency, Project, Service, load, read_env
from scripts.compose_images import stand_in
from scripts.compose_namespaces import ROOT, Namespaces, kill


@dataclass
class _Running:
    """A service's process and what its health check said last."""

    service: Service
    process: subprocess.Popen[bytes]
    started: float
    probe: subprocess.Popen[bytes] | None = None
    probed: float = 0.0
    failures: int = 0
    healthy: bool = False
    completed: bool = False

    @property
    def ends(self) -> bool:
        """Whether it is meant to end by itself."""
        return self.service.restart == "no"

    @property
    def settled(self) -> bool:
        """Whether it has come to be what it should be."""
        return self.completed if self.ends else self.healthy

    def pid(self) -> int | None:
        """The first process inside the service's namespaces, as seen from outside."""
        task = self.process.pid
        try:
            children = Path(f"/proc/{task}/task/{task}/children").read_text().split()
        except FileNotFoundError:
            return None
        return int(children[0]) if children else None


@dataclass
class Native:
    """The services of a project; volumes and logs are below ``state``."""

    project: Project
    state: Path
    _inside: Namespaces = field(init=False)
    _running: dict[str, _Running] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._inside = Namespaces(self.project, self.state.resolve())

    def up(self, seconds: float = 180) -> None:
        """Start everything and wait until all that have a health check are healthy and what ends by itself has."""
        self._inside.open()
        waiting = dict(self.project.services)
        deadline = time.monotonic() + seconds
        while waiting or not all(running.settled for running in self._running.values()):
            for name, service in list(waiting.items()):
                if all(self._met(dependency) for dependency in service.depends_on):
                    del waiting[name]
                    self._running[name] = _Running(service, self._inside.start(service), time.monotonic())
            self.check()
            if time.monotonic() > deadline:
                late = [*waiting, *(name for name, running in self._running.items() if not running.settled)]
                raise ComposeError(
                    f"waited {seconds:.0f} s, not up yet: {', '.join(late)}; logs in {self.state}/logs\n"
                    + self._tail(f"{late[-1]}.health")
                )
            time.sleep(0.1)

    def check(self) -> None:
        """Take note of what ended and of health; ComposeError where a service that should run ended or is unhealthy."""
        for name, running in self._running.items():
            status = running.process.poll()
            if status == 0 and running.ends:
                running.completed = True
            elif status is not None:
                raise ComposeError(f"{name} ended with status {status}: {self.log(name)}\n{self._tail(name)}")
            else:
                self._probe(running)

    def health(self) -> dict[str, str]:
        """``healthy``, ``completed`` or ``starting`` for each service that was started."""
        return {
            name: "completed" if running.completed else "healthy" if running.healthy else "starting"
            for name, running in self._running.items()
        }

    def down(self) -> None:
        """Stop what nothing else needs, then what that needed; each may take its time, then it is killed."""
        while self._running:
            needed = {need.service for running in self._running.values() for need in running.service.depends_on}
            _stop([self._running.pop(name) for name in set(self._running) - needed])
        self._inside.close()

    def __enter__(self) -> Native:
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def log(self, name: str) -> Path:
        """Where a service's output goes; ``<service>.health`` for its health check's."""
        return self._inside.log(name)

    def _tail(self, name: str, lines: int = 25) -> str:
        path = self.log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def _probe(self, running: _Running) -> None:
        check, name = running.service.healthcheck, running.service.name
        if check is None:
            running.healthy = True
            return
        now = time.monotonic()
        starting = not running.healthy and now - running.started < check.start_period
        if running.probe is None:
            pid = running.pid()
            if pid is not None and now - running.probed >= (check.start_interval if starting else check.interval):
                running.probed, running.probe = now, self._inside.execute(running.service, pid, check.test)
        elif running.probe.poll() is not None or now - running.probed >= check.timeout:
            well = running.probe.poll() == 0
            kill(running.probe)
            running.probe = None
            running.failures = 0 if well or starting else running.failures + 1
            running.healthy = well or (running.healthy and running.failures < check.retries)
            if running.failures >= check.retries:
                raise ComposeError(
                    f"{name} is unhealthy: {self.log(f'{name}.health')}\n{self._tail(f'{name}.health', 3)}"
                )

    def _met(self, dependency: Dependency) -> bool:
        if dependency.service not in self.project.services:
            if dependency.required:
                raise ComposeError(f"expected the service {dependency.service} among those enabled: it is depended on")
            return True
        running = self._running.get(dependency.service)
        if running is None:
            return False
        match dependency.condition:
            case "service_completed_successfully":
                return running.completed
            case "service_healthy":
                return running.healthy
        return True


def _stop(group: list[_Running]) -> None:
    begun = time.monotonic()
    for running in group:
        if (pid := running.pid()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, stand_in(running.service.image).stop_signal)
    for running in group:
        left = running.service.stop_grace_period - (time.monotonic() - begun)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(max(0.0, left))
        for process in (running.process, running.probe):
            if process:
                kill(process)


def main(arguments: list[str] | None = None) -> int:
    """Run until Ctrl-C; 1 with a sentence where something does not start or ends by itself."""
    parser = argparse.ArgumentParser(prog="python -m scripts.compose_native", description="docker compose up, natively")
    parser.add_argument("--profile", action="append", default=[], help="a profile to enable, such as celery")
    parser.add_argument("--state", type=Path, default=ROOT / ".local" / "compose", help="folder of volumes and logs")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    env = ROOT / ".env"
    try:
        variables = {**(read_env(env) if env.exists() else {}), **os.environ}
        begun = time.monotonic()
        native = Native(load(ROOT / "docker-compose.yaml", variables, frozenset(options.profile)), options.state)
        with native:
            for name, health in native.health().items():
                print(f"{name:<16}{health}")
            print(f"up after {time.monotonic() - begun:.0f} s; Ctrl-C stops everything", flush=True)
            while True:
                time.sleep(1)
                native.check()
    except ComposeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
