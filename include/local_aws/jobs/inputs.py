"""S3 data sources as files of a job's directory: which object becomes which file, on which of several instances."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from include.local_aws.jobs.runner import JobFailed
from include.local_aws.s3.client import S3Files, S3InputError, S3Object, split_uri

AT_ONCE = 8
"""Objects that are fetched at a time."""


@dataclass(frozen=True)
class Placed:
    """An object, and the path of its file below the data source's directory."""

    object: S3Object
    path: PurePosixPath


def placed(s3: S3Files, data_type: str, uri: str) -> list[Placed]:
    """The objects of a data source with their files, in the order of their keys or of the manifest.

    Below a prefix that is a folder (with or without a slash at its end) files have their key from there on; an object
    of exactly that key has its last part; where the prefix is the beginning of names, its last part stays in them.
    In a manifest the entries themselves are the paths. Raises `JobFailed` for what is missing or can't be a path.
    """
    try:
        found = s3.inputs(data_type, uri)
        below = json.loads(s3.read(uri))[0]["prefix"] if data_type == "ManifestFile" else uri
    except S3InputError as error:
        raise JobFailed(f"ClientError: Data download failed:{error}") from error
    if data_type == "S3Prefix":
        found = sorted(found, key=lambda each: each.key)  # not every S3 server lists them so
    prefix = split_uri(below)[1] if below.count("/") > 2 else ""
    whole = data_type == "ManifestFile"
    pairs = [Placed(each, _path(each, prefix, manifest=whole)) for each in found]
    paths = {each.path for each in pairs}
    folders = {parent for path in paths for parent in path.parents}
    if len(paths) < len(pairs) or not paths.isdisjoint(folders):
        raise JobFailed(
            "ClientError: Data download failed:Failed to download data. Please check your s3 objects and ensure that "
            f"there is no object that is both a folder as well as a file ({uri})."
        )
    return pairs


def _path(each: S3Object, prefix: str, *, manifest: bool) -> PurePosixPath:
    folder = prefix.rstrip("/") + "/"
    if manifest:
        name = each.key.removeprefix(prefix)
    elif prefix.strip("/") and each.key.startswith(folder):
        name = each.key.removeprefix(folder)
    else:
        parent = prefix.rpartition("/")[0]
        name = each.key.removeprefix(f"{parent}/") if parent else each.key
    path = PurePosixPath(name.lstrip("/"))
    if not path.parts or ".." in path.parts or any(len(part.encode()) > 255 for part in path.parts):
        raise JobFailed(f"ClientError: Data download failed:the key of {each.uri} can't be a file's path.")
    return path


def share(objects: Sequence[Placed], instance: int, count: int) -> list[Placed]:
    """What ShardedByS3Key gives to one of `count` instances, numbered from 0: every object to exactly one of them."""
    return [each for number, each in enumerate(objects) if number % count == instance]


def fetch(s3: S3Files, objects: Sequence[Placed], folder: Path) -> None:
    """Download objects below a directory; raises `JobFailed`."""

    def one(each: Placed) -> None:
        s3.download(each.object.bucket, each.object.key, folder / each.path)

    folder.mkdir(parents=True, exist_ok=True)
    try:
        if len(objects) == 1:
            one(objects[0])
        else:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(one, objects))
    except S3InputError as error:
        raise JobFailed(f"ClientError: Data download failed:{error}") from error
    except OSError as error:
        raise JobFailed(f"ClientError: Data download failed:{error.strerror} ({error.filename})") from error
