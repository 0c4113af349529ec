"""Reading docker-compose.yaml as ``docker compose`` does: anchors, variables, .env and profiles, then plain values.

Only what this project's file uses is understood; a key of a service that isn't is an error, so that nothing in the
file is passed over in silence. The rules are the compose specification's (https://github.com/compose-spec/compose-spec).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
_SERVICE_KEYS = frozenset(
    ("image", "build", "command", "environment", "healthcheck", "depends_on", "volumes", "ports", "networks", "restart",
     "profiles", "scale", "stop_grace_period")
)  # fmt: skip


class ComposeError(ValueError):
    """The file, or what it needs, is not as expected; the message is a sentence."""


@dataclass(frozen=True)
class Mount:
    """``source`` is a path on the host or a named volume."""

    source: str
    target: str
    read_only: bool
    named: bool


@dataclass(frozen=True)
class Port:
    """A port of the container, and where on the host it is published."""

    address: str
    published: int
    target: int


@dataclass(frozen=True)
class Healthcheck:
    """The command and its times in seconds."""

    test: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    start_period: float
    start_interval: float


@dataclass(frozen=True)
class Dependency:
    """A service to wait for, until it is so (``service_started``, ``…_healthy``, ``…_completed_successfully``)."""

    service: str
    condition: str
    required: bool


@dataclass(frozen=True)
class Service:
    """One service, resolved. ``command`` is empty where the image's own counts."""

    name: str
    image: str
    build: Mapping[str, str]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    healthcheck: Healthcheck | None
    depends_on: tuple[Dependency, ...]
    volumes: tuple[Mount, ...]
    ports: tuple[Port, ...]
    networks: tuple[str, ...]
    restart: str
    stop_grace_period: float


@dataclass(frozen=True)
class Project:
    """The services that the profiles enable, and the named volumes."""

    name: str
    services: Mapping[str, Service]
    volumes: tuple[str, ...]


def load(path: Path, environment: Mapping[str, str], profiles: frozenset[str] = frozenset()) -> Project:
    """Read the file with the variables of ``environment`` (what the shell and .env say).

    Raises:
        ComposeError: a variable that must be there is not, or the file holds what is not understood here.
    """
    document = interpolated(yaml.safe_load(path.read_text(encoding="utf-8")), environment)
    services = {
        name: _service(name, body)
        for name, body in document["services"].items()
        if not body.get("profiles") or profiles & set(body["profiles"])
    }
    services = {name: service for name, service in services.items() if int(document["services"][name].get("scale", 1))}
    return Project(document["name"], services, tuple(document.get("volumes") or ()))


