"""``requirements.txt``: met by what is installed, or by pip in the job's own Python, or refused by name."""

import importlib.metadata
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


class NotInstalled(RuntimeError):
    """A requirement can't be met."""


def install(file: Path, environment: Mapping[str, str]) -> None:
    """Meet every requirement of a file, if there is one, in the container that `environment` describes.

    Where all of them are plain requirements that are met already, that is all; else pip does it, with no package index
    unless the environment sets ``PIP_NO_INDEX=0``. Raises `NotInstalled`.
    """
    if not file.is_file():
        return
    unmet = missing(file.read_text(encoding="utf-8"))
    if unmet == []:
        print(f"{file.name}: every requirement is met by what is installed", flush=True)
        return
    command = ["pip", "install", "-r", file.name]
    program = Path(environment["PATH"].split(os.pathsep)[0]) / "pip"
    done = subprocess.run(
        [str(program), *command[1:]],
        cwd=file.parent,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout + done.stderr, end="", flush=True)
    if done.returncode != 0:
        what = f"not installed: {', '.join(unmet)}" if unmet else done.stderr.strip().rpartition("\n")[2]
        raise NotInstalled(
            f'InstallRequirementsError:\nExitCode {done.returncode}\nErrorMessage "{what}. The embedded AWS gives jobs '
            f'no package index: install it where the embedded AWS runs, or set PIP_NO_INDEX=0 in the Environment."\n'
            f'Command "{" ".join(command)}"'
        )


def check(file: Path) -> None:
    """As `install`, where nothing can be installed: raises `NotInstalled` for whatever is not met already."""
    if not file.is_file():
        return
    unmet = missing(file.read_text(encoding="utf-8"))
    if unmet != []:
        what = ", ".join(unmet) if unmet else "something else than a name and versions"
        raise NotInstalled(f"{file.name} asks for what is not installed here: {what}. Install it where this AWS runs.")


def missing(text: str) -> list[str] | None:
    """The requirements that what is installed doesn't meet; None where a line is not a plain requirement."""
    unmet = []
    for raw in text.splitlines():
        line = raw.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            return None
        if wanted.url is not None:
            return None
        if (wanted.marker is None or wanted.marker.evaluate()) and not _met(wanted):
            unmet.append(str(wanted))
    return unmet


def _met(wanted: Requirement) -> bool:
    try:
        version = importlib.metadata.version(canonicalize_name(wanted.name))
    except importlib.metadata.PackageNotFoundError:
        return False
    return wanted.specifier.contains(version, prereleases=True)
