"""CSV files of any bytes: each record goes to one part as it is, or the file is refused in a sentence."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from automl_retraining.core.errors import DataError
from automl_retraining.core.table import Table
from tests.support.fuzzing import tries
from tests.support.splits import Done, Dribble, run_split

# What means something to a CSV reader or to a decoder, and pieces that make rows of it now and then.
PIECES = [b'"', b'""', b",", b",,", b"\n", b"\r\n", b"\r", b"\n\n", b"\0", b"\xff", b"\xc3", b"\xc3\xa9",
          b"\xef\xbb\xbf", b" ", b"\t", b"'", b"\\", b"\\n", b"\x1a", b"\x0b", b"\xc2\x85", b"\xe2\x80\xa8", b"NA",
          b"1", b"-1.5e3", b"yes", b"a,b", b"1,2\n", b"x,y\r\n", b'"q","r"\n', b'"1\n2",3\n', b'"1\r\n2",3\n',
          b'"a""b",c\n', b'"a"b,c\n', b'a"b,c\n']  # fmt: skip
RUBBISH = st.lists(st.sampled_from(PIECES), max_size=24).map(b"".join) | st.binary(max_size=80)


def reference(data: bytes) -> tuple[list[str], list[list[str]]] | None:
    """Header and records as Python's csv module reads them, blank lines left out; None where that is no table.

    A file of another format is none, though it begins with text.
    """
    if data.startswith((b"PK\x03\x04", b"BZh91AY&SY", b"%PDF-")) or re.match(rb"PAR1[^\n]*[\x00-\x08\x0e-\x1f]", data):
        return None
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
        # Lines end at line feeds alone; a carriage return before one is the ending's, any other is no CSV.
        rows = list(csv.reader(io.StringIO(text, newline="\n"), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    line = text.partition("\n")[0].removesuffix("\r")  # of which the csv module takes away more carriage returns
    if not rows or "\0" in text or "\n" in "".join(rows[0]) or "\r" in line:
        return None
    header, records = rows[0], [row for row in rows[1:] if row]
    named = all(name.strip() for name in header) and len(set(header)) == len(header) > 0
    return (header, records) if named and all(len(row) == len(header) for row in records) else None


def read(data: bytes, block_bytes: int) -> tuple[list[str], list[list[str]], list[bytes]] | DataError:
    """Header, records and their bytes as the table reader gives them, or its refusal."""
    try:
        table = Table(io.BytesIO(data), "t.csv", block_bytes)
        rows: list[list[str]] = []
        lines: list[bytes] = []
        for block in table.blocks():
            rows += [[column[row] for column in block.cells] for row in range(block.rows)]
            lines += block.lines
    except DataError as error:
        return error
    return list(table.header.names), rows, lines


@tries(250)
@given(
    data=st.tuples(st.sampled_from([b"", b"a,b\n", b"\xef\xbb\xbfa,b\r\n", b'"a","b"\n', b"a\n", b"\n"]), RUBBISH).map(
        b"".join
    ),
    block_bytes=st.integers(1, 100),
)
@example(data=b"PK\x03\x04", block_bytes=1)
@example(data=b"PAR1\x00", block_bytes=1)
@example(data=b"'\r\r\n", block_bytes=1)
@example(data=b"a\n1\r\r\n2\n", block_bytes=1)
def test_any_bytes_read_as_the_csv_module_reads_them(data: bytes, block_bytes: int) -> None:
    """The same records wherever the reads are cut, refused where it refuses, and each with its own bytes."""
    found, expected = read(data, block_bytes), reference(data)
    if isinstance(found, DataError):
        assert expected is None or not data.strip(b"\xef\xbb\xbf \t\r\n"), found
        assert str(found).startswith("t.csv: ")
        assert "expected" in str(found)
        return
    assert expected == (found[0], found[1])
    for row, line in zip(found[1], found[2], strict=True):
        assert next(csv.reader(io.StringIO(line.decode() + "\n", newline="\n"), strict=True)) == row


def rows_of(part: bytes) -> list[list[str]]:
    """A part's records, the header left out."""
    return [row for row in csv.reader(io.StringIO(part.decode(), newline="\n"), strict=True) if row][1:]


SOUND = [f"{number},{number * 7 % 31},{'yes' if number % 3 else 'no'}".encode() for number in range(90)]


