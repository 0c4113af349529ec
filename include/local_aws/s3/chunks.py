"""Bodies in aws-chunked encoding, made such that a server that checks no signatures takes them.

A client that streams sends ``<size>;chunk-signature=<hex>`` before each chunk, then a trailer with the checksum and its
signature (Amazon S3 API reference, "Signature calculations: transferring payload in multiple chunks"). The front takes
signatures off, so the chunks' go too: what is left is the unsigned form of the same encoding, which has a trailer with
the checksum, or, for a body without trailer, the bytes themselves.
"""

from collections.abc import AsyncIterator

Header = tuple[bytes, bytes]

_SIGNED = b"STREAMING-AWS4-"
_LONGEST_LINE = 16_384


class MalformedChunks(ValueError):
    """The body isn't what its headers say."""


def is_signed(headers: list[Header]) -> bool:
    """Whether the body comes in signed chunks."""
    return _kind(headers).startswith(_SIGNED)


def has_trailer(headers: list[Header]) -> bool:
    """Whether a checksum follows the body."""
    return _kind(headers).endswith(b"-TRAILER")


def _kind(headers: list[Header]) -> bytes:
    return next((value for name, value in headers if name == b"x-amz-content-sha256"), b"")


def unsigned_headers(headers: list[Header]) -> list[Header]:
    """The headers for the unsigned body, whose length is another, and without what isn't the object's."""
    signed, trailer = is_signed(headers), has_trailer(headers)
    if not signed and not trailer:
        return headers
    length = next((value for name, value in headers if name == b"x-amz-decoded-content-length"), b"")
    changed = []
    for name, value in headers:
        if name == b"content-encoding":
            encodings = [each.strip() for each in value.split(b",") if each.strip() != b"aws-chunked"]
            changed += [(name, b",".join(encodings))] if encodings else []
        elif not signed:
            changed.append((name, value))
        elif name == b"x-amz-content-sha256":
            changed.append((name, b"STREAMING-UNSIGNED-PAYLOAD-TRAILER" if trailer else b"UNSIGNED-PAYLOAD"))
        elif name == b"content-length":
            changed += [] if trailer else [(name, length)]
        elif name != b"x-amz-decoded-content-length" or trailer:
            changed.append((name, value))
    return changed


async def unsigned(body: AsyncIterator[bytes], *, trailer: bool) -> AsyncIterator[bytes]:
    """The chunks and their trailer without their signatures, or without a trailer the bytes alone.

    Raises `MalformedChunks`.
    """
    pending = bytearray()
    left = 0  # bytes of the present chunk that are still to come
    after_chunk = ended = False
    async for piece in body:
        pending += piece
        while pending:
            if left:
                data = bytes(pending[:left])
                del pending[:left]
                left -= len(data)
                yield data
                continue
            line, end, _ = pending.partition(b"\r\n")
            if not end:
                if len(pending) > _LONGEST_LINE:
                    raise MalformedChunks("Expected the line before a chunk, found none.")
                break
            del pending[: len(line) + 2]
            if ended:
                if trailer and not line.lower().startswith(b"x-amz-trailer-signature"):
                    yield bytes(line) + b"\r\n"
            elif after_chunk:
                if line:
                    raise MalformedChunks(f"Expected the end of a chunk, found {bytes(line[:40])!r}.")
                after_chunk = False
                if trailer:
                    yield b"\r\n"
            else:
                left = _size(bytes(line))
                ended, after_chunk = left == 0, left > 0
                if trailer:
                    yield b"%x\r\n" % left
    if pending or left or not ended:
        raise MalformedChunks("The body ends in the middle of a chunk.")


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError as error:
        raise MalformedChunks(f"Expected the size of a chunk, found {line[:40]!r}.") from error
