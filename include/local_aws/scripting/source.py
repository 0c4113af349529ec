"""The user's source code: where it comes from, and unpacking it."""

import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws import archives

PROGRAM = "sagemaker_program"
DIRECTORY = "sagemaker_submit_directory"
ARCHIVE = "tmp/sourcedir.tar.gz"
"""Where the supervisor puts the archive in a training job's directory."""


class SourceError(RuntimeError):
    """The source code is missing, or can't be unpacked."""


def decoded(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Hyperparameters as values: JSON where they are JSON, as the SDK sends them, else the text itself."""
    values: dict[str, Any] = {}
    for name, text in hyperparameters.items():
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def unpack(archive: Path, target: Path) -> None:
    """Unpack an archive, or take a plain script as it is; what leads outside is refused. Raises `SourceError`."""
    try:
        archives.unpack(archive, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise SourceError(f"The source code {archive.name} can't be unpacked as tar.gz: {error}.") from error


def copy(folder: Path, target: Path) -> None:
    """Copy a directory of source code; an archive ``sourcedir.tar.gz`` alone in it is unpacked."""
    archive = folder / "sourcedir.tar.gz"
    if archive.is_file() and len(list(folder.iterdir())) == 1:
        unpack(archive, target)
    else:
        shutil.copytree(folder, target, dirs_exist_ok=True)
