"""Programs as a container runs them, in this process or in its place."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from include.local_aws.jobs import container, programs
from tests.support.forked import exit_code

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


def run(root: Path, command: Sequence[str], given: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Exit code and output of a container's command with the directory `root`."""
    log = root / "log"

    def job() -> None:
        container.enter(root)
        programs.run(command, programs.environment(given or {}), "/opt/ml")

    return exit_code(job, log), log.read_text().splitlines()


def script(root: Path, text: str, *arguments: str, **given: str) -> tuple[int, list[str]]:
    """The same of a Python script at /opt/ml/code/script.py."""
    (root / "code").mkdir()
    (root / "code" / "script.py").write_text(text)
    return run(root, ["python3", "/opt/ml/code/script.py", *arguments], given)


def test_a_script_runs_as_main_with_its_arguments_its_directory_first_and_only_its_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the server")
    text = f"""
import os, sys
print(__name__, sys.argv, sys.path[0], os.getcwd(), __file__)
print(os.environ["GIVEN"], "SECRET" in os.environ, os.environ["TMPDIR"], os.environ["HOME"])
print({str(ROOT)!r} in sys.path, "" in sys.path, os.getcwd() in sys.path)
"""
    path = "/opt/ml/code/script.py"
    assert script(tmp_path, text, "--a", "1 2", GIVEN="value") == (
        0,
        [
            f"__main__ ['{path}', '--a', '1 2'] /opt/ml/code /opt/ml {path}",
            "value False /opt/ml/tmp /opt/ml/tmp/home",
            "False False False",
        ],
    )


def test_a_scripts_own_modules_come_before_libraries_that_are_loaded_already(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "include").mkdir()
    (tmp_path / "code" / "include" / "thing.py").write_text("NAME = 'own package'")
    (tmp_path / "code" / "pytest.py").write_text("NAME = 'own module'")
    (tmp_path / "code" / "script.py").write_text("import include.thing, pytest; print(include.thing.NAME, pytest.NAME)")
    assert run(tmp_path, ["python", "/opt/ml/code/script.py"]) == (0, ["own package own module"])


@pytest.mark.parametrize(
    ("text", "code", "last"),
    [
        ("raise SystemExit", 0, None),
        ("import sys; sys.exit(7)", 7, None),
        ("import sys; sys.exit('words')", 1, "words"),
        ("def f():\n    raise ValueError('no')\nf()", 1, "ValueError: no"),
        ("x = (", 1, "SyntaxError: '(' was never closed"),
    ],
)
def test_exit_codes_and_last_words_are_the_interpreters(tmp_path: Path, text: str, code: int, last: str | None) -> None:
    found, lines = script(tmp_path, text)
    assert found == code
    assert (lines[-1] if lines else None) == last


def test_a_traceback_has_the_scripts_frames_only(tmp_path: Path) -> None:
    _, lines = script(tmp_path, "def f():\n    raise ValueError('no')\nf()")
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.strip() for line in lines if line.strip().startswith("File")] == [
        'File "/opt/ml/code/script.py", line 3, in <module>',
        'File "/opt/ml/code/script.py", line 2, in f',
    ]


def test_at_its_end_threads_are_waited_for_and_exit_handlers_run(tmp_path: Path) -> None:
    text = """
import atexit, threading, time
atexit.register(print, "handler")
threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
print("end")
"""
    assert script(tmp_path, text) == (0, ["end", "thread", "handler"])


def test_each_job_has_its_own_random_numbers(tmp_path: Path) -> None:
    """A fork has its parent's generators; two jobs must not draw the same."""
    np.random.seed(1)
    drawn = []
    for name in "ab":
        (tmp_path / name).mkdir()
        text = "import random, numpy; print(random.random(), numpy.random.rand())"
        drawn.append(script(tmp_path / name, text)[1][0].split())
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


def test_classes_of_a_script_can_be_pickled_and_read_by_the_processes_that_it_starts(tmp_path: Path) -> None:
    text = """
import multiprocessing, pickle
class Thing: pass
def area(x): return x * x
if __name__ == "__main__":
    assert isinstance(pickle.loads(pickle.dumps(Thing())), Thing)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(area, [2, 3]))
"""
    assert script(tmp_path, text) == (0, ["[4, 9]"])


def test_shell_scripts_find_python_and_pip_of_their_own_which_see_what_is_installed(tmp_path: Path) -> None:
    lines = ['echo "$1"', "command -v python3 pip", 'python -c "import numpy, sys; print(sys.prefix)"', "exit 3"]
    (tmp_path / "run.sh").write_text("\n".join(lines))
    own = "/opt/ml/tmp/python"
    found = run(tmp_path, ["/bin/bash", "/opt/ml/run.sh", "word"])
    assert found == (3, ["word", f"{own}/bin/python3", f"{own}/bin/pip", own])


def test_a_command_that_is_not_there_is_exit_code_127_and_named(tmp_path: Path) -> None:
    code, lines = run(tmp_path, ["nothing-of-this-name"])
    assert (code, lines) == (
        127,
        ["The container's command 'nothing-of-this-name' can't be run: No such file or directory."],
    )
    code, lines = run(tmp_path, ["python3", "/opt/ml/missing.py"])
    assert (code, lines) == (127, ["python: can't open file '/opt/ml/missing.py': No such file or directory."])


def test_pip_takes_what_is_installed_refuses_what_is_not_and_never_touches_the_servers_packages(tmp_path: Path) -> None:
    text = """
import subprocess, sys
def pip(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.returncode, *done.stderr.splitlines(), *done.stdout.splitlines(), sep="|")
pip(sys.executable, "-m", "pip", "install", "--quiet", "numpy")
pip(sys.executable, "-m", "pip", "install", "--quiet", "no-such-thing-at-all")
pip("pip", "uninstall", "--yes", "numpy")
"""
    before = Path(np.__file__).stat()
    code, (installed, refused, removed) = script(tmp_path, text)
    assert code == 0
    assert Path(np.__file__).stat() == before
    notice = "The embedded AWS gives jobs no package index: a requirement is met by what is installed, or refused."
    assert installed == f"0|{notice}"
    assert refused.startswith(f"1|{notice}|ERROR: Could not find a version")
    assert "No matching distribution found for no-such-thing-at-all" in refused
    assert "Can't uninstall 'numpy'" in removed


def test_what_bounds_threads_and_leads_to_this_aws_is_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of whoever started it")
    names = ["OMP_NUM_THREADS", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"]
    code, lines = script(tmp_path, f"import os\nprint([os.environ[name] for name in {names}])")
    assert (code, lines) == (0, ["['1', 'http://127.0.0.1:1', 'local']"])
    assert os.environ["OMP_NUM_THREADS"] == "1"
