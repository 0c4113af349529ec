"""Fits in child processes: several at once, each with a time limit after which it is killed.

Children are forked, so that the table is shared and not copied. The parent must not have used OpenMP with more than
one thread before (a forked child then hangs in its first parallel region); it never fits or predicts itself.
"""

from __future__ import annotations

import ctypes
import functools
import multiprocessing
import multiprocessing.connection
import os
import signal
import tempfile
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import joblib  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits

AT_ONCE = 2
"""Fits that run at the same time. Fixed, not the number of cores: a tuner's next question depends on it, and the same
request must give the same model on every machine.
"""

AHEAD = AT_ONCE + 1
"""Jobs asked for and not yet told: one more than run, so that a slow one does not leave a core idle."""

T = TypeVar("T")
_A_WEEK = 7 * 86_400.0
_PR_SET_PDEATHSIG = 1
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Outcome:
    """How a task ended: with a value, or with the reason why there is none. Times are epoch seconds."""

    value: Any
    failure: str | None
    cut_off: bool
    started: float
    ended: float


class Task:
    """One call in a child process."""

    def __init__(self, call: Callable[[], Any], seconds: float, folder: Path) -> None:
        self._path = folder / uuid.uuid4().hex
        self._seconds = seconds
        self.started = time.time()
        self._limit = time.monotonic() + seconds
        self.process: BaseProcess = _fork.Process(target=_run, args=(call, self._path, os.getpid()), daemon=True)
        self.process.start()

    def wait(self) -> Outcome:
        """Wait for the end, or kill the child at its limit."""
        self.process.join(self.left())
        cut_off = self.process.is_alive()
        if cut_off:
            self.kill()
        ended = time.time()
        if cut_off:
            return Outcome(None, f"cut off after {self._seconds:.1f} s", True, self.started, ended)
        if not self._path.exists():
            reason = f"the process ended with exit code {self.process.exitcode} without a result"
            return Outcome(None, reason, False, self.started, ended)
        kind, value = joblib.load(self._path)
        self._path.unlink()
        if kind == "failed":
            return Outcome(None, str(value), False, self.started, ended)
        return Outcome(value, None, False, self.started, ended)

    def left(self) -> float:
        """Seconds until the child is killed."""
        return min(max(0.0, self._limit - time.monotonic()), _A_WEEK)

    def over(self) -> bool:
        """Whether the child has ended or has reached its limit."""
        return not self.process.is_alive() or self.left() == 0

    def kill(self) -> None:
        """End the child now."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


@dataclass(frozen=True)
class Job(Generic[T]):
    """Something to run: what it is to the caller, the call, and how many seconds it may take (asked when it starts)."""

    subject: T
    call: Callable[[float], Any]
    """Called in the child with the seconds it has."""
    seconds: Callable[[], float]
    prepare: Callable[[], object] = lambda: None
    """Called in the parent before the child starts, which then shares what it made."""


class Workers:
    """Starts tasks and ends those that are still running when the block is left."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="autopilot-")
        self._tasks: list[Task] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.kill()
        self._folder.cleanup()

    def start(self, call: Callable[[], Any], seconds: float) -> Task:
        """Start ``call`` in a child that is killed after ``seconds``."""
        task = Task(call, seconds, Path(self._folder.name))
        self._tasks.append(task)
        return task

    def stream(self, ask: Callable[[], Job[T] | None], tell: Callable[[T, Outcome], None]) -> None:
        """Run the jobs that ``ask`` gives, ``AT_ONCE`` at a time, until it gives None; ``tell`` their outcomes in
        order.

        Job n is asked for when n - ``AHEAD`` and all before it were told, whatever finished first: what ``ask`` knows
        then does not depend on the machine's speed. A job that has no second left when its turn comes is not started
        nor told.
        """
        asked: deque[tuple[Job[T], Task | None]] = deque()
        running: list[Task] = []
        more = True
        while True:
            while more and len(asked) < AHEAD:
                job = ask()
                more = job is not None
                if job is not None:
                    asked.append((job, None))
            running = [task for task in running if not task.over()]
            for index, (job, task) in enumerate(asked):
                if task is not None or len(running) >= AT_ONCE or job.seconds() <= 0:
                    continue
                job.prepare()
                seconds = job.seconds()
                if seconds > 0:
                    started = self.start(functools.partial(job.call, seconds), seconds)
                    asked[index] = (job, started)
                    running.append(started)
            if not asked:
                return
            job, task = asked[0]
            if task is None and not running:
                asked.popleft()
            elif task is not None and task.over():
                asked.popleft()
                tell(job.subject, task.wait())
            else:
                multiprocessing.connection.wait(
                    [task.process.sentinel for task in running], min(task.left() for task in running)
                )


def _run(call: Callable[[], Any], path: Path, parent: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with threadpool_limits(1):
        try:
            result: tuple[str, Any] = ("value", call())
        except Exception as error:  # noqa: BLE001  # whatever a library raises is the candidate's failure, not the search's
            traceback.print_exc()
            result = ("failed", f"{type(error).__name__}: {error}")
    partial = path.with_suffix(".partial")
    joblib.dump(result, partial)
    partial.rename(path)
