"""The few words of ASGI that the front's rooms share."""

import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class CallerGone(ConnectionError):
    """The caller went away in the middle of its request."""


class TooLarge(ValueError):
    """A request's body is larger than the service takes."""


class UnreadableBody(ValueError):
    """A request's body is not encoded as it says."""


def header(scope: Scope, name: str) -> str | None:
    """One request header by its lower-case name, or None."""
    wanted = name.encode()
    for key, value in scope["headers"]:
        if key == wanted:
            return str(value.decode("latin-1"))
    return None


def reading_all(receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The same channels, but what the application left unread of the body is read before its answer starts.

    A caller that waits for ``100 Continue`` and gets an answer instead never sends its body; its next request on the
    connection would then be taken for that body.
    """
    whole = False

    async def receive_noting() -> Message:
        nonlocal whole
        message = await receive()
        whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def send_after_reading(message: Message) -> None:
        while not whole:
            await receive_noting()
        await send(message)

    return receive_noting, send_after_reading


async def body_of(receive: Receive, limit: int) -> bytes:
    """The whole body; raises `TooLarge` beyond `limit` bytes, `CallerGone` when the caller went away."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone("the caller went away in the middle of its request")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise TooLarge(f"Expected a body of at most {limit} bytes, found more.")
        if not message.get("more_body", False):
            return b"".join(parts)


def unpacked(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The body without its content encoding (gzip or none).

    Raises `UnreadableBody` for another encoding or a broken one, `TooLarge` where it grows beyond `limit` bytes.
    """
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return body
    if encoding.strip().lower() != "gzip":
        raise UnreadableBody(f"Expected Content-Encoding gzip or none, found {encoding!r}.")
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise UnreadableBody(f"Expected a body in gzip, as Content-Encoding says: {error}.") from error
    if len(plain) > limit:
        raise TooLarge(f"Expected a body of at most {limit} bytes once unpacked, found more.")
    if not reader.eof:
        raise UnreadableBody("Expected a body in gzip, as Content-Encoding says, found one that is cut off.")
    return plain


async def respond(
    send: Send, status: int, body: bytes, content_type: str, headers: Iterable[tuple[str, str]] = ()
) -> None:
    """Send one whole response."""
    raw = [(b"content-type", content_type.encode("latin-1")), (b"content-length", str(len(body)).encode())]
    raw += [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})
