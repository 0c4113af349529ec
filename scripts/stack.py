"""Start and stop the whole thing on this machine: the embedded AWS and Airflow's four components.

Used by ``make demo``, ``make up`` and the acceptance tests. Everything it writes is below one state folder; everything
it starts carries a marker in its environment, so that stopping can find it wherever it went.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "automl-retraining"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/automl-retraining"
AIRFLOW_COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
_MARKER = "AUTOML_RETRAINING_STACK"
_PR_SET_PDEATHSIG = 1
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="stack-starter")
"""Starts every component: to the kernel, the parent is the thread that made it, and the caller's may end early."""


class StackError(RuntimeError):
    """Something did not start; the message names it and where its log is."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def salt_of(pipeline: str) -> str:
    """The salt that ``Stack.fix_split`` gives a pipeline: which rows are its test rows follows from it."""
    return hashlib.blake2b(pipeline.encode(), digest_size=16).hexdigest()


@dataclass
class Stack:
    """The embedded AWS and Airflow, with all state below ``state``.

    Ports are 0 for any free one. ``environment`` is added to every process's. ``users`` are Airflow's, with their
    roles (viewer, user, op, admin).
    """

    state: Path
    airflow_port: int = 0
    aws_port: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    pause_dags: bool = True
    users: Mapping[str, str] = field(default_factory=lambda: {"admin": "admin", "viewer": "viewer"})
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = self.state.resolve()
        self.airflow_port = self.airflow_port or free_port()
        self.aws_port = self.aws_port or free_port()
        self._marker = secrets.token_hex(8)
        self._sessions: set[int] = set()

    @property
    def airflow_url(self) -> str:
        """Address of Airflow's UI and API."""
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def aws_url(self) -> str:
        """Address of the embedded AWS."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def passwords(self) -> dict[str, str]:
        """Airflow's users and their passwords, made once per state folder and readable by its owner only."""
        path = self.state / "airflow" / "passwords.json"
        if not path.exists():
            _write_private(path, json.dumps({user: secrets.token_urlsafe(9) for user in self.users}))
        return dict(json.loads(path.read_text()))

    def start_aws(self) -> None:
        """Start the embedded AWS, wait until it is ready and create the bucket of the run folders."""
        self._spawn(
            "aws",
            [
                sys.executable,
                "-m",
                "include.local_aws",
                "--port",
                str(self.aws_port),
                "--data",
                str(self.state / "aws"),
            ],
        )
        self._wait_for("aws", f"{self.aws_url}/_health", seconds=60)
        s3 = self.aws_client("s3")
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=BUCKET)

    def fix_split(self, pipeline: str) -> None:
        """Give a new pipeline the same split in every stack, where the first run would draw a salt of its own."""
        state = json.dumps({"salt": salt_of(pipeline), "cutoff": None})
        self.aws_client("s3").put_object(Bucket=BUCKET, Key=f"{pipeline}/state/split.json", Body=state.encode())

    def start(self) -> None:
        """Start everything and wait until it answers."""
        (self.state / "airflow").mkdir(parents=True, exist_ok=True)
        _ = self.passwords
        migrate = self._spawn("migrate", [self._program("airflow"), "db", "migrate"])
        self.start_aws()
        if migrate.wait(timeout=120) != 0:
            raise StackError(f"airflow db migrate ended with status {migrate.returncode}: see {self.log('migrate')}")
        for component in AIRFLOW_COMPONENTS:
            self.start_component(component)
        self._wait_for("api-server", f"{self.airflow_url}/api/v2/monitor/health", seconds=120)
        self._wait_until("every Airflow component is healthy", self._healthy, seconds=120)

    def start_component(self, component: str, name: str | None = None) -> None:
        """Start one of Airflow's components; a second one of a kind needs a ``name`` of its own."""
        command = [self._program("airflow"), component]
        if component == "api-server":
            command += ["--host", "127.0.0.1", "--port", str(self.airflow_port), "--workers", "1"]
        if component in ("scheduler", "triggerer"):
            # Their log servers would listen on every address; the api-server reads the files instead.
            command += ["--skip-serve-logs"]
        self._spawn(name or component, command)

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """The process of ``aws`` or of one of Airflow's components."""
        return self._processes[name]

    def log(self, name: str) -> Path:
        """Where that process's output goes."""
        return self.state / "logs" / f"{name}.log"

    def check(self) -> None:
        """Raise StackError where a component has ended by itself."""
        for component, process in self._processes.items():
            if component != "migrate" and process.poll() is not None:
                raise StackError(
                    f"{component} ended with status {process.returncode}: see {self.log(component)}\n"
                    + _tail(self.log(component))
                )

    def stop(self) -> None:
        """End everything this stack started, including what a killed component left behind."""
        for name in reversed(list(self._processes)):
            _signal_group(self._processes[name], signal.SIGTERM)
        deadline = time.monotonic() + 8
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
        for process in self._processes.values():
            _signal_group(process, signal.SIGKILL)
            process.wait()
        for pid in list(self.pids()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._processes.clear()

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def aws_client(self, service: str) -> Any:
        """An unmodified boto3 client of the embedded AWS."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.aws_url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - the embedded AWS takes any
        )

    def env(self) -> dict[str, str]:
        """The environment of every process of the stack: nothing of AWS leaks in from the caller's."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "AWS_", "AUTOML_RETRAINING_")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        connection = {
            "conn_type": "aws",
            "login": "local",
            "password": "local",
            "extra": {"region_name": REGION, "endpoint_url": self.aws_url},
        }
        return {
            **inherited,
            _MARKER: self._marker,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT),
            "AIRFLOW_HOME": str(self.state / "airflow"),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "AUTOML_RETRAINING_BUCKET": BUCKET,
            "AUTOML_RETRAINING_ROLE_ARN": ROLE_ARN,
            "AUTOML_RETRAINING_DEPLOYMENT": "local",
            **self._airflow_settings(),
            **self.environment,
        }

    def _airflow_settings(self) -> dict[str, str]:
        home = self.state / "airflow"
        keys = home / "keys.json"
        if not keys.exists():
            _write_private(keys, json.dumps({name: secrets.token_hex(32) for name in ("jwt", "api")}))
        secret = json.loads(keys.read_text())
        return {
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": str(self.pause_dags),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in self.users.items()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.airflow_url}/execution/",
            "AIRFLOW__API__BASE_URL": self.airflow_url,
            "AIRFLOW__API__PORT": str(self.airflow_port),
            "AIRFLOW__API__SECRET_KEY": secret["api"],
            "AIRFLOW__API_AUTH__JWT_SECRET": secret["jwt"],
            # Measured: half a second less for each task than with the default of one second.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            # A deferral lasts at least one heartbeat: five seconds by default.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__TRIGGERER__ON_KILL_TIMEOUT": "120",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            # Within this a changed pipeline shows; each look costs about a second of a core for every DAG file.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        }

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        path = self.log(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as log:
            process = _STARTER.submit(
                subprocess.Popen,
                command,
                cwd=ROOT,
                env=self.env(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            ).result()
        self._processes[name] = process
        self._sessions.add(process.pid)
        return process

    def _program(self, name: str) -> str:
        return str(Path(sys.executable).parent / name)

    def pids(self) -> Iterator[int]:
        """Every process that this stack started, also what a killed component left behind.

        A process that gave itself a title wrote it over its environment: it is known by its session.
        """
        wanted = f"{_MARKER}={self._marker}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                session = int((folder / "stat").read_bytes().rpartition(b")")[2].split()[3])
                if session in self._sessions or wanted in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)

    def _wait_for(self, name: str, url: str, seconds: float) -> None:
        import httpx

        def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(url, timeout=5).status_code == 200
            return False

        self._wait_until(f"{name} answers at {url}", answers, seconds, name)

    def _wait_until(self, what: str, done: Callable[[], bool], seconds: float, name: str | None = None) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise StackError(f"waited {seconds:.0f} s until {what}: see {self.log(name or 'scheduler')}")
            time.sleep(0.2)

    def _healthy(self) -> bool:
        import httpx

        health = httpx.get(f"{self.airflow_url}/api/v2/monitor/health", timeout=10).json()
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "triggerer", "dag_processor"))


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _end_with_parent() -> None:
    """Ask the kernel to end this child when its parent dies, however that happens (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
