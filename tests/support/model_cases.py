"""Requests generated from botocore's service model: good ones, and such as break one constraint each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from tests.support.pattern_samples import longer_than, mismatch, sample

DEPTH = 6
"""How many structures, lists and maps deep constraints are broken."""
LARGEST = 600
"""Lists and maps with a higher limit than this aren't overfilled, nor texts with one ten times as high."""
VALIDATION, SERIALIZATION = "ValidationException", "SerializationException"


@dataclass(frozen=True)
class Case:
    """A request that breaks one constraint, the code it is answered with and the words that name member and rule."""

    document: Any
    code: str
    where: str
    rule: str

    def __str__(self) -> str:
        return f"{self.where or '/'}: {self.rule}"


def good(shape: Shape) -> Any:
    """The smallest value that the shape allows: required members only."""
    match shape:
        case StructureShape():
            names = list(shape.required_members)
            if shape.is_tagged_union and not names:
                names = [next(iter(shape.members))]
            return {name: good(shape.members[name]) for name in names}
        case ListShape():
            return [good(shape.member) for _ in range(shape.metadata.get("min", 0))]
        case MapShape():
            count = shape.metadata.get("min", 0)
            assert count <= 1, f"{shape.name}: a map with {count} entries at least needs keys that differ"
            return {good(shape.key): good(shape.value) for _ in range(count)}
        case StringShape():
            if shape.enum:
                return shape.enum[0]
            least, most = shape.metadata.get("min", 0), shape.metadata.get("max")
            return sample(shape.metadata.get("pattern", ".*"), max(least, min(1, most or 1)), most)
    return {
        "integer": shape.metadata.get("min", 1), "long": shape.metadata.get("min", 1),
        "float": shape.metadata.get("min", 1), "double": shape.metadata.get("min", 1),
        "boolean": True, "timestamp": 1_700_000_000, "blob": "",
    }[shape.type_name]  # fmt: skip


def broken(shape: Shape, where: str = "", depth: int = DEPTH) -> Iterator[Case]:
    """Every way to break one constraint of the shape or of what is in it."""
    match shape:
        case StructureShape():
            yield from _structure(shape, where, depth)
        case ListShape():
            yield from _list(shape, where, depth)
        case MapShape():
            yield from _map(shape, where, depth)
        case _:
            yield from _scalar(shape, where)


def _below(where: str, name: str) -> str:
    small = name[:1].lower() + name[1:]
    return f"{where}.{small}" if where else small


def _wrong_type(document: Any, where: str) -> Case:
    return Case(document, SERIALIZATION, where, f"at '{where or '/'}'")


def _structure(shape: StructureShape, where: str, depth: int) -> Iterator[Case]:
    yield _wrong_type("text", where)
    yield Case({**good(shape), "NoSuchMember": 1}, SERIALIZATION, where, "Unknown member 'NoSuchMember'")
    union = shape.is_tagged_union
    for name, member in shape.members.items():
        here = _below(where, name)
        rest = {} if union else {key: value for key, value in good(shape).items() if key != name}
        if name in shape.required_members:
            yield Case(rest, VALIDATION, here, f"Value null at '{here}' failed to satisfy constraint: Member must not")
        if depth:
            for case in broken(member, here, depth - 1):
                yield replace(case, document={**rest, name: case.document})
    if union:
        yield Case({}, VALIDATION, where, f"Exactly one member of {shape.name} must be set")


def _list(shape: ListShape, where: str, depth: int) -> Iterator[Case]:
    yield _wrong_type({}, where)
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", LARGEST + 1)
    member = good(shape.member)
    if least:
        yield Case([member] * (least - 1), VALIDATION, where, _least("length", least))
    if most <= LARGEST:
        yield Case([member] * (most + 1), VALIDATION, where, _most("length", most))
    if depth and most > 0:
        for case in broken(shape.member, f"{where}.1.member", depth - 1):
            inside = isinstance(shape.member, StructureShape | ListShape | MapShape) or case.code == SERIALIZATION
            document = [case.document, *[member] * (least - 1)]
            yield replace(case, document=document, where=case.where if inside else where)


def _map(shape: MapShape, where: str, depth: int) -> Iterator[Case]:
    yield _wrong_type([], where)
    key, value = good(shape.key), good(shape.value)
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", LARGEST + 1)
    if least:
        yield Case({}, VALIDATION, where, _least("length", least))
    if most <= LARGEST and not (isinstance(shape.key, StringShape) and shape.key.enum):
        yield Case({f"{key}{n}": value for n in range(most + 1)}, VALIDATION, where, _most("length", most))
    if not depth:
        return
    for case in broken(shape.key, where, depth - 1):
        if isinstance(case.document, str):  # JSON has no other keys
            yield replace(case, document={case.document: value}, where=where)
    for case in broken(shape.value, f"{where}.{key}.member", depth - 1):
        inside = isinstance(shape.value, StructureShape | ListShape | MapShape) or case.code == SERIALIZATION
        yield replace(case, document={key: case.document}, where=case.where if inside else where)


def _scalar(shape: Shape, where: str) -> Iterator[Case]:
    yield _wrong_type([1] if shape.type_name == "string" else "text?", where)
    if isinstance(shape, StringShape):
        yield from _string(shape, where)
    elif shape.type_name in ("integer", "long", "float", "double"):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None:
            yield Case(least - 1, VALIDATION, where, _least("value", least))
        if most is not None:
            yield Case(most + 1, VALIDATION, where, _most("value", most))


def _string(shape: StringShape, where: str) -> Iterator[Case]:
    if shape.enum:
        rule = f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        yield Case("no such value", VALIDATION, where, rule)
        return
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 10 * LARGEST + 1)
    pattern = shape.metadata.get("pattern", r"(?s).*")
    if least:
        yield Case("a" * (least - 1), VALIDATION, where, _least("length", least))
    if most <= 10 * LARGEST:
        yield Case(longer_than(pattern, most) or "a" * (most + 1), VALIDATION, where, _most("length", most))
    if "pattern" in shape.metadata and (text := mismatch(pattern, least, most)) is not None:
        yield Case(text, VALIDATION, where, f"Member must satisfy regular expression pattern: {pattern}")


def _least(what: str, bound: float) -> str:
    return f"Member must have {what} greater than or equal to {bound}"


def _most(what: str, bound: float) -> str:
    return f"Member must have {what} less than or equal to {bound}"
