"""Whether processes still run."""

import time
from pathlib import Path


def alive(processes: set[int]) -> set[int]:
    """Those that still run (a zombie does not)."""
    running = set()
    for process in processes:
        try:
            if (Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]) != "Z":
                running.add(process)
        except FileNotFoundError:
            continue
    return running


def gone(processes: set[int]) -> bool:
    """Whether all of them end within a few seconds."""
    deadline = time.monotonic() + 5
    while alive(processes) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(processes)
