"""sagemaker-runtime: InvokeEndpoint, handed on to the serving process that a variant's weight and fleet choose."""

import asyncio
import json
import random
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from include.local_aws import ACCOUNT
from include.local_aws.asgi import Receive, Scope, Send, TooLarge, body_of, respond
from include.local_aws.hosting.board import Board, Key, NoSuchVariant, NotServed
from include.local_aws.hosting.capture import Capture, Exchange
from include.local_aws.hosting.connections import Moved, NoAnswer, Pool
from include.local_aws.hosting.frames import INVOKE, BrokenFrame, Frame
from include.local_aws.hosting.routes import Lane
from include.local_aws.hosting.server import Server
from include.local_aws.monitoring import Monitoring
from include.local_aws.store import Store

MAX_BODY = 6_291_456
"""Bytes of a request (service model, BodyBlob)."""
INVOCATION_SECONDS = 60
"""A container must answer within this (API reference, InvokeEndpoint)."""
SWAP_SECONDS = 2
"""How long a request waits for a variant that has no process at this moment."""
AT_ONCE = 2
"""Invocations that one instance computes at the same time (the cores of an ml.m5.large); others wait for their turn."""
MOST_AT_ONCE = 16
"""The same for all instances of a variant, which share one process here."""

_UNSUPPORTED = {
    "x-amzn-sagemaker-target-model": "TargetModel",
    "x-amzn-sagemaker-target-container-hostname": "TargetContainerHostname",
    "x-amzn-sagemaker-inference-component": "InferenceComponentName",
    "x-amzn-sagemaker-enable-explanations": "EnableExplanations",
    "x-amzn-sagemaker-session-id": "SessionId",
}


