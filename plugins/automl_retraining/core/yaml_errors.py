"""Reads a pipeline's YAML strictly, and says in sentences what is wrong with it.

Light: imported by every DAG file.
"""

from __future__ import annotations

import difflib
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
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in lines:
                raise DuplicateKey(
                    f"line {line}: expected each key once, found {key!r} again (first at line {lines[key]})"
                )
            lines[key] = line
        return super().construct_mapping(node, deep=deep)


def read_yaml(text: str) -> Any:
    """The document as plain values.

    Raises:
        yaml.YAMLError: the text is no YAML, or a key stands twice.
    """
    return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader


def yaml_sentence(error: Exception) -> str:
    """What is wrong with the text, on one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: expected YAML, found: {error.problem}"
    if isinstance(error, DuplicateKey):
        return str(error)
    return f"expected a readable YAML file in UTF-8, found: {error}"


def sentences(error: ValidationError, model: type[BaseModel]) -> Iterator[str]:
    """One sentence for each thing wrong: the key, what was expected, what was found."""
    for problem in error.errors(include_url=False):
        location = [part for part in problem["loc"] if not isinstance(part, int)]
        key = ".".join(str(part) for part in problem["loc"])
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
    shown = repr(found) if len(repr(found)) <= 80 else repr(found)[:77] + "..."
    if kind == "missing":
        return "expected a value, found nothing"
    if kind == "extra_forbidden":
        return _unknown(key.rpartition(".")[2], section)
    if kind == "value_error":
        return str(facts["error"])
    expected = _EXPECTED.get(kind) or _limits(facts) or problem["msg"][:1].lower() + problem["msg"][1:]
    if kind == "literal_error":
        expected = f"expected one of {facts['expected'].replace(' or ', ', ')}"
    elif kind == "string_pattern_mismatch":
        expected = f"expected {_PATTERNS.get(key, 'text that matches ' + facts['pattern'])}"
    hint = ""
    if isinstance(found, bool) and kind in ("string_type", "literal_error"):
        hint = ": YAML reads yes, no, on and off as true and false, so put it in quotes"
    elif isinstance(found, int | float) and kind == "string_type":
        hint = ": put it in quotes"
    elif isinstance(found, str) and kind == "tuple_type":
        hint = f": write [{found}]"
    elif isinstance(found, str) and key == "schedule":
        hint = ": write it below cron or asset"
    return f"{expected}, found {shown}{hint}"


_EXPECTED = {
    "string_type": "expected text",
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
    "name": "a lower-case letter, then at most 39 lower-case letters, digits and underscores",
    "endpoint.name": "at most 63 letters, digits and single hyphens, beginning and ending with a letter or digit",
    "endpoint.instance_type": "a SageMaker instance type such as ml.m5.large",
    "transform.instance_type": "a SageMaker instance type such as ml.m5.large",
}


def _limits(facts: dict[str, Any]) -> str:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [f"{words[name]} {facts[name]}" for name in words if name in facts]
    return f"expected {' and '.join(found)}" if found else ""


def _unknown(key: str, section: type[BaseModel] | None) -> str:
    known = sorted(section.model_fields) if section else []
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"no such key; {hint}Expected {', '.join(known)}"
