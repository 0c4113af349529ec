"""Processes from the warm fork server."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.local_aws.jobs.forkserver import KILL_AFTER_SECONDS, ForkServer, Process

pytestmark = pytest.mark.local_aws


@pytest.fixture(scope="module")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    server = ForkServer(tmp_path_factory.mktemp("forks"))
    server.begin()
    yield server
    server.stop()


def run(forks: ForkServer, folder: Path, script: str, **environment: str) -> Process:
    (folder / "script.py").write_text(script)
    return forks.run(
        "runpy:run_path",
        [str(folder / "script.py")],
        cwd=folder,
        log_file=folder / "log",
        environment=environment,
    )


def printed(folder: Path) -> list[str]:
    return (folder / "log").read_text().splitlines()


def until_printed(folder: Path, lines: int) -> list[str]:
    deadline = time.monotonic() + 20
    while not (folder / "log").exists() or len(printed(folder)) < lines:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return printed(folder)


def test_a_process_has_its_own_directory_environment_log_and_one_thread_for_its_pools(
    forks: ForkServer, tmp_path: Path
) -> None:
    script = """
import os, sys
print(os.getcwd(), os.environ["NAME"], os.environ["OMP_NUM_THREADS"], os.getpid() == os.getsid(0))
print("pandas" in sys.modules, file=sys.stderr)
"""
    process = run(forks, tmp_path, script, NAME="value")
    assert process.wait(20)
    assert process.exit_code == 0
    assert printed(tmp_path) == [f"{tmp_path} value 1 True", "True"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit('words')", 1),
        ("raise ValueError('told')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11),
    ],
)
def test_the_exit_code_is_the_one_a_python_process_would_have(
    forks: ForkServer, tmp_path: Path, script: str, code: int
) -> None:
    process = run(forks, tmp_path, script)
    assert process.wait(20)
    assert process.exit_code == code


def test_a_traceback_is_in_the_log(forks: ForkServer, tmp_path: Path) -> None:
    assert run(forks, tmp_path, "raise ValueError('told')").wait(20)
    assert printed(tmp_path)[-1] == "ValueError: told"


FAMILY = """
import os, signal, time
{handler}
if os.fork() == 0:
    print("child", os.getpid(), flush=True)
else:
    print("parent", os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("handler", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
def test_stopping_ends_the_whole_family_even_where_it_ignores_the_asking(
    forks: ForkServer, tmp_path: Path, handler: str
) -> None:
    process = run(forks, tmp_path, FAMILY.format(handler=handler))
    family = [int(line.split()[1]) for line in until_printed(tmp_path, 2)]
    process.stop()
    assert process.exit_code == (-9 if handler else -15)
    deadline = time.monotonic() + KILL_AFTER_SECONDS
    while any(_runs(pid) for pid in family):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_ends_takes_the_children_that_it_left_with_it(forks: ForkServer, tmp_path: Path) -> None:
    leaving = FAMILY.replace("time.sleep(600)", "if os.getpid() != os.getsid(0): time.sleep(600)")
    process = run(forks, tmp_path, leaving.format(handler=""))
    assert process.wait(20)
    family = [int(line.split()[1]) for line in until_printed(tmp_path, 2)]
    deadline = time.monotonic() + 5
    while any(_runs(pid) for pid in family):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_when_the_fork_server_dies_its_processes_are_lost_and_the_next_one_starts_in_a_new_one(
    forks: ForkServer, tmp_path: Path
) -> None:
    process = run(forks, tmp_path, FAMILY.format(handler=""))
    until_printed(tmp_path, 2)
    before = forks.pid
    assert before is not None
    os.kill(before, 9)
    assert process.wait(20)
    assert process.exit_code is None
    again = tmp_path / "again"
    again.mkdir()
    following = run(forks, again, "print('here')")
    assert following.wait(20)
    assert (following.exit_code, printed(again)) == (0, ["here"])
    assert forks.pid != before
