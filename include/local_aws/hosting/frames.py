"""What the front and a serving process say to each other, over a connection on loopback that is kept.

A frame is a head of fixed size and three texts whose lengths stand in it. A request's are the body, its content type
and the type that is accepted (empty: any), an answer's the body, its content type and nothing. `code` is in a request
`PING` or `INVOKE`, in an answer an HTTP status. HTTP itself would cost more than a small model's prediction does.
"""

import socket
import struct
from typing import NamedTuple

HEAD = struct.Struct("!HIHH")
PING, INVOKE = 1, 2
MOST_BYTES = 2**32 - 1
"""Of a body: what its length has room for."""


class Frame(NamedTuple):
    """One request or one answer."""

    code: int
    body: bytes = b""
    content_type: str = ""
    accept: str = ""


class BrokenFrame(ConnectionError):
    """The other side went away in the middle of a frame."""


def packed(frame: Frame) -> bytes:
    """A frame as it is sent."""
    content_type, accept = frame.content_type.encode("latin-1", "replace"), frame.accept.encode("latin-1", "replace")
    head = HEAD.pack(frame.code, len(frame.body), len(content_type), len(accept))
    return b"".join((head, frame.body, content_type, accept))


def unpacked(received: bytes | bytearray) -> Frame | None:
    """The frame that stands at the beginning of what was received; None as long as it is not whole."""
    if len(received) < HEAD.size:
        return None
    code, *lengths = HEAD.unpack_from(received)
    if len(received) < HEAD.size + sum(lengths):
        return None
    texts, place = [], HEAD.size
    for length in lengths:
        texts.append(bytes(received[place : place + length]))
        place += length
    body, content_type, accept = texts
    return Frame(code, body, content_type.decode("latin-1"), accept.decode("latin-1"))


def receive(connection: socket.socket) -> Frame | None:
    """The next frame, or None where the other side has closed the connection; raises `BrokenFrame`."""
    received = bytearray()
    while (frame := unpacked(received)) is None:
        part = connection.recv(65_536)
        if not part and not received:
            return None
        if not part:
            raise BrokenFrame("The connection ended in the middle of a frame.")
        received += part
    return frame


def ping(port: int, seconds: float) -> bool:
    """Whether a serving process on this port answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(packed(Frame(PING)))
            answer = receive(connection)
    except OSError:
        return False
    return answer is not None and answer.code == 200
