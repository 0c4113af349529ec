"""The split against pandas on the same table, in one run: ``python benchmarks/bench_split.py [megabytes]``.

Each way runs in a process of its own, which writes the same parts to disk; ways alternate, so that a busy machine slows
both. Ours also profiles every column, hashes every byte, checks everything and derives the transform's input; pandas
only reads, samples and writes. Printed: medians of the time and the
processor's time, peak resident memory of the child, and the ratio of each pair.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def make_table(path: Path, megabytes: int) -> int:
    """Write a table of 20 columns (an id, 10 decimals, 5 whole numbers, 3 words, yes or no); return its rows."""
    random_ = random.Random(7)
    words = [f"word{number}" for number in range(200)]
    lines = []
    for _ in range(20_000):
        cells = [f"{random_.gauss(0, 100):.6f}" for _ in range(10)]
        cells += [str(random_.randrange(10_000)) for _ in range(5)]
        cells += random_.choices(words, k=3)
        lines.append(",".join([*cells, random_.choice(["yes", "no"])]))
    names = [f"d{n}" for n in range(10)] + [f"i{n}" for n in range(5)] + [f"w{n}" for n in range(3)]
    rows = 0
    with path.open("w") as file:
        file.write(",".join(["id", *names, "y"]) + "\n")
        while file.tell() < megabytes * 1_000_000:
            file.writelines(f"{rows + number},{line}\n" for number, line in enumerate(lines))
            rows += len(lines)
    return rows


def ours(table: Path, folder: Path) -> None:
    """The project's split, by features."""
    sys.path[:0] = [str(ROOT / "plugins")]
    from automl_retraining.core.layout import Roles
    from automl_retraining.core.split import Sinks, SplitRequest, split

    names = ("train", "validation", "test", "transform", "truth")
    files = [(folder / f"{name}.csv").open("wb") for name in names]
    with table.open("rb") as stream:
        split(stream, SplitRequest("table", Roles("y"), "00" * 16), Sinks(*files))
    for file in files:
        file.close()


def pandas(table: Path, folder: Path) -> None:
    """The usual way: read, sample, write."""
    import pandas as pd

    frame = pd.read_csv(table)
    test = frame.sample(frac=0.2, random_state=0)
    rest = frame.drop(test.index)
    validation = rest.sample(frac=0.1875, random_state=0)
    for name, part in (("train", rest.drop(validation.index)), ("validation", validation), ("test", test)):
        part.to_csv(folder / f"{name}.csv", index=False)


def child(way: str, table: Path) -> None:
    """Run one way and print what it took."""
    with tempfile.TemporaryDirectory(dir=table.parent) as folder:
        started, busy = time.perf_counter(), time.process_time()
        {"ours": ours, "pandas": pandas}[way](table, Path(folder))
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    print(json.dumps([seconds, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("megabytes", type=int, nargs="?", default=100)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--child", nargs=2)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        rows = make_table(table, arguments.megabytes)
        size = table.stat().st_size / 1e6
        print(f"{size:.0f} MB, {rows:,} rows, 20 columns, {os.cpu_count()} cores")
        measured: dict[str, list[list[float]]] = {"ours": [], "pandas": []}
        for _ in range(arguments.pairs):
            for way, results in measured.items():
                command = [sys.executable, __file__, "--child", way, str(table)]
                results.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    for way, results in measured.items():
        seconds, busy = (statistics.median(result[index] for result in results) for index in (0, 1))
        memory = max(result[2] for result in results)
        print(f"{way:7} {seconds:6.2f} s, {busy:6.2f} s of processor, {size / busy:5.1f} MB/s, peak {memory:5.0f} MB")
    for index, what in enumerate(("time", "processor")):
        ratios = [other[index] / mine[index] for mine, other in zip(measured["ours"], measured["pandas"], strict=True)]
        print(f"pandas / ours, {what}: {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
