"""What waiting costs: ``python -m benchmarks.bench_waiting [--jobs 1 10 100 1000] [--seconds 120] [--seed 7]``.

So many training jobs wait in one triggerer, once with this project's triggers and once, in the same run and by the same
plan, with the stock provider's (``SageMakerTrigger``, waiting as by default). Printed for each: calls of SageMaker a
minute from the first deferral to the end of the time measured, the median and the 99th percentile of the seconds from a
job's completion to its trigger's event, the CPU seconds and the peak memory of the triggerer's process, and how many
ends nobody was told of. Then the ratios to beat. A last part repeats ours while SageMaker throttles at two calls a
second all the time.

Jobs end at moments drawn from the seed. Few jobs are measured several times at once, each time in a region of its own,
so that there are enough ends for a median; calls, CPU and memory are then of one region's share. Of many jobs, which
last for hours, only some end in the time measured. SageMaker is the embedded AWS's own, with jobs that move by a script
instead of running (``benchmarks.scripted_sagemaker``). The stock triggers need ``make clients``. The delay is that of
the trigger alone: after it, both wait alike for the scheduler.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.clients import aio_folder
from tests.support.local_aws import ROOT

ARRIVALS = 30.0
"""Seconds over which the tasks defer, at least; ten defer in a second at most."""
ENDS = 60
"""Ends to be measured at least, where there are so many jobs in all regions."""
LATEST = 240.0
"""Seconds that a trigger may be late before it counts as never told."""


@dataclass(frozen=True)
class Plan:
    """Jobs by region: name, when its task defers, when it starts and, beyond the time measured or not, ends."""

    jobs: int
    regions: int
    arrivals: float
    seconds: float
    rows: tuple[tuple[str, str, float, float, float], ...]

    @property
    def total(self) -> float:
        """Seconds of the measurement."""
        return self.arrivals + self.seconds

    def ending(self) -> list[str]:
        """The jobs that end while it is measured."""
        return [f"{region}/{name}" for region, name, *_, ends in self.rows if ends <= self.total]


@dataclass(frozen=True)
class Measured:
    """What one triggerer cost; calls, CPU and memory per region."""

    calls: float
    median: float
    last: float
    cpu: float
    peak: float
    lost: int
    ends: int


def drawn(jobs: int, seconds: float, seed: int) -> Plan:
    """The plan of so many jobs."""
    draw = random.Random(f"{seed}/{jobs}")
    regions = max(1, min(40, ENDS // jobs))
    share = min(1.0, ENDS / (jobs * regions))
    arrivals = max(ARRIVALS, jobs / 10)
    rows = []
    for region in (f"us-east-{number + 1}" for number in range(regions)):
        ending = set(draw.sample(range(jobs), round(jobs * share)))
        for number in range(jobs):
            arrives = draw.uniform(0, arrivals)
            starts = arrives + draw.uniform(2, 20) if number in ending else -1.0
            ends = draw.uniform(max(starts, arrivals), arrivals + seconds) if number in ending else 1e6
            rows.append((region, f"art-training-{draw.getrandbits(64):016x}", arrives, starts, ends))
    return Plan(jobs, regions, arrivals, seconds, tuple(rows))


def measured(who: str, plan: Plan, *, throttle: float | None = None, most_memory: int) -> Measured | None:
    """Let one triggerer wait for the plan's jobs; None where it took more memory than it may."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "plan.json"
        by_region: dict[str, list[tuple[str, float, float]]] = {}
        for region, name, _, starts, ends in plan.rows:
            moves = by_region.setdefault(region, [])
            moves.append((name, starts, ends))
        script.write_text(json.dumps(by_region))
        server = _begun(["benchmarks.scripted_sagemaker", str(script)], Path(folder), {})
        try:
            port = int(_line(server))
            if throttle is not None:
                fault = {"kind": "throttle", "service": "sagemaker", "operation": "*", "calls_per_second": throttle}
                _control(port, {"faults": [fault]})
            return _waited(who, plan, port, server, Path(folder), most_memory)
        finally:
            server.kill()
            server.wait()


