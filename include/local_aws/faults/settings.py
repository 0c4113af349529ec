"""What ``/_control`` takes: faults, limits and the age of lists, read from JSON into frozen values.

::

    {"seed": 7,
     "faults": [
        {"kind": "throttle", "service": "sagemaker", "operation": "List*", "calls_per_second": 2},
        {"kind": "error", "code": "ServiceUnavailable", "rate": 0.1},
        {"kind": "drop", "when": "after", "operation": "Create*", "first": 1},
        {"kind": "latency", "seconds": [0.1, 0.5], "service": "s3"}],
     "limits": {"training/ml.m5.large": 2, "automl": 1},
     "list_lag_seconds": 2, "list_lag_jitter_seconds": 1}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.local_aws.limits import LimitsError, checked

KINDS = ("throttle", "error", "drop", "latency")
WHENS: Mapping[str, tuple[str, ...]] = {"drop": ("before", "during", "after"), "error": ("before", "after")}
"""Whether the request is carried out all the same (during, after) when its answer is lost or is an error."""
ERRORS: Mapping[str, int] = {
    "InternalFailure": 500, "InternalServerError": 500, "ServiceUnavailable": 503, "RequestTimeout": 408
}  # fmt: skip
"""Codes of the service's own faults with their HTTP status (AWS's common errors)."""

_SCHEDULES = ("rate", "first", "every", "calls_per_second")
_MEMBERS = {"kind", "service", "operation", "code", "when", "seconds", "at_most", "burst", *_SCHEDULES}
_SETTINGS = ("seed", "faults", "limits", "list_lag_seconds", "list_lag_jitter_seconds")


class SettingsError(ValueError):
    """What was asked for can't be read; the sentence says where and what was expected."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and which calls it hits.

    A call is hit when its service and operation match (shell patterns, whatever the case) and its turn comes by the
    schedule: `rate` (share of calls), `first` n calls, `every` n-th call, more than `calls_per_second` (a bucket of
    `burst` calls that fills at that rate, as AWS's), or every call where there is no schedule. `at_most` ends it after
    so many hits.
    """

    kind: str
    service: str = "*"
    operation: str = "*"
    rate: float | None = None
    first: int | None = None
    every: int | None = None
    calls_per_second: float | None = None
    burst: float = 1.0
    at_most: int | None = None
    code: str = "InternalFailure"
    when: str = "before"
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Settings:
    """Everything that can be asked for; the default is that nothing goes wrong."""

    seed: int = 0
    faults: tuple[Fault, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    list_lag_seconds: float = 0.0
    list_lag_jitter_seconds: float = 0.0


def read(document: Any) -> Settings:
    """The settings in a JSON document; raises `SettingsError`."""
    if not isinstance(document, dict):
        raise SettingsError(f"Expected a JSON object with {', '.join(_SETTINGS)}, found {_shown(document)}.")
    _known(document, _SETTINGS, "the settings")
    given = document.get("faults", [])
    if not isinstance(given, list):
        raise SettingsError(f"Expected a list of faults at 'faults', found {_shown(given)}.")
    try:
        limits = checked(document.get("limits", {}))
    except LimitsError as error:
        raise SettingsError(str(error)) from error
    return Settings(
        seed=_whole(document.get("seed", 0), "seed", 0),
        faults=tuple(_fault(each, f"faults[{number}]") for number, each in enumerate(given)),
        limits=limits,
        list_lag_seconds=_number(document.get("list_lag_seconds", 0), "list_lag_seconds"),
        list_lag_jitter_seconds=_number(document.get("list_lag_jitter_seconds", 0), "list_lag_jitter_seconds"),
    )


def _fault(given: Any, where: str) -> Fault:
    if not isinstance(given, dict):
        raise SettingsError(f"Expected an object at '{where}', found {_shown(given)}.")
    _known(given, tuple(sorted(_MEMBERS)), f"'{where}'")
    kind = _one_of(given.get("kind"), KINDS, f"{where}.kind")
    schedules = [name for name in _SCHEDULES if name in given]
    if len(schedules) > 1:
        raise SettingsError(f"Expected one schedule at '{where}', found {' and '.join(schedules)}: leave one of them.")
    for member, owners in (("code", ("error",)), ("when", ("drop", "error")), ("seconds", ("latency",))):
        if member in given and kind not in owners:
            expected = " or ".join(repr(owner) for owner in owners)
            raise SettingsError(f"{member!r} at '{where}' belongs to the kind {expected}, found it with {kind!r}.")
    if kind == "latency" and "seconds" not in given:
        raise SettingsError(f"Expected 'seconds' at '{where}': a number, or the least and the most of it.")
    if "burst" in given and "calls_per_second" not in given:
        raise SettingsError(f"'burst' at '{where}' belongs to 'calls_per_second', found it alone.")
    budget = given.get("calls_per_second")
    per_second = None if budget is None else _number(budget, f"{where}.calls_per_second")
    return Fault(
        kind=kind,
        service=_text(given.get("service", "*"), f"{where}.service"),
        operation=_text(given.get("operation", "*"), f"{where}.operation"),
        rate=_number(given["rate"], f"{where}.rate", most=1) if "rate" in given else None,
        first=_whole(given["first"], f"{where}.first", 1) if "first" in given else None,
        every=_whole(given["every"], f"{where}.every", 1) if "every" in given else None,
        calls_per_second=per_second,
        burst=_number(given.get("burst", max(1.0, per_second or 0.0)), f"{where}.burst"),
        at_most=_whole(given["at_most"], f"{where}.at_most", 1) if "at_most" in given else None,
        code=_one_of(given.get("code", "InternalFailure"), tuple(ERRORS), f"{where}.code"),
        when=_one_of(given.get("when", "before"), WHENS.get(kind, ("before",)), f"{where}.when"),
        seconds=_span(given.get("seconds", 0), f"{where}.seconds"),
    )


def _known(given: Mapping[str, Any], members: tuple[str, ...], where: str) -> None:
    if unknown := sorted(set(given) - set(members)):
        raise SettingsError(f"Unknown member {unknown[0]!r} of {where}. It takes: {', '.join(members)}.")


def _one_of(value: Any, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise SettingsError(f"Expected one of {', '.join(allowed)} at '{where}', found {_shown(value)}.")
    return str(value)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"Expected a pattern such as sagemaker or List* at '{where}', found {_shown(value)}.")
    return value


def _whole(value: Any, where: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingsError(f"Expected a whole number of at least {least} at '{where}', found {_shown(value)}.")
    return value


def _number(value: Any, where: str, most: float = 86_400) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise SettingsError(f"Expected a number from 0 to {most} at '{where}', found {_shown(value)}.")
    return float(value)


def _span(value: Any, where: str) -> tuple[float, float]:
    if isinstance(value, list):
        if len(value) != 2:
            raise SettingsError(f"Expected a number or two of them at '{where}', found {len(value)}.")
        low, high = (_number(each, where) for each in value)
        if low > high:
            raise SettingsError(f"Expected the least before the most at '{where}', found {low} before {high}.")
        return low, high
    return _number(value, where), _number(value, where)


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:100]
