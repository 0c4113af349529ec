"""SageMaker's state: one SQLite file with one row per resource, its body as JSON.

Every change is one transaction that is written before it is answered, so that a killed server comes back with all it
said. Times are epoch seconds.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS resource (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, parent TEXT,
    status TEXT NOT NULL, created REAL NOT NULL, modified REAL NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, region, key)
);
CREATE INDEX IF NOT EXISTS resource_by_time ON resource (kind, region, modified);
CREATE INDEX IF NOT EXISTS resource_by_parent ON resource (kind, region, parent);
CREATE TABLE IF NOT EXISTS tag (arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key));
"""

SORT_COLUMNS = {"Name": "key", "CreationTime": "created", "Status": "status"}


class AlreadyExists(KeyError):
    """There is a resource of this kind and name."""


class DoesNotExist(KeyError):
    """There is no resource of this kind and name."""


@dataclass(frozen=True)
class Record:
    """One resource. `body` is what its operations put there; treat it as frozen and replace it whole."""

    kind: str
    region: str
    name: str
    status: str
    body: Mapping[str, Any]
    created: float
    modified: float
    parent: str | None = None
    seq: int = 0

    def having(self, *, status: str | None = None, **body: Any) -> "Record":
        """A copy with another status, or with some members of its body changed; None removes a member."""
        changed = {key: value for key, value in {**self.body, **body}.items() if value is not None}
        return replace(self, status=status or self.status, body=changed)


@dataclass(frozen=True)
class Query:
    """Which resources a List operation asks for. `after` is the place of the last page's last row."""

    kind: str
    region: str
    parent: str | None = None
    name_contains: str | None = None
    status: str | None = None
    created_after: float | None = None
    created_before: float | None = None
    modified_after: float | None = None
    modified_before: float | None = None
    sort: str = "CreationTime"
    descending: bool = True
    limit: int = 10
    after: tuple[Any, int] | None = None


def key_of(kind: str, name: str) -> str:
    """A name as it is compared: AutoML job names are case-insensitive, the others are not."""
    return name.lower() if kind == "automl" else name


