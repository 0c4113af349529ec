"""Operators' arguments as templates leave them: text that must become what it stands for."""

from __future__ import annotations

from typing import TypeVar

from automl_retraining.core.errors import RequestError

N = TypeVar("N", int, float)


def text(value: object) -> str | None:
    """A rendered template as text; what renders to nothing is None."""
    found = "" if value is None else str(value).strip()
    return None if found in ("", "None") else found


def number(what: str, value: object, kind: type[N]) -> N | None:
    """A rendered template as a number; None where it renders to nothing; RequestError for anything else."""
    found = text(value)
    if found is None:
        return None
    try:
        return kind(found)
    except ValueError as error:
        raise RequestError(f"{what}: expected a {'whole ' if kind is int else ''}number, found {found!r}") from error


def names(value: object) -> tuple[str, ...]:
    """A list, or text with commas, as names."""
    if isinstance(value, (list, tuple)):
        return tuple(str(name) for name in value)
    return tuple(name.strip() for name in (text(value) or "").split(",") if name.strip())
