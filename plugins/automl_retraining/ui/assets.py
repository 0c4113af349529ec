"""The files of the pages: their shells, and what those load. Nothing else of the disk is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    "": "text/plain; charset=utf-8",
}
"""Media types by ending; files of other endings are not sent. LICENSE and NOTICE have none."""


@dataclass(frozen=True)
class Asset:
    """A file's bytes, its media type and its ETag."""

    data: bytes
    media_type: str
    etag: str


class Assets:
    """The files below ``pages/`` and ``static/``."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def page(self, name: str) -> Asset | None:
        """The shell of that page."""
        return self._read("pages", f"{name}.html")

    def static(self, path: str) -> Asset | None:
        """The file at that path below ``static/``; None where there is none, or where the path leads elsewhere."""
        return self._read("static", path)

    def _read(self, folder: str, path: str) -> Asset | None:
        parts = path.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        base = (self._root / folder).resolve()
        file = base.joinpath(*parts)
        media_type = _TYPES.get(file.suffix)
        # A symbolic link may lead out of the folder.
        if media_type is None or not file.is_file() or not file.resolve().is_relative_to(base):
            return None
        data = file.read_bytes()
        return Asset(data, media_type, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
