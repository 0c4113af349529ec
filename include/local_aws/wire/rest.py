"""Checking a REST request of sagemaker-runtime against its service model: what stands in its path and its headers."""

import re
from collections.abc import Mapping
from functools import cache
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


@cache
def _template(uri: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(uri)))
