"""The metrics' samples: one SQLite file, in which each row holds what one metric did in one second.

Rows older than three hours are put together to minutes; two weeks after its last sample a metric is forgotten.
"""

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from include.local_aws.monitoring.series import Metric, Tally, unpacked

SECONDS_KEPT = 3 * 3600
"""How long there are rows for single seconds (CloudWatch: three hours)."""
KEPT = 15 * 86_400
"""How long samples are kept, and metrics without new ones are listed (CloudWatch: minutes 15 days, lists two weeks)."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    dimensions TEXT NOT NULL, unit TEXT NOT NULL, latest INTEGER NOT NULL,
    UNIQUE (region, namespace, name, dimensions, unit)
);
CREATE TABLE IF NOT EXISTS sample (
    series INTEGER NOT NULL, moment INTEGER NOT NULL,
    count REAL NOT NULL, sum REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, known TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS sample_by_time ON sample (series, moment);
"""
_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Sample:
    """What a metric did in the second that starts at `moment` (epoch seconds)."""

    metric: Metric
    unit: str
    moment: int
    tally: Tally


class MetricDatabase:
    """The file; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")  # as the state's: a power cut may lose the last moments
        self._database.executescript(_SCHEMA)
        self._ids: dict[tuple[Metric, str], int] = {}

    def close(self) -> None:
        """Close the file; nothing may use it afterwards."""
        with self._lock:
            self._database.close()

    def add(self, samples: Iterable[Sample]) -> None:
        """Write samples, all or none."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for sample in samples:
                    self._add(sample)
            except BaseException:
                self._database.execute("ROLLBACK")
                self._ids.clear()
                raise
            self._database.execute("COMMIT")

    def _add(self, sample: Sample) -> None:
        series = self._id(sample.metric, sample.unit, sample.moment)
        tally = sample.tally.rounded()
        self._database.execute(
            "INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)",
            (series, sample.moment, tally.count, tally.sum, tally.low, tally.high, tally.packed()),
        )
        self._database.execute("UPDATE series SET latest = max(latest, ?) WHERE id = ?", (sample.moment, series))

    def _id(self, metric: Metric, unit: str, moment: int) -> int:
        key = (metric, unit)
        if key not in self._ids:
            values = (metric.region, metric.namespace, metric.name, _dimensions(metric), unit)
            self._database.execute(
                "INSERT OR IGNORE INTO series (region, namespace, name, dimensions, unit, latest)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*values, moment),
            )
            (self._ids[key],) = self._database.execute(
                "SELECT id FROM series WHERE region = ? AND namespace = ? AND name = ? AND dimensions = ? AND unit = ?",
                values,
            ).fetchone()
        return self._ids[key]

    def read(
        self,
        metric: Metric,
        start: float,
        end: float,
        period: int,
        unit: str | None = None,
        *,
        values: bool = True,
    ) -> tuple[dict[int, Tally], str]:
        """The tallies by the start of their period (a multiple of `period` seconds), and the unit.

        Of the seconds from `start` up to and without `end`. Without `unit` those of every unit are taken together;
        without `values` the single values, which only percentiles need, stay unknown.
        """
        with self._lock:
            known = "known" if values else "'[]'"
            rows = self._database.execute(
                f"SELECT moment, count, sum, low, high, {known}, unit FROM sample JOIN series ON series = id"  # noqa: S608
                " WHERE region = ? AND namespace = ? AND name = ? AND dimensions = ? AND (? IS NULL OR unit = ?)"
                " AND moment >= ? AND moment < ?",
                (metric.region, metric.namespace, metric.name, _dimensions(metric), unit, unit, start, end),
            ).fetchall()
        found: dict[int, Tally] = {}
        for moment, count, total, low, high, known, _ in rows:
            found.setdefault(moment - moment % period, Tally()).merge(unpacked(count, total, low, high, known))
        return dict(sorted(found.items())), rows[-1][6] if rows else (unit or "None")

    def metrics(self, region: str, since: float) -> list[Metric]:
        """The region's metrics that had a sample after `since`, in the order of their names."""
        with self._lock:
            rows = self._database.execute(
                "SELECT DISTINCT namespace, name, dimensions FROM series WHERE region = ? AND latest >= ?"
                " ORDER BY namespace, name, dimensions",
                (region, since),
            ).fetchall()
        return [Metric(region, namespace, name, _pairs(dimensions)) for namespace, name, dimensions in rows]

    def tidy(self, now: float) -> None:
        """Put old seconds together to minutes, and forget what is too old."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.execute("DELETE FROM sample WHERE moment < ?", (now - KEPT,))
                self._database.execute("DELETE FROM series WHERE latest < ?", (now - KEPT,))
                self._put_together(int(now - SECONDS_KEPT) // 60 * 60)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            self._ids.clear()

    def _put_together(self, before: int) -> None:
        """One row for each minute of which there are several rows, a minute at a time."""
        several = self._database.execute(
            "SELECT series, moment - moment % 60 AS minute FROM sample WHERE moment < ?"
            " GROUP BY series, minute HAVING count(*) > 1",
            (before,),
        ).fetchall()
        for series, minute in several:
            whole = Tally()
            for row in self._database.execute(
                "SELECT count, sum, low, high, known FROM sample WHERE series = ? AND moment >= ? AND moment < ?",
                (series, minute, minute + 60),
            ):
                whole.merge(unpacked(*row))
            self._database.execute(
                "DELETE FROM sample WHERE series = ? AND moment >= ? AND moment < ?", (series, minute, minute + 60)
            )
            whole = whole.rounded()
            self._database.execute(
                "INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)",
                (series, minute, whole.count, whole.sum, whole.low, whole.high, whole.packed()),
            )


def _dimensions(metric: Metric) -> str:
    return _BETWEEN.join(text for pair in metric.dimensions for text in pair)


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    parts: list[str] = text.split(_BETWEEN) if text else []
    return tuple(zip(parts[::2], parts[1::2], strict=True))
