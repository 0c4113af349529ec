"""CreateHyperParameterTuningJob requests for tests."""

import io
import tarfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tests.support.local_aws_requests import BUCKET, ROLE

XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


def channel(name: str, uri: str, content_type: str = "text/csv") -> dict[str, Any]:
    """A channel of one S3 prefix."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": content_type, "DataSource": {"S3DataSource": source}}


def ranges(
    integer: dict[str, tuple[int, int]] | None = None,
    continuous: dict[str, tuple[float, float]] | None = None,
    categorical: dict[str, list[str]] | None = None,
    scaling: str = "Auto",
) -> dict[str, Any]:
    """ParameterRanges, by name."""

    def ends(each: tuple[str, tuple[float, float]]) -> dict[str, str]:
        name, (low, high) = each
        return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}

    return {
        "IntegerParameterRanges": [ends(each) for each in (integer or {}).items()],
        "ContinuousParameterRanges": [ends(each) for each in (continuous or {}).items()],
        "CategoricalParameterRanges": [{"Name": key, "Values": values} for key, values in (categorical or {}).items()],
    }


def definition(**changed: Any) -> dict[str, Any]:
    """A TrainingJobDefinition of xgboost on the CSV channels of the tests' bucket; None leaves a member out."""
    body = {
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [
            channel("train", f"s3://{BUCKET}/tuning/train/"),
            channel("validation", f"s3://{BUCKET}/tuning/validation/"),
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/tuned"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "StaticHyperParameters": {"objective": "reg:squarederror", "num_round": "10"},
        **changed,
    }
    return {key: value for key, value in body.items() if value is not None}


def config(**changed: Any) -> dict[str, Any]:
    """A HyperParameterTuningJobConfig: random search of two hyperparameters; None leaves a member out."""
    body = {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": ranges(integer={"max_depth": (2, 6)}, continuous={"eta": (0.05, 0.5)}),
        "RandomSeed": 1,
        **changed,
    }
    return {key: value for key, value in body.items() if value is not None}


def request(name: str, *, tuning: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request; `tuning` changes its configuration, None leaves a member out."""
    body = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": config(**(tuning or {})),
        "TrainingJobDefinition": definition(),
        **changed,
    }
    return {key: value for key, value in body.items() if value is not None}


SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"

SCRIPT = """
import argparse, os, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("--level", type=float, default=1.0)
parser.add_argument("--steps", type=int, default=1)
parser.add_argument("--delay", type=float, default=0.0)
parser.add_argument("--fail", default="no")
given, _ = parser.parse_known_args()
if given.fail == "yes":
    sys.exit("this script was told to fail")
for step in range(1, given.steps + 1):
    print(f"score={given.level * step};" if given.fail != "silent" else "nothing to tell")
    time.sleep(given.delay)
with open(os.path.join(os.environ["SM_MODEL_DIR"], "level"), "w") as file:
    file.write(str(given.level))
"""
"""A training whose score rises by its level at every step, as slowly as it is told."""


def upload(s3: Any) -> None:
    """Put a small regression table, label first, and `SCRIPT` into the tests' bucket."""
    rng = np.random.default_rng(1)
    for part, rows in (("train", 300), ("validation", 150)):
        x = rng.normal(size=(rows, 4))
        y = 2 * x[:, 0] + x[:, 1] ** 2 + rng.normal(size=rows) * 0.2
        body = pd.DataFrame(np.c_[y, x]).to_csv(index=False, header=False)
        s3.put_object(Bucket=BUCKET, Key=f"tuning/{part}/part.csv", Body=body)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("train.py")
        entry.size = len(SCRIPT)
        archive.addfile(entry, io.BytesIO(SCRIPT.encode()))
    s3.put_object(Bucket=BUCKET, Key="tuning/sourcedir.tar.gz", Body=packed.getvalue())


def script_request(name: str, static: dict[str, str], levels: list[str], **tuning: Any) -> dict[str, Any]:
    """A request that tries these levels with `SCRIPT`, in any order, one after the other unless `tuning` says more."""
    parallel = {"MaxParallelTrainingJobs": 1}
    limits = {"MaxNumberOfTrainingJobs": len(levels), **parallel, **tuning.pop("limits", {})}
    program = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": f"s3://{BUCKET}/tuning/sourcedir.tar.gz",
    }
    body = definition(
        AlgorithmSpecification={
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "score", "Regex": r"score=([0-9.]+);"}],
        },
        InputDataConfig=None,
        StaticHyperParameters={**program, **static},
    )
    settings = {
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
        "ParameterRanges": ranges(categorical={"level": levels}),
        "ResourceLimits": limits,
        **tuning,
    }
    return request(name, tuning=settings, TrainingJobDefinition=body)


def found(find: Callable[[], list[Any]]) -> list[Any]:
    """Ask until there is something; logs are shipped a moment later, training jobs are started so."""
    deadline = time.monotonic() + 60
    while not (answer := find()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer
