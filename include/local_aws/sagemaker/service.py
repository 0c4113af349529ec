"""How a SageMaker request becomes an answer: read, checked against the model, carried out, checked again, written."""

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from include.local_aws import limits as account_limits
from include.local_aws.hosting.endpoints import Endpoints
from include.local_aws.jobs.runner import Runner
from include.local_aws.sagemaker import tokens
from include.local_aws.sagemaker.call import Call, Operation, Services
from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.wire import inputs, model, outputs
from include.local_aws.wire.errors import (
    AwsError,
    InternalFailure,
    SerializationException,
    UnknownOperation,
    not_implemented,
)

log = logging.getLogger(__name__)


class SageMaker:
    """The SageMaker service: JSON in, JSON out. `limits` tells the account limits that are in force."""

    def __init__(
        self,
        services: Services,
        runner: Runner,
        endpoints: Endpoints,
        *,
        operations: Mapping[str, Operation] = OPERATIONS,
        limits: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._services = services
        self._runner = runner
        self._endpoints = endpoints
        self._operations = operations
        self._limits = limits
        self._one_by_one = threading.Lock()

    def answer(self, target: str, region: str, body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        """HTTP status, body and headers for one request to ``X-Amz-Target: SageMaker.<operation>``."""
        headers = [("x-amzn-requestid", str(uuid.uuid4()))]
        try:
            document = self._perform(target, region, body)
        except AwsError as error:
            headers.append(("x-amzn-errortype", error.code))
            if error.status >= 500:
                log.warning("%s: %s", target, error.message)
            return error.status, json.dumps({"__type": error.code, "message": error.message}).encode(), headers
        return 200, json.dumps(document).encode(), headers

    def _perform(self, target: str, region: str, body: bytes) -> dict[str, Any]:
        prefix, _, name = target.partition(".")
        operation = model.operation(name) if prefix == model.TARGET_PREFIX else None
        if operation is None:
            raise UnknownOperation(f"SageMaker has no operation for the X-Amz-Target {target!r}.")
        if name not in self._operations:
            raise not_implemented(f"the operation {name} of SageMaker")
        try:
            document = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise SerializationException(f"Expected a JSON object in the request's body: {error}.") from error
        given = inputs.read(operation.input_shape, document)
        filters = dict(given)
        if "NextToken" in given:
            given["NextToken"] = tokens.opened(given["NextToken"], name, region, filters)
        call = Call(
            operation=name,
            region=region,
            input=given,
            services=self._services,
            runner=self._runner,
            endpoints=self._endpoints,
        )
        result = dict(self._carried_out(call) or {})
        if result.get("NextToken") is not None:
            result["NextToken"] = tokens.sealed(result["NextToken"], name, region, filters)
        return outputs.write(operation.output_shape, result)

    def _carried_out(self, call: Call) -> Mapping[str, Any] | None:
        limits = self._limits() if call.operation in account_limits.GUARDED else {}
        try:
            with self._one_by_one if limits else nullcontext():  # two at once must not take the last instance both
                account_limits.check(call.store, call.region, call.operation, call.input, limits)
                return self._operations[call.operation](call)
        except AwsError:
            raise
        except Exception as error:  # the caller must get an answer whatever goes wrong here
            log.exception("%s failed", call.operation)
            message = f"{call.operation} failed in the embedded AWS: {type(error).__name__}: {error}"
            raise InternalFailure(message) from error
