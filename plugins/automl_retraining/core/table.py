"""A CSV table as a stream of blocks: parsed cells beside the bytes they came from.

The dialect is RFC 4180's: UTF-8, commas, double quotes, LF or CRLF. A block without quotes, the usual case, is cut
with ``str.split`` alone; a block with quotes goes through the csv module in strict mode. Either way each record keeps
its own bytes, so that a part of the table can be written without rewriting a number. Memory is a few blocks.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from automl_retraining.core.errors import DataError
from automl_retraining.core.source import Readable

BLOCK_BYTES = 1 << 18
"""Read at a time: 256 KiB was fastest of 128 KiB to 4 MiB, for a block's cells then fit a core's cache."""
LINE_LIMIT = 1 << 24
"""A longer line (16 MiB) is no line of a table."""
_RAW_FIELD = re.compile(r'"(?:[^"]|"")*"(?=,|\Z)|[^,]*')
_MAGIC = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip or Excel file",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"BZh91AY&SY": "a bzip2 file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"%PDF-": "a PDF file",
}
_PARQUET = re.compile(rb"PAR1[^\n]*[\x00-\x08\x0e-\x1f]")
"""A Parquet file's first word may begin a header of columns too; control characters behind it may not."""


@dataclass(frozen=True)
class Header:
    """The first line. ``raw`` is without byte-order mark and line ending."""

    names: tuple[str, ...]
    raw: bytes
    ending: bytes


@dataclass(frozen=True)
class Block:
    """Some consecutive records.

    ``cells[column][row]`` is parsed text; ``lines[row]`` the record's bytes without the final line feed (a CRLF file's
    lines keep their carriage return). ``plain`` says that all is ASCII without underscores. Row numbers are 1-based in
    the data, line numbers 1-based in the file.
    """

    first_row: int
    cells: Sequence[Sequence[str]]
    lines: list[bytes]
    plain: bool
    quoted: bool = False
    line_numbers: Sequence[int] = field(default_factory=tuple)

    @property
    def rows(self) -> int:
        """How many records."""
        return len(self.lines)

    def line_number(self, row: int) -> int:
        """The line of the file on which the block's ``row``-th record (from 0) begins."""
        return self.line_numbers[row]

    @cached_property
    def raw_fields(self) -> Sequence[Sequence[str]]:
        """As ``cells``, but each field as it stands in the file, quotes included."""
        if not self.quoted:
            return self.cells
        return list(zip(*(split_raw(line.decode().removesuffix("\r")) for line in self.lines), strict=True))


def split_raw(record: str) -> list[str]:
    """The fields of one legal record as they stand, quotes included."""
    if '"' not in record:
        return record.split(",")
    fields = []
    position = 0
    while match := _RAW_FIELD.match(record, position):
        fields.append(match[0])
        if match.end() == len(record):
            break
        position = match.end() + 1
    return fields


