"""What a tuning job costs: ``python -m benchmarks.bench_tuning [--jobs 20] [--parallel 2]``.

An embedded AWS of its own tunes small XGBoost trainings (10 rounds on 300 rows), cold first, then warm with each
strategy. Printed for each: seconds from the answer of Create… until Describe… tells Completed (asked every 20 ms),
the same per training job, and the best value found. The limit to hold is 10 seconds for 20 trainings, two at a time,
once warm.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.local_aws import Running, start
from tests.support.local_aws_requests import BUCKET
from tests.support.tuning_requests import ranges, request, upload

LIMIT_SECONDS = 10.0


def tuned(aws: Running, name: str, strategy: str, jobs: int, parallel: int) -> tuple[float, dict[str, Any]]:
    """Seconds of one tuning job, and its description."""
    sagemaker = aws.client("sagemaker")
    limits = {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": parallel}
    settings: dict[str, Any] = {
        "Strategy": strategy,
        "ResourceLimits": limits,
        "ParameterRanges": ranges(
            integer={"max_depth": (2, 8)}, continuous={"eta": (0.05, 0.9), "subsample": (0.5, 1)}
        ),
    }
    if strategy == "Hyperband":
        settings["StrategyConfig"] = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 10}}
    sagemaker.create_hyper_parameter_tuning_job(**request(name, tuning=settings))
    began = time.perf_counter()
    while True:
        answer = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if answer["HyperParameterTuningJobStatus"] != "InProgress":
            break
        time.sleep(0.02)
    took = time.perf_counter() - began
    if answer["HyperParameterTuningJobStatus"] != "Completed":
        raise RuntimeError(f"The tuning job {name} is {answer['HyperParameterTuningJobStatus']}: {answer}.")
    return took, answer


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=20, help="training jobs of a tuning job (default: 20)")
    parser.add_argument("--parallel", type=int, default=2, help="training jobs at a time (default: 2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        aws = start(Path(folder) / "aws")
        try:
            aws.client("s3").create_bucket(Bucket=BUCKET)
            upload(aws.client("s3"))
            print(f"{os.cpu_count()} cores; {arguments.jobs} trainings, {arguments.parallel} at a time")
            print("strategy          seconds  s/training  best validation:rmse")
            slowest = 0.0
            for strategy in ("cold", "Random", "Bayesian", "Hyperband"):
                cold = strategy == "cold"
                took, answer = tuned(
                    aws, f"bench-{strategy}", "Random" if cold else strategy, arguments.jobs, arguments.parallel
                )
                best = answer["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
                print(f"{strategy:16} {took:8.2f} {took / arguments.jobs:11.3f} {best:21.4f}")
                slowest = slowest if cold else max(slowest, took)
            print(f"slowest once warm: {slowest:.2f} s (limit for 20, 2 at a time: {LIMIT_SECONDS:.0f} s)")
        finally:
            aws.stop()


if __name__ == "__main__":
    main()
