"""The profile of each column, gathered while the table streams by."""

from __future__ import annotations

import random
import statistics

import pytest

from automl_retraining.core.cells import CellReader
from automl_retraining.core.profile import TOP, ColumnProfiler, distinct_limit
from automl_retraining.core.records import ColumnProfile
from tests.support.splits import run_split, table


def profile(cells: list[str], limit: int = 1000, block: int = 7) -> ColumnProfile:
    """Profile the cells, read in blocks."""
    reader, profiler = CellReader(), ColumnProfiler("c", limit)
    for start in range(0, len(cells), block):
        profiler.update(reader.read(cells[start : start + block]))
    return profiler.profile()


def test_numbers_have_moments_and_a_range() -> None:
    """As the statistics module computes them, whatever the blocks."""
    random_ = random.Random(1)
    values = [random_.gauss(1e6, 3) for _ in range(500)]
    found = profile([*map(repr, values), "", "NA"])
    assert (found.type, found.missing, found.distinct) == ("number", 2, len(set(values)))
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert found.mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert found.std == pytest.approx(statistics.stdev(values), rel=1e-9)
    assert found.top == ()


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2", ""], "integer"),
        (["1", "2.0"], "number"),
        (["1", "x"], "text"),
        (["2024-01-01", ""], "datetime"),
        (["2024-01-01", "1"], "text"),
        (["", "NA"], "empty"),
    ],
)
def test_a_type_is_the_narrowest_that_holds_every_value(cells: list[str], kind: str) -> None:
    """Missing values are of every type."""
    assert profile(cells, block=1).type == kind


def test_texts_have_their_most_frequent_values() -> None:
    """The most frequent first, equals by name, at most ten."""
    found = profile(["b"] * 5 + ["a"] * 5 + [f"v{n}" for n in range(20)])
    assert found.distinct == 22
    assert found.top[:2] == (("a", 5), ("b", 5))
    assert len(found.top) == TOP


def test_beyond_the_limit_only_that_is_known() -> None:
    """Memory stays bounded: the count stops, and so does the list of frequent values."""
    found = profile([f"v{n}" for n in range(2000)], limit=100)
    assert (found.distinct, found.top) == (100, ())


def test_free_text_is_not_kept() -> None:
    """Long texts would take memory that counting them is not worth."""
    found = profile([f"{n}" + "x" * 300 for n in range(50)], limit=100)
    assert (found.distinct, found.top) == (100, ())


def test_equal_numbers_count_once_however_they_are_written() -> None:
    """1 and 1.0 are one value."""
    assert profile(["1", "1.0", "1e0", "2"]).distinct == 2


def test_wide_tables_count_fewer_values_of_each_column() -> None:
    """The memory is that of all columns together."""
    assert distinct_limit(10) == 10_000
    assert distinct_limit(100) == 2_000
    assert distinct_limit(100_000) == 500


def test_what_a_person_should_know_about_a_column_is_a_warning() -> None:
    """Constant, empty, one value a row, numbers spoilt by a few words."""
    rows = [f"name {n},same,,{n if n % 50 else '?'},{n * 0.5},{'yes' if n % 2 else 'no'}" for n in range(400)]
    warnings = run_split(table("name,constant,empty,spoilt,fine,y", rows)).outcome.warnings
    assert any("'name' has nearly a value of its own in each row" in warning for warning in warnings)
    assert any("'constant' has the same value" in warning for warning in warnings)
    assert any("'empty' is empty" in warning for warning in warnings)
    assert any("'spoilt' counts as text because 8 of 400 cells are no numbers" in warning for warning in warnings)
    assert not any("'fine'" in warning for warning in warnings)
