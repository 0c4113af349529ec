"""The pages' shell and the files that it loads. Nothing else of the disk is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from string import Template

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
    """The shell ``page.html``, and the files below ``static/``."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def page(self, name: str, title: str, *, up: str = "") -> Asset:
        """The shell of the page that ``static/<name>.js`` fills; ``up`` leads from its address to that of the app."""
        shell = Template((self._root / "page.html").read_text(encoding="utf-8"))
        return _asset(shell.substitute(name=name, title=title, up=up).encode(), ".html")

    def static(self, path: str) -> Asset | None:
        """The file at that path below ``static/``; None where there is none, or where the path leads elsewhere."""
        parts = path.split("/")
        if any(part in ("", ".", "..") or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        base = (self._root / "static").resolve()
        file = base.joinpath(*parts)
        # A symbolic link may lead out of the folder.
        if file.suffix not in _TYPES or not file.is_file() or not file.resolve().is_relative_to(base):
            return None
        return _asset(file.read_bytes(), file.suffix)


def _asset(data: bytes, suffix: str) -> Asset:
    return Asset(data, _TYPES[suffix], f'"{hashlib.sha256(data).hexdigest()[:32]}"')
