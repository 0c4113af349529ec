"""The streaming proxy between callers and the S3 server: bodies pass through both ways, never held whole.

It also bounds what the built-in server would hold: a few large uploads at a time, large downloads in ranges (measured
for 2 GB: the server's own answer in one piece takes 650 MB of memory, the same in ranges 280 MB).

The path goes through byte for byte (keys may hold any UTF-8, encoded as the caller chose). The S3 server beneath takes
anybody, so signatures, which cover a host name and port that are the front's and not its own, are taken off.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from xml.sax.saxutils import escape

import httpx

from include.local_aws.asgi import CallerGone, Message, Receive, Scope, Send, TooLarge, body_of, respond
from include.local_aws.s3 import chunks
from include.local_aws.s3.client import RESTART_SECONDS
from include.local_aws.s3.refusals import NO_KMS, refusal, sets_encryption, with_own_key

log = logging.getLogger(__name__)

Header = tuple[bytes, bytes]

_HOP_BY_HOP = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade", b"expect",
    }
)  # fmt: skip
_SIGNATURE = frozenset({b"authorization", b"x-amz-security-token"})
_SIGNATURE_QUERY = (
    b"x-amz-algorithm=", b"x-amz-credential=", b"x-amz-date=", b"x-amz-expires=", b"x-amz-signedheaders=",
    b"x-amz-signature=", b"x-amz-security-token=", b"awsaccesskeyid=", b"signature=", b"expires=",
)  # fmt: skip


def without_signature(query: bytes) -> bytes:
    """The query string without the parameters of a presigned URL, the rest untouched."""
    kept = [part for part in query.split(b"&") if not part.lower().startswith(_SIGNATURE_QUERY)]
    return b"&".join(kept)


def bucket_of_host(host: bytes) -> bytes | None:
    """The bucket in a virtual-hosted Host header (``bucket.localhost:4566``), or None for path style."""
    name = host.rsplit(b":", 1)[0] if b":" in host else host
    return name[: -len(b".localhost")] or None if name.endswith(b".localhost") else None


LARGE_UPLOAD = 1024 * 1024
"""A body above this takes one of `UPLOADS_AT_ONCE` places; smaller ones never wait for it."""
UPLOADS_AT_ONCE = 3
UPLOAD_WAIT_SECONDS = 60
"""After this a waiting upload is told to come back (SlowDown, which clients retry)."""
RANGE = 32 * 1024 * 1024
"""Bytes asked for at a time of an object that is larger."""


class S3Proxy:
    """An ASGI application that hands every request on to the S3 server at `url`.

    `up` tells whether our own server takes requests now; None: the server isn't ours, so that signatures, and what ours
    would need, are none of our business.
    """

    def __init__(self, url: str, *, up: Callable[[], bool] | None) -> None:
        self._url = httpx.URL(url)
        self._foreign = up is None
        self._up = up or (lambda: True)
        self._uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(300, connect=5),
            limits=httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=15),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections to the S3 server."""
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request and stream its answer."""
        path = self._path(scope)
        refused = None if self._foreign else refusal(scope["method"], path, scope["query_string"])
        if refused is not None:
            await respond(send, 501, refused, "application/xml")
            return
        if not self._foreign and sets_encryption(scope["method"], scope["query_string"]):
            try:
                said = await body_of(receive, LARGE_UPLOAD)
            except TooLarge as error:
                await respond(send, 400, _error("MalformedXML", str(error)), "application/xml")
                return
            if b"aws:kms" in said:
                await respond(send, 501, NO_KMS, "application/xml")
                return
            receive = replaying(said)
        if self._foreign or not _is_large_upload(scope):
            await self._forward(scope, path, receive, send)
            return
        try:
            await asyncio.wait_for(self._uploads.acquire(), UPLOAD_WAIT_SECONDS)
        except TimeoutError:
            await respond(send, 503, _error("SlowDown", _BUSY), "application/xml")
            return
        try:
            await self._forward(scope, path, receive, send)
        finally:
            self._uploads.release()

    async def _forward(self, scope: Scope, path: bytes, receive: Receive, send: Send) -> None:
        request = self._request(scope, path, receive)
        try:
            response = await self._sent(request)
        except chunks.MalformedChunks as error:
            await respond(send, 400, _error("IncompleteBody", str(error)), "application/xml")
            return
        except httpx.TransportError as error:
            log.warning("S3 server unreachable: %r", error)
            said = f"The embedded AWS's S3 server can't be reached: {type(error).__name__}."
            await respond(send, 503, _error("ServiceUnavailable", said), "application/xml")
            return
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": list(_end_to_end(response.headers.raw)),
                }
            )
            if not self._foreign and _is_large_download(request, response):
                await response.aclose()
                pieces = self._in_ranges(request, response)
            else:
                pieces = response.aiter_raw()
            async for chunk in pieces:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await response.aclose()

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """The answer; where nobody listens, because the server is being started again, asked again for a while."""
        deadline = time.monotonic() + (0 if self._foreign else RESTART_SECONDS)
        while True:
            while not self._up() and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            try:
                return await self._client.send(request, stream=True)
            except httpx.ConnectError:  # nothing of the body was read
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    async def _in_ranges(self, request: httpx.Request, first: httpx.Response) -> AsyncIterator[bytes]:
        """The body of `first`, asked for piece by piece; breaks off where the object is another by now."""
        size = int(first.headers["content-length"])
        kept = [(name, value) for name, value in request.headers.raw if not name.lower().startswith(b"if-")]
        for begin in range(0, size, RANGE):
            end = min(begin + RANGE, size) - 1
            asked = [(b"Range", f"bytes={begin}-{end}".encode()), (b"If-Match", first.headers["etag"].encode())]
            piece = httpx.Request("GET", self._url, headers=[*kept, *asked], extensions=request.extensions)
            response = await self._sent(piece)
            try:
                if response.status_code != 206:
                    raise ObjectChanged(f"status {response.status_code} for bytes {begin} to {end}")
                async for chunk in response.aiter_raw():
                    yield chunk
            finally:
                await response.aclose()

    def _path(self, scope: Scope) -> bytes:
        path: bytes = scope["raw_path"]
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        bucket = bucket_of_host(host)
        return b"/" + bucket + path if bucket else path

    def _request(self, scope: Scope, path: bytes, receive: Receive) -> httpx.Request:
        given: list[Header] = scope["headers"]
        headers = list(_end_to_end(given))
        query: bytes = scope["query_string"]
        body = _body(receive)
        if not self._foreign:
            headers = with_own_key([(name, value) for name, value in headers if name not in _SIGNATURE])
            if chunks.is_signed(headers):
                body = chunks.unsigned(body, trailer=chunks.has_trailer(headers))
            headers = chunks.unsigned_headers(headers)
            query = without_signature(query)
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in given)
        return httpx.Request(
            scope["method"],
            self._url,
            headers=headers,
            content=body if has_body else None,
            extensions={
                "target": path + (b"?" + query if query else b""),
                "timeout": self._client.timeout.as_dict(),
            },
        )


class ObjectChanged(ConnectionError):
    """The object was overwritten or deleted while it was sent: the caller's connection breaks off, it asks again."""


def _is_large_upload(scope: Scope) -> bool:
    if scope["method"] not in ("PUT", "POST"):
        return False
    length = next((value for name, value in scope["headers"] if name == b"content-length"), None)
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    return chunked if length is None else int(length) > LARGE_UPLOAD


def _is_large_download(request: httpx.Request, response: httpx.Response) -> bool:
    return (
        request.method == "GET"
        and response.status_code == 200
        and "etag" in response.headers  # an object, not a listing
        and int(response.headers.get("content-length", 0)) > 2 * RANGE
    )


def _end_to_end(headers: Iterable[Header]) -> Iterable[Header]:
    return ((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)


_BUSY = "Please reduce your request rate: large uploads are taken a few at a time."


def replaying(body: bytes) -> Receive:
    """A channel that gives a body which was read before."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone("the caller went away in the middle of its request")
        if body := message.get("body", b""):
            yield body
        if not message.get("more_body", False):
            return


def _error(code: str, message: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode()
