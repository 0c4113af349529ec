"""The parameters of a pipeline: declared in its definition, given when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.local_aws.pipelines.expressions import ExpressionError
from include.local_aws.wire.errors import ValidationException

Json = Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "String": (str,), "Integer": (int,), "Float": (int, float), "Boolean": (bool,),
}  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """A pipeline parameter. `default` is None where it has none."""

    name: str
    type: str
    default: Json
    allowed: tuple[Json, ...]


def read(given: Json) -> dict[str, Parameter]:
    """The parameters of a definition by name; raises `ExpressionError`."""
    if not isinstance(given, list):
        raise ExpressionError("expected a list at Parameters.")
    found: dict[str, Parameter] = {}
    for each in given:
        if not _is_parameter(each):
            raise ExpressionError(
                f"expected a parameter with a Name and a Type of {', '.join(_TYPES)}, found {each!r}."
            )
        parameter = Parameter(each["Name"], each["Type"], each.get("DefaultValue"), tuple(each.get("EnumValues") or ()))
        if parameter.name in found:
            raise ExpressionError(f"parameter names must be unique, found {parameter.name!r} more than once.")
        if parameter.default is not None and not _is_of(parameter.type, parameter.default):
            raise ExpressionError(
                f"the DefaultValue of {parameter.name!r} is no {parameter.type}: {parameter.default!r}."
            )
        found[parameter.name] = parameter
    return found


def _is_parameter(given: Json) -> bool:
    return (
        isinstance(given, dict)
        and isinstance(given.get("Name"), str)
        and isinstance(given.get("Type"), str)
        and given["Type"] in _TYPES
        and isinstance(given.get("EnumValues") or [], list)
    )


def _is_of(kind: str, value: Json) -> bool:
    return isinstance(value, _TYPES[kind]) and (kind == "Boolean" or not isinstance(value, bool))


def values(declared: Mapping[str, Parameter], given: Mapping[str, str]) -> dict[str, Json]:
    """Every parameter's value for one execution; raises `ValidationException`."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise ValidationException(
            f"The pipeline has no parameter {', '.join(unknown)}. It has {', '.join(declared) or 'none'}."
        )
    found = {}
    for name, parameter in declared.items():
        value = _typed(parameter, given[name]) if name in given else parameter.default
        if value is None:
            raise ValidationException(f"The parameter {name} has no default value and must be given.")
        if parameter.allowed and value not in parameter.allowed:
            allowed = ", ".join(map(str, parameter.allowed))
            raise ValidationException(f"The parameter {name} must be one of {allowed}, found {value!r}.")
        found[name] = value
    return found


def _typed(parameter: Parameter, text: str) -> Json:
    try:
        match parameter.type:
            case "Integer":
                return int(text)
            case "Float":
                return float(text)
            case "Boolean":
                return {"true": True, "false": False}[text.lower()]
    except (ValueError, KeyError) as error:
        raise ValidationException(
            f"The parameter {parameter.name} must be of type {parameter.type}, found {text!r}."
        ) from error
    return text
