"""The fork server: a process that has imported the heavy libraries once and forks whenever a job is to start.

Run as ``python -m include.local_aws.jobs.zygote FD`` with one end of a stream socket pair. The front writes one JSON
object a line ``{"id", "target", "arguments", "cwd", "log", "environment"}``; this process answers ``{"ready": true}``
when it is warm, then ``{"id", "pid"}`` and ``{"id", "exit"}`` for each child (a negative exit is the signal's number).
When the socket closes, it kills every process group that it started, and ends: nothing outlives the front.

It is single-threaded and never computes, because a fork copies only the thread that forks: a library's thread pool
that was used here would be dead in every child.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
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
    "include.local_aws.hosting.process",
)
"""What jobs and serving containers need and is slow to import."""


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
    children: dict[int, int] = {}
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
                pid = os.fork()
                if pid == 0:
                    connection.close()
                    _child(request)
                children[pid] = request["id"]
                _send(connection, {"id": request["id"], "pid": pid})


def _reap(connection: socket.socket, children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid in children:
            _send(connection, {"id": children.pop(pid), "exit": os.waitstatus_to_exitcode(status)})


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    # A front that is gone is noticed by the next read.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _child(request: dict[str, Any]) -> NoReturn:
    """Become the job: own session, own log, own directory; never returns into the fork server's code."""
    code = 1
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
        os._exit(code)


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
