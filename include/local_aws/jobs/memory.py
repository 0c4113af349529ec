"""How much memory a job may use, and the sentences when it wanted more.

Two bounds hold at once: the kernel refuses a single process more private memory than that (RLIMIT_DATA, so that the
process itself learns of it and can say so), and a job whose processes together use more is ended from outside.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

MEGABYTE = 1024 * 1024
_LEAST = 1024 * MEGABYTE
_SHARE = 0.75
"""Of the machine's memory for all jobs that run at once; the rest is the server's, S3's and the page cache's."""

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_SAYS_MEMORY = re.compile(
    r"MemoryError|bad_alloc|bad allocation|[Cc](?:an't|annot|ould not) allocate (?:memory|\d)|out of memory"
    r"|Unable to allocate|Not enough space/cannot allocate memory",
)


def machine_bytes() -> int:
    """The machine's memory, or its container's where that is less."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in _CGROUP_LIMITS:
        path = Path(name)
        if path.exists() and (text := path.read_text().strip()).isdecimal():
            found.append(int(text))
    return min(found)


def default_limit(cores: int) -> int:
    """Bytes for one job, where as many run as there are cores, and a search for each pair of them: an equal part."""
    return max(_LEAST, int(machine_bytes() * _SHARE) // (max(2, cores) + max(1, cores // 2)))


def sentence(limit: int) -> str:
    """What a job's reason begins with when it wanted more than `limit` bytes."""
    return (
        f"AlgorithmError: out of memory. A job may use {limit // MEGABYTE} MB here; use less data or a smaller model, "
        "or start the embedded AWS with a larger --job-memory."
    )


def says_memory(text: str) -> bool:
    """Whether a program's last words tell that an allocation failed."""
    return _SAYS_MEMORY.search(text) is not None


def kernel_kills() -> int:
    """How many processes the kernel has killed for want of memory since the machine started; 0 where it isn't told."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    except OSError:
        return 0  # not Linux
    return 0


def used_by_session(session: int) -> int:
    """Bytes that the processes of a session hold together, pages that several share being shared among them."""
    return sum(proportional_bytes(pid) for pid in _of_session(session))


def _of_session(session: int) -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            if int(fields[3]) == session:
                yield int(entry.name)


def proportional_bytes(pid: int) -> int:
    """What a process holds, each shared page counted in equal parts by all that share it; 0 for one that is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0  # it ended, or became another user's
    return 0
