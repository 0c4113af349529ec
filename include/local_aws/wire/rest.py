"""Checking a REST request of sagemaker-runtime against its service model: what stands in its path and its headers."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from include.local_aws.wire.inputs import read_some


@cache
def operation(name: str) -> OperationModel:
    """One operation of sagemaker-runtime."""
    description: dict[str, Any] = Loader().load_service_model("sagemaker-runtime", "service-2")
    return ServiceModel(description, "sagemaker-runtime").operation_model(name)


def read(name: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """The operation's members that stand in the path (still encoded) and in the headers (by their names in lower case).

    Raises `ValidationException` with every constraint that they break. The body is its reader's business.
    """
    model = operation(name)
    found = _template(model.http["requestUri"]).fullmatch(path)
    document = {key: unquote(value) for key, value in found.groupdict().items()} if found else {}
    for member, shape in model.input_shape.members.items():
        if shape.serialization.get("location") == "header":
            value = headers.get(shape.serialization["name"].lower())
            if value is not None:
                document[member] = value
    return read_some(model.input_shape, document)


def check(name: str, path: str, headers: Mapping[str, str]) -> None:
    """As `read`, for who needs its errors only; what was right once is not looked at again."""
    _checked(name, path, tuple((each, headers[each]) for each in _headers(name) if each in headers))


@lru_cache(1024)
def _checked(name: str, path: str, headers: tuple[tuple[str, str], ...]) -> None:
    read(name, path, dict(headers))


@cache
def _headers(name: str) -> tuple[str, ...]:
    members = operation(name).input_shape.members.values()
    return tuple(
        shape.serialization["name"].lower() for shape in members if shape.serialization.get("location") == "header"
    )


@cache
def _template(uri: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(uri)))
