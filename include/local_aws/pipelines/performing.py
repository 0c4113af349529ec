"""Calling an operation as a client would: its request validated against the service model, its answer as JSON."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from botocore.model import StructureShape

from include.local_aws.sagemaker.call import Call
from include.local_aws.wire import inputs, model, outputs


def perform(call: Call, operation: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out an operation in the region and with the rooms of `call`; raises `wire.errors.AwsError`."""
    from include.local_aws.sagemaker.operations import OPERATIONS  # which has the pipelines' own operations too

    description = model.operation(operation)
    assert description is not None, operation
    given = inputs.read(description.input_shape, dict(document))
    result = OPERATIONS[operation](replace(call, operation=operation, input=given))
    return outputs.write(description.output_shape, dict(result or {}))


def shape_of(operation: str) -> StructureShape:
    """The shape of an operation's request."""
    description = model.operation(operation)
    assert description is not None, operation
    shape = description.input_shape
    assert shape is not None, operation
    return shape
