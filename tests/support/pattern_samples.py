"""Texts that match a regular expression of the service model, of any length that it allows."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from include.local_aws.wire.patterns import TRANSLATIONS, compiled

_PREFERRED = "aA01-/.: _"
_MOST_REPEATS = 4200


class NoSample(LookupError):
    """The sampler does not understand a pattern; add a text that matches it to `BY_HAND`."""


BY_HAND: dict[str, str] = {}
"""Texts for patterns that the sampler can't read, by pattern."""


@cache
def sample(pattern: str, least: int = 0, most: int | None = None) -> str:
    """A text that matches `pattern` and has `least` to `most` characters; raises `NoSample` where it finds none."""
    found = _search(pattern, lambda size: size >= least, _MOST_REPEATS)
    if found is None or (most is not None and len(found) > most):
        raise NoSample(f"No text of {least} to {most} characters for {pattern!r}: add one to BY_HAND.")
    return found


@cache
def longer_than(pattern: str, most: int) -> str | None:
    """A text that matches `pattern` and has more than `most` characters, or None where the pattern allows none."""
    return _search(pattern, lambda size: size > most, most + 2)


@cache
def mismatch(pattern: str, least: int, most: int) -> str | None:
    """A text of allowed length that does not match `pattern`, or None where everything matches."""
    expression = compiled(pattern)
    size = max(least, min(most, 1))
    for letter in "\x00!_-~é\n":
        text = letter * size
        if len(text) <= most and expression.fullmatch(text) is None:
            return text
    return None


def _search(pattern: str, enough: Callable[[int], bool], most_repeats: int) -> str | None:
    if pattern in BY_HAND:
        return BY_HAND[pattern] if enough(len(BY_HAND[pattern])) else None
    parser = re._parser  # type: ignore[attr-defined]  # the parsed form has no public name
    tree = parser.parse(TRANSLATIONS.get(pattern, pattern))
    expression = compiled(pattern)
    repeats = 0
    while repeats <= most_repeats:
        text = _text(tree, repeats)
        if enough(len(text)) and expression.fullmatch(text):
            return text
        repeats = repeats + 1 if repeats < 70 else repeats * 2
    return None


def _text(tree: Any, repeats: int) -> str:
    return "".join(_piece(str(operator), argument, repeats) for operator, argument in tree)


def _piece(operator: str, argument: Any, repeats: int) -> str:
    match operator:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return next(letter for letter in _PREFERRED if ord(letter) != argument)
        case "ANY":
            return "a"
        case "IN":
            return _letter(argument)
        case "BRANCH":
            return _text(argument[1][0], repeats)
        case "SUBPATTERN":
            return _text(argument[3], repeats)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, inner = argument
            return "".join(_text(inner, 0 if len(inner) > 1 else repeats) for _ in range(max(low, min(high, repeats))))
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return ""
        case other:
            raise NoSample(f"The sampler does not know {other}: add a text for the pattern to BY_HAND.")


def _letter(items: list[tuple[Any, Any]]) -> str:
    negated = str(items[0][0]) == "NEGATE"
    candidates = _PREFERRED + "".join(
        chr(value if str(kind) == "LITERAL" else value[0]) for kind, value in items if str(kind) in ("LITERAL", "RANGE")
    )
    return next(each for each in candidates if any(_in(each, *item) for item in items) is not negated)


def _in(letter: str, kind: Any, value: Any) -> bool:
    match str(kind):
        case "LITERAL":
            return ord(letter) == value
        case "RANGE":
            return bool(value[0] <= ord(letter) <= value[1])
        case "CATEGORY":
            name = str(value).removeprefix("CATEGORY_").removeprefix("NOT_")
            member = {"DIGIT": str.isdigit, "SPACE": str.isspace, "WORD": lambda each: each.isalnum() or each == "_"}
            return bool(member[name](letter)) is not str(value).startswith("CATEGORY_NOT_")
        case _:
            return False