class Table:
    """Reads a table once, front to back.

    Args:
        stream: The file's bytes.
        name: How errors call it.
        block_bytes: How much is read at a time.

    Raises:
        DataError: from the constructor for a bad header, from ``blocks()`` for a bad record; each names the line.
    """

    def __init__(self, stream: Readable, name: str, block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = stream
        self._name = name
        self._size = block_bytes
        self._rest = b""
        self._offset = 0
        self.blank_lines = 0
        self.header = self._read_header()
        self._line = 2
        self._row = 1

    def blocks(self) -> Iterator[Block]:
        """All records after the header, blank lines left out (and counted in ``blank_lines``)."""
        while chunk := self._complete_lines():
            data, last = chunk
            block, carried = self._parse(data, last)
            if carried:
                self._rest = carried + self._rest
            consumed = len(data) - len(carried)
            self._offset += consumed
            if block is not None:
                self._row += block.rows
                yield block

    # ------------------------------------------------------------ bytes

    def _complete_lines(self) -> tuple[bytes, bool] | None:
        """The next bytes up to a line feed (added where the file's last line has none), and whether they are the last.

        What was carried over from an unfinished record is read again with more behind it.
        """
        pieces = [self._rest]
        self._rest = b""
        while read := self._stream.read(self._size):
            cut = read.rfind(b"\n") + 1
            if cut:
                pieces.append(read[:cut])
                self._rest = read[cut:]
                return b"".join(pieces), False
            pieces.append(read)
            self._check_length(sum(map(len, pieces)), self._line)
        data = b"".join(pieces)
        if not data:
            return None
        return (data if data.endswith(b"\n") else data + self.header.ending), True

    def _check_length(self, unfinished: int, line: int) -> None:
        if unfinished > LINE_LIMIT:
            raise DataError(f"{self._name}: line {line}: expected a line of at most {LINE_LIMIT >> 20} MiB, found a "
                            "longer one: is it a CSV file with LF or CRLF line endings?")  # fmt: skip

    def _read_header(self) -> Header:
        data = b""
        while b"\n" not in data and (read := self._stream.read(self._size)):
            data += read
            self._check_length(0 if b"\n" in read else len(data), 1)
        if not data.strip(b"\xef\xbb\xbf \t\r\n"):
            raise DataError(f"{self._name}: expected a header and rows, found an empty file")
        found = "a Parquet file" if _PARQUET.match(data) else None
        for what in (found, *(what for magic, what in _MAGIC.items() if data.startswith(magic))):
            if what:
                raise DataError(f"{self._name}: expected a CSV file in UTF-8, found {what}: convert it first")
        without_mark = data.removeprefix(b"\xef\xbb\xbf")
        self._offset = len(data) - len(without_mark)
        line, feed, rest = without_mark.partition(b"\n")
        raw = line.removesuffix(b"\r")
        ending = b"\r\n" if line.endswith(b"\r") else b"\n"
        text = self._decode(raw, 1)
        if "\r" in text:
            raise DataError(f"{self._name}: line 1: expected lines that end in LF or CRLF, found CR alone: convert it")
        try:
            names = next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise DataError(f"{self._name}: line 1: expected a header of column names, found {error}") from error
        self._check_names(names)
        self._offset += len(line) + len(feed)
        self._rest = rest
        return Header(tuple(names), raw, ending)

    def _check_names(self, names: list[str]) -> None:
        if not names:
            raise DataError(f"{self._name}: line 1: expected a header of column names, found a blank line: remove it")
        empty = [position for position, name in enumerate(names, 1) if not name.strip()]
        if empty:
            raise DataError(
                f"{self._name}: line 1: expected a name for each of the {len(names)} columns, "
                f"found none for column {', '.join(map(str, empty))}: name it or remove it"
            )
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            where = "; ".join(
                f"{name!r} in columns {', '.join(str(p) for p, other in enumerate(names, 1) if other == name)}"
                for name in doubled
            )
            raise DataError(f"{self._name}: line 1: expected each column name once, found {where}: rename one")

    def _decode(self, data: bytes, line: int) -> str:
        """The text of whole lines that begin at the current offset."""
        nul = data.find(b"\0")
        if nul >= 0:
            raise DataError(
                f"{self._name}: line {line + data.count(10, 0, nul)}: expected text in UTF-8, found a zero byte at "
                f"offset {self._offset + nul}: is it UTF-16 or a binary file? Convert it to UTF-8"
            )
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{self._name}: line {line + data.count(10, 0, error.start)}: expected text in UTF-8, found byte "
                f"0x{data[error.start]:02x} at offset {self._offset + error.start} of the file: convert it to UTF-8"
            ) from error

    # ------------------------------------------------------------ records

    def _parse(self, data: bytes, last: bool) -> tuple[Block | None, bytes]:
        """One block, and the bytes at its end that belong to a record which goes on."""
        text = self._decode(data, self._line)
        fast = None if '"' in text else self._parse_plain(data, text)
        return (fast, b"") if fast else self._parse_careful(data, text, last)

    def _parse_plain(self, data: bytes, text: str) -> Block | None:
        """Every line is a record and every comma a separator; None where that does not come out even."""
        width = len(self.header.names)
        text = text.replace("\r\n", "\n") if "\r" in text else text
        if "\r" in text or width == 1:  # a blank line is no record, also where one empty field would be one
            return None
        lines = data.split(b"\n")
        lines.pop()
        if max(map(len, lines)) > csv.field_size_limit():
            return None  # so that a field's length is judged alike, wherever a quote stands
        # A lone line feed stands after each record's cells, so a ragged row puts them out of step.
        cells = text.replace("\n", ",\n,").split(",")
        if len(cells) != len(lines) * (width + 1) + 1 or cells[width :: width + 1].count("\n") != len(lines):
            return None
        first = self._line
        self._line += len(lines)
        return Block(
            self._row,
            [cells[column :: width + 1][: len(lines)] for column in range(width)],
            lines,
            _plain(text),
            line_numbers=range(first, self._line),
        )

    def _parse_careful(self, data: bytes, text: str, last: bool) -> tuple[Block | None, bytes]:
        """As the csv module reads it: quotes, records over several lines, blank lines, and errors by line."""
        raw = data.split(b"\n")
        raw.pop()
        ended = False

        def feed() -> Iterator[str]:
            nonlocal ended
            for line in text.split("\n")[:-1]:
                yield line + "\n"
            ended = True

        width = len(self.header.names)
        reader = csv.reader(feed(), strict=True)
        rows: list[list[str]] = []
        lines: list[bytes] = []
        numbers: list[int] = []
        done = 0
        carried = b""
        try:
            for row in reader:
                start, done = done, reader.line_num
                if not row:
                    self.blank_lines += 1
                    continue
                if len(row) != width:
                    raise DataError(
                        f"{self._name}: line {self._line + start}: expected {width} fields, as the header has, "
                        f"found {len(row)}{_hint(row)}"
                    )
                rows.append(row)
                lines.append(raw[start] if done == start + 1 else b"\n".join(raw[start:done]))
                numbers.append(self._line + start)
        except csv.Error as error:
            if not ended:
                raise DataError(f"{self._name}: line {self._line + done}: expected a CSV record, found {error}"
                                f"{_csv_hint(error)}") from error  # fmt: skip
            if last:
                raise DataError(
                    f"{self._name}: line {self._line + done}: expected the quoted field that begins here to end, "
                    "found the end of the file: a quote is left open"
                ) from error
            carried = b"\n".join(raw[done:]) + b"\n"
        self._line += done
        if not rows:
            return None, carried
        cells = list(zip(*rows, strict=True))
        return Block(self._row, cells, lines, _plain(text), '"' in text, numbers), carried


def _plain(text: str) -> bool:
    return text.isascii() and "_" not in text


def _hint(row: list[str]) -> str:
    shown = ",".join(row)
    return f": {shown[:60]}{'…' if len(shown) > 60 else ''}"


def _csv_hint(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f": a field holds at most {csv.field_size_limit():,} characters: is a quote left open?"
    if "new-line" in str(error):
        return ": a carriage return stands alone; lines end in LF or CRLF"
    return ""
