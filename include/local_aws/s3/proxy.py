"""The streaming proxy between callers and the S3 server: bodies pass through both ways, never held whole.

The path goes through byte for byte (keys may hold any UTF-8, encoded as the caller chose). The S3 server beneath takes
anybody, so signatures, which cover a host name and port that are the front's and not its own, are taken off.
"""

import logging
from collections.abc import AsyncIterator, Iterable
from urllib.parse import unquote

import httpx

from include.local_aws.asgi import CallerGone, Receive, Scope, Send, respond

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


def takes(path: bytes) -> bool:
    """Whether the S3 server keeps such a key as it is: its keys are paths, and it merges or refuses odd segments."""
    *folders, last = unquote(path.decode("ascii", "replace")).split("/")[2:] or [""]
    return all(each not in ("", ".", "..") for each in folders) and last not in (".", "..")


class S3Proxy:
    """An ASGI application that hands every request on to the S3 server at `url`."""

    def __init__(self, url: str, *, keep_signatures: bool) -> None:
        self._url = httpx.URL(url)
        self._keep_signatures = keep_signatures
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
        if not takes(scope["raw_path"]):
            await respond(send, 501, _NO_SUCH_KEYS, "application/xml")
            return
        request = self._request(scope, receive)
        try:
            response = await self._client.send(request, stream=True)
        except httpx.TransportError as error:
            log.warning("S3 server unreachable: %r", error)
            await respond(send, 503, _unavailable(error), "application/xml")
            return
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": list(_end_to_end(response.headers.raw)),
                }
            )
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await response.aclose()

    def _request(self, scope: Scope, receive: Receive) -> httpx.Request:
        given: list[Header] = scope["headers"]
        headers = list(_end_to_end(given))
        query: bytes = scope["query_string"]
        path: bytes = scope["raw_path"]
        host = next((value for name, value in given if name == b"host"), b"")
        if bucket := bucket_of_host(host):
            path = b"/" + bucket + path
        if not self._keep_signatures:
            headers = [(name, value) for name, value in headers if name not in _SIGNATURE]
            query = without_signature(query)
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in given)
        return httpx.Request(
            scope["method"],
            self._url,
            headers=headers,
            content=_body(receive) if has_body else None,
            extensions={
                "target": path + (b"?" + query if query else b""),
                "timeout": self._client.timeout.as_dict(),
            },
        )


def _end_to_end(headers: Iterable[Header]) -> Iterable[Header]:
    return ((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)


_NO_SUCH_KEYS = (
    b"<Error><Code>NotImplemented</Code><Message>The S3 server of the embedded AWS does not take keys with empty or "
    b"dot segments (such as a//b or a/../b), which AWS does. Use other keys.</Message></Error>"
)


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerGone("the caller went away in the middle of its request")
        if body := message.get("body", b""):
            yield body
        if not message.get("more_body", False):
            return


def _unavailable(error: Exception) -> bytes:
    text = f"The embedded AWS's S3 server can't be reached: {type(error).__name__}."
    return f"<Error><Code>ServiceUnavailable</Code><Message>{text}</Message></Error>".encode()
