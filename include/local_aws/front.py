"""The front: one port, and for every request the service that it is for.

SageMaker and its runtime are answered here, S3 is streamed through to its server, everything else goes to moto, which
is mounted whole. Whatever ``/_control`` asks to go wrong goes wrong here, for all of them alike.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.sax.saxutils import escape

from include.local_aws.addressing import call_of, is_own, is_region, rest_operation, service_of
from include.local_aws.asgi import (
    App,
    CallerGone,
    Receive,
    Scope,
    Send,
    TooLarge,
    UnreadableBody,
    body_of,
    header,
    reading_all,
    respond,
    unpacked,
)
from include.local_aws.faults.answers import answer as injected_answer
from include.local_aws.faults.connection import cut, halved, swallowed
from include.local_aws.faults.control import Control
from include.local_aws.hosting.runtime import Runtime
from include.local_aws.pages import refusal
from include.local_aws.s3.proxy import S3Proxy
from include.local_aws.sagemaker.service import SageMaker
from include.local_aws.wire.errors import ValidationException, not_implemented
from include.local_aws.wire.rest import check as check_rest

JSON = "application/x-amz-json-1.1"
MAX_BODY = 4 * 1024 * 1024
"""Bytes of an API request, packed and unpacked."""


class Front:
    """The ASGI application of the one port."""

    def __init__(
        self, *, sagemaker: SageMaker, runtime: Runtime, s3: S3Proxy, rest: App, health: Any, control: Control
    ) -> None:
        self._sagemaker = sagemaker
        self._runtime = runtime
        self._s3 = s3
        self._rest = rest
        self._health = health
        self._control = control
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="sagemaker")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch one request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        room, region = service_of(scope)
        said = refusal(scope)
        if room != "rest" or said is not None:
            receive, send = reading_all(receive, send)
        try:
            if said is not None:
                await _refuse(send, room, 403, "AccessDeniedException", said)
            elif room in ("sagemaker", "runtime") and not is_region(region):
                sentence = f"Credential should be scoped to a valid region, not {region!r}."
                await _refuse(send, room, 403, "InvalidSignatureException", sentence)
            elif room in ("health", "control") or is_own(scope):
                await self._dispatch(room, region, scope, receive, send)
            else:
                await self._tried(room, region, scope, receive, send)
        except CallerGone:
            return  # nobody is there to be answered

    async def _tried(self, room: str, region: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch a request, or let it fail as `/_control` asks."""
        service, operation, form = call_of(room, scope)
        hit = self._control.called(service, operation)
        if hit.delay:
            await asyncio.sleep(hit.delay)
        if hit.fault is None:
            await self._dispatch(room, region, scope, receive, send)
        elif hit.fault.kind == "drop":
            if hit.fault.when != "before":
                reached = swallowed if hit.fault.when == "after" else halved(send)
                await self._dispatch(room, region, scope, receive, reached)
            await cut(scope, receive)
        else:
            if room == "rest":
                receive, send = reading_all(receive, send)
            if hit.fault.when == "after":
                await self._dispatch(room, region, scope, receive, swallowed)
            status, body, content_type, headers = injected_answer(hit.fault, service, form)
            await respond(send, status, body, content_type, headers)

    async def _dispatch(self, room: str, region: str, scope: Scope, receive: Receive, send: Send) -> None:
        match room:
            case "health":
                await respond(send, 200, json.dumps(self._health()).encode(), "application/json")
            case "control":
                await self._control(scope, receive, send)
            case "sagemaker":
                await self._api(scope, receive, send, region)
            case "runtime":
                await self._invocation(scope, receive, send, region)
            case "s3":
                await self._s3(scope, receive, send)
            case _:
                await self._rest(scope, receive, send)

    async def _invocation(self, scope: Scope, receive: Receive, send: Send, region: str) -> None:
        found = rest_operation(scope["method"], scope["raw_path"].decode("latin-1"))
        if found == ("sagemaker-runtime", "InvokeEndpoint"):
            headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
            try:
                check_rest("InvokeEndpoint", scope["raw_path"].decode("latin-1"), headers)
            except ValidationException as error:
                await _refuse(send, "runtime", 400, "ValidationError", error.message)
                return
            await self._runtime(scope, receive, send, region)
        elif found is not None:
            sentence = not_implemented(f"the operation {found[1]} of {found[0]}").message
            await _refuse(send, "runtime", 501, "NotImplemented", sentence)
        else:
            sentence = f"There is no operation {scope['method']} {scope['path']} of a service that signs for SageMaker."
            await _refuse(send, "runtime", 404, "UnknownOperationException", sentence)

    async def _api(self, scope: Scope, receive: Receive, send: Send, region: str) -> None:
        if scope["method"] != "POST":
            said = f"SageMaker takes POST only, found {scope['method']}."
            await _refuse(send, "sagemaker", 404, "UnknownOperationException", said)
            return
        try:
            body = unpacked(await body_of(receive, MAX_BODY), header(scope, "content-encoding"), MAX_BODY)
        except TooLarge as error:
            await _refuse(send, "sagemaker", 413, "RequestEntityTooLarge", str(error))
            return
        except UnreadableBody as error:
            await _refuse(send, "sagemaker", 400, "SerializationException", str(error))
            return
        target = header(scope, "x-amz-target") or ""
        loop = asyncio.get_running_loop()
        status, answer, headers = await loop.run_in_executor(
            self._threads, self._sagemaker.answer, target, region, body
        )
        await respond(send, status, answer, JSON, headers)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._s3.close()
                await self._runtime.close()
                self._threads.shutdown(wait=False, cancel_futures=True)
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _refuse(send: Send, room: str, status: int, code: str, said: str) -> None:
    if room == "s3":
        code = code.removesuffix("Exception")
        body = f"<Error><Code>{code}</Code><Message>{escape(said)}</Message></Error>".encode()
        await respond(send, status, body, "application/xml")
    else:
        member = "Message" if room == "runtime" else "message"
        body = json.dumps({"__type": code, member: said}).encode()
        await respond(send, status, body, JSON, [("x-amzn-errortype", code)])
