"""Metric math: the arithmetic of CloudWatch over metrics' values by period.

There are + - * / ^, comparisons, AND and OR, and the functions below; what else metric math has is refused by name. A
value stands where all that it is made of stand, and a division by zero makes none, as in CloudWatch.
"""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from include.local_aws.wire.errors import ValidationException, not_implemented

Series = Mapping[int, float]
"""Values by the start of their period."""
Value = float | Series | Sequence[Series]

_WORDS = ((re.compile(r"\^"), "**"), (re.compile(r"&&|\bAND\b"), " and "), (re.compile(r"\|\||\bOR\b"), " or "))
_OPERATORS: Mapping[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: math.pow,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.And: lambda a, b: float(bool(a) and bool(b)), ast.Or: lambda a, b: float(bool(a) or bool(b)),
}  # fmt: skip
_OF_VALUES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_OF_ONE: Mapping[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
FUNCTIONS = (*_OF_VALUES, *_OF_ONE, "IF", "FILL")


@dataclass(frozen=True)
class Expression:
    """A parsed expression, and the ids that it reads."""

    text: str
    tree: ast.expr
    reads: frozenset[str]


def parse(text: str) -> Expression:
    """The expression; raises `ValidationException` for what is none, and `not_implemented` for what is missing here."""
    translated = text
    for pattern, word in _WORDS:
        translated = pattern.sub(word, translated)
    try:
        tree = ast.parse(translated.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValidationException(f"Error in expression '{text}': it can't be read as metric math.") from error
    if text.lstrip().upper().startswith(("SELECT", "SEARCH")):
        raise not_implemented(f"{text.split()[0]} in an expression of CloudWatch")
    return Expression(text, tree, frozenset(_names(tree, text)))


def _names(node: ast.expr, text: str) -> list[str]:
    """The ids below a node; refuses every form that can't be computed."""
    match node:
        case ast.Name(id=name):
            return [name]
        case ast.Constant(value=int() | float()):
            return []
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            return _names(operand, text)
        case ast.BinOp(left=left, right=right, op=op) if type(op) in _OPERATORS:
            return _names(left, text) + _names(right, text)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _names(left, text) + _names(right, text)
        case ast.BoolOp(values=values) | ast.List(elts=values):
            return [name for value in values for name in _names(value, text)]
        case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
            return _names_of_call(function, arguments, text)
    raise ValidationException(f"Error in expression '{text}': it can't be read as metric math.")


def _names_of_call(function: str, arguments: list[ast.expr], text: str) -> list[str]:
    if function not in FUNCTIONS:
        raise not_implemented(f"the function {function} in an expression of CloudWatch; it has {', '.join(FUNCTIONS)}")
    wanted = {"IF": (2, 3), "FILL": (2, 2)}.get(function, (1, 1))
    if not wanted[0] <= len(arguments) <= wanted[1]:
        raise ValidationException(f"Error in expression '{text}': {function} was given {len(arguments)} arguments.")
    if function == "FILL" and isinstance(arguments[1], ast.Name):
        if arguments[1].id not in ("REPEAT", "LINEAR"):
            raise ValidationException(f"Error in expression '{text}': FILL takes a number, REPEAT or LINEAR.")
        if arguments[1].id == "LINEAR":
            raise not_implemented("FILL(…, LINEAR) in an expression of CloudWatch")
        arguments = arguments[:1]
    return [name for argument in arguments for name in _names(argument, text)]


def evaluate(expression: Expression, series: Mapping[str, Value], periods: Sequence[int]) -> Value:
    """The expression's value, where `series` holds those that it reads and `periods` are all periods asked for."""
    return _value(expression.tree, series, periods)


def _value(node: ast.expr, series: Mapping[str, Value], periods: Sequence[int]) -> Value:
    match node:
        case ast.Name(id=name):
            return series[name]
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, series, periods)
            return _combined(operator.mul, -1.0, value) if isinstance(op, ast.USub) else value
        case ast.BinOp(left=left, right=right, op=op):
            return _combined(_OPERATORS[type(op)], _value(left, series, periods), _value(right, series, periods))
        case ast.Compare(left=left, ops=[compare], comparators=[right]):
            return _combined(_OPERATORS[type(compare)], _value(left, series, periods), _value(right, series, periods))
        case ast.BoolOp(op=boolean, values=[first, *others]):
            found = _value(first, series, periods)
            for other in others:
                found = _combined(_OPERATORS[type(boolean)], found, _value(other, series, periods))
            return found
        case ast.List(elts=elements):
            return [_series(_value(each, series, periods), periods) for each in elements]
        case ast.Call(func=ast.Name(id=function), args=arguments):
            return _called(function, arguments, series, periods)
    raise AssertionError(f"unchecked expression {ast.dump(node)}")


def _called(function: str, arguments: list[ast.expr], series: Mapping[str, Value], periods: Sequence[int]) -> Value:
    first = _value(arguments[0], series, periods)
    if function == "FILL":
        return _filled(_series(first, periods), arguments[1], series, periods)
    if function == "IF":
        chosen = [_value(each, series, periods) for each in arguments[1:]]
        return _chosen(first, chosen[0], chosen[1] if len(chosen) > 1 else {}, periods)
    if function in _OF_ONE:
        return _combined(lambda value, _: _OF_ONE[function](value), first, 0.0)
    of_values = _OF_VALUES[function]
    if isinstance(first, Sequence):  # of several metrics: period by period
        moments = sorted({moment for each in first for moment in each})
        return {moment: of_values([each[moment] for each in first if moment in each]) for moment in moments}
    if isinstance(first, float):
        return first
    return of_values(list(first.values())) if first else {}


def _filled(values: Series, filler: ast.expr, series: Mapping[str, Value], periods: Sequence[int]) -> Series:
    if isinstance(filler, ast.Name):  # REPEAT
        result, last = {}, None
        for moment in periods:
            last = values.get(moment, last)
            if last is not None:
                result[moment] = last
        return result
    fill = _series(_value(filler, series, periods), periods)
    either = {**fill, **values}
    return {moment: either[moment] for moment in periods if moment in either}


def _chosen(condition: Value, yes: Value, no: Value, periods: Sequence[int]) -> Value:
    if isinstance(condition, float):
        return yes if condition else no
    branches = {True: _series(yes, periods), False: _series(no, periods)}
    found = {}
    for moment, truth in _series(condition, periods).items():
        branch = branches[bool(truth)]
        if moment in branch:
            found[moment] = branch[moment]
    return found


def _series(value: Value, periods: Sequence[int]) -> Series:
    if isinstance(value, float):
        return dict.fromkeys(periods, value)
    if isinstance(value, Sequence):
        raise ValidationException("Expected one metric in an expression, found a list of them.")
    return value


def _combined(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, Sequence) or isinstance(right, Sequence):
        raise ValidationException("Expected one metric on each side of an operator, found a list of them.")
    if isinstance(left, float) and isinstance(right, float):
        number = _computed(operation, left, right)
        return {} if number is None else number
    moments = left if not isinstance(left, float) else right
    assert not isinstance(moments, float)
    found = {}
    for moment in moments:
        a = left if isinstance(left, float) else left.get(moment)
        b = right if isinstance(right, float) else right.get(moment)
        value = _computed(operation, a, b)
        if value is not None:
            found[moment] = value
    return found


def _computed(operation: Callable[[float, float], float], left: float | None, right: float | None) -> float | None:
    """The operation's value, None where an operand is missing or the result is no number."""
    if left is None or right is None:
        return None
    try:
        value = float(operation(left, right))
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return value if math.isfinite(value) else None
