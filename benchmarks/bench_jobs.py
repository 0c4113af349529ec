"""What a job costs beside its own work: ``python -m benchmarks.bench_jobs [--at-once 20]``.

An embedded AWS of its own is started, and every kind of job that it has is run once warm, one at a time, and then many
at once. Printed for each: the time from the answer of Create… until Describe… tells Completed (asked every 10 ms), the
seconds that the job's own function took (the server's log tells them), the difference, which is the overhead, and the
largest memory of the server with all its processes (proportional set size). Beside it, in the same run, what a user
would otherwise start: a fresh Python that imports the library and does nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.local_aws.jobs.memory import proportional_bytes
from tests.support.local_aws import Running, descendants, start
from tests.support.local_aws_requests import BUCKET, ROLE, automl_request
from tests.support.small_jobs import prepare, processing_request, training_request, transform_request

TOLD = re.compile(r"runner: (\S+) (\S+): prepared in \S+ s, process \S+ s \(its function (\S+) s\)")
FRESH = "import pandas, sklearn.pipeline, xgboost"


@dataclass(frozen=True)
class Kind:
    """One kind of job: how one is created, and asked for its status."""

    name: str
    create: Callable[[str], Any]
    status: Callable[[str], str]


@dataclass(frozen=True)
class Measured:
    """Seconds of each job, of its function, and of all together; bytes at the peak."""

    took: list[float]
    worked: list[float]
    total: float
    peak: int


def kinds(aws: Running) -> list[Kind]:
    """What this server can run, in the order of the table; the first one trains the model that the others need."""
    client = aws.client("sagemaker")
    there = set(aws.health()["services"]["sagemaker"])
    found = [
        Kind(
            "automl",
            lambda name: client.create_auto_ml_job_v2(
                **automl_request(
                    name,
                    f"s3://{BUCKET}/train/",
                    CompletionCriteria={"MaxCandidates": 1, "MaxAutoMLJobRuntimeInSeconds": 600},
                )
            ),
            lambda name: client.describe_auto_ml_job_v2(AutoMLJobName=name)["AutoMLJobStatus"],
        ),
        Kind(
            "transform",
            lambda name: client.create_transform_job(**transform_request(name, "model")),
            lambda name: client.describe_transform_job(TransformJobName=name)["TransformJobStatus"],
        ),
    ]
    if "CreateProcessingJob" in there:
        found.append(
            Kind(
                "processing",
                lambda name: client.create_processing_job(**processing_request(name)),
                lambda name: client.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"],
            )
        )
    if "CreateTrainingJob" in there:
        found.append(
            Kind(
                "training",
                lambda name: client.create_training_job(**training_request(name)),
                lambda name: client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"],
            )
        )
    return found


def until_over(kind: Kind, names: list[str], created: dict[str, float]) -> list[float]:
    """Seconds of each job, from its creation's answer."""
    took: dict[str, float] = {}
    while len(took) < len(names):
        for name in names:
            if name not in took:
                status = kind.status(name)
                if status == "Completed":
                    took[name] = time.perf_counter() - created[name]
                elif status not in ("InProgress", "Starting"):
                    raise RuntimeError(f"The {kind.name} job {name} is {status}.")
        time.sleep(0.01)
    return [took[name] for name in names]


def measure(aws: Running, kind: Kind, names: list[str]) -> Measured:
    """Create all at once and wait for all."""
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        over = False
        while not over:
            pids = {aws.process.pid, *descendants(aws.process.pid)}
            peak = max(peak, sum(proportional_bytes(pid) for pid in pids))
            over = done.wait(0.2)

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.perf_counter()
    created = {}
    for name in names:
        kind.create(name)
        created[name] = time.perf_counter()
    took = until_over(kind, names, created)
    total = time.perf_counter() - began
    done.set()
    watching.join()
    return Measured(took, worked(aws.data / "server.log", names), total, peak)


def worked(log: Path, names: list[str]) -> list[float]:
    """The seconds of each job's own function, which the server writes after the job's last status."""
    deadline = time.monotonic() + 10
    while True:
        found = {match[2]: float(match[3]) for match in TOLD.finditer(log.read_text())}
        if all(name in found for name in names):
            return [found[name] for name in names]
        if time.monotonic() > deadline:
            raise RuntimeError(f"The server's log {log} does not tell how long {names} ran.")
        time.sleep(0.05)


def fresh() -> float:
    """Seconds of a new Python that imports what a job finds warm."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", FRESH], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--at-once", type=int, default=20, help="jobs created at once (default: 20)")
    parser.add_argument("--repeat", type=int, default=5, help="jobs one after another (default: 5)")
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        aws = start(Path(folder) / "aws")
        try:
            prepare(aws)
            fresh()
            processes = [fresh() for _ in range(arguments.repeat)]
            print(f"{cores} cores; a fresh Python that imports the libraries: {statistics.median(processes):.2f} s")
            print("seconds, medians     job   its work  overhead (largest)   fresh/overhead   peak MB")
            for kind in kinds(aws):
                measure(aws, kind, [f"{kind.name}-warm"])
                if kind.name == "automl":
                    answer = aws.client("sagemaker").describe_auto_ml_job_v2(AutoMLJobName="automl-warm")
                    containers = answer["BestCandidate"]["InferenceContainers"]
                    aws.client("sagemaker").create_model(
                        ModelName="model", Containers=containers, ExecutionRoleArn=ROLE
                    )
                report(aws, kind, arguments.repeat, arguments.at_once, cores, statistics.median(processes))
        finally:
            aws.stop()


def report(aws: Running, kind: Kind, repeat: int, at_once: int, cores: int, other: float) -> None:
    """The two lines of a kind: one at a time, and many at once."""
    single = [measure(aws, kind, [f"{kind.name}-{number}"]) for number in range(repeat)]
    overheads = [each.took[0] - each.worked[0] for each in single]
    took, work, over = (
        statistics.median(values)
        for values in ([each.took[0] for each in single], [each.worked[0] for each in single], overheads)
    )
    peak = max(each.peak for each in single) / 1e6
    print(
        f"{kind.name:12} one  {took:8.3f}   {work:8.3f}  {over:8.3f} ({max(overheads):.3f})"
        f"  {other / over:12.1f}   {peak:10.0f}"
    )
    if kind.name == "automl":
        at_once = min(at_once, 4)
    many = measure(aws, kind, [f"{kind.name}-many-{number}" for number in range(at_once)])
    lanes = max(1, cores // 2) if kind.name == "automl" else cores  # a search has two processes
    over = (many.total - sum(many.worked) / lanes) / at_once
    print(
        f"{kind.name:12} {at_once:3d}  {many.total:8.3f}   {sum(many.worked):8.3f}  {over:8.3f} a job"
        f"   {other / over if over > 0 else float('inf'):12.1f}   {many.peak / 1e6:10.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
