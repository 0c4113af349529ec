"""One notebook instance while it is on: a thread that starts its Jupyter server, watches it, and ends it when told.

What it is told stands in the store: the instance's status. The server is a child of that very thread, so that it can't
outlive this process (`children`); kernels end by themselves when their server is gone.
"""

import http.client
import logging
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from include.local_aws import children
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import DoesNotExist, Record, Store

log = logging.getLogger(__name__)

KIND = "notebook"
TICK_SECONDS = 0.2
START_SECONDS = 120
ATTEMPTS = 3
"""Starts in a row without an answer after which the instance is Failed; another process may have taken the port."""
FAREWELL_SECONDS = 5
"""Time for kernels to be shut down before everything is killed."""
_ROOT = Path(__file__).resolve().parents[3]
_CARRIED = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")


class NotebookInstance:
    """An instance in the store that is Pending or InService, and the Jupyter server that serves it."""

    def __init__(self, services: Services, record: Record) -> None:
        self._services = services
        self._store: Store = services.store
        self._region, self._name = record.region, record.name
        self._root = directory(services, record)

    def begin(self) -> None:
        """Run it in a thread of its own."""
        threading.Thread(target=self._guarded, name=f"notebook-{self._name}", daemon=True).start()

    def _guarded(self) -> None:
        try:
            self._run()
        except (DoesNotExist, sqlite3.ProgrammingError):
            return  # it was deleted, or the store is closed as the server ends
        except Exception as error:  # the thread must leave the instance in a settled status
            log.exception("notebook instance %s", self._name)
            self._settle("Failed", f"InternalServerError: {type(error).__name__}: {error}")

    def _run(self) -> None:
        failed = 0
        while self._status() in ("Pending", "InService"):
            port, token = children.free_ports(1)[0], secrets.token_hex(24)
            process = self._launch(port, token)
            try:
                up = self._comes_up(process, port, token)
                if up:
                    failed = 0
                    self._serve(process)
            finally:
                _end(process)
            if not up and self._status() == "Pending":
                failed += 1
                if failed == ATTEMPTS:
                    said = _last_words(self._root / "jupyter.log")
                    self._settle("Failed", f"InternalServerError: the Jupyter server did not start. {said}")
                    return
        self._settle("Stopped")

    def _launch(self, port: int, token: str) -> subprocess.Popen[bytes]:
        home = self._root / "home"
        work = self._root / "SageMaker"
        for each in (home, work, self._root / "tmp"):
            each.mkdir(parents=True, exist_ok=True)
        settings = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.root_dir": work,
            "ServerApp.allow_root": True,
        }
        limit = self._services.forks.job_memory
        return children.launch(
            [
                *(sys.executable, "-m", "include.local_aws.notebooks.process", str(limit)),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            cwd=work,
            environment=self._environment(home, token),
            log=self._root / "jupyter.log",
        )

    def _environment(self, home: Path, token: str) -> dict[str, str]:
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH", "")])]
        return {
            **{name: os.environ[name] for name in _CARRIED if name in os.environ},
            **self._services.forks.environment,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": self._region,
            "AWS_REGION": self._region,
            "HOME": str(home),
            "TMPDIR": str(self._root / "tmp"),
            "JUPYTER_TOKEN": token,
            "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
            "JUPYTER_DATA_DIR": str(home / ".local" / "share" / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(self._root / "tmp" / "runtime"),
            "IPYTHONDIR": str(home / ".ipython"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def _comes_up(self, process: subprocess.Popen[bytes], port: int, token: str) -> bool:
        """Wait until the server answers; False where it ended, took too long, or is not wanted any more."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None and self._status() in ("Pending", "InService"):
            if answers(port, token):

                def change(now: Record) -> Record:
                    if now.status not in ("Pending", "InService"):
                        return now
                    return now.having(status="InService", port=port, token=token, failure=None)

                self._store.update(KIND, self._region, self._name, change)
                return True
            time.sleep(TICK_SECONDS)
        return False

    def _serve(self, process: subprocess.Popen[bytes]) -> None:
        """Until it is to stop, or its server ended by itself: then it is Pending again."""
        while self._status() == "InService":
            if process.poll() is not None:
                log.warning("the Jupyter server of notebook instance %s ended and is started again", self._name)
                self._store.update(
                    KIND,
                    self._region,
                    self._name,
                    lambda now: now.having(status="Pending") if now.status == "InService" else now,
                )
                return
            time.sleep(TICK_SECONDS)

    def _status(self) -> str:
        return self._store.get(KIND, self._region, self._name).status

    def _settle(self, status: str, failure: str | None = None) -> None:
        try:
            self._store.update(
                KIND,
                self._region,
                self._name,
                lambda now: now.having(status=status, failure=failure, port=None, token=None),
            )
        except (DoesNotExist, sqlite3.ProgrammingError):
            return


def directory(services: Services, record: Record) -> Path:
    """Where an instance's files are: ``SageMaker/`` is what its notebooks see."""
    return services.directory / "notebooks" / record.region / record.name


def remove(services: Services, record: Record) -> None:
    """Remove an instance that is Deleting, with its files, in a thread of its own."""

    def work() -> None:
        shutil.rmtree(directory(services, record), ignore_errors=True)
        try:
            services.store.delete(KIND, record.region, record.name, names.arn(KIND, record.region, record.name))
        except (DoesNotExist, sqlite3.ProgrammingError):
            return  # gone already, or the server ends: the next start goes on

    threading.Thread(target=work, name=f"notebook-{record.name}", daemon=True).start()


def answers(port: int, token: str) -> bool:
    """Whether the Jupyter server of that token answers on that port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/api/status", headers={"Authorization": f"token {token}"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)  # it shuts its kernels down
        try:
            process.wait(FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            log.warning("a Jupyter server did not end in %d s and is killed", FAREWELL_SECONDS)
    children.end(process)


def _last_words(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"The last line of its log: {last}" if last else "It said nothing."


def url(body: Mapping[str, object]) -> str | None:
    """Host and port of an instance's server, as far as it has one."""
    return f"127.0.0.1:{body['port']}" if "port" in body else None
