"""Reads a pipeline's YAML strictly, and says in sentences what is wrong with it.

Light: imported by every DAG file.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError


class DuplicateKey(yaml.YAMLError):
    """A key stands twice in one mapping; plain YAML would take the last without a word."""


class _StrictLoader(yaml.SafeLoader):
    """YAML without doubled keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As YAML's own, but each key once."""
        lines: dict[Any, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if not isinstance(key, Hashable):
                continue  # which YAML's own refuses
            if key in lines:
                raise DuplicateKey(
                    f"line {line}: expected each key once, found {shown(key)} again (first at line {lines[key]})"
                )
            lines[key] = line
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As YAML's own, whose readers of dates, numbers and truth values fail with whatever Python raises."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
            what = node.tag.rpartition(":")[2]
            found = f"no {what}: {shown(getattr(node, 'value', None))}"
            raise yaml.constructor.ConstructorError(None, None, found, node.start_mark) from error


def read_yaml(text: str) -> Any:
    """The document as plain values.

    Raises:
        yaml.YAMLError: the text is no YAML, or a key stands twice.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader
    except RecursionError as error:
        raise yaml.YAMLError("values nested hundreds deep") from error


def yaml_sentence(error: Exception) -> str:
    """What is wrong with the text, on one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: expected YAML, found: {_line(error.problem)}"
    if isinstance(error, DuplicateKey):
        return _line(error)
    return f"expected a readable YAML file in UTF-8, found: {_line(error)}"


class _Repr(reprlib.Repr):
    """Values of a YAML file may hold themselves, or be billions of aliases: only their beginning is put in words."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxtuple, self.maxset = 3, 12, 12, 12, 12
        self.maxstring = self.maxother = self.maxlong = 200

    def repr_int(self, x: int, level: int) -> str:
        """Python writes no integer of thousands of digits."""
        return super().repr_int(x, level) if x.bit_length() < 4000 else f"an integer of {x.bit_length():,} bits"


def shown(value: object, most: int = 80) -> str:
    """The beginning of the value's repr."""
    text = _Repr().repr(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def _line(error: object) -> str:
    return " ".join(str(error).split())


def _word(part: object) -> str:
    """A part of a key's path; one that is no word (a line break, a page of text) as in Python."""
    text = str(part)
    return text if text.strip() and text.isprintable() and len(text) <= 80 else shown(part)


def sentences(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """One sentence for each thing wrong: the key, what was expected, what was found."""
    for problem in error.errors(include_url=False):
        location = [part for part in problem["loc"] if not isinstance(part, int)]
        key = ".".join(map(_word, problem["loc"]))
        section = _section(model, location[:-1])
        prefix = f"key {key}: " if key else ""
        yield prefix + _explain(dict(problem), ".".join(map(str, location)), section)


def _section(model: type[BaseModel], location: Iterable[object]) -> type[BaseModel] | None:
    """The model of the mapping at that place, or None where it is no model."""
    current: type[BaseModel] | None = model
    for part in location:
        field = current.model_fields.get(str(part)) if current else None
        annotation = field.annotation if field else None
        current = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return current


def _explain(problem: dict[str, Any], key: str, section: type[BaseModel] | None) -> str:
    kind, found, facts = problem["type"], problem.get("input"), problem.get("ctx") or {}
    if kind == "missing":
        return "expected a value, found nothing"
    if kind == "extra_forbidden":
        return _unknown(key.rpartition(".")[2], section)
    if kind == "value_error":
        return str(facts["error"])
    expected = _EXPECTED.get(kind) or _limits(facts) or _pydantics(problem["msg"])
    if kind == "literal_error":
        expected = f"expected one of {facts['expected'].replace(' or ', ', ')}"
    elif kind == "string_pattern_mismatch":
        expected = f"expected {_PATTERNS.get(key, 'text that matches ' + facts['pattern'])}"
    hint = ""
    if isinstance(found, bool) and kind in ("string_type", "literal_error"):
        hint = ": YAML reads yes, no, on and off as true and false, so put it in quotes"
    elif isinstance(found, int | float) and kind in ("string_type", "invalid_key"):
        hint = ": put it in quotes"
    elif isinstance(found, str) and kind == "tuple_type":
        hint = f": write [{found}]"
    elif isinstance(found, str) and key == "schedule":
        hint = ": write it below cron or asset"
    return f"{expected}, found {shown(found)}{hint}"


_EXPECTED = {
    "string_type": "expected text",
    "string_unicode": "expected text",
    "invalid_key": "expected a key that is text",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping of keys to values",
    "model_type": "expected a mapping of keys to values",
    "model_attributes_type": "expected a mapping of keys to values",
}
_PATTERNS = {
    "name": "a lower-case letter, then at most 39 lower-case letters, digits and underscores, the last no underscore",
    "endpoint.name": "at most 63 letters, digits and single hyphens, beginning and ending with a letter or digit",
    "endpoint.instance_type": "a SageMaker instance type such as ml.m5.large",
    "transform.instance_type": "a SageMaker instance type such as ml.m5.large",
}


def _pydantics(message: str) -> str:
    """Pydantic's words for a kind of problem that stands nowhere here."""
    start = "Input should be "
    return f"expected {message.removeprefix(start)}" if message.startswith(start) else f"expected otherwise: {message}"


def _limits(facts: dict[str, Any]) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [f"{words[name]} {facts[name]}" for name in words if name in facts]
    return f"expected {' and '.join(found)}" if found else ""


def _unknown(key: str, section: type[BaseModel] | None) -> str:
    known = sorted(section.model_fields) if section else []
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}? Expected" if close else "expected"
    return f"no such key; {hint} {', '.join(known)}"
