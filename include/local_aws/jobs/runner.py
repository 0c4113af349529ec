"""Running jobs: one thread watches one job from its queue place to its end.

A job kind says what is special about it (`Job`); waiting for a core, starting, following the log, stopping and the time
limit are the same for all.
"""

import logging
import os
import shutil
import signal
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from include.local_aws.jobs import memory
from include.local_aws.jobs.forkserver import ForkServerDown, Process
from include.local_aws.jobs.logs import Follower, Stream
from include.local_aws.jobs.slots import Slots
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import key_of

log = logging.getLogger(__name__)

TICK_SECONDS = 0.1
"""How often a running job's log and events are read; its end and a stop are noticed at once."""
WEIGH_SECONDS = 1.0
"""How often the memory of all of a job's processes is summed."""
FAILURE_CHARACTERS = 1024
"""SageMaker truncates the failure file to this length."""


_NICE = {"automl": 5}
"""How far a kind's processes stand back when the cores are busy: a job of seconds goes before a search of minutes."""


class JobFailed(Exception):
    """The job fails for this reason."""


@dataclass
class _Watched:
    """A job that runs or waits, and what to wake when it is to stop."""

    stop: threading.Event
    slots: Slots
    process: Process | None = None

    def ask_to_stop(self) -> None:
        self.stop.set()
        self.slots.wake()
        if self.process is not None:
            self.process.wake()


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
        places, searches = max(2, cores), max(1, cores // 2)
        self._services = services
        # A search runs two fits at once by itself, so as many searches run as there are pairs of cores. They have
        # places of their own, so that a job of seconds does not wait for a search of minutes, and stand back (`_NICE`).
        self._slots = {"automl": Slots(searches)}
        self._default_slots = Slots(places)
        self._job_memory = services.forks.job_memory
        self._lock = threading.Lock()
        self._watched: dict[tuple[str, str, str], _Watched] = {}
        self._closing = threading.Event()
        for left in (services.directory / "jobs").glob("*/*/*"):
            _discard_bulk(left)  # of jobs that a killed server cut off

    def start(self, job: Job) -> None:
        """Begin a job, whose record is in the store, in a thread of its own."""
        watched = _Watched(threading.Event(), self._slots.get(job.kind, self._default_slots))
        key = (job.kind, job.region, key_of(job.kind, job.name))
        with self._lock:
            self._watched[key] = watched
        # A stop may have come between the record and this: it found nothing to stop, but it left its word there.
        record = self._services.store.find(job.kind, job.region, job.name)
        if self._closing.is_set() or (record is not None and record.status == "Stopping"):
            watched.ask_to_stop()
        thread = threading.Thread(
            target=self._run, args=(job, key, watched), name=f"{job.kind}-{job.name}", daemon=True
        )
        thread.start()

    def stop(self, kind: str, region: str, name: str) -> None:
        """Ask a job to stop, once its record says Stopping; one that is over already is what was wanted."""
        with self._lock:
            watched = self._watched.get((kind, region, key_of(kind, name)))
        if watched is not None:
            watched.ask_to_stop()

    def running(self) -> int:
        """How many jobs run or wait."""
        with self._lock:
            return len(self._watched)

    def close(self) -> None:
        """The server ends: jobs are cut off, and say so at the next start."""
        self._closing.set()
        with self._lock:
            for watched in self._watched.values():
                watched.ask_to_stop()

    def _run(self, job: Job, key: tuple[str, str, str], watched: _Watched) -> None:
        taken = False
        try:
            taken = watched.slots.take(watched.stop)
            self._attempt(job, watched)
        except (JobFailed, S3InputError) as failure:
            self._end(job, str(failure))
        except ForkServerDown as failure:
            self._end(job, f"InternalServerError: {failure}")
        except Exception as error:  # the job's thread must end its job
            log.exception("the %s job %s could not be supervised", job.kind, job.name)
            self._end(job, f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            if taken:
                watched.slots.give_back()
            if not self._closing.is_set():
                _discard_bulk(job.root)
            with self._lock:
                self._watched.pop(key, None)

    def _end(self, job: Job, reason: str) -> None:
        if not self._closing.is_set():
            job.fail(reason[:FAILURE_CHARACTERS])

    def _attempt(self, job: Job, watched: _Watched) -> None:
        stop = watched.stop
        began = time.monotonic()
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
        prepared = time.monotonic()
        log_file = job.root / "log.txt"
        killed_before = memory.kernel_kills()
        process = self._services.forks.run(
            job.target,
            [str(job.root)],
            cwd=job.root,
            log_file=log_file,
            environment={"TMPDIR": str(job.root / "tmp")},  # a killed process can't remove its temporary files
            nice=_NICE.get(job.kind, 0),
        )
        watched.process = process
        cut = self._follow(job, process, stop, Follower(log_file))
        ended = time.monotonic()
        if self._closing.is_set():
            return
        job.tick()
        if stop.is_set():
            job.stopped()
            return
        if cut is _Cut.MEMORY:
            raise JobFailed(memory.sentence(self._job_memory))
        if cut is None:
            check_exit(job, process, self._job_memory, by_kernel=memory.kernel_kills() > killed_before)
        job.complete(timed_out=cut is _Cut.TIME)
        log.info(
            "%s %s: prepared in %.3f s, process %.3f s (its function %.3f s), completed in %.3f s, peak %d MB",
            job.kind, job.name, prepared - began, ended - prepared, process.ran or 0.0,
            time.monotonic() - ended, process.peak // memory.MEGABYTE,
        )  # fmt: skip

    def _follow(self, job: Job, process: Process, stop: threading.Event, output: Follower) -> "_Cut | None":
        """Watch the process until it is over, or to be ended: because of a stop, its time limit or its memory."""
        limit = job.time_limit()
        deadline = None if limit is None else time.monotonic() + limit
        weigh = time.monotonic() + WEIGH_SECONDS
        cut = None
        try:
            while not stop.is_set() and not process.wait_or_wake(TICK_SECONDS):
                self._services.logs.write(job.stream, list(output.lines()))
                job.tick()
                now = time.monotonic()
                if deadline is not None and now > deadline:
                    cut = _Cut.TIME
                elif now > weigh:
                    weigh = now + WEIGH_SECONDS
                    if memory.used_by_session(process.pid) > self._job_memory:
                        cut = _Cut.MEMORY
                if cut is not None:
                    break
        finally:
            process.stop()
            self._services.logs.write(job.stream, list(output.lines(last=True)))
        return cut


class _Cut(Enum):
    """Why a process was ended from outside, other than by a stop."""

    TIME = "time"
    MEMORY = "memory"


def _discard_bulk(root: Path) -> None:
    """Remove what is large in a job's directory and of no use once it is over: its artifacts are in S3.

    What stays is its log, its request and what it said of its end: the files at its top, in input/config and in output.
    """
    for folder in (root, root / "input", root / "output"):
        for each in folder.iterdir() if folder.is_dir() else ():
            if each.is_symlink():
                each.unlink()
            elif each.is_dir() and each not in (root / "input", root / "output", root / "input" / "config"):
                shutil.rmtree(each, ignore_errors=True)


def check_exit(job: Job, process: Process, limit: int, *, by_kernel: bool) -> None:
    """Raise `JobFailed` where the process did not end well; `by_kernel`: the kernel killed for memory meanwhile."""
    failure = job.root / "output" / "failure"
    if failure.exists():
        said = failure.read_text(encoding="utf-8", errors="replace").strip() or "AlgorithmError: no reason given"
        raise JobFailed(f"{memory.sentence(limit)} {said}" if memory.says_memory(said) else said)
    if process.exit_code is None:
        raise JobFailed("InternalServerError: the process that ran the job was lost. Start the job again.")
    if process.exit_code != 0:
        last = _last_line(job.root / "log.txt")
        where = f"{last}Its log is in {job.stream.group}, stream {job.stream.name}."
        if process.exit_code == -signal.SIGKILL and by_kernel:
            raise JobFailed(f"AlgorithmError: out of memory. The kernel killed the job's process (signal 9). {where}")
        if memory.says_memory(last):
            raise JobFailed(f"{memory.sentence(limit)} {where}")
        what = f"signal {-process.exit_code}" if process.exit_code < 0 else f"exit code {process.exit_code}"
        raise JobFailed(f"AlgorithmError: the job's process ended with {what} and left no reason. {where}")


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"The last line of its log: {last} " if last else ""


CUT_OFF = "InternalServerError: the embedded AWS ended while the job was running. Start the job again under a new name."
"""The reason of jobs that had not ended when the server did."""
