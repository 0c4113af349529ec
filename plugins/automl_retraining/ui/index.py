"""The runs of a pipeline, in memory: read from S3 in the background, a run again only when its files changed.

Asking never waits for S3 beyond a moment: it gets what is there, and how much is still to come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from automl_retraining.sagemaker.storage import ObjectMissing
from automl_retraining.ui.aws import AwsError, in_words
from automl_retraining.ui.folder import HEAD, LARGEST, Folder, Shelf, too_large
from automl_retraining.ui.summary import RunSummary, summarise

log = logging.getLogger(__name__)

FRESH = 10.0
"""Seconds after which the folders are looked at again, when somebody asks."""
SETTLED = 600.0
"""Seconds after which a run that is over is looked at again: it may have been cleared."""
NEWEST = 20
"""So many of the newest runs are looked at every time."""
MOST = 5000
"""Runs kept in memory, about 2 KB each; of more, those whose names sort last."""

_WHOLE = ("outcome", "decision", "evaluation")
_BEGINNING = ("manifest", "leaderboard")


@dataclass(frozen=True)
class Known:
    """A run as it was read: the ETags of its records, and when they were looked at."""

    summary: RunSummary | None
    etags: tuple[tuple[str, str], ...]
    looked: float


@dataclass(frozen=True)
class View:
    """What is known of a pipeline's runs now. ``version`` changes with every change of ``runs``."""

    runs: tuple[RunSummary, ...]
    done: int
    total: int
    ready: bool
    version: int
    error: str | None = None


EMPTY = View((), 0, 0, ready=False, version=0)


@dataclass
class RunIndex:
    """The runs of one pipeline.

    Args:
        open_shelf: opens the pipeline's folders; may raise AwsError.
        readers: threads that read S3.
        clock: seconds, monotonic.
    """

    open_shelf: Callable[[], Shelf]
    readers: Executor
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, Known] = field(default_factory=dict)
    _view: View = EMPTY
    _began: float = float("-inf")
    _running: threading.Event | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def view(self, wait: float = 0.0) -> View:
        """What is known, newest first. Starts a look at S3 where the last is old; waits for its end at most so long."""
        with self._lock:
            if self._running is None and self.clock() - self._began > FRESH:
                self._began = self.clock()
                self._running = threading.Event()
                threading.Thread(target=self._refresh, args=(self._running,), name="automl-runs", daemon=True).start()
            running = self._running
        if running is not None and wait > 0 and not self._view.ready:
            running.wait(wait)
        return self._view

    # ------------------------------------------------------------ one look at everything

    def _refresh(self, running: threading.Event) -> None:
        try:
            with in_words("read the runs"):
                self._look()
        except AwsError as error:
            with self._lock:
                before = self._view
                self._view = View(before.runs, before.done, before.total, ready=True, version=before.version,
                                  error=str(error))  # fmt: skip
        except Exception:
            log.exception("the runs could not be read")
            with self._lock:
                before = self._view
                self._view = View(before.runs, before.done, before.total, ready=True, version=before.version,
                                  error="the runs could not be read: see the log of Airflow's api-server")  # fmt: skip
        finally:
            with self._lock:
                self._running = None
            running.set()

    def _look(self) -> None:
        shelf = self.open_shelf()
        folders = {folder.uri: folder for folder in shelf.folders()[-MOST:]}
        kept = {uri: self._known[uri] for uri in folders if uri in self._known}
        gone = len(kept) != len(self._known)
        self._known = kept
        due = self._due(list(folders.values()))
        total = len(folders)
        done = total - len(due)
        ready = self._view.ready
        changed = gone or not ready
        # Newest names first, so that a first look shows what matters before it is through.
        for start in range(0, len(due), 64):
            batch = due[start : start + 64]
            looked = list(self.readers.map(self._check, batch))
            for folder, one in zip(batch, looked, strict=True):
                before = self._known.get(folder.uri)
                changed = changed or before is None or before.summary != one.summary
                self._known[folder.uri] = one
            done += len(batch)
            if not ready:
                self._publish(done, total, ready=False)
        if changed:
            self._publish(total, total, ready=True)
        elif self._view.error:
            before_view = self._view
            self._view = View(before_view.runs, total, total, ready=True, version=before_view.version)

    def _due(self, folders: Sequence[Folder]) -> list[Folder]:
        """The folders to look at now, newest first."""
        now = self.clock()

        def age(folder: Folder) -> str:
            known = self._known.get(folder.uri)
            return known.summary.when if known and known.summary else "~" + folder.name  # unknown is as good as newest

        ordered = sorted(folders, key=age, reverse=True)
        return [
            folder
            for place, folder in enumerate(ordered)
            if (known := self._known.get(folder.uri)) is None
            or place < NEWEST
            or known.summary is None
            or not known.summary.over
            or now - known.looked > SETTLED
        ]

    def _check(self, folder: Folder) -> Known:
        """One list call, and the records that are new or changed."""
        now = self.clock()
        entries = folder.entries()
        wanted = [name for name in (*_WHOLE, *_BEGINNING) if f"{name}.json" in entries]
        etags = tuple((name, entries[f"{name}.json"].etag) for name in wanted)
        before = self._known.get(folder.uri)
        if before is not None and before.etags == etags:
            return Known(before.summary, etags, now)
        if not wanted:
            return Known(None, etags, now)
        found: dict[str, bytes] = {}
        whole: dict[str, bool] = {}
        problems: list[str] = []
        for name in wanted:
            size = entries[f"{name}.json"].size
            if name in _WHOLE and size > LARGEST:
                problems.append(too_large(name, size))
                continue
            # A range of an empty object is an error, so what is small is read whole.
            whole[name] = name in _WHOLE or size <= HEAD
            try:
                found[name] = folder.read(f"{name}.json", None if whole[name] else HEAD)
            except ObjectMissing:
                continue  # removed between the listing and now: the next look finds it gone
        return Known(summarise(folder.name, found, whole, problems), etags, now)

    def _publish(self, done: int, total: int, *, ready: bool) -> None:
        runs = sorted(
            (one.summary for one in self._known.values() if one.summary), key=lambda run: run.when, reverse=True
        )
        with self._lock:
            self._view = View(tuple(runs), done, total, ready=ready, version=self._view.version + 1)
