"""A large object into the embedded AWS's S3 and back: ``python -m benchmarks.bench_s3 [--megabytes 2048]``.

One file of random bytes goes up and down in every way that clients have, through the front's one port, with boto3's own
checksums, and beside it, in the same run, the raw copy of the same file on the same disk. Every download's SHA-256 is
held against the file's. Printed: megabytes (10^6 bytes) a second, the ratio to the raw copy, and the largest resident
memory of the server's process and of the S3 server, each and together, sampled ten times a second.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig

from tests.support.local_aws import Running, descendants, start

BUCKET = "bench"
MEGABYTE = 1024 * 1024
LIMIT_MB = 600


def make_file(path: Path, megabytes: int) -> str:
    """Random bytes, so that nothing on the way can compress them; their SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(megabytes):
            block = os.urandom(MEGABYTE)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy(source: Path, target: Path) -> None:
    """The raw way: read, write, on disk."""
    with source.open("rb") as given, target.open("wb") as taken:
        shutil.copyfileobj(given, taken, MEGABYTE)
        taken.flush()
        os.fsync(taken.fileno())


class Memory:
    """Samples of resident memory: the front's process, and `weed`."""

    def __init__(self, aws: Running) -> None:
        self._front = aws.process.pid
        self._weed = next(
            pid
            for pid in descendants(aws.process.pid)
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"weed")
        )
        self.peaks = [0, 0, 0]

    def sample(self) -> None:
        """Take one."""
        front, weed = (_resident(pid) for pid in (self._front, self._weed))
        self.peaks = [max(pair) for pair in zip(self.peaks, (front, weed, front + weed), strict=True)]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Sample while the block runs; the peaks are this block's."""
        self.peaks = [0, 0, 0]
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.1):
                self.sample()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.sample()


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def ranged(s3: Any, target: Path, size: int) -> None:
    """One after another, ranges of 64 MB."""
    step = 64 * MEGABYTE
    with target.open("wb") as file:
        for begin in range(0, size, step):
            answer = s3.get_object(Bucket=BUCKET, Key="multipart", Range=f"bytes={begin}-{min(size, begin + step) - 1}")
            shutil.copyfileobj(answer["Body"], file, MEGABYTE)


def single_put(s3: Any, source: Path) -> None:
    """One request with the whole body."""
    with source.open("rb") as file:
        s3.put_object(Bucket=BUCKET, Key="single", Body=file)


def single_get(s3: Any, target: Path) -> None:
    """One request, one answer."""
    with target.open("wb") as file:
        shutil.copyfileobj(s3.get_object(Bucket=BUCKET, Key="single")["Body"], file, MEGABYTE)


def main() -> None:
    """Measure and print; exit status 1 where memory was above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=int, default=2048, help="size of the object, in MiB (default: 2048)")
    parser.add_argument("--directory", type=Path, help="where to work (default: a temporary directory)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        work = Path(folder)
        source, target = work / "source", work / "target"
        wanted = make_file(source, arguments.megabytes)
        size = source.stat().st_size
        aws = start(work / "aws")
        try:
            s3 = aws.client("s3", read_timeout=600)
            s3.create_bucket(Bucket=BUCKET)
            config = TransferConfig()  # boto3's own: parts of 8 MB, ten at a time
            memory = Memory(aws)
            ways: list[tuple[str, Callable[[], object], bool]] = [
                ("raw copy", lambda: copy(source, target), True),
                ("PUT, one request", lambda: single_put(s3, source), False),
                ("multipart upload", lambda: s3.upload_file(str(source), BUCKET, "multipart", Config=config), False),
                ("GET, one request", lambda: single_get(s3, target), True),
                ("parallel ranges", lambda: s3.download_file(BUCKET, "multipart", str(target), Config=config), True),
                ("GET, 64 MB ranges", lambda: ranged(s3, target, size), True),
                ("copy in S3", lambda: s3.copy({"Bucket": BUCKET, "Key": "multipart"}, BUCKET, "copy"), False),
            ]
            print(f"{size / 1e6:.0f} MB of random bytes, {os.cpu_count()} cores")
            print("                      s    MB/s  of raw copy   MB: front  weed  together")
            raw, highest = 0.0, 0
            for name, do, down in ways:
                target.unlink(missing_ok=True)
                with memory.watched():
                    began = time.perf_counter()
                    do()
                    seconds = time.perf_counter() - began
                if down and digest_of(target) != wanted:
                    raise RuntimeError(f"{name}: other bytes came back")
                rate = size / seconds / 1e6
                raw = raw or rate
                front, weed, both = (peak / 1e6 for peak in memory.peaks)
                highest = max(highest, memory.peaks[2])
                print(
                    f"{name:18} {seconds:6.2f}  {rate:6.0f}  {rate / raw:11.2f}   {front:9.0f} {weed:5.0f} {both:9.0f}",
                    flush=True,
                )
        finally:
            aws.stop()
    print(f"largest memory of both together: {highest / 1e6:.0f} MB (to stay under {LIMIT_MB})")
    raise SystemExit(highest / 1e6 > LIMIT_MB)


if __name__ == "__main__":
    main()
