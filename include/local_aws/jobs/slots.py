"""Places to run in: as many jobs at once as there are cores, whoever asked first first."""

import threading
from collections import deque


class Slots:
    """Places to run in, given in the order of asking."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    def take(self, cancelled: threading.Event) -> bool:
        """Wait for a place; False when `cancelled` is set first (call `wake` after setting it)."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            while not (self._free > 0 and self._waiting[0] is ticket):
                if cancelled.is_set():
                    self._waiting.remove(ticket)
                    self._changed.notify_all()
                    return False
                self._changed.wait()
            self._waiting.popleft()
            self._free -= 1
            self._changed.notify_all()  # where another place is free too, the next one's turn has come
            return True

    def wake(self) -> None:
        """Let those that were cancelled give up waiting."""
        with self._changed:
            self._changed.notify_all()

    def give_back(self) -> None:
        """Free a place that was taken."""
        with self._changed:
            self._free += 1
            self._changed.notify_all()
