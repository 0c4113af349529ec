"""Serving processes kept alive: one that dies is started again; what containers print goes to the endpoint's log."""

import logging
import threading
import time

from include.local_aws.hosting.board import Board
from include.local_aws.hosting.fleet import STARTUP_SECONDS
from include.local_aws.hosting.server import Server, Unhealthy
from include.local_aws.jobs.forkserver import ForkServerDown

log = logging.getLogger(__name__)

KEEP_SECONDS = 0.25
"""How often dead servers are looked for and logs followed."""
LONGEST_BACKOFF_SECONDS = 30


class Keeper:
    """The thread that looks after the board's processes until `closing` is set."""

    def __init__(self, board: Board, closing: threading.Event) -> None:
        self._board = board
        self._closing = closing
        self._thread = threading.Thread(target=self._keep, name="endpoint-keeper", daemon=True)

    def begin(self) -> None:
        """Start looking."""
        self._thread.start()

    def revive(self, server: Server) -> None:
        """Start a process and wait until it is healthy; where it is not, wait a while longer each time."""
        try:
            server.start()
            server.wait_healthy(STARTUP_SECONDS)
            server.failures = 0
        except (Unhealthy, ForkServerDown) as error:
            server.failures += 1
            log.error("%s %s does not come up: %s", server.stream.group, server.stream.name, error)
            time.sleep(min(2**server.failures, LONGEST_BACKOFF_SECONDS))

    def _keep(self) -> None:
        while not self._closing.wait(KEEP_SECONDS):
            for server in self._board.servers():
                server.follow()
                being_revived = server.reviving is not None and server.reviving.is_alive()
                if server.dead and not being_revived and not self._closing.is_set():
                    server.port = 0
                    log.error("%s %s died; starting it again", server.stream.group, server.stream.name)
                    server.reviving = threading.Thread(target=self.revive, args=(server,), daemon=True)
                    server.reviving.start()
