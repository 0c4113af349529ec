"""A CSV table as blocks: parsed cells beside the bytes they came from."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.errors import DataError
from automl_retraining.core.table import LINE_LIMIT, Table, split_raw

FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5)


def rows_of(data: bytes, block_bytes: int = 1 << 18) -> list[tuple[list[str], bytes, int]]:
    """(cells, bytes, line number) of every record."""
    found = []
    for block in Table(io.BytesIO(data), "t", block_bytes).blocks():
        for row in range(block.rows):
            found.append(([column[row] for column in block.cells], block.lines[row], block.line_number(row)))
    return found


@given(
    st.lists(st.lists(FIELD, min_size=2, max_size=2), min_size=1, max_size=12),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 60),
)
def test_cells_are_what_the_csv_module_reads_and_lines_are_the_file(
    rows: list[list[str]], quoting: int, block_bytes: int
) -> None:
    """Whatever the fields hold, and wherever the reads are cut."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows([["a", "b"], *rows])  # type: ignore[arg-type]
    data = text.getvalue().encode()
    found = rows_of(data, block_bytes)
    assert [cells for cells, _, _ in found] == rows
    assert b"a,b\n" + b"".join(line + b"\n" for _, line, _ in found) == data.replace(b'"a","b"', b"a,b", 1)
    assert [number for _, _, number in found] == [
        2 + sum(field.count("\n") for row in rows[:index] for field in row) + index for index in range(len(rows))
    ]


@given(st.lists(FIELD, min_size=1, max_size=5), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_raw_fields_are_the_record_cut_at_its_separators(fields: list[str], quoting: int) -> None:
    """Joined by commas they are the record; each parses to its field."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=quoting).writerow(fields)  # type: ignore[arg-type]
    record = text.getvalue().removesuffix("\n")
    raw = split_raw(record)
    assert ",".join(raw) == record
    assert [next(csv.reader(io.StringIO(one + ",", newline="")))[0] for one in raw] == fields


def test_a_quote_inside_an_unquoted_field_is_a_character() -> None:
    """A screen of 5" is no quotation."""
    assert rows_of(b'a,b\n5" screen,1\n6" screen,2\n') == [
        (['5" screen', "1"], b'5" screen,1', 2),
        (['6" screen', "2"], b'6" screen,2', 3),
    ]


def test_a_line_without_an_end_stops_before_memory_does() -> None:
    """A binary file has none for gigabytes."""
    with pytest.raises(DataError, match=r"line 2: expected a line of at most 16 MiB"):
        rows_of(b"a,b\n" + b"x" * (LINE_LIMIT + (1 << 20)))