class Store:
    """The database; safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        # A commit is in the operating system's hands when it is answered: it survives whatever ends this process. Only
        # a power cut may lose the last ones (it never breaks the file). FULL would wait for the disk, at 15 times the
        # cost of a change, and say little: the objects beside it are not waited for either.
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(_SCHEMA)
        self._listeners: list[Callable[[Record | None, Record], None]] = []

    def listen(self, listener: Callable[[Record | None, Record], None]) -> None:
        """From now on call `listener` with what a record was (None: it is new) and is, after each change.

        It is called in the order of the changes of a record, and must neither wait nor change the store.
        """
        self._listeners.append(listener)

    def _tell(self, before: Record | None, after: Record) -> None:
        for listener in self._listeners:
            listener(before, after)

    def close(self) -> None:
        """Close the database; nothing may use it afterwards."""
        with self._lock:
            self._database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def insert(
        self,
        kind: str,
        region: str,
        name: str,
        status: str,
        body: Mapping[str, Any],
        *,
        parent: str | None = None,
        tags: tuple[str, Mapping[str, str]] | None = None,
    ) -> Record:
        """Add a resource, with its tags by ARN; raises `AlreadyExists`."""
        with self._lock:  # also while the listeners are told: they are told in the order of the changes
            self._insert(kind, region, name, status, body, parent, tags)
            record = self.get(kind, region, name)
            self._tell(None, record)
        return record

    def _insert(
        self,
        kind: str,
        region: str,
        name: str,
        status: str,
        body: Mapping[str, Any],
        parent: str | None,
        tags: tuple[str, Mapping[str, str]] | None,
    ) -> None:
        now = _now()
        with self._transaction() as database:
            if tags:
                arn, values = tags
                database.executemany("REPLACE INTO tag VALUES (?, ?, ?)", [(arn, *pair) for pair in values.items()])
            try:
                database.execute(
                    "INSERT INTO resource (kind, region, key, name, parent, status, created, modified, body)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (kind, region, key_of(kind, name), name, parent, status, now, now, json.dumps(body)),
                )
            except sqlite3.IntegrityError as error:
                raise AlreadyExists(name) from error

    def get(self, kind: str, region: str, name: str) -> Record:
        """One resource; raises `DoesNotExist`."""
        found = self.find(kind, region, name)
        if found is None:
            raise DoesNotExist(name)
        return found

    def find(self, kind: str, region: str, name: str) -> Record | None:
        """One resource, or None."""
        with self._lock:
            row = self._database.execute(
                f"SELECT {_COLUMNS} FROM resource WHERE kind = ? AND region = ? AND key = ?",  # noqa: S608 - constants
                (kind, region, key_of(kind, name)),
            ).fetchone()
        return _record(row) if row else None

    def update(self, kind: str, region: str, name: str, change: Callable[[Record], Record]) -> Record:
        """Replace a resource by what `change` makes of it, in one transaction; raises `DoesNotExist`.

        Where `change` answers the very same record nothing is written and its time of change stays.
        """
        with self._lock:
            with self._transaction() as database:
                before = self.get(kind, region, name)
                after = change(before)
                if after is before:
                    return before
                after = replace(after, modified=max(_now(), round(before.modified + 1e-6, 6)))
                database.execute(
                    "UPDATE resource SET status = ?, modified = ?, body = ? WHERE seq = ?",
                    (after.status, after.modified, json.dumps(after.body), before.seq),
                )
            self._tell(before, after)
            return after

    def replace(self, record: Record) -> Record:
        """Write a record as it is, for the one thread that there is when the server starts."""
        return self.update(record.kind, record.region, record.name, lambda _: record)

    def delete(self, kind: str, region: str, name: str, arn: str) -> None:
        """Remove a resource and its tags; raises `DoesNotExist`."""
        with self._transaction() as database:
            removed = database.execute(
                "DELETE FROM resource WHERE kind = ? AND region = ? AND key = ?", (kind, region, key_of(kind, name))
            )
            if removed.rowcount == 0:
                raise DoesNotExist(name)
            database.execute("DELETE FROM tag WHERE arn = ?", (arn,))

    def all(self, kind: str, *, region: str | None = None, parent: str | None = None) -> list[Record]:
        """Every resource of a kind, in every region unless one is given, oldest first."""
        clauses, values = ["kind = ?"], [kind]
        for column, wanted in (("region", region), ("parent", parent)):
            if wanted is not None:
                clauses.append(f"{column} = ?")
                values.append(wanted)
        with self._lock:
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM resource WHERE {' AND '.join(clauses)} ORDER BY seq",  # noqa: S608
                values,
            ).fetchall()
        return [_record(row) for row in rows]

    def page(self, query: Query) -> list[Record]:
        """At most `limit` + 1 resources of a query; the one too many tells that there is another page."""
        column = SORT_COLUMNS[query.sort]
        clauses: list[str] = ["kind = ?", "region = ?"]
        values: list[Any] = [query.kind, query.region]
        for clause, value in (
            ("parent = ?", query.parent),
            ("instr(lower(name), lower(?)) > 0", query.name_contains),
            ("status = ?", query.status),
            ("created > ?", query.created_after),
            ("created < ?", query.created_before),
            ("modified > ?", query.modified_after),
            ("modified < ?", query.modified_before),
        ):
            if value is not None:
                clauses.append(clause)
                values.append(value)
        direction, beyond = ("DESC", "<") if query.descending else ("ASC", ">")
        if query.after is not None:
            clauses.append(f"({column}, seq) {beyond} (?, ?)")
            values.extend(query.after)
        with self._lock:
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM resource WHERE {' AND '.join(clauses)}"  # noqa: S608 - values are bound
                f" ORDER BY {column} {direction}, seq {direction} LIMIT ?",
                [*values, query.limit + 1],
            ).fetchall()
        return [_record(row) for row in rows]

    def counts(self) -> dict[str, dict[str, int]]:
        """How many resources there are, by kind and status."""
        with self._lock:
            rows = self._database.execute(
                "SELECT kind, status, count(*) FROM resource GROUP BY kind, status"
            ).fetchall()
        counted: dict[str, dict[str, int]] = {}
        for kind, status, number in rows:
            counted.setdefault(kind, {})[status] = number
        return counted

    def tags(self, arn: str) -> dict[str, str]:
        """A resource's tags."""
        with self._lock:
            return dict(self._database.execute("SELECT key, value FROM tag WHERE arn = ? ORDER BY key", (arn,)))

    def tag(self, arn: str, values: Mapping[str, str]) -> dict[str, str]:
        """Add or replace tags, and answer all of them."""
        with self._transaction() as database:
            database.executemany("REPLACE INTO tag VALUES (?, ?, ?)", [(arn, *pair) for pair in values.items()])
        return self.tags(arn)

    def untag(self, arn: str, keys: list[str]) -> None:
        """Remove tags; keys that aren't there are ignored, as AWS does."""
        with self._transaction() as database:
            database.executemany("DELETE FROM tag WHERE arn = ? AND key = ?", [(arn, key) for key in keys])


def _now() -> float:
    """The time in whole microseconds, which is what clients keep of it: what they send back must compare as equal."""
    return round(time.time(), 6)


_COLUMNS = "kind, region, name, status, body, created, modified, parent, seq"


def _record(row: tuple[Any, ...]) -> Record:
    kind, region, name, status, body, created, modified, parent, seq = row
    return Record(kind, region, name, status, json.loads(body), created, modified, parent, seq)
