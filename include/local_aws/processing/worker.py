"""What the process of a processing job runs: its command, once on each instance, and how they ended."""

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from include.local_aws.children import die_with_parent
from include.local_aws.jobs import container, memory, programs
from include.local_aws.jobs.forkserver import KILL_AFTER_SECONDS

CONFIG = "job.json"
"""Written by the supervisor: ``command``, ``environment``, ``hosts`` (each has a directory of that name)."""
SEE_LOG = "AlgorithmError: See job logs for more information"
"""AWS's reason for a container that ended with another exit code than 0."""

_PR_SET_CHILD_SUBREAPER = 36


def log_of(root: Path, host: str, hosts: list[str]) -> Path:
    """The file that an instance's output goes to: the job's own for the first of them."""
    return root / "log.txt" if host == hosts[0] else root / f"log-{host}.txt"


def main(root: str) -> None:
    """Run the job in `root` on all its instances at once; ends with the exit code of the first that failed."""
    directory = Path(root)
    job: dict[str, Any] = json.loads((directory / CONFIG).read_text("utf-8"))
    hosts: list[str] = job["hosts"]
    running, supervisor = {}, os.getpid()
    _adopt_orphans()
    for host in hosts:
        pid = os.fork()
        if pid == 0:
            _instance(directory, host, job, supervisor)
        running[pid] = host
    # The instances get a SIGTERM too, and may want a moment to end well.
    signal.signal(signal.SIGALRM, lambda *_: _kill(_children()))
    signal.signal(signal.SIGTERM, lambda *_: signal.setitimer(signal.ITIMER_REAL, KILL_AFTER_SECONDS - 0.5, 0.1))
    code, failed = _wait(running)
    _end_orphans()
    if code == 0:
        return
    if code < 0:  # as it would be without this process between, which tells why a job was killed
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    last = _last_line(log_of(directory, failed, hosts))
    if memory.says_memory(last):  # whoever watches this process says how much there was
        print(last, flush=True)
    else:
        print(f"{failed} ended with exit code {code}", flush=True)
        (directory / "output" / "failure").write_text(SEE_LOG, encoding="utf-8")
    sys.exit(code)


def _instance(root: Path, host: str, job: dict[str, Any], supervisor: int) -> NoReturn:
    code = 1
    try:
        die_with_parent(supervisor)
        if host != job["hosts"][0]:
            _redirect(log_of(root, host, job["hosts"]))
        container.enter(root / host)
        programs.run(job["command"], programs.environment(job["environment"]), str(container.OPT_ML / "tmp"))
    except container.NoContainer as error:
        print(error, flush=True)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:  # noqa: BLE001 - the last frame of a process: the traceback goes to its log, the code tells
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _redirect(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)


def _wait(running: dict[int, str]) -> tuple[int, str]:
    """Exit code and name of the first instance that failed, whose failure ends the others; 0 where none did."""
    code, failed = 0, ""
    while running:
        pid, status = os.wait()
        host = running.pop(pid, None)
        ended = os.waitstatus_to_exitcode(status)
        if host is not None and ended != 0 and code == 0:
            code, failed = ended, host
            _kill(running)
    return code, failed


def _adopt_orphans() -> None:
    """Be the parent of processes that lose theirs, as a container's first process is; Linux only (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_orphans() -> None:
    """Nothing outlives a container: what its program left running is ended, with all below it."""
    while True:
        _kill(_children())
        try:
            os.wait()
        except ChildProcessError:
            return


def _children() -> list[int]:
    """The processes whose parent is this one."""
    found = []
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        if entry.name.isdigit():
            try:
                parent = Path(entry.path, "stat").read_text().rsplit(")", 1)[1].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            if int(parent) == os.getpid():
                found.append(int(entry.name))
    return found


def _kill(processes: Iterable[int]) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _last_line(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:].strip().rpartition("\n")[2] if log.exists() else ""
