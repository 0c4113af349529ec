"""Signed chunks into unsigned ones."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from include.local_aws.s3.chunks import MalformedChunks, is_signed, unsigned, unsigned_headers

SIGNATURE = b";chunk-signature=" + b"0" * 64
BODY = b"5" + SIGNATURE + b"\r\nhello\r\na" + SIGNATURE + b"\r\n0\r\n;chunk-\r\n0" + SIGNATURE + b"\r\n"
TRAILER = b"x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:" + b"0" * 64 + b"\r\n\r\n"


def converted(body: bytes, step: int, *, trailer: bool = True) -> bytes:
    """What comes out when it arrives in pieces of `step` bytes."""

    async def pieces() -> AsyncIterator[bytes]:
        for begin in range(0, len(body), step):
            yield body[begin : begin + step]

    async def gather() -> bytes:
        return b"".join([piece async for piece in unsigned(pieces(), trailer=trailer)])

    return asyncio.run(gather())


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1000])
def test_signatures_go_and_everything_else_stays_however_it_arrives(step: int) -> None:
    data = b"5\r\nhello\r\na\r\n0\r\n;chunk-\r\n0\r\n"
    assert converted(BODY + TRAILER, step) == data + b"x-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    assert converted(BODY + b"\r\n", step, trailer=False) == b"hello0\r\n;chunk-"


@pytest.mark.parametrize("body", [b"", BODY[:-4], b"5\r\nhel", b"hello\r\n", b"x" * 20_000])
def test_a_body_that_is_no_such_encoding_or_ends_early_is_an_error(body: bytes) -> None:
    with pytest.raises(MalformedChunks):
        converted(body, 1000)


def test_headers_lose_what_was_only_for_the_way() -> None:
    signed = [
        (b"content-length", b"99"),
        (b"content-encoding", b"gzip,aws-chunked"),
        (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
    ]
    assert is_signed(signed)
    wanted = [(b"content-encoding", b"gzip"), (b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")]
    assert unsigned_headers(signed) == wanted
    bare = [*signed[:2], (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")]
    assert unsigned_headers([*bare, (b"x-amz-decoded-content-length", b"5")]) == [
        (b"content-length", b"5"),
        (b"content-encoding", b"gzip"),
        (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD"),
    ]
    plain = [(b"content-length", b"99"), (b"content-encoding", b"gzip"), (b"x-amz-content-sha256", b"abc")]
    assert not is_signed(plain)
    assert unsigned_headers(plain) == plain
