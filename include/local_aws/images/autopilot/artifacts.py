"""What a search writes: the event stream and the artifacts below ``output/``."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]

FORMAT = 1
"""Of model.tar.gz; a container refuses another one in words."""
MANIFEST = "manifest.json"
MODEL = "model.joblib"


class Output:
    """The job's output folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._events = root / "output" / "events.jsonl"
        self.artifacts = root / "output" / "artifacts"
        self.artifacts.mkdir(parents=True, exist_ok=True)

    def emit(self, event: str, **fields: Any) -> None:
        """Append one event, flushed."""
        line = json.dumps({"time": time.time(), "event": event, **fields}, allow_nan=False)
        with self._events.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def write_json(self, relative: str, document: Any) -> None:
        """Write an artifact as JSON."""
        self.write(relative, json.dumps(document, indent=2, allow_nan=False).encode())

    def write(self, relative: str, content: bytes) -> None:
        """Write an artifact, whole at once: what stands among the artifacts may be uploaded at any moment."""
        path = self.artifacts / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.root / "output" / f"partial-{os.getpid()}"
        partial.write_bytes(content)
        partial.replace(path)

    def write_model(self, relative: str, kind: str, model: Any, manifest: Mapping[str, Any]) -> None:
        """Write a model.tar.gz with the object and a manifest; the same object gives the same bytes."""
        self.write(relative, pack(kind, model, manifest))


def pack(kind: str, model: Any, manifest: Mapping[str, Any]) -> bytes:
    """A model.tar.gz with the object and a manifest; the same object gives the same bytes."""
    return archive(pickled(kind, model, manifest))


def pickled(kind: str, model: Any, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a model directory: a manifest, and the object."""
    content = io.BytesIO()
    joblib.dump(model, content)
    described = json.dumps({"format": FORMAT, "kind": kind, **manifest}, indent=2, allow_nan=False).encode()
    return {MANIFEST: described, MODEL: content.getvalue()}


def archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of files; the same files give the same bytes."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()
