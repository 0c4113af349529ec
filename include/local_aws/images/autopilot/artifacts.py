"""What a search writes: the event stream and the artifacts below ``output/``."""

from __future__ import annotations

import gzip
import io
import json
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
        """Write an artifact."""
        path = self.artifacts / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def write_model(self, relative: str, kind: str, model: Any, manifest: Mapping[str, Any]) -> None:
        """Write a model.tar.gz with the object and a manifest; the same object gives the same bytes."""
        pickled = io.BytesIO()
        joblib.dump(model, pickled)
        described = json.dumps({"format": FORMAT, "kind": kind, **manifest}, indent=2, allow_nan=False).encode()
        archive = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=archive, mode="wb", compresslevel=1, mtime=0) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as tar,
        ):
            for name, content in ((MANIFEST, described), (MODEL, pickled.getvalue())):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        self.write(relative, archive.getvalue())
