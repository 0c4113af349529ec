"""Writing an answer, checked against the service model first.

An answer with an unknown member, without a required one, or with a value that the model does not allow would be the
embedded AWS's own mistake, and would teach its callers something that AWS does not do: it becomes an InternalFailure
that names the member. Only sentences that grew too long (a failure's reason) are cut to what the model allows, as AWS
cuts them.
"""

import base64
import math
from datetime import datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from include.local_aws.wire.errors import InternalFailure
from include.local_aws.wire.patterns import compiled

_SENTENCES = ("Reason", "Message")
"""Shapes that hold a sentence for people end so: FailureReason, ExitMessage, StatusMessage."""
_CUT = " …"


def write(shape: StructureShape | None, value: dict[str, Any] | None) -> dict[str, Any]:
    """The answer as JSON values (timestamps as epoch seconds); members that are None are left out.

    Raises `InternalFailure` where the answer does not fit the operation's output shape.
    """
    if shape is None:
        if value:
            raise InternalFailure(f"The operation has no output, found members {sorted(value)}.")
        return {}
    written = _write(shape, value or {}, shape.name)
    assert isinstance(written, dict)
    return written


def _write(shape: Shape, value: Any, path: str) -> Any:
    match shape:
        case StructureShape():
            return _structure(shape, value, path)
        case ListShape():
            _expect(isinstance(value, list | tuple), path, "a list", value)
            _within(shape, len(value), path, "entries")
            return [_write(shape.member, each, f"{path}[{n}]") for n, each in enumerate(value)]
        case MapShape():
            _expect(isinstance(value, dict), path, "a mapping", value)
            _within(shape, len(value), path, "entries")
            return {
                _write(shape.key, key, f"{path} (key)"): _write(shape.value, each, f"{path}[{key!r}]")
                for key, each in value.items()
            }
        case _:
            return _scalar(shape, value, path)


def _structure(shape: StructureShape, value: Any, path: str) -> dict[str, Any]:
    _expect(isinstance(value, dict), path, "a structure", value)
    present = {name: each for name, each in value.items() if each is not None}
    unknown = sorted(set(present) - set(shape.members))
    if unknown:
        raise InternalFailure(f"The embedded AWS answered a member unknown to {shape.name}: {path}.{unknown[0]}.")
    missing = [name for name in shape.required_members if name not in present]
    if missing:
        raise InternalFailure(f"The embedded AWS's answer lacks a required member: {path}.{missing[0]}.")
    return {name: _write(shape.members[name], each, f"{path}.{name}") for name, each in present.items()}


def _scalar(shape: Shape, value: Any, path: str) -> Any:
    match shape.type_name:
        case "timestamp":
            _expect(isinstance(value, datetime | int | float), path, "a time", value)
            return value.timestamp() if isinstance(value, datetime) else value
        case "string":
            _expect(isinstance(value, str), path, "a string", value)
            return _string(shape, value, path)
        case "integer" | "long":
            _expect(isinstance(value, int) and not isinstance(value, bool), path, "a whole number", value)
            _within(shape, value, path, "as its value")
            return value
        case "float" | "double":
            _expect(isinstance(value, int | float) and not isinstance(value, bool), path, "a number", value)
            _expect(math.isfinite(value), path, "a finite number, as JSON has no other", value)
            _within(shape, value, path, "as its value")
            return float(value)
        case "boolean":
            _expect(isinstance(value, bool), path, "a boolean", value)
            return value
        case "blob":
            _expect(isinstance(value, bytes), path, "bytes", value)
            return base64.b64encode(value).decode()
        case other:
            raise InternalFailure(f"The embedded AWS can't write a value of type {other} at {path}.")


def _string(shape: Shape, value: str, path: str) -> str:
    if isinstance(shape, StringShape) and shape.enum:
        _expect(value in shape.enum, path, f"one of {shape.enum}", value)
    most = shape.metadata.get("max")
    if most is not None and len(value) > most and shape.name.endswith(_SENTENCES):
        value = value[: most - len(_CUT)] + _CUT
    _within(shape, len(value), path, "characters")
    if pattern := shape.metadata.get("pattern"):
        _expect(compiled(pattern).fullmatch(value) is not None, path, f"what fits {pattern}", value)
    return value


def _within(shape: Shape, size: float, path: str, what: str) -> None:
    least, most = shape.metadata.get("min", -math.inf), shape.metadata.get("max", math.inf)
    _expect(least <= size <= most, path, f"{least} to {most} {what}", size)


def _expect(fits: bool, path: str, expected: str, value: Any) -> None:
    if not fits:
        raise InternalFailure(f"The embedded AWS's answer should hold {expected} at {path}, found {value!r}.")
