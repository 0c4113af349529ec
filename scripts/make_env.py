"""``make env``: write .env from .env.example, with every empty secret drawn at random, readable by its owner only.

A value that is in .env already stays: it is what the volumes were made with.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SETTING = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")


def secret(name: str) -> str:
    """A new secret: 32 bytes in the form of its kind. All are safe inside a URL."""
    drawn = secrets.token_bytes(32)
    if name.endswith("FERNET_KEY"):
        return base64.urlsafe_b64encode(drawn).decode()
    return base64.urlsafe_b64encode(drawn).decode().rstrip("=")


def settings(text: str) -> dict[str, str]:
    """The names and values that a .env sets."""
    return {match[1]: match[2] for line in text.splitlines() if (match := _SETTING.fullmatch(line.strip()))}


def filled(example: str, present: str = "") -> str:
    """The example with its empty values drawn; ``present``'s lines come first and win."""
    there = settings(present)
    if not there:
        lines = example.splitlines()
    else:
        missing = [line for line in example.splitlines() if (m := _SETTING.fullmatch(line)) and m[1] not in there]
        lines = [*present.splitlines(), *missing]
    return "\n".join(_drawn(line) for line in lines) + "\n"


def _drawn(line: str) -> str:
    match = _SETTING.fullmatch(line.strip())
    return f"{match[1]}={secret(match[1])}" if match and match[2] == "" else line


def write(path: Path, text: str) -> None:
    """Write the file at once or not at all, for its owner only."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def main(root: Path = ROOT) -> int:
    """Write or complete .env and say so."""
    path = root / ".env"
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    text = filled((root / ".env.example").read_text(encoding="utf-8"), present)
    if text == present:
        print(f"{path}: nothing was missing")
    else:
        write(path, text)
        print(f"{path}: {'completed' if present else 'written'}; its secrets are random. The logins are in it:")
        print("  admin and viewer, AIRFLOW_ADMIN_PASSWORD and AIRFLOW_VIEWER_PASSWORD")
    path.chmod(0o600)
    return 0


if __name__ == "__main__":
    sys.exit(main())
