"""What a training leaves in S3: its model, its other output, its checkpoints."""

import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws.s3.client import S3Files, split_uri
from include.local_aws.training.requests import CHECKPOINTS

SYNC_SECONDS = 1.0
"""How often a running job's checkpoints are looked at."""


def _below(request: Mapping[str, Any]) -> str:
    path: str = request["OutputDataConfig"]["S3OutputPath"]
    return f"{path.rstrip('/')}/{request['TrainingJobName']}/output"


def _packed(request: Mapping[str, Any]) -> bool:
    return bool(request["OutputDataConfig"].get("CompressionType", "GZIP") == "GZIP")


def model_uri(request: Mapping[str, Any]) -> str:
    """Where the job's model will be: an archive, or a folder where the request wants no compression."""
    return f"{_below(request)}/model.tar.gz" if _packed(request) else f"{_below(request)}/model/"


def upload_model(s3: S3Files, request: Mapping[str, Any], root: Path) -> None:
    """Upload what stands in ``model/``."""
    _upload(s3, root / "model", model_uri(request), root / "tmp", packed=_packed(request))


def upload_output(s3: S3Files, request: Mapping[str, Any], root: Path) -> None:
    """Upload what stands in ``output/data/``, if anything does."""
    data = root / "output" / "data"
    if holds_files(data):
        uri = f"{_below(request)}/output.tar.gz" if _packed(request) else f"{_below(request)}/data/"
        _upload(s3, data, uri, root / "tmp", packed=_packed(request))


def holds_files(folder: Path) -> bool:
    """Whether there is a file in or below this folder."""
    return next((True for path in folder.rglob("*") if path.is_file()), False)


def _upload(s3: S3Files, folder: Path, uri: str, work: Path, *, packed: bool) -> None:
    if packed:
        work.mkdir(exist_ok=True)
        archive = work / uri.rpartition("/")[2]
        with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
            for path in sorted(folder.iterdir()) if folder.is_dir() else ():
                tar.add(path, arcname=path.name)
        s3.upload(archive, uri)
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            s3.upload(path, uri + path.relative_to(folder).as_posix())


class Checkpoints:
    """A job's checkpoints: restored before it starts, copied to S3 while it runs."""

    def __init__(self, s3: S3Files, config: Mapping[str, str], root: Path) -> None:
        self._s3 = s3
        self._uri = config["S3Uri"].rstrip("/")
        self._folder = root / config.get("LocalPath", CHECKPOINTS).removeprefix("/opt/ml/").strip("/")
        self._known: dict[str, tuple[int, int]] = {}
        self._looked = 0.0

    def restore(self) -> None:
        """Download what an earlier job left; raises `S3InputError`."""
        self._s3.check_output(self._uri)
        self._folder.mkdir(parents=True, exist_ok=True)
        prefix = split_uri(self._uri)[1] + "/"
        for each in self._s3.below(self._uri + "/"):
            path = self._folder / each.key.removeprefix(prefix)
            if ".." not in path.parts:
                self._s3.download(each.bucket, each.key, path)
                self._known[path.relative_to(self._folder).as_posix()] = _version(path)

    def sync(self, *, now: bool = False) -> None:
        """Upload the files that changed, not more often than once in `SYNC_SECONDS` unless asked to do it now."""
        if not now and time.monotonic() - self._looked < SYNC_SECONDS:
            return
        self._looked = time.monotonic()
        for path in sorted(self._folder.rglob("*")):
            name = path.relative_to(self._folder).as_posix()
            try:
                version = _version(path)
                if path.is_file() and self._known.get(name) != version:
                    self._s3.upload(path, f"{self._uri}/{name}")
                    self._known[name] = version
            except FileNotFoundError:
                continue  # removed while we looked, as trainings do with their oldest


def _version(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_size