def _waited(
    who: str, plan: Plan, port: int, server: subprocess.Popen[str], folder: Path, most_memory: int
) -> Measured | None:
    task, result, ending = folder / "task.json", folder / "result.json", plan.ending()
    jobs = [(region, name, arrives) for region, name, arrives, *_ in plan.rows]
    task.write_text(json.dumps({"jobs": jobs, "until": ending, "limit": plan.total + LATEST, "port": port}))
    more = {"PYTHONPATH": f"{aio_folder()}:{ROOT}:{ROOT / 'plugins'}"} if who == "stock" else {}
    triggerer = _begun(["benchmarks.waiting_triggers", who, str(task), str(result)], folder, more)
    try:
        while (said := _line(triggerer)) != "ready":
            print(said)
        for process in (server, triggerer):
            process.stdin.write("begin\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        began, calls = time.monotonic(), -1
        while triggerer.poll() is None:
            passed = time.monotonic() - began
            if calls < 0 and passed >= plan.total:
                calls = _calls(port)
            if _resident(triggerer.pid) > most_memory:
                return None
            time.sleep(0.2)
        if not result.exists():
            raise RuntimeError(f"The triggerer ended without a result: {(folder / 'errors').read_text()[-3000:]}")
        if calls < 0:  # the last end was told before the time was over: nobody waits any more
            calls = _calls(port)
    finally:
        triggerer.kill()
        triggerer.wait()
    document = json.loads(result.read_text())
    ended = _ends(port, ending)
    delays = sorted(document["fired"][key] - ended[key] for key in ending if key in document["fired"])
    return Measured(
        calls=calls / plan.regions / plan.total * 60,
        median=statistics.median(delays) if delays else float("nan"),
        last=delays[min(len(delays) - 1, int(0.99 * len(delays)))] if delays else float("nan"),
        cpu=document["cpu"] / plan.regions,
        peak=document["peak"],
        lost=len(ending) - len(delays),
        ends=len(ending),
    )


def _begun(arguments: Sequence[str], folder: Path, more: dict[str, str]) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW_"))}
    environment |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}", "AIRFLOW_HOME": str(folder / "airflow"), **more}
    environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    with (folder / "errors").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip


def _line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline()  # type: ignore[union-attr]
    if not line:
        raise RuntimeError(f"A process of the benchmark ended (exit status {process.wait()}): {process.args}")
    return line.strip()


def _control(port: int, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    body = None if settings is None else json.dumps(settings).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/_control", data=body, method="GET" if body is None else "PUT"
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
        answer: dict[str, Any] = json.load(response)
    return answer


def _calls(port: int) -> int:
    return sum(_control(port)["calls"].get("sagemaker", {}).values())


def _ends(port: int, ending: Sequence[str]) -> dict[str, float]:
    """When the jobs ended, as SageMaker tells."""
    import boto3

    ends, clients = {}, {}
    _control(port, {})
    for key in ending:
        region, name = key.split("/")
        if region not in clients:
            session = boto3.session.Session("test", "test", region_name=region)
            clients[region] = session.client("sagemaker", endpoint_url=f"http://127.0.0.1:{port}")
        ends[key] = clients[region].describe_training_job(TrainingJobName=name)["LastModifiedTime"].timestamp()
    return ends


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0  # it has just ended


def report(who: str, plan: Plan, found: Measured | None, most_memory: int) -> None:
    """A line of the table."""
    if found is None:
        print(f"{plan.jobs:6d}  {who:16} stopped: it took more than {most_memory / 1e6:.0f} MB", flush=True)
        return
    print(
        f"{plan.jobs:6d}  {who:16} {found.calls:9.1f} {found.median:10.1f} {found.last:8.1f} {found.cpu:9.2f} "
        f"{found.peak / 1e6:9.0f} {found.ends:6d} {found.lost:6d}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 10, 100, 1000], help="(default: 1 10 100 1000)")
    parser.add_argument("--seconds", type=float, default=120, help="over which jobs end (default: 120)")
    parser.add_argument("--seed", type=int, default=7, help="of the plan (default: 7)")
    parser.add_argument("--memory", type=int, default=6000, help="MB that a triggerer may take (default: 6000)")
    parser.add_argument("--only", choices=("ours", "stock", "throttled"), nargs="+", help="a part of it")
    arguments = parser.parse_args()
    parts, most = arguments.only or ("ours", "stock", "throttled"), arguments.memory * 1_000_000
    if "stock" in parts:
        aio_folder()  # before anything is measured: it says what to install where it is not there
    print(f"{os.cpu_count()} cores, seed {arguments.seed}, jobs end over {arguments.seconds:.0f} s")
    print("  jobs  waiting by     calls/min  median s    p99 s     CPU s   peak MB   ends   lost", flush=True)
    for jobs in arguments.jobs:
        plan = drawn(jobs, arguments.seconds, arguments.seed)
        ours = measured("ours", plan, most_memory=most) if "ours" in parts else None
        stock = measured("stock", plan, most_memory=most) if "stock" in parts else None
        if "ours" in parts:
            report("this project", plan, ours, most)
        if "stock" in parts:
            report("stock provider", plan, stock, most)
        if ours and stock:
            print(
                f"        beside the stock's: calls 1/{stock.calls / ours.calls:.1f}, "
                f"median {ours.median / stock.median:.2f}, CPU {ours.cpu / stock.cpu:.2f}, "
                f"memory {ours.peak / stock.peak:.2f}",
                flush=True,
            )
        if "throttled" in parts:
            report("ours, 2 calls/s", plan, measured("ours", plan, throttle=2, most_memory=most), most)


if __name__ == "__main__":
    main()
