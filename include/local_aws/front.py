"""The front: one port, and for every request the service that it is for.

SageMaker and its runtime are answered here, S3 is streamed through to its server, everything else goes to moto, which
is mounted whole. The service is read from the request's signature (its credential scope), as AWS's own would be from
the host name.
"""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from include.local_aws.asgi import (
    App,
    CallerGone,
    Receive,
    Scope,
    Send,
    TooLarge,
    body_of,
    header,
    reading_all,
    respond,
)
from include.local_aws.hosting.runtime import Runtime
from include.local_aws.pages import refusal
from include.local_aws.s3.proxy import S3Proxy
from include.local_aws.sagemaker.operations import MAX_BODY, SageMaker

JSON = "application/x-amz-json-1.1"
DEFAULT_REGION = "us-east-1"

_SCOPE = re.compile(r"Credential=[^/,\s]*/\d{8}/([^/]+)/([^/]+)/aws4_request")


def credential_scope(scope: Scope) -> tuple[str | None, str]:
    """Service and region of the request's signature, in a header or in a presigned URL; the service may be unknown."""
    authorization = header(scope, "authorization") or ""
    if match := _SCOPE.search(authorization):
        return match[2], match[1]
    query = scope["query_string"].decode("latin-1")
    if "X-Amz-Credential" in query:
        parts = parse_qs(query).get("X-Amz-Credential", [""])[0].split("/")
        if len(parts) == 5:
            return parts[3], parts[2]
    if authorization.startswith("AWS ") or "AWSAccessKeyId=" in query:
        return "s3", DEFAULT_REGION  # signature version 2, which only S3 still takes
    return None, DEFAULT_REGION


def service_of(scope: Scope) -> tuple[str, str]:
    """Which room a request is for (health, sagemaker, runtime, s3, rest), and its region."""
    path: str = scope["path"]
    if path == "/_health":
        return "health", DEFAULT_REGION
    service, region = credential_scope(scope)
    target = header(scope, "x-amz-target") or ""
    if service == "s3":
        return "s3", region
    if target.startswith("SageMaker."):
        return "sagemaker", region
    if service == "sagemaker" or (service is None and path.startswith("/endpoints/") and scope["method"] == "POST"):
        return "runtime", region
    if service is not None or target or path.startswith("/moto-api"):
        return "rest", region
    form = (header(scope, "content-type") or "").startswith("application/x-www-form-urlencoded")
    return ("rest" if form else "s3"), region  # an unsigned request is for S3, unless it is a query-protocol form


class Front:
    """The ASGI application of the one port."""

    def __init__(self, *, sagemaker: SageMaker, runtime: Runtime, s3: S3Proxy, rest: App, health: Any) -> None:
        self._sagemaker = sagemaker
        self._runtime = runtime
        self._s3 = s3
        self._rest = rest
        self._health = health
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
                await _refuse(send, room, said)
            else:
                await self._dispatch(room, region, scope, receive, send)
        except CallerGone:
            return  # nobody is there to be answered

    async def _dispatch(self, room: str, region: str, scope: Scope, receive: Receive, send: Send) -> None:
        match room:
            case "health":
                await respond(send, 200, json.dumps(self._health()).encode(), "application/json")
            case "sagemaker":
                await self._api(scope, receive, send, region)
            case "runtime":
                await self._runtime(scope, receive, send, region)
            case "s3":
                await self._s3(scope, receive, send)
            case _:
                await self._rest(scope, receive, send)

    async def _api(self, scope: Scope, receive: Receive, send: Send, region: str) -> None:
        try:
            body = await body_of(receive, MAX_BODY)
        except TooLarge as error:
            await respond(
                send, 413, json.dumps({"__type": "RequestEntityTooLarge", "message": str(error)}).encode(), JSON
            )
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


async def _refuse(send: Send, room: str, said: str) -> None:
    if room == "s3":
        body = f"<Error><Code>AccessDenied</Code><Message>{escape(said)}</Message></Error>".encode()
        await respond(send, 403, body, "application/xml")
    else:
        body = json.dumps({"__type": "AccessDeniedException", "message": said}).encode()
        await respond(send, 403, body, JSON, [("x-amzn-errortype", "AccessDeniedException")])
