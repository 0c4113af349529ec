"""A store whose lists can show the past, as AWS's do: new jobs absent, old statuses, deleted rows still there.

Describe operations read the present; what a List operation reads goes through `page` and `listed`. While there is no
lag nothing is remembered and nothing costs anything.
"""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.local_aws.store import SORT_COLUMNS, Query, Record, Store, key_of

Key = tuple[str, str, str]


class LaggingStore(Store):
    """The store, with a memory of the last seconds while lists lag."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(path)
        self._clock = clock
        self._memory = threading.Lock()
        self._before: dict[Key, list[tuple[float, Record | None]]] = {}
        self._lag = 0.0
        self._jitter = 0.0
        self._random = random.Random(0)

    def lag(self, seconds: float, jitter: float, seed: int) -> None:
        """From now on lists are `seconds` old, and up to `jitter` more; both 0 is the present."""
        with self._memory:
            self._lag, self._jitter, self._random = seconds, jitter, random.Random(seed)
            if not seconds and not jitter:
                self._before.clear()

    def insert(self, *args: Any, **kwargs: Any) -> Record:
        """As the store's, and remember that it was not there."""
        record = super().insert(*args, **kwargs)
        self._remember(record, None)
        return record

    def update(self, kind: str, region: str, name: str, change: Callable[[Record], Record]) -> Record:
        """As the store's, and remember how it was."""
        seen: list[Record] = []

        def noting(record: Record) -> Record:
            seen[:] = [record]
            return change(record)

        after = super().update(kind, region, name, noting)
        if after is not seen[0]:
            self._remember(after, seen[0])
        return after

    def delete(self, kind: str, region: str, name: str, arn: str) -> None:
        """As the store's, and remember how it was."""
        found = self.find(kind, region, name)
        super().delete(kind, region, name, arn)
        if found is not None:
            self._remember(found, found)

    def page(self, query: Query) -> list[Record]:
        """As the store's, of the rows as they were when the list was current."""
        if not self._lags():
            return super().page(query)
        rows = [
            each for each in self.listed(query.kind, region=query.region, parent=query.parent) if _asked(query, each)
        ]
        column = SORT_COLUMNS[query.sort]

        def place(record: Record) -> tuple[Any, int]:
            values = {"key": key_of(record.kind, record.name), "created": record.created, "status": record.status}
            return values[column], record.seq

        rows.sort(key=place, reverse=query.descending)
        if query.after is not None:
            after = (query.after[0], query.after[1])
            rows = [each for each in rows if (place(each) < after if query.descending else place(each) > after)]
        return rows[: query.limit + 1]

    def listed(self, kind: str, *, region: str, parent: str | None = None) -> list[Record]:
        """Every resource of a kind as lists show them, oldest first."""
        present = super().all(kind, region=region, parent=parent)
        if not self._lags():
            return present
        with self._memory:
            moment = self._clock() - self._lag - self._random.uniform(0, self._jitter)
            past = {key: self._at(key, moment) for key in self._before if key[:2] == (kind, region)}
        rows = []
        for record in present:
            key = (kind, region, key_of(kind, record.name))
            found, was = past.pop(key, (False, None))
            if not found:
                rows.append(record)
            elif was is not None:
                rows.append(was)
        if parent is None:  # a deleted row no longer tells whose child it was
            rows += [was for found, was in past.values() if found and was is not None]
        return sorted(rows, key=lambda each: each.seq)

    def _lags(self) -> bool:
        return bool(self._lag or self._jitter)

    def _at(self, key: Key, moment: float) -> tuple[bool, Record | None]:
        """Whether the row changed after `moment`, and how it was then."""
        for until, record in self._before[key]:
            if until > moment:
                return True, record
        return False, None

    def _remember(self, record: Record, before: Record | None) -> None:
        if not self._lags():
            return
        now = self._clock()
        key = (record.kind, record.region, key_of(record.kind, record.name))
        with self._memory:
            kept = [each for each in self._before.get(key, ()) if each[0] > now - self._lag - self._jitter]
            self._before[key] = [*kept, (now, before)]


def _asked(query: Query, record: Record) -> bool:
    """Whether a row fits a query; the same as the store's own SQL."""
    return (
        (query.name_contains is None or query.name_contains.lower() in record.name.lower())
        and (query.status is None or record.status == query.status)
        and (query.created_after is None or record.created > query.created_after)
        and (query.created_before is None or record.created < query.created_before)
        and (query.modified_after is None or record.modified > query.modified_after)
        and (query.modified_before is None or record.modified < query.modified_before)
    )
