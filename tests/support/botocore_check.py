"""botocore's own validation of a request, without sending it."""

from functools import cache
from typing import Any

import boto3
from botocore.validate import ParamValidator


def accepted(method: str, request: dict[str, Any], service: str = "sagemaker") -> None:
    """Assert that botocore's model takes the arguments of that client method."""
    client = _client(service)
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method]).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


@cache
def _client(service: str) -> Any:
    return boto3.session.Session("test", "test", region_name="us-east-1").client(service)
