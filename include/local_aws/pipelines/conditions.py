"""The conditions of a Condition step."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from include.local_aws.pipelines.expressions import ExpressionError, Scope, resolve

Json = Any

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: left == right,
    "GreaterThan": lambda left, right: left > right,
    "GreaterThanOrEqualTo": lambda left, right: left >= right,
    "LessThan": lambda left, right: left < right,
    "LessThanOrEqualTo": lambda left, right: left <= right,
}


def check(condition: Json) -> None:
    """Raise `ExpressionError` for what is no condition."""
    if not isinstance(condition, Mapping):
        raise ExpressionError(f"Expected a condition with a Type, found {condition!r}.")
    match condition.get("Type"):
        case str(kind) if kind in _COMPARISONS:
            _check_members(condition, "LeftValue", "RightValue")
        case "In":
            _check_members(condition, "QueryValue", "Values")
        case "Not":
            check(_negated(condition))
        case "Or":
            _check_members(condition, "Conditions")
            for each in _several(condition):
                check(each)
        case other:
            known = ", ".join([*_COMPARISONS, "In", "Not", "Or"])
            raise ExpressionError(f"Expected the Type of a condition ({known}), found {other!r}.")


def _negated(condition: Mapping[str, Json]) -> Json:
    """What a Not is of: clients write it as Condition or, older ones, as Expression."""
    if "Condition" in condition:
        return condition["Condition"]
    _check_members(condition, "Expression")
    return condition["Expression"]


def _several(condition: Mapping[str, Json]) -> Iterator[Json]:
    if not isinstance(condition["Conditions"], list):
        raise ExpressionError(f"Expected a list of Conditions, found {condition['Conditions']!r}.")
    yield from condition["Conditions"]


def _check_members(condition: Mapping[str, Json], *members: str) -> None:
    missing = [each for each in members if each not in condition]
    if missing:
        raise ExpressionError(f"A condition of type {condition['Type']} must have {missing[0]}.")


def holds(condition: Mapping[str, Json], scope: Scope) -> bool:
    """Whether a condition is true now; raises `ExpressionError` where its values can't be told or compared."""
    kind = condition["Type"]
    match kind:
        case "In":
            values = resolve(condition["Values"], scope)
            if not isinstance(values, list):
                raise ExpressionError(f"Expected a list at Values of a condition of type In, found {values!r}.")
            return resolve(condition["QueryValue"], scope) in values
        case "Not":
            return not holds(_negated(condition), scope)
        case "Or":
            return any(holds(each, scope) for each in condition["Conditions"])
    left, right = _alike(resolve(condition["LeftValue"], scope), resolve(condition["RightValue"], scope))
    try:
        return _COMPARISONS[kind](left, right)
    except TypeError as error:
        raise ExpressionError(f"{left!r} and {right!r} can't be compared by {kind}.") from error


def _alike(left: Json, right: Json) -> tuple[Json, Json]:
    """Both as numbers where one is a number and the other the text of one."""
    if isinstance(left, str) and isinstance(right, int | float) and not isinstance(right, bool):
        return _number(left), right
    if isinstance(right, str) and isinstance(left, int | float) and not isinstance(left, bool):
        return left, _number(right)
    return left, right


def _number(text: str) -> Json:
    try:
        return float(text)
    except ValueError:
        return text