class Refused(Exception):
    """An answer other than success: HTTP status, error code, and what the caller reads."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


@dataclass(frozen=True)
class Invocation:
    """One request: for which endpoint and variant (None: any), with what."""

    key: Key
    target: str | None
    request: Frame
    began: float
    inference_id: str | None = None
    custom: str | None = None


class Runtime:
    """An ASGI application for ``/endpoints/<name>/invocations``."""

    def __init__(self, store: Store, board: Board, monitoring: Monitoring, capture: Capture) -> None:
        self._store = store
        self._board = board
        self._monitoring = monitoring
        self._capture = capture
        self._pools: dict[Server, Pool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        board.on_left(self._left)

    async def close(self) -> None:
        """Close the connections to the serving processes."""
        for pool in self._pools.values():
            pool.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send, region: str) -> None:
        """Answer one invocation."""
        began = time.perf_counter()
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        try:
            invocation = await _read(scope, headers, receive, region, began)
            variant, answer = await self._answer(invocation)
        except Refused as refused:
            document = {"Message": refused.message, **refused.more}
            body = json.dumps(document).encode()
            await respond(send, refused.status, body, "application/json", [("x-amzn-errortype", refused.code)])
            return
        told = [("x-amzn-invoked-production-variant", variant)]
        if custom := headers.get(b"x-amzn-sagemaker-custom-attributes"):
            told.append(("x-amzn-sagemaker-custom-attributes", custom))
        await respond(send, 200, answer.body, answer.content_type or "application/octet-stream", told)

    async def _answer(self, invocation: Invocation) -> tuple[str, Frame]:
        """The variant that answered, and its answer; a request that reached no process is given to another one."""
        deadline = invocation.began + SWAP_SECONDS
        while True:
            lane = self._borrowed(invocation)
            if lane is not None:
                try:
                    return lane.variant, await self._ask(invocation, lane)
                except Moved:
                    continue
                except ConnectionRefusedError:
                    pass  # it has just died, and nothing was sent
                finally:
                    self._board.give_back(lane)
            if time.perf_counter() > deadline:
                message = f"Endpoint {invocation.key[1]} has no healthy container at this moment; it is started again."
                raise Refused(503, "ServiceUnavailable", message)
            await asyncio.sleep(0.02)

    def _borrowed(self, invocation: Invocation) -> Lane | None:
        region, name = invocation.key
        try:
            return self._board.borrow(invocation.key, invocation.target, random.random())
        except NotServed:
            record = self._store.find("endpoint", region, name)
            if record is None or not record.body.get("variants") or record.status == "Deleting":
                raise Refused(400, "ValidationError", f"Endpoint {name} of account {ACCOUNT} not found.") from None
            return None  # after a restart, until it is brought back
        except NoSuchVariant as error:
            has = ", ".join(error.args[0])
            message = f"Variant {invocation.target} is not found for endpoint {name}; it has these: {has}."
            raise Refused(400, "ValidationError", message) from None

    async def _ask(self, invocation: Invocation, lane: Lane) -> Frame:
        """The container's answer, counted; raises `Moved` and ConnectionRefusedError where nothing was sent."""
        pool = self._pool(lane)
        sent = time.perf_counter()
        try:
            answer = await pool.ask(invocation.request, INVOCATION_SECONDS)
        except NoAnswer as error:
            self._count(invocation, lane, 0, sent)
            message = f"Your invocation timed out while waiting for a response from container primary ({error})."
            raise _model_error(invocation.key, 0, message) from error
        except (BrokenFrame, ConnectionResetError, BrokenPipeError) as error:
            self._count(invocation, lane, 503, sent)
            message = f"The container of endpoint {invocation.key[1]} went away: {error}"
            raise Refused(503, "ServiceUnavailable", message) from error
        self._count(invocation, lane, answer.code, sent)
        if answer.code != 200:
            raise _model_error(invocation.key, answer.code, answer.body.decode("utf-8", "replace"))
        if lane.capture is not None:
            self._capture.take(lane.capture, _exchange(invocation, lane, answer))
        return answer

    def _count(self, invocation: Invocation, lane: Lane, status: int, sent: float) -> None:
        now = time.perf_counter()
        self._monitoring.invoked(
            *invocation.key,
            lane.variant,
            status=status,
            model_seconds=now - sent,
            overhead_seconds=sent - invocation.began,
            instances=lane.instances,
            config=lane.config,
        )

    def _pool(self, lane: Lane) -> Pool:
        """The connections to the lane's process, which has another port each time it was started."""
        self._loop = asyncio.get_running_loop()
        limit = min(AT_ONCE * lane.instances, MOST_AT_ONCE)
        pool = self._pools.get(lane.server)
        if pool is None or pool.port != lane.server.port:
            if pool is not None:
                pool.end()
            pool = self._pools[lane.server] = Pool(lane.server.port, limit)
        pool.limit = limit
        return pool

    def _left(self, server: Server) -> None:
        """The process will end: requests that still wait for it here go to others. Called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._forget, server)

    def _forget(self, server: Server) -> None:
        pool = self._pools.pop(server, None)
        if pool is not None:
            pool.end()


async def _read(scope: Scope, headers: dict[bytes, str], receive: Receive, region: str, began: float) -> Invocation:
    parts = [unquote(part) for part in scope["raw_path"].decode("ascii").split("/")]
    if len(parts) != 4 or parts[3] != "invocations" or scope["method"] != "POST":
        what = f"{scope['method']} {scope['path']}"
        raise Refused(501, "NotImplemented", f"The embedded AWS does not implement {what} of sagemaker-runtime.")
    for name, option in _UNSUPPORTED.items():
        if name.encode() in headers:
            raise Refused(501, "NotImplemented", f"The embedded AWS does not implement {option} of InvokeEndpoint.")
    try:
        body = await body_of(receive, MAX_BODY)
    except TooLarge as error:
        raise Refused(413, "ValidationError", str(error)) from error
    content_type = headers.get(b"content-type") or "application/octet-stream"
    return Invocation(
        key=(region, parts[2]),
        target=headers.get(b"x-amzn-sagemaker-target-variant"),
        request=Frame(INVOKE, body, content_type, headers.get(b"accept") or ""),
        began=began,
        inference_id=headers.get(b"x-amzn-sagemaker-inference-id"),
        custom=headers.get(b"x-amzn-sagemaker-custom-attributes"),
    )


def _exchange(invocation: Invocation, lane: Lane, answer: Frame) -> Exchange:
    """What data capture is told of an answered invocation."""
    return Exchange(
        *invocation.key,
        lane.variant,
        at=time.time(),
        sent_type=invocation.request.content_type,
        sent=invocation.request.body,
        answered_type=answer.content_type or "application/octet-stream",
        answered=answer.body,
        inference_id=invocation.inference_id,
        custom=invocation.custom,
    )


def _model_error(key: Key, status: int, original: str) -> Refused:
    region, name = key
    group = f"/aws/sagemaker/Endpoints/{name}"
    side = "client" if 400 <= status < 500 else "server"
    return Refused(
        424,
        "ModelError",
        f'Received {side} error ({status}) from primary with message "{original}". '
        f"See the log group {group} in account {ACCOUNT} for more information.",
        OriginalMessage=original,
        OriginalStatusCode=status,
        LogStreamArn=f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group}",
    )
