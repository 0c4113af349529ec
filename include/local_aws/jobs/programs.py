"""Programs that a job's container runs: Python scripts in this warm process, anything else in its place.

Call it in a process that has entered its container (`container.enter`). Python in a container is an environment of the
job's own, made in a moment: a directory with ``python`` and ``pip`` that sees everything that is installed for the
embedded AWS and belongs to the job alone. What a job installs goes there and is gone with the job; what it would
uninstall is refused by pip, as it lies outside. There is no package index unless the job's own environment sets
``PIP_NO_INDEX=0``: a requirement that is not installed fails at once.
"""

import atexit
import os
import random
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from include.local_aws.jobs.container import OPT_ML

PYTHONS = ("python", "python3", f"python3.{sys.version_info.minor}")
_PROJECT = Path(__file__).resolve().parents[3]
_TEMPORARY = OPT_ML / "tmp"
_PYTHON = _TEMPORARY / "python"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
"""What a job says that it is, which the embedded AWS does not check: never the credentials of whoever started it."""
_HANDED_ON = (
    "AWS_ENDPOINT_URL",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
"""Variables of this process that a container keeps: where this AWS is, and how many threads its libraries may have."""

_NOTICE = (
    "import os, sys; sys.orig_argv[1:4] == ['-m', 'pip', 'install'] and os.environ.get('PIP_NO_INDEX') == '1' "
    "and not hasattr(sys, '_told') and not setattr(sys, '_told', True) and "
    "print('The embedded AWS gives jobs no package index: a requirement is met by what is installed, or refused.', "
    "file=sys.stderr, flush=True)\n"
)
"""A line of a .pth file, which ``site`` executes, twice in a virtual environment."""


class ScriptFailed(RuntimeError):
    """A program ended with another exit code than 0; `said` is the end of what it wrote about it, may be empty."""

    def __init__(self, exit_code: int, said: str) -> None:
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code
        self.said = said


class NoProgram(RuntimeError):
    """The program that a job names is not there, or can't be run."""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """All the environment variables of a container: its own, and those `given` by the job, which win.

    Makes the job's Python environment where there is none yet. Of the variables that the embedded AWS was started with
    only those reach the container that bound its libraries' threads or let it speak to this AWS.
    """
    home = _TEMPORARY / "home"
    home.mkdir(parents=True, exist_ok=True)
    if not _PYTHON.exists():
        _install_python(_PYTHON)
    return {
        **_CREDENTIALS,
        **{name: os.environ[name] for name in _HANDED_ON if name in os.environ},
        "PATH": f"{_PYTHON}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "TMPDIR": str(_TEMPORARY),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_NO_INPUT": "1",
        **given,
    }


def _install_python(directory: Path) -> None:
    programs, packages = directory / "bin", _packages(directory)
    programs.mkdir(parents=True)
    packages.mkdir(parents=True)
    real = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    (directory / "pyvenv.cfg").write_text(
        f"home = {real.parent}\ninclude-system-site-packages = false\nversion = {sys.version.split()[0]}\n", "utf-8"
    )
    for name in PYTHONS:
        (programs / name).symlink_to(real)
    for name in ("pip", "pip3"):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{programs}/python" -m pip "$@"\n', "utf-8")
        script.chmod(0o755)
    installed = [each for each in sys.path if Path(each).name in ("site-packages", "dist-packages")]
    (packages / "_installed.pth").write_text("".join(f"{each}\n" for each in installed) + _NOTICE, "utf-8")


def _packages(directory: Path) -> Path:
    return directory / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"


def run(command: Sequence[str], environment: Mapping[str, str], cwd: str) -> NoReturn:
    """Run a container's command to its end: ``python script.py …`` in this process, anything else in its place.

    Ends this process with the command's exit code, as a shell tells it: 127 where there is no such program.
    """
    program, *arguments = command
    try:
        if program in PYTHONS and arguments and arguments[0].endswith(".py") and not arguments[0].startswith("-"):
            run_python(arguments[0], arguments[1:], environment, cwd)
        else:
            execute(command, environment, cwd)
    except ScriptFailed as failed:
        sys.exit(failed.exit_code)
    except NoProgram as failed:
        print(failed, flush=True)
        sys.exit(127)
    sys.exit(0)


def execute(command: Sequence[str], environment: Mapping[str, str], cwd: str) -> NoReturn:
    """Become another program. Raises `NoProgram`."""
    os.chdir(cwd)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise NoProgram(f"The container's command {command[0]!r} can't be run: {error.strerror}.") from error


def run_python(script: str, arguments: Sequence[str], environment: Mapping[str, str], cwd: str) -> None:
    """Run a script as ``python script arguments…`` would, in this process, whose libraries are loaded already.

    What the script's process would do at its end is done too: threads are waited for and exit handlers run. Raises
    `ScriptFailed` where Python would end with another exit code than 0, after its traceback is printed, and
    `NoProgram` where there is no such script.
    """
    os.chdir(cwd)
    path = Path(script)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise NoProgram(f"python: can't open file {str(path)!r}: {error.strerror}.") from error
    _become(path, arguments, environment)
    main = ModuleType("__main__")
    main.__dict__.update(__file__=script, __builtins__=__builtins__)
    sys.modules["__main__"] = main
    failure: ScriptFailed | None = None
    try:
        exec(compile(source, script, "exec"), main.__dict__)  # noqa: S102 - running it is what it was given for
    except SystemExit as end:
        failure = _exit_of(end)
    except BaseException as error:  # noqa: BLE001 - as the interpreter does for an uncaught one
        failure = _uncaught(error)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if failure is not None:
        raise failure


def _become(script: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    ours = {"", str(_PROJECT), *os.environ.get("PYTHONPATH", "").split(":")}
    theirs = [str(script.resolve().parent), *filter(None, environment.get("PYTHONPATH", "").split(":"))]
    executable = Path(environment.get("PATH", "").split(":")[0]) / "python"
    if executable.exists():  # what the script starts with sys.executable is the job's Python, its pip too
        sys.executable = str(executable)
        theirs.append(str(_packages(executable.parents[1])))
    _make_room(theirs)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [str(script), *arguments]
    sys.path = theirs + [each for each in sys.path if each not in ours]
    random.seed()
    if "numpy" in sys.modules:  # a fork repeats its parent's stream of random numbers
        sys.modules["numpy"].random.seed()


def _make_room(folders: Sequence[str]) -> None:
    """Forget the libraries that this process has loaded under names which the script's own modules have."""
    found = [path for each in folders for path in Path(each).glob("*") if path.suffix == ".py" or path.is_dir()]
    for name in {path.stem for path in found} - sys.stdlib_module_names:
        for loaded in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[loaded]


def _exit_of(end: SystemExit) -> ScriptFailed | None:
    if end.code is None or end.code == 0:
        return None
    if isinstance(end.code, int):
        return ScriptFailed(end.code & 0xFF, "")
    print(end.code, file=sys.stderr, flush=True)
    return ScriptFailed(1, str(end.code))


def _uncaught(error: BaseException) -> ScriptFailed:
    if error.__traceback__ is not None:
        error = error.with_traceback(error.__traceback__.tb_next)  # without this module's own frame
    sys.excepthook(type(error), error, error.__traceback__)
    return ScriptFailed(1, "".join(traceback.format_exception(error)).strip())
