"""Running jobs: one thread watches one job from its queue place to its end.

A job kind says what is special about it (`Job`); waiting for a core, starting, following the log, stopping and the time
limit are the same for all.
"""

import logging
import os
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path

from include.local_aws.jobs.forkserver import ForkServerDown, Process
from include.local_aws.jobs.logs import Follower, Stream
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import key_of

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
FAILURE_CHARACTERS = 1024
"""SageMaker truncates the failure file to this length."""


_BULK = ("input/data", "input/model", "output/artifacts", "output/data", "container-*", "tmp")
"""What is large in a job's directory and of no use once the job is over: its artifacts are in S3."""


class JobFailed(Exception):
    """The job fails for this reason."""


class Slots:
    """Places to run in, given in the order of asking."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    def take(self, cancelled: threading.Event) -> bool:
        """Wait for a place; False when `cancelled` is set first."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            while not (self._free > 0 and self._waiting[0] is ticket):
                if cancelled.is_set():
                    self._waiting.remove(ticket)
                    self._changed.notify_all()
                    return False
                self._changed.wait(TICK_SECONDS)
            self._waiting.popleft()
            self._free -= 1
            return True

    def give_back(self) -> None:
        """Free a place that was taken."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class Job(ABC):
    """One job of some kind. Its methods are called from its own thread, in the order in which they stand here."""

    target: str
    """``module:function`` that the process runs; its one argument is the job's directory."""

    def __init__(self, services: Services, region: str, kind: str, name: str) -> None:
        self.services = services
        self.region = region
        self.kind = kind
        self.name = name
        self.root = services.directory / "jobs" / region / kind / key_of(kind, name)

    @property
    @abstractmethod
    def stream(self) -> Stream:
        """Where its log goes."""

    def time_limit(self) -> float | None:
        """Seconds that its process may run, or None."""
        return None

    @abstractmethod
    def prepare(self) -> None:
        """Fetch its inputs and write its configuration; raises `JobFailed` or `S3InputError`."""

    @abstractmethod
    def tick(self) -> None:
        """Called every moment while its process runs, and once after it."""

    @abstractmethod
    def complete(self, *, timed_out: bool) -> None:
        """Its process ended well or was ended at its time limit; raises `JobFailed`."""

    @abstractmethod
    def fail(self, reason: str) -> None:
        """It failed: say so in the state."""

    @abstractmethod
    def stopped(self) -> None:
        """It was stopped: say so in the state."""


class Runner:
    """All the jobs that run now."""

    def __init__(self, services: Services) -> None:
        cores = os.cpu_count() or 1
        self._services = services
        # A search runs two fits at once by itself, so it counts double: as many searches as pairs of cores.
        self._slots = {"automl": Slots(max(1, cores // 2))}
        self._default_slots = Slots(max(2, cores))
        self._lock = threading.Lock()
        self._stops: dict[tuple[str, str, str], threading.Event] = {}
        self._closing = threading.Event()
        for left in (services.directory / "jobs").glob("*/*/*"):
            _discard_bulk(left)  # of jobs that a killed server cut off

    def start(self, job: Job) -> None:
        """Begin a job in a thread of its own."""
        stop = threading.Event()
        key = (job.kind, job.region, key_of(job.kind, job.name))
        with self._lock:
            self._stops[key] = stop
        thread = threading.Thread(target=self._run, args=(job, key, stop), name=f"{job.kind}-{job.name}", daemon=True)
        thread.start()

    def stop(self, kind: str, region: str, name: str) -> None:
        """Ask a job to stop; one that is over already is what was wanted."""
        with self._lock:
            stop = self._stops.get((kind, region, key_of(kind, name)))
        if stop is not None:
            stop.set()

    def running(self) -> int:
        """How many jobs run or wait."""
        with self._lock:
            return len(self._stops)

    def close(self) -> None:
        """The server ends: jobs are cut off, and say so at the next start."""
        self._closing.set()
        with self._lock:
            for stop in self._stops.values():
                stop.set()

    def _run(self, job: Job, key: tuple[str, str, str], stop: threading.Event) -> None:
        slots = self._slots.get(job.kind, self._default_slots)
        taken = False
        try:
            taken = slots.take(stop)
            self._attempt(job, stop)
        except (JobFailed, S3InputError) as failure:
            self._end(job, str(failure))
        except ForkServerDown as failure:
            self._end(job, f"InternalServerError: {failure}")
        except Exception as error:  # the job's thread must end its job
            log.exception("the %s job %s could not be supervised", job.kind, job.name)
            self._end(job, f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if taken:
                slots.give_back()
            if not self._closing.is_set():
                _discard_bulk(job.root)
            with self._lock:
                self._stops.pop(key, None)

    def _end(self, job: Job, reason: str) -> None:
        if not self._closing.is_set():
            job.fail(reason[:FAILURE_CHARACTERS])

    def _attempt(self, job: Job, stop: threading.Event) -> None:
        if not stop.is_set():
            shutil.rmtree(job.root, ignore_errors=True)
            (job.root / "output").mkdir(parents=True)
            (job.root / "input" / "config").mkdir(parents=True)
            (job.root / "tmp").mkdir()
            job.prepare()
        if stop.is_set():
            if not self._closing.is_set():
                job.stopped()
            return
        log_file = job.root / "log.txt"
        process = self._services.forks.run(
            job.target,
            [str(job.root)],
            cwd=job.root,
            log_file=log_file,
            environment={"TMPDIR": str(job.root / "tmp")},  # a killed process can't remove its temporary files
        )
        timed_out = self._follow(job, process, stop, Follower(log_file))
        if self._closing.is_set():
            return
        job.tick()
        if stop.is_set():
            job.stopped()
            return
        if not timed_out:
            _check_exit(job, process)
        job.complete(timed_out=timed_out)

    def _follow(self, job: Job, process: Process, stop: threading.Event, output: Follower) -> bool:
        """Watch the process until it is over; True if it was ended at its time limit."""
        limit = job.time_limit()
        deadline = None if limit is None else time.monotonic() + limit
        timed_out = False
        try:
            while not process.wait(TICK_SECONDS):
                self._services.logs.write(job.stream, list(output.lines()))
                job.tick()
                timed_out = deadline is not None and time.monotonic() > deadline
                if stop.is_set() or timed_out:
                    break
        finally:
            process.stop()
            self._services.logs.write(job.stream, list(output.lines(last=True)))
        return timed_out


def _discard_bulk(root: Path) -> None:
    for pattern in _BULK:
        for folder in root.glob(pattern):
            shutil.rmtree(folder, ignore_errors=True)


def _check_exit(job: Job, process: Process) -> None:
    failure = job.root / "output" / "failure"
    if failure.exists():
        raise JobFailed(
            failure.read_text(encoding="utf-8", errors="replace").strip() or "AlgorithmError: no reason given"
        )
    if process.exit_code is None:
        raise JobFailed("InternalServerError: the process that ran the job was lost. Start the job again.")
    if process.exit_code != 0:
        what = f"signal {-process.exit_code}" if process.exit_code < 0 else f"exit code {process.exit_code}"
        raise JobFailed(
            f"AlgorithmError: the job's process ended with {what} and left no reason. "
            f"{_last_line(job.root / 'log.txt')}"
            f"Its log is in {job.stream.group}, stream {job.stream.name}."
        )


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"The last line of its log: {last} " if last else ""


CUT_OFF = "InternalServerError: the embedded AWS ended while the job was running. Start the job again under a new name."
"""The reason of jobs that had not ended when the server did."""
