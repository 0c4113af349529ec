"""Requests per second of the embedded AWS's endpoints: ``python -m benchmarks.bench_endpoint [--seconds 10]``.

An embedded AWS of its own is started, a model of each kind of container is trained and put behind an endpoint, and
`--callers` connections that are kept ask for the prediction of one CSV row, as fast as they are answered, from this
one process. Printed for each: requests per second, the 50th and 99th percentile of an answer's time, answers that are
no 200, and requests without an answer. At last the endpoint of xgboost is updated five times under the same load.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.load import Answers, Load
from tests.support.local_aws import Running, start
from tests.support.local_aws_requests import BUCKET, ROLE, automl_request, table, until
from tests.support.trainings import LINEAR_LEARNER, XGBOOST, put_numbers, trained

BUSY = ("Creating", "Updating", "RollingBack")
SWAPS = 5


@dataclass(frozen=True)
class Kind:
    """A container, what it is made of, and the row that it is asked for."""

    name: str
    containers: list[dict[str, Any]]
    row: bytes


def kinds(aws: Running) -> list[Kind]:
    """Train a small model of each kind."""
    put_numbers(aws)
    found = []
    algorithms: Mapping[str, tuple[str, dict[str, object]]] = {
        "xgboost": (XGBOOST, {"num_round": 100, "objective": "reg:squarederror"}),
        "linear-learner": (LINEAR_LEARNER, {"predictor_type": "regressor"}),
    }
    for name, (image, hyperparameters) in algorithms.items():
        specification = {"TrainingImage": image, "TrainingInputMode": "File"}
        answer = trained(aws, name, hyperparameters, AlgorithmSpecification=specification)
        data = answer["ModelArtifacts"]["S3ModelArtifacts"]
        found.append(Kind(name, [{"Image": image, "ModelDataUrl": data}], b"0.5,-1.0,0.25,2.0\n"))
    aws.client("s3").put_object(Bucket=BUCKET, Key="table/table.csv", Body=table(600).to_csv(index=False))
    sagemaker = aws.client("sagemaker")
    sagemaker.create_auto_ml_job_v2(**automl_request("autopilot", f"s3://{BUCKET}/table/"))
    answer = until(
        lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName="autopilot"), "AutoMLJobStatus", ("InProgress",)
    )
    containers = answer["BestCandidate"]["InferenceContainers"]
    return [*found, Kind("autopilot", containers, b"2.0,2.0,x\n")]


def configure(aws: Running, name: str, model: str) -> str:
    """An endpoint configuration of one variant."""
    aws.client("sagemaker").create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "champion",
                "ModelName": model,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
            }
        ],
    )
    return name


def settle(aws: Running, name: str) -> dict[str, Any]:
    """Wait until the endpoint's status is none on the way."""
    return until(lambda: aws.client("sagemaker").describe_endpoint(EndpointName=name), "EndpointStatus", BUSY)


def row(name: str, answers: Answers, took: float) -> str:
    """A line of the table."""
    wrong = sum(count for status, count in answers.statuses.items() if status != 200)
    p50, p99 = (1000 * answers.latency(share) for share in (0.5, 0.99))
    rate = len(answers.seconds) / took
    for said in dict.fromkeys([*answers.refused, *answers.lost]):
        print(f"{name}: {said}", file=sys.stderr)
    return f"| {name} | {rate:,.0f} | {p50:.1f} | {p99:.1f} | {wrong} | {len(answers.lost)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--callers", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        aws = start(Path(directory) / "aws")
        try:
            aws.client("s3").create_bucket(Bucket=BUCKET)
            sagemaker = aws.client("sagemaker")
            print("| container | requests/s | p50 ms | p99 ms | not 200 | lost |\n|---|---|---|---|---|---|")
            found = kinds(aws)
            for kind in found:
                sagemaker.create_model(ModelName=kind.name, Containers=kind.containers, ExecutionRoleArn=ROLE)
                sagemaker.create_endpoint(
                    EndpointName=kind.name, EndpointConfigName=configure(aws, kind.name, kind.name)
                )
                settle(aws, kind.name)
                began = time.perf_counter()
                with Load(aws.port, kind.name, kind.row, callers=options.callers) as load:
                    time.sleep(options.seconds)
                print(row(kind.name, load.answers, time.perf_counter() - began), flush=True)
            began = time.perf_counter()
            with Load(aws.port, "xgboost", found[0].row, callers=options.callers) as load:
                for number in range(SWAPS):
                    config = configure(aws, f"swap-{number}", "xgboost")
                    sagemaker.update_endpoint(EndpointName="xgboost", EndpointConfigName=config)
                    answer = settle(aws, "xgboost")
                    if answer["EndpointConfigName"] != config:
                        raise RuntimeError(f"The update to {config} failed: {answer.get('FailureReason')}")
            print(row(f"xgboost, {SWAPS} swaps", load.answers, time.perf_counter() - began))
        finally:
            aws.stop()


if __name__ == "__main__":
    main()
