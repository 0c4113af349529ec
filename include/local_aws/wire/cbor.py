"""CBOR (RFC 8949), as far as AWS's protocol RPC v2 uses it: read into JSON values, written from them.

A time (tag 1) is read as its epoch seconds and written from a `Time`.
"""

import struct
from dataclasses import dataclass
from typing import Any

DEEPEST = 64
_BREAK = object()


class UnreadableCbor(ValueError):
    """What isn't CBOR, or uses of it what AWS does not."""


@dataclass(frozen=True)
class Time:
    """A moment, in epoch seconds."""

    seconds: float


def read(data: bytes) -> Any:
    """The one value in `data`; raises `UnreadableCbor`."""
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise UnreadableCbor(f"Expected a whole value in CBOR, found: {error}.") from error
    if reader.at != len(data) or value is _BREAK:
        raise UnreadableCbor("Expected one value in CBOR, found more.")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def _take(self, count: int) -> bytes:
        taken = self._data[self.at : self.at + count]
        if len(taken) != count:
            raise IndexError("its end is missing")
        self.at += count
        return taken

    def _argument(self, info: int) -> int | None:
        if info < 24:
            return info
        if info > 27:
            return None
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def value(self, depth: int) -> Any:
        if depth > DEEPEST:
            raise UnreadableCbor(f"Expected at most {DEEPEST} levels of CBOR, found more.")
        (first,) = self._take(1)
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        argument = self._argument(info)
        if argument is None and (info != 31 or major in (0, 1, 6)):
            raise UnreadableCbor(f"Expected CBOR, found the byte {first:#x} at {self.at - 1}.")
        match major:
            case 0:
                return argument
            case 1:
                return -1 - (argument or 0)
            case 2:
                return self._bytes(argument, depth)
            case 3:
                return self._text(argument, depth)
            case 4:
                return self._items(argument, depth)
            case 5:
                return self._pairs(argument, depth)
            case _:
                if argument != 1:
                    raise UnreadableCbor(f"Expected a time as the only tag of CBOR, found tag {argument}.")
                return self.value(depth + 1)

    def _simple(self, info: int) -> Any:
        match info:
            case 20 | 21:
                return info == 21
            case 22 | 23:
                return None
            case 25 | 26 | 27:
                form, size = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}[info]
                return struct.unpack(form, self._take(size))[0]
            case 31:
                return _BREAK
        raise UnreadableCbor(f"Expected a value of CBOR, found the simple value {info}.")

    def _bytes(self, length: int | None, depth: int) -> bytes:
        if length is not None:
            return self._take(length)
        return b"".join(self._until_break(depth))

    def _text(self, length: int | None, depth: int) -> str:
        if length is not None:
            return self._take(length).decode()
        return "".join(self._until_break(depth))

    def _until_break(self, depth: int) -> list[Any]:
        found = []
        while (each := self.value(depth + 1)) is not _BREAK:
            found.append(each)
        return found

    def _items(self, length: int | None, depth: int) -> list[Any]:
        if length is None:
            return self._until_break(depth)
        return [self.value(depth + 1) for _ in range(length)]

    def _pairs(self, length: int | None, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while length is None or len(found) < length:
            key = self.value(depth + 1)
            if key is _BREAK and length is None:
                return found
            if not isinstance(key, str) or key in found:
                raise UnreadableCbor(f"Expected each key of a map once and as text, found {key!r}.")
            found[key] = self.value(depth + 1)
        return found


def write(value: Any) -> bytes:
    """A JSON value, or one with `Time` in it, as CBOR; raises `TypeError` for any other."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case str():
            text = value.encode()
            return _head(3, len(text)) + text
        case list() | tuple():
            return _head(4, len(value)) + b"".join(write(each) for each in value)
        case dict():
            return _head(5, len(value)) + b"".join(write(key) + write(each) for key, each in value.items())
        case Time():
            return _head(6, 1) + write(float(value.seconds))
    raise TypeError(f"CBOR of AWS has no {type(value).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | info]) + argument.to_bytes(size, "big")
    raise TypeError(f"CBOR has no number as large as {argument}")
