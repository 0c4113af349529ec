"""What names a row, and what only looks like it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from automl_retraining.core.cells import CellReader
from automl_retraining.core.sanity_identifiers import why
from automl_retraining.core.sanity_sample import Column

N = 800
RNG = np.random.default_rng(0)


def column(cells: Sequence[Any]) -> Column:
    """As it is drawn from a table."""
    texts = [str(cell) for cell in cells]
    understood = CellReader().read(texts)
    kinds = {kind for kind, times in understood.counts.items() if times and kind != "missing"}
    if kinds <= {"integer", "number"}:
        padded = sum(text[:1] == "0" and len(text) > 1 for text in texts) if kinds == {"integer"} else 0
        return Column("c", "integer" if kinds == {"integer"} else "number", understood.numbers, None, padded)
    return Column("c", "datetime" if kinds == {"datetime"} else "text", understood.numbers, texts)


def shuffled(values: Any) -> list[Any]:
    """In no order."""
    return list(RNG.permutation(np.asarray(list(values), dtype=object)))


NAMES: dict[str, Any] = {
    "row numbers": range(1, N + 1),
    "row numbers in no order": shuffled(range(N)),
    "customer numbers with gaps": shuffled(RNG.choice(20_000, N, replace=False)),
    "numbers that pandas wrote as decimals": [f"{i}.0" for i in shuffled(range(5000, 5000 + N))],
    "numbers that rise with the rows": np.cumsum(RNG.integers(1, 10**6, N)),
    "padded numbers": [f"{i:08d}" for i in RNG.choice(10**7, N, replace=False)],
    "account numbers": RNG.integers(10**9, 10**10, N),
    "uuids": [uuid.UUID(int=int(i)) for i in RNG.integers(0, 2**62, N)],
    "hashes": [hashlib.sha256(str(i).encode()).hexdigest()[:24] for i in range(N)],
    "addresses of people who come back": [f"user{i % 400}@example.org" for i in range(N)],
    "telephone numbers": [f"+47 {i // 1000:03d} {i % 1000:03d} 15" for i in range(100_000, 100_000 + N)],
    "numbered names": [f"CUST-{i:05d}" for i in shuffled(range(N))],
    "names": [f"Åse Person{'abcdefghij'[i % 10]}{i}x Berg" for i in range(N)],
}
MEASURED: dict[str, Any] = {
    "decimals that all differ": RNG.normal(size=N),
    "ages": RNG.integers(18, 90, N),
    "incomes": np.exp(RNG.normal(10.5, 0.5, N)).astype(int),
    "amounts in cents": np.exp(RNG.normal(9, 1, N)).astype(int),
    "large counts that all differ": np.exp(RNG.normal(18, 2, N)).astype(int),
    "prices with zeros": np.where(RNG.random(N) < 0.4, 0, RNG.integers(0, 10**6, N)),
    "postal codes": RNG.integers(1000, 1400, N),
    "times in seconds": np.cumsum(RNG.integers(1, 900, N)) + 1_700_000_000,
    "dates": [f"2026-01-{1 + i % 28:02d} {i % 24:02d}:{i % 60:02d}:{i // 60:02d}" for i in range(N)],
    "dates written otherwise": [f"{1 + i % 28}/{1 + i % 12}/2026 {i % 24}:{i % 60:02d}" for i in range(N)],
    "dates as numbers": [20260000 + 100 * (1 + i // 28 % 12) + 1 + i % 28 + 10_000 * (i // 336) for i in range(N)],
    "amounts with a sign": [f"$ {value:,.2f}" for value in RNG.uniform(1, 10**5, N)],
    "sentences": [f"the customer called {i} times about bill {i * 3}" for i in range(N)],
    "a few names": [f"town {i % 90}" for i in range(N)],
    "each number three times": shuffled(np.repeat(np.arange(N // 3 + 1), 3)[:N]),
    "nothing": [""] * N,
}


@pytest.mark.parametrize("what", NAMES)
def test_what_names_the_row_is_found(what: str) -> None:
    """With a reason."""
    assert why(column(NAMES[what]))


@pytest.mark.parametrize("what", MEASURED)
def test_what_describes_the_row_is_not(what: str) -> None:
    """However few of its values repeat."""
    assert why(column(MEASURED[what])) is None


def test_too_few_rows_say_nothing() -> None:
    """Of ninety values all may differ by chance."""
    assert why(column(range(90))) is None
    assert why(column([f"CUST-{i}" for i in range(90)])) is None
