"""ParameterRanges: what a tuning job searches, read and checked; its values as numbers and as texts.

Rules and scales: developer guide, "Define hyperparameter ranges" and "Hyperparameter scaling".
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from include.local_aws.wire.errors import ResourceLimitExceeded, ValidationException, not_implemented

MAX_PARAMETERS = 30
"""Hyperparameters that one tuning job can search (developer guide, "Resource limits for automatic model tuning")."""
WIDE = 1000.0
"""From this ratio of its ends on, a range of ScalingType Auto is searched on a logarithmic scale. AWS does not say how
it chooses."""

Kind = Literal["integer", "continuous", "categorical"]
Scaling = Literal["Linear", "Logarithmic", "ReverseLogarithmic"]
Value = int | float | str


@dataclass(frozen=True)
class Range:
    """One hyperparameter: the ends of its range, both included, or the values that it takes."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    scaling: Scaling = "Linear"
    values: tuple[str, ...] = ()

    @property
    def count(self) -> float:
        """How many values it has; infinite for a continuous one."""
        match self.kind:
            case "integer":
                return self.high - self.low + 1
            case "categorical":
                return len(self.values)
            case _:
                return math.inf

    def text(self, value: Value) -> str:
        """A value as it stands among a training job's hyperparameters."""
        if self.kind == "integer":
            return str(int(value))
        return repr(float(value)) if self.kind == "continuous" else str(value)

    def value(self, text: str) -> Value | None:
        """The value of a text, None where it isn't one of this range."""
        if self.kind == "categorical":
            return text if text in self.values else None
        number = _number(text)
        if number is None or not self.low <= number <= self.high:
            return None
        if self.kind == "continuous":
            return number
        return int(number) if number == int(number) else None

    def every(self) -> Iterator[Value]:
        """All values of a range that isn't continuous, in order."""
        if self.kind == "continuous":
            raise ValueError(f"the continuous range of {self.name} has no end of values")
        return iter(self.values) if self.kind == "categorical" else iter(range(int(self.low), int(self.high) + 1))


def combinations(ranges: Sequence[Range]) -> float:
    """How many different combinations of values there are; infinite with a continuous range."""
    return math.prod(each.count for each in ranges)


def every_combination(ranges: Sequence[Range]) -> Iterator[dict[str, Value]]:
    """All combinations of ranges of which none is continuous."""
    for values in itertools.product(*(tuple(each.every()) for each in ranges)):
        yield dict(zip((each.name for each in ranges), values, strict=True))


def parse(given: Mapping[str, Any], where: str) -> tuple[Range, ...]:
    """The ranges of a ParameterRanges that stands at `where`; raises `wire.errors.AwsError` for what AWS refuses."""
    if given.get("AutoParameters"):
        raise not_implemented(f"{where}.AutoParameters of CreateHyperParameterTuningJob")
    found = (
        *(_interval(each, "integer", where) for each in given.get("IntegerParameterRanges", ())),
        *(_interval(each, "continuous", where) for each in given.get("ContinuousParameterRanges", ())),
        *(_choice(each, where) for each in given.get("CategoricalParameterRanges", ())),
    )
    names = [each.name for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if not found:
        raise ValidationException(f"{where} must have at least one hyperparameter range to tune.")
    if twice:
        raise ValidationException(f"The hyperparameter [{twice[0]}] has more than one range in {where}.")
    if len(found) > MAX_PARAMETERS:
        raise ResourceLimitExceeded(
            f"A hyperparameter tuning job can search at most {MAX_PARAMETERS} hyperparameters, found {len(found)}."
        )
    return found


def _interval(given: Mapping[str, str], kind: Kind, where: str) -> Range:
    name = given["Name"]
    low, high = _end(given, "MinValue", kind, where), _end(given, "MaxValue", kind, where)
    if not low < high:
        raise ValidationException(
            f"The range of hyperparameter [{name}] in {where} is empty: MinValue [{given['MinValue']}] must be less "
            f"than MaxValue [{given['MaxValue']}]. Give a value that does not change among StaticHyperParameters."
        )
    asked = given.get("ScalingType", "Auto")
    if asked == "Logarithmic" and low <= 0:
        raise ValidationException(
            f"Logarithmic scaling needs a range of values greater than 0, found MinValue [{given['MinValue']}] of "
            f"hyperparameter [{name}] in {where}."
        )
    if asked == "ReverseLogarithmic" and (kind == "integer" or low < 0 or high >= 1):
        raise ValidationException(
            f"ReverseLogarithmic scaling needs a continuous range within 0 <= x < 1, found hyperparameter [{name}] "
            f"in {where}: {kind} from [{given['MinValue']}] to [{given['MaxValue']}]."
        )
    return Range(name, kind, low, high, _automatic(low, high) if asked == "Auto" else _named(asked))


def _named(scaling: str) -> Scaling:
    match scaling:
        case "Logarithmic":
            return "Logarithmic"
        case "ReverseLogarithmic":
            return "ReverseLogarithmic"
        case _:
            return "Linear"


def _automatic(low: float, high: float) -> Scaling:
    return "Logarithmic" if low > 0 and high / low >= WIDE else "Linear"


def _end(given: Mapping[str, str], member: str, kind: Kind, where: str) -> float:
    number = _number(given[member])
    if number is None or (kind == "integer" and (number != int(number) or abs(number) > 2**53)):
        wanted = "a whole number" if kind == "integer" else "a number"
        raise ValidationException(
            f"{member} of hyperparameter [{given['Name']}] in {where} must be {wanted}, found [{given[member]}]."
        )
    return number


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _choice(given: Mapping[str, Any], where: str) -> Range:
    values = tuple(given["Values"])
    if len(set(values)) != len(values):
        raise ValidationException(
            f"The values of the categorical hyperparameter [{given['Name']}] in {where} must be unique, found "
            f"{', '.join(values)}."
        )
    return Range(given["Name"], "categorical", values=values)
