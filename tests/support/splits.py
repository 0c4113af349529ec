"""Tables and splits for tests: one call from bytes to what came out."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from automl_retraining.core.cutoff import find_cutoff
from automl_retraining.core.layout import Roles
from automl_retraining.core.split import Sinks, SplitOutcome, SplitRequest, split
from automl_retraining.core.trainer_specs import SplitSpec

SALT = "00112233445566778899aabbccddeeff"


@dataclass(frozen=True)
class Done:
    """A split's outcome and the bytes of its files."""

    outcome: SplitOutcome
    train: bytes
    validation: bytes
    test: bytes
    transform: bytes
    truth: bytes

    @property
    def parts(self) -> tuple[bytes, bytes, bytes]:
        """The three tables."""
        return self.train, self.validation, self.test

    def truths(self) -> list[dict[str, str]]:
        """truth.csv's rows."""
        return list(csv.DictReader(io.StringIO(self.truth.decode(), newline="")))


def run_split(data: bytes, target: str = "y", *, salt: str = SALT, previous_cutoff: str | None = None,
              min_train_rows: int = 1, problem_type: Any = None, positive_class: str | None = None,
              drop: Sequence[str] = (), slices: Sequence[str] = (), sample_weight: str | None = None,
              chunk: int | None = None, **spec: Any) -> Done:  # fmt: skip
    """Split ``data``; ``spec`` are SplitSpec's members. ``chunk`` makes the stream hand out so many bytes at a time."""
    roles = Roles(target, SplitSpec(**spec), tuple(drop), tuple(slices), sample_weight)
    cutoff = None
    if roles.spec.time:
        cutoff, _ = find_cutoff(io.BytesIO(data), "table.csv", roles.spec.time, roles.spec.test, previous_cutoff)
    request = SplitRequest("table.csv", roles, salt, problem_type, positive_class, cutoff, min_train_rows)
    sinks = [io.BytesIO() for _ in range(5)]
    stream = io.BytesIO(data) if chunk is None else Dribble(data, chunk)
    outcome = split(stream, request, Sinks(*sinks))
    return Done(outcome, *(sink.getvalue() for sink in sinks))


class Dribble:
    """A stream that hands out at most so many bytes at a time, as a slow connection does."""

    def __init__(self, data: bytes, most: int) -> None:
        self._stream = io.BytesIO(data)
        self._most = most

    def read(self, size: int = -1, /) -> bytes:
        """At most ``most`` bytes."""
        return self._stream.read(self._most if size < 0 else min(size, self._most))


def table(header: str, rows: Iterable[str], ending: str = "\n") -> bytes:
    """A table from its lines."""
    return (ending.join([header, *rows]) + ending).encode()


def binary_rows(n: int, seed: int = 0) -> list[str]:
    """Rows of ``id,a,b,y``: an id, a whole number, a decimal that no other row has, and yes or no."""
    random_ = random.Random(seed)
    return [f"c{i},{random_.randrange(100)},{i + random_.random():.6f},{'yes' if i % 3 else 'no'}" for i in range(n)]
