"""The fork server: a process that has imported the heavy libraries once and forks whenever a job is to start.

Run as ``python -m include.local_aws.jobs.zygote FD`` with one end of a stream socket pair. The front writes one JSON
object a line ``{"id", "target", "arguments", "cwd", "log", "environment", "memory", "nice"}``; this process answers
``{"ready": true}`` when it is warm, then for each child ``{"id", "pid"}`` and ``{"id", "exit", "ran", "peak"}``: the
exit status (a negative one is the signal's number), seconds in the function (null where it was killed or became another
program) and bytes of its largest resident size.
When the socket closes, it kills every process group that it started, and ends: nothing outlives the front.

It is single-threaded and never computes, because a fork copies only the thread that forks: a library's thread pool
that was used here would be dead in every child.
"""

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from include.local_aws.children import die_with_parent, kill_group, outlive_parent

PRELOADED = (
    "numpy",
    "pandas",
    "sklearn.pipeline",
    "sklearn.ensemble",
    "lightgbm",
    "xgboost",
    "include.local_aws.images.autopilot.search",
    "include.local_aws.images.autopilot.serving",
    "include.local_aws.transform.worker",
    "include.local_aws.training.worker",
    "include.local_aws.images.xgboost.serving",
    "include.local_aws.images.linear_learner.serving",
    "include.local_aws.images.linear_learner.training",
    "include.local_aws.images.mlp.serving",
    "include.local_aws.images.mlp.training",
    "include.local_aws.processing.worker",
    "include.local_aws.scripting.serving",
    "include.local_aws.scripting.training",
    "include.local_aws.hosting.process",
)
"""What jobs and serving containers need and is slow to import."""


_TIME = struct.Struct("d")


def main(descriptor: int) -> None:
    """Serve fork requests on the socket until it closes."""
    with socket.socket(fileno=descriptor) as connection:
        _preload()
        gc.collect()
        gc.freeze()  # what is loaded now is never garbage, and collecting would copy its pages in every child
        outlive_parent()  # from here on the closing socket tells of the front's end, and children are killed first
        _send(connection, {"ready": True})
        _serve(connection)


def _preload() -> None:
    for name in PRELOADED:
        importlib.import_module(name)
    from include.local_aws import images

    images.known()


def _serve(connection: socket.socket) -> None:
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, tuple[int, int]] = {}
    """Each child's request, and where it tells how long it ran."""
    pending = b""
    while True:
        readable, _, _ = select.select([connection.fileno(), wake_read], [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
            _reap(connection, children)
        if connection.fileno() in readable:
            received = connection.recv(65536)
            if not received:
                for pid in children:
                    kill_group(pid)
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                told, telling = os.pipe()
                pid = os.fork()
                if pid == 0:
                    connection.close()
                    _child(request, telling)
                os.close(telling)
                children[pid] = (request["id"], told)
                _send(connection, {"id": request["id"], "pid": pid})


def _reap(connection: socket.socket, children: dict[int, tuple[int, int]]) -> None:
    while children:
        pid, status, used = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid in children:
            number, told = children.pop(pid)
            ran = _told(told)
            exit_code = os.waitstatus_to_exitcode(status)
            _send(connection, {"id": number, "exit": exit_code, "ran": ran, "peak": used.ru_maxrss * 1024})


def _told(descriptor: int) -> float | None:
    os.set_blocking(descriptor, False)  # a grandchild may still hold the other end
    try:
        said = os.read(descriptor, _TIME.size)
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)
    return float(_TIME.unpack(said)[0]) if len(said) == _TIME.size else None


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    # A front that is gone is noticed by the next read.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _child(request: dict[str, Any], telling: int) -> NoReturn:
    """Become the job: own session, own log, own directory; never returns into the fork server's code."""
    code = 1
    began = time.monotonic()
    try:
        parent = os.getppid()
        os.setsid()
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _redirect(request["log"])
        os.chdir(request["cwd"])
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # what the fork server found before it forked is not this job's TMPDIR
        gc.unfreeze()
        _bound(request["memory"], request["nice"])
        began = time.monotonic()
        module, _, function = request["target"].partition(":")
        getattr(importlib.import_module(module), function)(*request["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the last frame of a process: the traceback goes to its log, the code tells
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):  # the fork server may be gone
            os.write(telling, _TIME.pack(time.monotonic() - began))
        os._exit(code)


def _bound(memory: int | None, nice: int) -> None:
    """No more memory than that above what was inherited; where the kernel runs out, it takes jobs first."""
    os.nice(nice)
    if memory is None or sys.platform != "linux":
        return
    inherited = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = inherited + memory
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    Path("/proc/self/oom_score_adj").write_text("500")


def _redirect(log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.close(nothing)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main(int(sys.argv[1]))
