"""What a cell means, by one rule whatever stands around it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.cells import CellReader, classify, is_missing, time_value


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        ("12", "integer", 12),
        ("-0", "integer", 0),
        (" 7 ", "integer", 7),
        ("1.5", "number", 1.5),
        ("1.", "number", 1),
        (".5", "number", 0.5),
        ("1e3", "number", 1000),
        ("1_000", "text", None),
        ("inf", "text", None),
        ("1e999", "text", None),
        ("0x1f", "text", None),
        ("١٢", "text", None),
        ("", "missing", None),
        ("  ", "missing", None),
        ("NA", "missing", None),
        ("nan", "missing", None),
        ("2024-02-29", "datetime", None),
        ("2024-02-29T10:00:00+02:00", "datetime", None),
        ("2024-02-30", "text", None),
        ("hello", "text", None),
    ],
)
def test_one_cell(cell: str, kind: str, value: float | None) -> None:
    """A number is a finite decimal; missing is what pandas reads as missing."""
    found, number = classify(cell)
    assert found == kind
    assert math.isnan(number) if value is None else number == value
    assert is_missing(cell) == (kind == "missing")


CELL = st.one_of(
    st.sampled_from(["", "NA", "1", "1.0", "-0.0", "1_0", "inf", "nan", "2024-01-01", " 3 ", "x", "٣", "1e5"]),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=3),
)


@given(st.lists(st.lists(CELL, min_size=1, max_size=8), min_size=1, max_size=4))
def test_a_column_in_blocks_reads_as_its_cells_one_by_one(blocks: list[list[str]]) -> None:
    """The fast ways agree with the rule, in whatever order kinds come."""
    reader = CellReader()
    for cells in blocks:
        read = reader.read(cells)
        alone = [classify(cell) for cell in cells]
        np.testing.assert_array_equal(read.numbers, [value for _, value in alone])
        texts = [cell if kind in ("text", "datetime") else "" for cell, (kind, _) in zip(cells, alone, strict=True)]
        assert list(read.texts or [""] * len(cells)) == texts
        assert sum(read.counts.values()) == len(cells)
        assert read.counts.get("missing", 0) == sum(kind == "missing" for kind, _ in alone)
        words = [text for text in texts if text]
        assert dict(read.words) == {word: words.count(word) for word in words}


def test_times_without_a_zone_are_utc() -> None:
    """And zones are honoured."""
    assert time_value("1970-01-02") == 86400
    assert time_value("1970-01-01T02:00:00+02:00") == 0
    assert time_value("soon") is None