@tries(120)
@given(
    rubbish=st.lists(st.tuples(st.integers(0, 90), RUBBISH | st.sampled_from([b'5,"a\nb",yes', b"7,8,", b"7,,no"])),
                     min_size=1, max_size=3),
    ending=st.sampled_from([b"\n", b"\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    last=st.booleans(),
    key=st.sampled_from([(), ("id",)]),
    drop=st.sampled_from([(), ("a",)]),
    missing_target=st.sampled_from(["stop", "drop"]),
    chunk=st.none() | st.integers(1, 200),
)  # fmt: skip
def test_a_split_loses_and_doubles_no_row(
    rubbish: list[tuple[int, bytes]],
    ending: bytes,
    mark: bytes,
    last: bool,
    key: tuple[str, ...],
    drop: tuple[str, ...],
    missing_target: str,
    chunk: int | None,
) -> None:
    """Whatever stands between sound rows: every record is in one part or counted as dropped, or the file is refused."""
    lines = [*SOUND]
    for position, piece in rubbish:
        lines.insert(position, piece)
    data = mark + ending.join([b"id,a,y", *lines]) + (ending if last else b"")
    refusal, done = "", None
    try:
        done = run_split(data, key=key, drop=drop, missing_target=missing_target, chunk=chunk, min_class_rows=1)
    except DataError as error:
        refusal = str(error)
    if done is None:
        assert "expected" in refusal
        return
    expected = reference(data)
    assert expected is not None
    check(done, expected[1], whole=not (key or drop))


def check(done: Done, records: list[list[str]], *, whole: bool) -> None:
    """Rows in, rows out; the test part always has whole rows, the others where nothing is hidden from the model."""
    parts = [rows_of(part) for part in done.parts]
    assert done.outcome.rows == len(records) == sum(map(len, parts)) + done.outcome.dropped
    assert [len(rows) for rows in parts] == [facts.rows for facts in done.outcome.parts]
    assert len(done.truths()) == len(parts[2]) == done.transform.count(b"\n")
    table = Counter(map(tuple, records))
    written = Counter(tuple(row) for part in (parts if whole else parts[2:]) for row in part)
    assert written <= table
    if whole:
        assert sum((table - written).values()) == done.outcome.dropped
    for truth in done.truths():
        assert records[int(truth["row_id"]) - 1][-1] == truth["truth"]


@pytest.mark.parametrize("quote", [b"", b'"'])
@pytest.mark.parametrize(("length", "fits"), [(131_072, True), (131_073, False)])
def test_a_huge_field_is_taken_or_refused_whatever_stands_around_it(quote: bytes, length: int, fits: bool) -> None:
    """The csv module's limit, for all who read these files with it; quotes elsewhere in the file change nothing."""
    row = b"1," + quote + b"x" * length + quote + b"\n"
    for around in (b"2,3\n", b'2,"3"\n'):
        found = read(b"a,b\n" + around + row + around, 1 << 18)
        if fits:
            assert not isinstance(found, DataError)
            assert len(found[1][1][1]) == length
        else:
            assert isinstance(found, DataError)
            assert "131,072 characters" in str(found)


@pytest.mark.parametrize("header", [b"PAR1,PAR2,y", b"PAR1,\xc3\xa9,y", b"BZh,b,y", b"PK,b,y"])
def test_a_column_may_be_called_as_another_format_begins(header: bytes) -> None:
    """Only what is no text is another format."""
    assert not isinstance(read(header + b"\n1,2,3\n", 100), DataError)


@pytest.mark.parametrize(
    "data",
    [b"PAR1\x15\x04\x15\n", b"BZh91AY&SY\xff\n", b"%PDF-1.4\n%\xe2\n", b"PK\x03\x04\x14\n", b"\x1f\x8b\x08\n"],
    ids=["parquet", "bzip2", "pdf", "zip", "gzip"],
)
def test_another_format_is_called_by_its_name(data: bytes) -> None:
    """So that the user knows what to convert."""
    found = read(data, 100)
    assert isinstance(found, DataError)
    assert "convert it first" in str(found)


def test_slow_streams_are_read_like_quick_ones() -> None:
    """Byte by byte, a quoted record over several lines among them."""
    data = b'a,b\n1,"x\r\ny"\n3,4'
    table = Table(Dribble(data, 1), "t.csv", 7)
    assert [line for block in table.blocks() for line in block.lines] == [b'1,"x\r\ny"', b"3,4"]
