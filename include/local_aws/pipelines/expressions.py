"""The expressions of a pipeline definition: ``{"Get": …}``, ``{"Std:Join": …}`` and ``{"Std:JsonGet": …}``.

They are JSON objects with that one member, anywhere in a step's arguments. What they stand for is asked of a `Scope`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.model import ListShape, MapShape, Shape, StructureShape

Json = Any

_TOKEN = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]")
_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name", "VariantName", "Key", "ContainerHostname",
          "TrainingJobName")  # fmt: skip
"""Members by which an entry of a list is found where the path has a text in brackets."""


class ExpressionError(ValueError):
    """An expression is none, or there is nothing that it could stand for."""


class Scope(Protocol):
    """What expressions refer to; every method raises `ExpressionError` for what is not there."""

    def parameter(self, name: str) -> Json:
        """The value of a pipeline parameter."""

    def variable(self, name: str) -> str:
        """The value of an execution variable."""

    def properties(self, step: str) -> Json:
        """What the operation that describes a step's job or resource answers."""

    def property_file(self, step: str, name: str) -> Json:
        """The JSON document that a step has written."""

    def document(self, uri: str) -> Json:
        """The JSON document in an object of S3."""


@dataclass(frozen=True)
class Reference:
    """A ``Get``: `kind` is Parameters, Execution or Steps; `path` is what follows the name."""

    kind: str
    name: str
    path: tuple[str | int, ...] = ()


def parse(text: str) -> Reference:
    """The reference in a ``Get``; raises `ExpressionError`."""
    kind, _, rest = text.partition(".")
    if kind not in ("Parameters", "Execution", "Steps") or not rest:
        raise ExpressionError(
            f"Expected Parameters.<name>, Execution.<variable> or Steps.<name>.<property> in a Get, found {text!r}."
        )
    if kind != "Steps":
        return Reference(kind, rest)
    name, _, _ = rest.partition(".")
    name = name.partition("[")[0]
    return Reference(kind, name, path(rest[len(name) :]))


def path(text: str) -> tuple[str | int, ...]:
    """The steps of a path such as ``a.b[0]['c']``; raises `ExpressionError`."""
    found: list[str | int] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"Expected a path such as a.b[0]['c'], found {text!r}.")
        word, number, quoted, double = match.groups()
        found.append(int(number) if number is not None else next(x for x in (word, quoted, double) if x is not None))
        at = match.end()
    return tuple(found)


def is_expression(value: Json) -> bool:
    """Whether a JSON value is an expression."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Std:JsonGet")


def references(value: Json) -> Iterator[Reference]:
    """Every reference in a JSON value; raises `ExpressionError` for an expression that can't be read."""
    if is_expression(value):
        ((operator, operand),) = value.items()
        if operator == "Get":
            if not isinstance(operand, str):
                raise ExpressionError(f"Expected a text in a Get, found {operand!r}.")
            yield parse(operand)
            return
        _check(operator, operand)
        yield from references(operand)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def _check(operator: str, operand: Json) -> None:
    if operator == "Std:Join":
        if not isinstance(operand, Mapping) or not isinstance(operand.get("Values"), list):
            raise ExpressionError(f"Expected On and a list of Values in Std:Join, found {operand!r}.")
    elif not isinstance(operand, Mapping) or "Path" not in operand or not ({"PropertyFile", "S3Uri"} & set(operand)):
        raise ExpressionError(f"Expected a PropertyFile or S3Uri, and a Path, in Std:JsonGet, found {operand!r}.")


def resolve(value: Json, scope: Scope, shape: Shape | None = None) -> Json:
    """The value with every expression replaced by what it stands for.

    `shape` is the service model's: where it wants a text and an expression gives a number (as a hyperparameter that
    is an integer parameter), the text of the number is given. What is written literally is left as it is.
    """
    if is_expression(value):
        return _fitted(_evaluate(value, scope), shape)
    if isinstance(value, Mapping):
        return {key: resolve(each, scope, _member(shape, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [resolve(each, scope, shape.member if isinstance(shape, ListShape) else None) for each in value]
    return value


def _member(shape: Shape | None, key: str) -> Shape | None:
    if isinstance(shape, StructureShape):
        found: Shape | None = shape.members.get(key)
        return found
    return shape.value if isinstance(shape, MapShape) else None


def _fitted(value: Json, shape: Shape | None) -> Json:
    wanted = shape.type_name if shape is not None else None
    if wanted == "string" and isinstance(value, bool | int | float):
        return text_of(value)
    if wanted in ("integer", "long") and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    return value


def text_of(value: Json) -> str:
    """A scalar as it stands in a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _evaluate(value: Mapping[str, Json], scope: Scope) -> Json:
    ((operator, operand),) = value.items()
    if operator == "Get":
        return _get(parse(operand), scope)
    _check(operator, operand)
    if operator == "Std:Join":
        parts = [resolve(each, scope) for each in operand["Values"]]
        wrong = next((each for each in parts if isinstance(each, list | dict) or each is None), None)
        if wrong is not None:
            raise ExpressionError(f"Expected texts and numbers in the Values of Std:Join, found {wrong!r}.")
        return str(resolve(operand.get("On", ""), scope)).join(text_of(each) for each in parts)
    where = str(resolve(operand["Path"], scope))
    if "S3Uri" in operand:
        return follow(scope.document(str(resolve(operand["S3Uri"], scope))), path(where), where)
    document = resolve(operand["PropertyFile"], scope)
    return follow(document, path(where), where)


def _get(reference: Reference, scope: Scope) -> Json:
    if reference.kind == "Parameters":
        return scope.parameter(reference.name)
    if reference.kind == "Execution":
        return scope.variable(reference.name)
    if reference.path[:1] == ("PropertyFiles",) and len(reference.path) == 2:
        return scope.property_file(reference.name, str(reference.path[1]))
    whole = f"Steps.{reference.name}.{'.'.join(map(str, reference.path))}"
    return follow(scope.properties(reference.name), reference.path, whole)


def follow(document: Json, steps: Sequence[str | int], whole: str) -> Json:
    """What is at a path in a document; `whole` is how the error names it. Raises `ExpressionError`."""
    here = document
    for each in steps:
        if isinstance(here, Mapping) and str(each) in here:
            here = here[str(each)]
        elif isinstance(here, list) and isinstance(each, int) and each < len(here):
            here = here[each]
        elif isinstance(here, list) and isinstance(each, str):
            here = _named(here, each, whole)
        else:
            raise ExpressionError(f"There is nothing at {each!r} of {whole}.")
    if here is None:
        raise ExpressionError(f"There is nothing at {whole}.")
    return here


def _named(entries: list[Json], name: str, whole: str) -> Json:
    for entry in entries:
        if isinstance(entry, Mapping) and any(entry.get(member) == name for member in _NAMES):
            return entry
    raise ExpressionError(f"There is no entry named {name!r} in the list of {whole}.")
