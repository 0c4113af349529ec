"""The HTTP connection of a request, so that it can be cut without an answer."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from include.local_aws.asgi import Message, Receive, Scope, Send

_KEY = "local_aws.transport"
_GONE_SECONDS = 5


def _protocol(**arguments: Any) -> Any:
    made: Any = AutoHTTPProtocol(**arguments)
    application = made.app

    async def knowing_its_transport(scope: Scope, receive: Receive, send: Send) -> None:
        scope[_KEY] = made.transport
        await application(scope, receive, send)

    made.app = knowing_its_transport
    return made


PROTOCOL = cast("type[asyncio.Protocol]", _protocol)
"""uvicorn's own HTTP protocol (for its ``http`` option), which tells the application its transport besides."""


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection now; what was sent already may still arrive."""
    transport: asyncio.Transport = scope[_KEY]
    transport.close()  # what stands in the buffer is what was let through on purpose
    try:
        async with asyncio.timeout(_GONE_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass  # the rest of a body that nobody will answer
    except TimeoutError:
        transport.abort()  # a caller that reads nothing any more


async def swallowed(_: Message) -> None:
    """A `send` whose messages reach nobody."""


def halved(send: Send) -> Send:
    """A `send` that lets the start of an answer through and half of the first part of its body that is not empty.

    Of an answer without a body nothing is let through: the caller would take it for whole, and its connection for good.
    """
    start: Message = {}
    over = False

    async def send_half(message: Message) -> None:
        nonlocal start, over
        if message["type"] == "http.response.start":
            start = message
        elif (body := message.get("body", b"")) and not over:
            over = True
            await send(start)
            await send({**message, "body": body[: len(body) // 2], "more_body": True})

    return send_half
