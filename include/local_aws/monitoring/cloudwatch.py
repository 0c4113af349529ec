"""CloudWatch's metrics and alarms over HTTP, in front of the services that moto answers.

Dashboards and insight rules stay moto's. What is asked of EventBridge goes through here too: a target that nothing
would ever be sent to is refused, and not left to be waited for.
"""

import asyncio
import json
import logging
from typing import Any

from include.local_aws.addressing import credential_scope
from include.local_aws.asgi import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    TooLarge,
    UnreadableBody,
    body_of,
    header,
    respond,
    unpacked,
)
from include.local_aws.monitoring import Monitoring, alarm_operations, metric_operations, wire
from include.local_aws.sagemaker import tokens
from include.local_aws.wire import inputs, outputs, protocols
from include.local_aws.wire.errors import (
    AwsError,
    InternalFailure,
    SerializationException,
    ValidationException,
    not_implemented,
)

log = logging.getLogger(__name__)

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request, packed and unpacked; CloudWatch takes 1 MB."""
OPERATIONS = {**metric_operations.OPERATIONS, **alarm_operations.OPERATIONS}
_TARGETS = ("sqs", "logs", "events")
"""The services of targets that moto sends events to."""


class CloudWatch:
    """An ASGI application that answers for CloudWatch, and hands everything else on to `others`."""

    def __init__(self, monitoring: Monitoring, others: App) -> None:
        self._monitoring = monitoring
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        service, region = credential_scope(scope)
        target = header(scope, "x-amz-target") or ""
        if service != "monitoring" and target != "AWSEvents.PutTargets":
            await self._others(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        try:
            packed = await body_of(receive, MAX_BODY)
            body = unpacked(packed, headers.get("content-encoding"), MAX_BODY)
        except (TooLarge, UnreadableBody) as error:
            request = wire.Request(protocols.protocol_of("monitoring", headers), "", b"")
            await _answer(send, 400, wire.failure(request, SerializationException(str(error))))
            return
        if service == "monitoring":
            request = wire.request_of(headers, scope["path"], body)
            if request.operation in OPERATIONS:
                status, answer = await asyncio.to_thread(self._answered, request, region)
                await _answer(send, status, answer)
                return
        elif (refused := _unsent(body)) is not None:
            await _answer(send, 501, protocols.error("json", refused.code, 501, refused.message))
            return
        await self._others(scope, _again(packed, receive), send)

    def _answered(self, request: wire.Request, region: str) -> tuple[int, protocols.Answer]:
        try:
            return 200, wire.answer(request, self._perform(request, region))
        except ValidationException as error:
            return error.status, wire.failure(request, _Invalid(error.message))
        except AwsError as error:
            return error.status, wire.failure(request, error)
        except Exception as error:  # the caller must get an answer whatever goes wrong here
            log.exception("%s failed", request.operation)
            said = f"{request.operation} failed in the embedded AWS: {type(error).__name__}: {error}"
            return 500, wire.failure(request, InternalFailure(said))

    def _perform(self, request: wire.Request, region: str) -> dict[str, Any]:
        name = request.operation
        model = wire.operation(name)
        given = inputs.read(model.input_shape, wire.document(request))
        filters = {member: value for member, value in given.items() if member != "MaxRecords"}
        if "NextToken" in given:
            given["NextToken"] = tokens.opened(given["NextToken"], name, region, filters)
        result = dict(OPERATIONS[name](self._monitoring, region, given) or {})
        if result.get("NextToken") is not None:
            result["NextToken"] = tokens.sealed(result["NextToken"], name, region, filters)
        return outputs.write(model.output_shape, result)


class _Invalid(AwsError):
    """CloudWatch's code for what SageMaker calls ValidationException."""

    code = "ValidationError"
    status = 400


def _unsent(body: bytes) -> AwsError | None:
    """The refusal of a PutTargets with a target that would get nothing."""
    try:
        arns = [each["Arn"] for each in json.loads(body)["Targets"]]
    except (ValueError, KeyError, TypeError):
        return None  # moto says what is wrong with it
    for arn in arns:
        parts = str(arn).split(":")
        if len(parts) > 2 and parts[0] == "arn" and parts[2] not in _TARGETS:
            return not_implemented(f"the target {arn} of a rule; events go to SQS, log groups and event buses")
    return None


def _again(body: bytes, receive: Receive) -> Receive:
    """The channel of a request whose body was read: it comes once more."""
    first = True

    async def replay() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def _answer(send: Send, status: int, answer: protocols.Answer) -> None:
    content_type, headers, body = answer
    await respond(send, status, body, content_type, list(headers.items()))