def read_env(path: Path) -> dict[str, str]:
    """The variables of a .env file: ``NAME=value`` lines; quotes around a value go, other lines are comments."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, sign, value = line.strip().partition("=")
        if sign and _NAME.fullmatch(name):
            value = re.sub(r"\s+#.*", "", value).strip()
            found[name] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found


def interpolated(node: Any, environment: Mapping[str, str]) -> Any:
    """The document with every variable replaced in its values (never in its keys)."""
    if isinstance(node, dict):
        return {key: interpolated(value, environment) for key, value in node.items()}
    if isinstance(node, list):
        return [interpolated(value, environment) for value in node]
    return interpolate(node, environment) if isinstance(node, str) else node


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """Replace ``$NAME`` and ``${NAME}`` (with ``:-``, ``-``, ``:?``, ``?``, ``:+`` or ``+``); ``$$`` is a ``$``."""
    return substitute(text, lambda name, operator, word: _value(name, operator, word, environment))


def variables(text: str) -> set[str]:
    """The names of all variables in the text, those inside defaults too."""
    found: set[str] = set()

    def note(name: str, _operator: str, word: str) -> str:
        found.add(name)
        found.update(variables(word))
        return ""

    substitute(text, note)
    return found


def substitute(text: str, replace: Callable[[str, str, str], str]) -> str:
    """Replace each variable by what ``replace`` makes of its name, operator and word (empty where there is none)."""
    pieces, at = [], 0
    while (dollar := text.find("$", at)) >= 0:
        pieces.append(text[at:dollar])
        if text.startswith("$$", dollar):
            pieces.append("$")
            at = dollar + 2
        elif text.startswith("${", dollar):
            end = _closing(text, dollar)
            pieces.append(replace(*_split(text[dollar + 2 : end])))
            at = end + 1
        elif match := _NAME.match(text, dollar + 1):
            pieces.append(replace(match[0], "", ""))
            at = match.end()
        else:
            raise ComposeError(f"expected a name after $ in {text!r}: write $$ for a dollar sign")
    return "".join([*pieces, text[at:]])


def _closing(text: str, dollar: int) -> int:
    depth, at = 0, dollar
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise ComposeError(f"expected a closing brace in {text!r}")


def _split(inside: str) -> tuple[str, str, str]:
    match = _NAME.match(inside)
    rest = inside[match.end() :] if match else inside
    operator = next((operator for operator in _OPERATORS if rest.startswith(operator)), "")
    if match is None or (rest and not operator):
        raise ComposeError(f"expected a name and one of {' '.join(_OPERATORS)}, found ${{{inside}}}")
    return match[0], operator, rest[len(operator) :]


def _value(name: str, operator: str, word: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    there = bool(value) if operator.startswith(":") else value is not None
    match operator[-1:]:
        case "+":
            return interpolate(word, environment) if there else ""
        case "?" if not there:
            raise ComposeError(f"required variable {name} is missing a value: {interpolate(word, environment)}")
        case "-" if not there:
            return interpolate(word, environment)
    return value or ""


def _service(name: str, body: Mapping[str, Any]) -> Service:
    if unknown := sorted(set(body) - _SERVICE_KEYS):
        raise ComposeError(f"service {name}: expected keys that are understood here, found {', '.join(unknown)}")
    command = body.get("command") or []
    if not isinstance(command, list):
        raise ComposeError(f"service {name}: expected the command as a list, found {command!r}")
    return Service(
        name=name,
        image=body["image"],
        build=body.get("build") or {},
        command=tuple(str(part) for part in command),
        environment={key: str(value) for key, value in (body.get("environment") or {}).items()},
        healthcheck=_healthcheck(name, body["healthcheck"]) if "healthcheck" in body else None,
        depends_on=tuple(
            Dependency(other, said["condition"], said.get("required", True))
            for other, said in (body.get("depends_on") or {}).items()
        ),
        volumes=tuple(_mount(name, text) for text in body.get("volumes") or ()),
        ports=tuple(_port(name, text) for text in body.get("ports") or ()),
        networks=tuple(body.get("networks") or ()),
        restart=body.get("restart", "no"),
        stop_grace_period=seconds(body.get("stop_grace_period", "10s")),
    )


def _healthcheck(name: str, body: Mapping[str, Any]) -> Healthcheck:
    test = body["test"]
    if not isinstance(test, list) or test[:1] not in (["CMD"], ["CMD-SHELL"]):
        raise ComposeError(f"service {name}: expected a test that starts with CMD or CMD-SHELL, found {test!r}")
    command = test[1:] if test[0] == "CMD" else ["/bin/sh", "-c", test[1]]
    return Healthcheck(
        test=tuple(command),
        interval=seconds(body.get("interval", "30s")),
        timeout=seconds(body.get("timeout", "30s")),
        retries=int(body.get("retries", 3)),
        start_period=seconds(body.get("start_period", "0s")),
        start_interval=seconds(body.get("start_interval", "5s")),
    )


def _mount(name: str, text: str) -> Mount:
    source, _, rest = text.partition(":")
    target, _, options = rest.partition(":")
    if not target.startswith("/") or options not in ("", "ro", "rw"):
        raise ComposeError(f"service {name}: expected SOURCE:/TARGET or SOURCE:/TARGET:ro as a volume, found {text!r}")
    return Mount(source, target, options == "ro", named="/" not in source)


def _port(name: str, text: str) -> Port:
    parts = str(text).rsplit(":", 2)
    if len(parts) != 3 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        raise ComposeError(f"service {name}: expected ADDRESS:PORT:PORT, found {text!r}")
    return Port(parts[0], int(parts[1]), int(parts[2]))


def seconds(text: str) -> float:
    """A duration such as ``1m30s``, in seconds."""
    match = _DURATION.fullmatch(text)
    if not match or not text:
        raise ComposeError(f"expected a duration such as 90s or 1m30s, found {text!r}")
    hours, minutes, rest = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + rest
