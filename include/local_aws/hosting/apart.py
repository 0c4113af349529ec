"""A container in a process of its own: its environment variables, its modules and its /opt/ml are nobody else's.

On AWS each container of an inference pipeline is apart. Here a model's containers share one process, which is enough
for AWS's own algorithms; a container that runs a user's script may be told by its environment what to be, and imports
modules under names that another container's script uses too.
"""

import os
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import NoReturn

from include.local_aws.children import die_with_parent
from include.local_aws.images import BadRequest, Container


class ContainerGone(RuntimeError):
    """The container's process has ended."""


class Apart:
    """A container that answers from a process forked for it. Answers one request at a time."""

    def __init__(self, load: Callable[[], Container]) -> None:
        """Fork, and load the container there. Call it before the process starts threads.

        Raises RuntimeError with the words of whatever `load` raised.
        """
        ours, theirs = Pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            die_with_parent(parent)
            _serve(theirs, load)
        theirs.close()
        self._connection = ours
        self._lock = threading.Lock()
        try:
            failure = ours.recv()
        except EOFError as error:
            raise ContainerGone("its process ended while it was loaded; its log says more") from error
        if failure is not None:
            raise RuntimeError(failure)

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """As the container's own."""
        with self._lock:
            try:
                self._connection.send((body, content_type, accept))
                kind, answer = self._connection.recv()
            except (EOFError, OSError) as error:
                raise ContainerGone("The container's process has ended; its log says more.") from error
        if kind == "answer":
            body, content_type = answer
            return body, content_type
        raise BadRequest(answer) if kind == "bad" else RuntimeError(answer)


def _serve(connection: Connection, load: Callable[[], Container]) -> NoReturn:
    try:
        container = load()
    except BaseException as error:  # noqa: BLE001 - the first frame of a process: the parent gets the words
        traceback.print_exc()
        connection.send(str(error) or type(error).__name__)
        os._exit(1)
    connection.send(None)
    while True:
        try:
            body, content_type, accept = connection.recv()
        except EOFError:
            os._exit(0)
        try:
            connection.send(("answer", container.invoke(body, content_type, accept)))
        except BadRequest as error:
            connection.send(("bad", str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a container raises is its answer 500, and in its log
            traceback.print_exc()
            connection.send(("error", f"{type(error).__name__}: {error}"))
