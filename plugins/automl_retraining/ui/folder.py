"""A run folder in S3, read within the pipeline's own prefix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from automl_retraining.core.names import run_folder_name
from automl_retraining.sagemaker import storage

RECORDS = ("manifest", "leaderboard", "evaluation", "decision", "outcome", "checks")
"""Names of the JSON records that a run leaves, without ``.json``."""

HEAD = 16 * 1024
"""Bytes of a record's beginning in which everything stands that a list of runs shows of it."""

KINDS = ("runs", "ab")
"""Where a pipeline's run folders are below its prefix: of the runs that train or roll back, and of A/B tests."""

LARGEST = 64 * 10**6
"""Bytes of a record that a page reads: hundreds of times a usual one's."""


class Outside(storage.StorageRefused):
    """A URI that is not below the pipeline's prefix: nothing there is for these pages."""


@dataclass(frozen=True)
class Entry:
    """One object: its name below the folder, its ETag and its size in bytes."""

    name: str
    etag: str
    size: int


def too_large(name: str, size: int) -> str:
    """Why a record of that size is not read."""
    return f"{name}.json: expected at most {LARGEST / 1e6:.0f} MB, found {size / 1e6:,.0f} MB: it is not shown"


@dataclass(frozen=True)
class Shelf:
    """All run folders of a pipeline. Whatever is read is below ``s3://<bucket>/<pipeline>/``."""

    s3: Any
    bucket: str
    pipeline: str

    @property
    def prefix(self) -> str:
        """What every URI of this pipeline begins with."""
        return f"s3://{self.bucket}/{self.pipeline}/"

    def folders(self) -> list[Folder]:
        """All of them, those whose names sort last at the end; one list call per thousand."""
        found: list[Folder] = []
        for kind in KINDS:
            below = f"{self.pipeline}/{kind}/"
            with storage.words("list", f"{self.prefix}{kind}/"):
                lists = self.s3.get_paginator("list_objects_v2")
                for page in lists.paginate(Bucket=self.bucket, Prefix=below, Delimiter="/"):
                    names = (entry["Prefix"][len(below) : -1] for entry in page.get("CommonPrefixes", ()))
                    found.extend(Folder(self, name, kind) for name in names)
        return sorted(found, key=lambda folder: folder.name)

    def run(self, run_id: str, kind: str = "runs") -> Folder:
        """The folder of that run, whether or not there is anything in it."""
        return Folder(self, run_folder_name(run_id), kind)

    def read(self, uri: str, first: int | None = None) -> bytes:
        """The object's bytes, or the first ones.

        Raises:
            Outside: the URI is not below the pipeline's prefix.
            ObjectMissing: there is no such object.
        """
        bucket, key = storage.parse_uri(uri)
        inside = bucket == self.bucket and key.startswith(f"{self.pipeline}/")
        if not inside or any(part in ("", ".", "..") for part in key.split("/")):
            raise Outside(f"expected an object below {self.prefix}, found {uri!r}: these pages read nothing else")
        part = {} if first is None else {"Range": f"bytes=0-{first - 1}"}
        with storage.words("read", uri):
            body: bytes = self.s3.get_object(Bucket=bucket, Key=key, **part)["Body"].read()
        return body


@dataclass(frozen=True)
class Folder:
    """One run folder; ``kind`` is one of ``KINDS``."""

    shelf: Shelf
    name: str
    kind: str = "runs"

    @property
    def uri(self) -> str:
        """Its S3 URI, without a slash at the end."""
        return f"{self.shelf.prefix}{self.kind}/{self.name}"

    def entries(self, below: str = "") -> dict[str, Entry]:
        """The objects directly in the folder (or directly below ``scores/``), by name: one list call."""
        prefix = f"{self.shelf.pipeline}/{self.kind}/{self.name}/"
        with storage.words("list", f"{self.uri}/{below}"):
            answer = self.shelf.s3.list_objects_v2(Bucket=self.shelf.bucket, Prefix=prefix + below, Delimiter="/")
        return {
            (name := entry["Key"][len(prefix) :]): Entry(name, str(entry["ETag"]), int(entry["Size"]))
            for entry in answer.get("Contents", ())
        }

    def read(self, name: str, first: int | None = None) -> bytes:
        """The bytes of one of its objects; ObjectMissing where there is none."""
        return self.shelf.read(f"{self.uri}/{name}", first)
