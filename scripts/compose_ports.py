"""Publishing ports of one network namespace in another: ``python -m scripts.compose_ports 5=127.1.0.3:8080 …``.

Each argument is a listening socket that was inherited (made in the other namespace) and where its connections go in
this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

_CHUNK = 65536


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    try:
        there, back = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()  # nobody listens inside yet, which a client outside sees as a closed connection
        return
    await asyncio.gather(_copy(reader, back), _copy(there, writer))
    for one in (writer, back):
        one.close()


async def _serve(arguments: list[str]) -> None:
    servers = []
    for argument in arguments:
        number, _, target = argument.partition("=")
        host, _, port = target.rpartition(":")

        async def join(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str = host, port: int = int(port)
        ) -> None:
            await _join(reader, writer, host, port)

        servers.append(await asyncio.start_server(join, sock=socket.socket(fileno=int(number))))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
