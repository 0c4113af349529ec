"""The container images that the embedded AWS knows, one package each, found by image URI.

An image package names what it stands for and whatever of these it does::

    PATTERNS: tuple[str, ...]                      # regular expressions, full match on "repository:tag"
    def serve(model_dir: Path, environment: Mapping[str, str]) -> Container: ...
    def train(root: Path) -> None: ...
    def metric_definitions(request: Mapping[str, Any]) -> Sequence[tuple[str, str]]: ...
    def check_training(request: Mapping[str, Any]) -> None: ...

`model_dir` holds the extracted model.tar.gz; whatever is slow to load is loaded in `serve`, because the container's
``/ping`` is healthy once it has returned. `train` runs in a process of its own, `root` standing for ``/opt/ml``; it
reads ``input/`` and writes ``model/``, prints what the log shall show, and raises `AlgorithmError` for what fails the
job. An image that nobody registered is an error by name, never a stand-in.
"""

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast


class BadRequest(ValueError):
    """What the caller sent can't be answered; the container replies HTTP 400 with this sentence."""


class AlgorithmError(RuntimeError):
    """A training fails for this reason, which becomes the job's FailureReason: ``AlgorithmError: <the sentence>``."""

    code = "AlgorithmError"


class ClientError(AlgorithmError):
    """The request or the data are at fault: ``ClientError: <the sentence>``."""

    code = "ClientError"


class UnknownImage(LookupError):
    """No image package stands for this image URI."""


class Container(Protocol):
    """A loaded model behind ``/invocations``."""

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """Answer one request: the response's body and its content type.

        Raises `BadRequest` for what the caller can mend (HTTP 400); anything else is the container's fault (HTTP 500).
        """
        ...


class ImageModule(Protocol):
    """What an image package offers at its top level."""

    PATTERNS: tuple[str, ...]

    def serve(self, model_dir: Path, environment: Mapping[str, str]) -> Container:
        """Load the model in `model_dir` and return its container."""
        ...


@dataclass(frozen=True)
class Training:
    """What an image does for a training job, with nothing said where it needs nothing.

    `metrics` answers name and regular expression of what its log tells (empty for a framework, whose metrics the
    request defines); `check` raises `wire.errors.AwsError` for what CreateTrainingJob already refuses.
    """

    train: Callable[[Path], None]
    metrics: Callable[[Mapping[str, Any]], Sequence[tuple[str, str]]]
    check: Callable[[Mapping[str, Any]], None]


_URI = re.compile(r"(?:[^/]+/)?(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?P<digest>@.+)?")


def repository_and_tag(image_uri: str) -> str:
    """``repository:tag`` of an image URI, without its registry; the tag is ``latest`` where the URI has none."""
    match = _URI.fullmatch(image_uri)
    if match is None:
        raise UnknownImage(f"Expected an image URI such as registry/repository:tag, found {image_uri!r}.")
    return f"{match['repository']}:{match['tag'] or 'latest'}"


@cache
def known() -> tuple[tuple[re.Pattern[str], ImageModule], ...]:
    """Every registered pattern with its image package."""
    found: list[tuple[re.Pattern[str], ImageModule]] = []
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda each: each.name):
        if not info.ispkg:
            continue
        module = cast("ImageModule", importlib.import_module(f"{__name__}.{info.name}"))
        found.extend((re.compile(pattern), module) for pattern in module.PATTERNS)
    return tuple(found)


def find(image_uri: str) -> ImageModule:
    """The image package that stands for `image_uri`; raises `UnknownImage` naming it and what is known."""
    wanted = repository_and_tag(image_uri)
    for pattern, module in known():
        if pattern.fullmatch(wanted):
            return module
    patterns = ", ".join(pattern.pattern for pattern, _ in known()) or "none"
    raise UnknownImage(
        f"The embedded AWS has no image {wanted!r} (asked for as {image_uri!r}). "
        f"It knows these repositories and tags: {patterns}."
    )


def training(image_uri: str) -> Training | None:
    """What the image does for a training job, None where it trains nothing; raises `UnknownImage`."""
    module = find(image_uri)
    train = getattr(module, "train", None)
    if train is None:
        return None
    return Training(
        train,
        getattr(module, "metric_definitions", lambda _request: ()),
        getattr(module, "check_training", lambda _request: None),
    )
