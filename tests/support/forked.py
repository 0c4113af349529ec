"""Running a function in a process of its own, forked as jobs are, for what changes the whole process."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def forked(function: Callable[[], Any], log: Path | None = None) -> Any:
    """What `function` answers (as JSON can carry it) in a forked child; its output goes to `log`.

    Raises `AssertionError` with the child's traceback where it raises.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(function, writing, log)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        said = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert said, f"the child ended with {os.waitstatus_to_exitcode(status)} and said nothing"
    answer = json.loads(said)
    assert "raised" not in answer, answer["raised"]
    return answer["answer"]


def exit_code(function: Callable[[], Any], log: Path) -> int:
    """How a forked child ends that runs `function`, or becomes another program in it; its output is all of `log`."""
    log.unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _redirect(log)
            function()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:  # noqa: BLE001 - the child's traceback is in its log
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _redirect(log: Path | None) -> None:
    output = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115


def _child(function: Callable[[], Any], writing: int, log: Path | None) -> None:
    try:
        _redirect(log)
        answer = {"answer": function()}
    except BaseException:  # noqa: BLE001 - handed to the parent, whose test fails with it
        answer = {"raised": traceback.format_exc()}
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(writing, json.dumps(answer).encode())
    os._exit(0)
