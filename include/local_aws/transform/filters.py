"""InputFilter and OutputFilter: the JSONPath forms that select columns of a CSV record.

``$`` is the whole record; ``$[…]`` a list of positions and slices, negative ones counting from the end, as in
``$[1:]``, ``$[0,-1]``, ``$[0,5:]``. Fields are passed on byte for byte, quotes included (SageMaker developer guide,
"Associate prediction results with input records").
"""

import re
from dataclasses import dataclass

_ITEM = re.compile(r"\s*(?:(-?\d+)|(-?\d+)?\s*:\s*(-?\d+)?)\s*")
_FIELD = re.compile(r'("(?:[^"]|"")*"|[^",][^,]*|)(,|$)')


class FilterError(ValueError):
    """The expression isn't one that selects CSV columns, or the record hasn't the columns it names."""


@dataclass(frozen=True)
class ColumnFilter:
    """A parsed expression: positions and slices in their order; no items at all is the whole record."""

    expression: str
    items: tuple[int | slice, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether the record passes unchanged."""
        return not self.items

    def select(self, fields: list[str]) -> list[str]:
        """The chosen fields, in the expression's order; raises `FilterError` for a position that isn't there."""
        if self.everything:
            return fields
        chosen: list[str] = []
        for item in self.items:
            if isinstance(item, slice):
                chosen.extend(fields[item])
            elif -len(fields) <= item < len(fields):
                chosen.append(fields[item])
            else:
                raise FilterError(f"{self.expression} asks for column {item} of a record with {len(fields)} columns.")
        return chosen


def parse(expression: str) -> ColumnFilter:
    """The filter of a JSONPath expression; raises `FilterError` for what isn't a CSV form."""
    text = expression.strip()
    if text == "$":
        return ColumnFilter(text)
    if not (text.startswith("$[") and text.endswith("]")):
        raise FilterError(
            f"Expected $ or a list of columns such as $[1:], $[0,-1] or $[0,5:] for CSV records, found {expression!r}."
        )
    return ColumnFilter(text, tuple(_item(part, expression) for part in text[2:-1].split(",")))


def _item(part: str, expression: str) -> int | slice:
    match = _ITEM.fullmatch(part)
    if match is None:
        raise FilterError(f"Expected a column's position or a slice of them, found {part!r} in {expression!r}.")
    position, start, end = match.groups()
    if position is not None:
        return int(position)
    return slice(None if start is None else int(start), None if end is None else int(end))


def split_fields(record: str) -> list[str]:
    """The fields of one CSV record as they stand there, quotes included, so that joining them gives the record back."""
    if '"' not in record:
        return record.split(",")
    fields, place = [], 0
    while True:
        match = _FIELD.match(record, place)
        if match is None:
            raise FilterError(f"A quoted field of this record does not end with its quote: {record[:200]!r}.")
        fields.append(match[1])
        place = match.end()
        if match[2] == "":
            return fields
