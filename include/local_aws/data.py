"""The data directory: one process at a time, a format that says its version."""

import fcntl
import json
import os
from pathlib import Path
from typing import IO

FORMAT = 1
"""Raised when what is kept can no longer be read by the version before."""


class DataDirectoryError(RuntimeError):
    """The directory can't be used."""


class DataDirectory:
    """The directory, locked while this object lives."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._acquire()
        except OSError as error:
            raise DataDirectoryError(
                f"Expected a directory to write to at {self.path}, found: {error}. Give another with --data."
            ) from error
        try:
            self._check_format()
        except DataDirectoryError:
            self.release()
            raise

    def _acquire(self) -> IO[str]:
        file = (self.path / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise DataDirectoryError(
                f"Another embedded AWS (process {holder}) uses the data directory {self.path}. "
                "End it, or give this one a directory of its own with --data."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file

    def _check_format(self) -> None:
        marker = self.path / "version.json"
        if not marker.exists():
            part = marker.with_suffix(".part")  # a kill in the middle must not leave a marker that says nothing
            part.write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
            part.replace(marker)
            return
        try:
            found = json.loads(marker.read_text("utf-8"))["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataDirectoryError(f'Expected {{"format": {FORMAT}}} in {marker}, found something else.') from error
        if found != FORMAT:
            age = "a newer" if isinstance(found, int) and found > FORMAT else "another"
            raise DataDirectoryError(
                f"Expected data of format {FORMAT} in {self.path}, found format {found}: it was written by {age} "
                "version of the embedded AWS. Use that version, or another directory with --data."
            )

    def release(self) -> None:
        """Let another process use the directory."""
        self._lock.close()
