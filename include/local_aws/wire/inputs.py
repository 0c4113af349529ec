"""Reading and validating a request against the service model, with AWS's own wording.

What AWS calls a constraint violation (missing member, length, range, pattern, enum) is collected and answered as one
ValidationException; what can't be read at all (wrong JSON type, unknown member) is a SerializationException. AWS
ignores unknown members silently; here they are refused, because a misspelt option that does nothing is no help to
anyone.
"""

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from include.local_aws.wire.errors import SerializationException, ValidationException
from include.local_aws.wire.patterns import compiled

Json = Any


def read(shape: StructureShape | None, document: Json) -> dict[str, Any]:
    """The operation's input as Python values (timestamps as aware datetimes, blobs as bytes).

    Raises `SerializationException` or `ValidationException`, the latter with every violation there is.
    """
    if shape is None:
        return {}
    violations: list[str] = []
    value = _read(shape, document, "", violations)
    _refuse(violations)
    assert isinstance(value, dict)
    return value


def read_some(shape: StructureShape, document: Mapping[str, Json]) -> dict[str, Any]:
    """The members that are in the document, whichever may be missing; raises as `read` does."""
    violations: list[str] = []
    result = {name: _read(shape.members[name], value, _below("", name), violations) for name, value in document.items()}
    _refuse(violations)
    return result


def _refuse(violations: list[str]) -> None:
    if violations:
        noun = "error" if len(violations) == 1 else "errors"
        raise ValidationException(f"{len(violations)} validation {noun} detected: {'; '.join(violations)}")


def _read(shape: Shape, value: Json, path: str, violations: list[str]) -> Any:
    match shape:
        case StructureShape():
            return _structure(shape, value, path, violations)
        case ListShape():
            return _list(shape, value, path, violations)
        case MapShape():
            return _map(shape, value, path, violations)
        case _:
            result = _SCALARS[shape.type_name](value, path)
            _constrain(shape, result, path, violations)
            return result


def _mismatch(path: str, expected: str, value: Json) -> SerializationException:
    return SerializationException(f"Expected {expected} at '{path or '/'}', found {_kind(value)}.")


def _kind(value: Json) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _below(path: str, name: str) -> str:
    """AWS names members with a small first letter in its messages: inputDataConfig.1.member.channelType."""
    small = name[:1].lower() + name[1:]
    return f"{path}.{small}" if path else small


