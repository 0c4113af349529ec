"""The processes of a stack, found as the kernel has them: what is killed must not have to answer first."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.stack import Stack

_EXECUTOR = re.compile(r"airflow worker -- LocalExecutor: (?P<task>[0-9a-f-]{36})$")
_TASK = re.compile(r"airflow worker -- (?P<task>[0-9a-f-]{36})$")


@dataclass(frozen=True)
class TaskProcess:
    """A process that runs a task instance, or the executor's above it."""

    pid: int
    task: str
    """The task instance's id."""
    executor: bool


def task_processes(stack: Stack) -> list[TaskProcess]:
    """Every process of this stack that a task runs in now, also those whose scheduler is dead."""
    found = []
    for pid in stack.pids():
        with contextlib.suppress(OSError):
            title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if match := _TASK.search(title):
                found.append(TaskProcess(pid, match["task"], executor=False))
            elif match := _EXECUTOR.search(title):
                found.append(TaskProcess(pid, match["task"], executor=True))
    return found


def kill(pid: int) -> bool:
    """Kill -9; False where the process has ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def stalled(pid: int) -> Iterator[None]:
    """The process and its group stand still inside."""
    os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(pid, signal.SIGCONT)
