"""A source directory for a processing job: the archive and the script that unpacks and runs it.

The layout is the SageMaker SDK's (``FrameworkProcessor`` with ``source_dir``): ``sourcedir.tar.gz`` and ``runproc.sh``
side by side in S3, so that whoever knows one knows the other.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from pathlib import Path
from typing import Any

from automl_retraining.core.errors import ConfigError
from automl_retraining.sagemaker import storage

ARCHIVE = "sourcedir.tar.gz"
RUN = "runproc.sh"
CODE_PATH = "/opt/ml/processing/input/code/"
"""Where the container finds the folder that holds both."""
ENTRYPOINT_PATH = "/opt/ml/processing/input/entrypoint"

_RUN_SCRIPT = """\
#!/bin/bash
# Unpack the source directory, add what it needs and run its script. Any error ends the job as failed.
set -e
cd {code}
tar -xzf {archive}
if [ -f requirements.txt ]; then
    python3 -m pip install --disable-pip-version-check --no-input --quiet -r requirements.txt
fi
exec python3 {script} "$@"
"""


def archive(folder: Path, script: str) -> bytes:
    """The folder as a gzipped tar: the same bytes for the same files, whoever packs them and whenever.

    Left out are caches and hidden files.

    Raises:
        ConfigError: no such folder, no such script in it, or a symbolic link, which would lead out of the archive.
    """
    if not folder.is_dir():
        raise ConfigError(f"processing.source_dir: expected a folder, found nothing at {folder}")
    if not (folder / script).is_file():
        files = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_file())) or "no file"
        raise ConfigError(f"processing.script: expected a file of {folder}, found no {script!r} there but {files}")
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(folder)
            if any(part.startswith(".") or part == "__pycache__" for part in relative.parts):
                continue
            if path.is_symlink():
                raise ConfigError(f"processing.source_dir: expected files and folders, found the link {path}")
            if path.is_file():
                member = tarfile.TarInfo(relative.as_posix())
                member.mode = 0o644
                content = path.read_bytes()
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def run_script(script: str) -> str:
    """``runproc.sh``; ConfigError for a script name that a shell would read as more than a name."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.py", script):
        raise ConfigError(
            f"processing.script: expected the name of a Python file such as preprocess.py, found {script!r}"
        )
    return _RUN_SCRIPT.format(code=CODE_PATH, archive=ARCHIVE, script=script)


def upload(s3: Any, folder: Path, script: str, below: str) -> tuple[str, str]:
    """Put both into a folder of their own; its URI and that of ``runproc.sh``, as a processing job's inputs.

    The folder below ``below`` is named by the content, so that a retry with changed code is another request and not
    taken for the same job.
    """
    run, packed = run_script(script), archive(folder, script)
    prefix = storage.join(below, f"source-{hashlib.blake2b(packed, digest_size=6).hexdigest()}")
    storage.write_bytes(s3, storage.join(prefix, ARCHIVE), packed, "application/gzip")
    storage.write_text(s3, storage.join(prefix, RUN), run, "text/x-shellscript")
    return prefix.rstrip("/") + "/", storage.join(prefix, RUN)