def _structure(shape: StructureShape, value: Json, path: str, violations: list[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _mismatch(path, "an object", value)
    unknown = sorted(set(value) - set(shape.members))
    if unknown:
        raise SerializationException(
            f"Unknown member {unknown[0]!r} at '{path or '/'}' of {shape.name}. It has: {', '.join(shape.members)}."
        )
    result = {}
    for name, member in shape.members.items():
        here = _below(path, name)
        if value.get(name) is not None:
            result[name] = _read(member, value[name], here, violations)
        elif name in shape.required_members:
            violations.append(f"Value null at '{here}' failed to satisfy constraint: Member must not be null")
    if shape.is_tagged_union and len(result) != 1:
        found = ", ".join(result) or "none"
        raise ValidationException(f"Exactly one member of {shape.name} must be set at '{path}', found {found}.")
    return result


def _list(shape: ListShape, value: Json, path: str, violations: list[str]) -> list[Any]:
    if not isinstance(value, list):
        raise _mismatch(path, "a list", value)
    _bounds(shape, len(value), value, path, violations, "length")
    inner: list[str] = []
    result = [_read(shape.member, each, f"{path}.{n}.member", inner) for n, each in enumerate(value, start=1)]
    _within(shape.member, inner, value, path, "Member must satisfy constraint", violations)
    return result


def _map(shape: MapShape, value: Json, path: str, violations: list[str]) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise _mismatch(path, "an object", value)
    _bounds(shape, len(value), value, path, violations, "length")
    of_keys: list[str] = []
    of_values: list[str] = []
    result = {
        _read(shape.key, key, f"{path}.key", of_keys): _read(shape.value, each, f"{path}.{key}.member", of_values)
        for key, each in value.items()
    }
    _within(shape.key, of_keys, value, path, "Map keys must satisfy constraint", violations)
    _within(shape.value, of_values, value, path, "Map value must satisfy constraint", violations)
    return result


def _within(shape: Shape, inner: list[str], value: Json, path: str, words: str, violations: list[str]) -> None:
    """AWS shows the whole list or map and every constraint of its members, where these are no structures."""
    if isinstance(shape, StructureShape | ListShape | MapShape):
        violations += inner
    elif inner:
        _violated(shape, value, path, f"{words}: [{', '.join(_constraints(shape))}]", violations)


def _string(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise _mismatch(path, "a string", value)
    return value


def _integer(value: Json, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(path, "a whole number", value)
    return value


def _float(value: Json, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(path, "a number", value)
    try:
        number = float(value)
    except OverflowError as error:
        raise SerializationException(f"Expected a number at '{path}', found one that is too large.") from error
    if not math.isfinite(number):  # Python's JSON reads NaN and Infinity, which JSON has not
        raise SerializationException(f"Expected a number at '{path}', found {value}.")
    return number


def _boolean(value: Json, path: str) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(path, "a boolean", value)
    return value


def _timestamp(value: Json, path: str) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(path, "a time as seconds since the epoch", value)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise SerializationException(f"Expected a time at '{path}', found {value}, which no calendar has.") from error


def _blob(value: Json, path: str) -> bytes:
    if not isinstance(value, str):
        raise _mismatch(path, "base64 text", value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise SerializationException(f"Expected base64 text at '{path}': {error}.") from error


_SCALARS: dict[str, Callable[[Json, str], Any]] = {
    "string": _string,
    "integer": _integer,
    "long": _integer,
    "float": _float,
    "double": _float,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "blob": _blob,
}


def _constrain(shape: Shape, value: Any, path: str, violations: list[str]) -> None:
    if isinstance(value, str):
        _bounds(shape, len(value), value, path, violations, "length")
        pattern = shape.metadata.get("pattern")
        if pattern is not None and compiled(pattern).fullmatch(value) is None:
            _violated(shape, value, path, _PATTERN.format(pattern), violations)
        if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
            _violated(shape, value, path, _ENUM.format(", ".join(shape.enum)), violations)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _bounds(shape, value, value, path, violations, "value")


_LEAST = "Member must have {} greater than or equal to {}"
_MOST = "Member must have {} less than or equal to {}"
_PATTERN = "Member must satisfy regular expression pattern: {}"
_ENUM = "Member must satisfy enum value set: [{}]"


def _bounds(shape: Shape, size: float, value: Json, path: str, violations: list[str], what: str) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        _violated(shape, value, path, _LEAST.format(what, low), violations)
    if high is not None and size > high:
        _violated(shape, value, path, _MOST.format(what, high), violations)


def _constraints(shape: Shape) -> list[str]:
    """Every constraint of a shape that is no structure, in AWS's order."""
    what = "length" if isinstance(shape, StringShape) else "value"
    found = []
    if "max" in shape.metadata:
        found.append(_MOST.format(what, shape.metadata["max"]))
    if "min" in shape.metadata:
        found.append(_LEAST.format(what, shape.metadata["min"]))
    if "pattern" in shape.metadata:
        found.append(_PATTERN.format(shape.metadata["pattern"]))
    if isinstance(shape, StringShape) and shape.enum:
        found.append(_ENUM.format(", ".join(shape.enum)))
    return found


def _violated(shape: Shape, value: Json, path: str, constraint: str, violations: list[str]) -> None:
    shown = "" if shape.metadata.get("sensitive") else f" '{_shown(value)}'"
    violations.append(f"Value{shown} at '{path}' failed to satisfy constraint: {constraint}")


def _shown(value: Json) -> str:
    """A value as AWS's messages show it, which is as Java does."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_shown(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else "null"
    return str(value)
