"""What a processing job leaves in S3: the files below each output's local path."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from include.local_aws.jobs.inputs import AT_ONCE
from include.local_aws.jobs.runner import JobFailed
from include.local_aws.s3.client import S3Files

LOOK_SECONDS = 1.0
"""How often a running job's Continuous outputs are looked at; a file goes up once it has not changed for as long."""


class Outputs:
    """The outputs of one job on all its instances, whose directories are `roots`."""

    def __init__(self, s3: S3Files, config: Sequence[Mapping[str, Any]], roots: Sequence[Path]) -> None:
        self._s3 = s3
        self._config = config
        self._roots = roots
        self._known: dict[tuple[Path, str], tuple[int, int]] = {}
        """The version of each file that was uploaded, by path and URI."""
        self._looked = 0.0

    def make(self) -> None:
        """The directories that the container finds, and whether their buckets exist; raises `S3InputError`."""
        for each in self._config:
            self._s3.check_output(each["S3Output"]["S3Uri"])
            for root in self._roots:
                inside(root, each["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)

    def sync(self) -> None:
        """Upload files of Continuous outputs that are new or changed, and at rest."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        rest = time.time_ns() - int(LOOK_SECONDS * 1e9)
        versions = {pair: _version(pair[0]) for pair in self._files("Continuous")}
        self._upload([pair for pair, version in versions.items() if version is not None and version[0] < rest])

    def finish(self, *, well: bool) -> None:
        """Upload what is left: of Continuous outputs always, of EndOfJob ones where the job ended `well`."""
        modes = ("Continuous", "EndOfJob") if well else ("Continuous",)
        self._upload([pair for mode in modes for pair in self._files(mode)])

    def _files(self, mode: str) -> Iterator[tuple[Path, str]]:
        for each in self._config:
            output = each["S3Output"]
            if output["S3UploadMode"] != mode:
                continue
            uri = output["S3Uri"].rstrip("/")
            for root in self._roots:
                folder = inside(root, output["LocalPath"])
                for path in sorted(folder.rglob("*")):
                    real = _real(path, root)
                    if real.is_file():
                        yield real, f"{uri}/{path.relative_to(folder).as_posix()}"
                    elif path.is_symlink() and not real.exists():
                        raise JobFailed(f"ClientError: {output['LocalPath']} has a link to nothing: {path.name}.")

    def _upload(self, files: Sequence[tuple[Path, str]]) -> None:
        changed = [pair for pair in files if self._known.get(pair) != _version(pair[0])]
        if len(changed) == 1:
            self._one(changed[0])
        elif changed:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self._one, changed))

    def _one(self, pair: tuple[Path, str]) -> None:
        version = _version(pair[0])
        if version is not None:  # the job may have removed it meanwhile
            self._s3.upload(*pair)
            self._known[pair] = version


def inside(root: Path, path: str) -> Path:
    """Where a path below /opt/ml stands in an instance's directory."""
    return root / Path(path).relative_to("/opt/ml")


def _real(path: Path, root: Path) -> Path:
    """The file that a link in a container means: what it calls /opt/ml is the instance's directory."""
    if not path.is_symlink():
        return path
    target = path.readlink()
    return inside(root, str(target)) if target.is_relative_to("/opt/ml") else path


def _version(path: Path) -> tuple[int, int] | None:
    """When it was changed last (nanoseconds since the epoch) and its bytes; None where there is no such file now."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_mtime_ns, state.st_size
