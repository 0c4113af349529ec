"""Hyperparameters as an algorithm declares them: type, range, default; and what it says about those it is given.

SageMaker hands every hyperparameter over as text. What can't be used fails the training with a `ClientError` that names
the hyperparameter, in the words of the open-source toolkit of SageMaker's own algorithms.
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.local_aws.images import ClientError


@dataclass(frozen=True)
class Interval:
    """The numbers between two bounds, which belong to it unless they are open."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def __str__(self) -> str:
        low = "(-inf" if self.low == -math.inf else f"{'(' if self.open_low else '['}{self.low:g}"
        high = "+inf)" if self.high == math.inf else f"{self.high:g}{')' if self.open_high else ']'}"
        return f"{low}, {high}"


@dataclass(frozen=True)
class Hyperparameter:
    """One of them. `words` are texts that it takes besides what `parse` reads ("auto"), kept as they are."""

    name: str
    parse: Callable[[str], Any]
    allowed: Interval | Sequence[Any]
    words: tuple[str, ...] = ()
    required: bool = False
    default: Any = None
    each: bool = field(default=False)
    """Whether the value is a sequence whose every element must be allowed."""

    def read(self, text: str) -> Any:
        """The value of `text`; raises `ClientError`."""
        if text in self.words:
            return text
        try:
            value = self.parse(text)
        except (ValueError, SyntaxError, TypeError) as error:
            raise ClientError(
                f"Hyperparameter {self.name}: could not parse value {text!r}, expected {self.expected()}"
            ) from error
        if not all(self._allows(one) for one in (_flat(value) if self.each else [value])):
            raise ClientError(f"Hyperparameter {self.name}: value {text} not in range {self.expected()}")
        return value

    def _allows(self, value: Any) -> bool:
        if isinstance(self.allowed, Interval):
            return isinstance(value, int | float) and math.isfinite(value) and value in self.allowed
        return value in self.allowed

    def expected(self) -> str:
        """The range, for people."""
        range_ = str(self.allowed) if isinstance(self.allowed, Interval) else str(list(self.allowed))
        return f"{range_} or {', '.join(self.words)}" if self.words else range_


def integer(name: str, low: float = -math.inf, high: float = math.inf, **more: Any) -> Hyperparameter:
    """A whole number from `low` to `high`, both included."""
    return Hyperparameter(name, int, Interval(low, high), **more)


def number(
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
    **more: Any,
) -> Hyperparameter:
    """A number from `low` to `high`."""
    return Hyperparameter(name, float, Interval(low, high, open_low, open_high), **more)


def choice(name: str, *allowed: str, **more: Any) -> Hyperparameter:
    """One of these words."""
    return Hyperparameter(name, str, allowed, **more)


def flag(name: str, **more: Any) -> Hyperparameter:
    """``true`` or ``false``."""
    return Hyperparameter(name, lambda text: {"true": True, "false": False}.get(text.lower()), (True, False), **more)


def words(name: str, allowed: Sequence[str], **more: Any) -> Hyperparameter:
    """Words with commas between them, each one of these."""
    return Hyperparameter(name, _split, allowed, each=True, **more)


def nested(name: str, allowed: Interval | Sequence[Any], **more: Any) -> Hyperparameter:
    """A Python tuple or list of (lists of) allowed values, as text."""
    return Hyperparameter(name, ast.literal_eval, allowed, each=True, **more)


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [inner for each in value for inner in _flat(each)]
    return [value]


def read(
    table: Sequence[Hyperparameter], given: Mapping[str, str], aliases: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The values of the given hyperparameters and the defaults of others that have one.

    Raises `ClientError` for an unknown name, a missing required one, and a value that can't be read or is out of range.
    """
    renamed = {(aliases or {}).get(name, name): text for name, text in given.items()}
    known = {each.name: each for each in table}
    for each in table:
        if each.required and each.name not in renamed:
            raise ClientError(f"Missing required hyperparameter: {each.name}")
    for name in renamed:
        if name not in known:
            raise ClientError(f"Extraneous hyperparameter found: {name}. Known are: {', '.join(sorted(known))}")
    values = {each.name: each.default for each in table if each.default is not None}
    return {**values, **{name: known[name].read(text) for name, text in renamed.items()}}
