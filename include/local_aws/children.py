"""Child processes that never outlive the front, however it ends."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MAX_LOG = 8 * 1024 * 1024
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to SIGKILL this process when its parent ends; ends at once if `parent` is gone already.

    Linux only (prctl(2)); elsewhere a child ends when its pipe from the front closes.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take back `die_with_parent`, for a child that has its own way to notice its parent's end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


_LAUNCH = """
import ctypes, os, signal, sys
parent, program = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != parent:
    sys.exit(1)
os.execvp(program[0], program)
"""


def launch(
    program: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    log: Path,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `program` in a session of its own, its output appended to `log`, killed when this process ends.

    A log that has grown beyond `MAX_LOG` becomes ``<name>.old``, in place of the one before.

    The kernel ties the child to the *thread* that starts it (prctl(2)), so call this from a thread that lives as long
    as the child should.
    """
    if log.exists() and log.stat().st_size > MAX_LOG:
        log.replace(log.with_name(log.name + ".old"))
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _LAUNCH, str(os.getpid()), *program],
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the child and its session, and wait for it."""
    kill_group(process.pid)
    process.wait()


def kill_group(pid: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Signal the process group that `pid` leads; one that is gone already is what was wanted."""
    try:
        os.killpg(pid, signum)
    except ProcessLookupError:
        return


def free_ports(count: int) -> list[int]:
    """Distinct loopback ports that nobody listens on now; another process may still take one before it is used."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
