"""Every SageMaker operation that there is here, by name, and how a request becomes an answer."""

import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any, cast

from include.local_aws.automl import operations as automl
from include.local_aws.hosting import configs
from include.local_aws.hosting import operations as hosting
from include.local_aws.hosting.endpoints import Endpoints
from include.local_aws.jobs.runner import Runner
from include.local_aws.sagemaker import models, tags
from include.local_aws.sagemaker.call import Call, Operation, Services
from include.local_aws.transform import operations as transform
from include.local_aws.wire import inputs, model, outputs
from include.local_aws.wire.errors import AwsError, InternalFailure, SerializationException, not_implemented

log = logging.getLogger(__name__)

OPERATIONS: Mapping[str, Operation] = cast(
    "Mapping[str, Operation]",
    {
        **automl.OPERATIONS,
        **models.OPERATIONS,
        **transform.OPERATIONS,
        **configs.OPERATIONS,
        **hosting.OPERATIONS,
        **tags.OPERATIONS,
    },
)

MAX_BODY = 4 * 1024 * 1024
"""Bytes of an API request."""


class SageMaker:
    """The SageMaker service: JSON in, JSON out."""

    def __init__(self, services: Services, runner: Runner, endpoints: Endpoints) -> None:
        self._services = services
        self._runner = runner
        self._endpoints = endpoints

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
        name = target.partition(".")[2]
        operation = model.operation(name)
        if operation is None or name not in OPERATIONS:
            raise not_implemented(f"the operation {name} of SageMaker")
        try:
            document = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise SerializationException(f"Expected a JSON object in the request's body: {error}.") from error
        call = Call(
            operation=name,
            region=region,
            input=inputs.read(operation.input_shape, document),
            services=self._services,
            runner=self._runner,
            endpoints=self._endpoints,
        )
        try:
            result = OPERATIONS[name](call)
        except AwsError:
            raise
        except Exception as error:  # the caller must get an answer whatever goes wrong here
            log.exception("%s failed", name)
            raise InternalFailure(f"{name} failed in the embedded AWS: {type(error).__name__}: {error}") from error
        return outputs.write(operation.output_shape, dict(result) if result else None)
