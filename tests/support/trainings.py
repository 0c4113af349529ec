"""Requests of training jobs, and waiting for them, for tests against the embedded AWS."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
XGBOOST = f"{REGISTRY}/sagemaker-xgboost:1.7-1"
SKLEARN = f"{REGISTRY}/sagemaker-scikit-learn:1.2-1-cpu-py3"
LINEAR_LEARNER = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"


def numbers(rows: int, seed: int = 1) -> tuple[Any, Any]:
    """Features of shape (rows, 4) and labels of shape (rows,) that can be learned from them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 4))
    return features, 3 * features[:, 0] - features[:, 1] * features[:, 2] + rng.normal(size=rows) * 0.1


def as_csv(*columns: Any) -> str:
    """Columns as CSV without a header."""
    return "".join(",".join(map(repr, row)) + "\n" for row in np.column_stack(columns).tolist())


def channel(name: str, uri: str, content_type: str | None = "text/csv", **more: Any) -> dict[str, Any]:
    """A channel of all objects below a prefix."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, **more.pop("source", {})}
    described: dict[str, Any] = {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}
    return {**described, "ContentType": content_type} if content_type else described


def training_request(name: str, hyperparameters: Mapping[str, object], **changes: Any) -> dict[str, Any]:
    """A CreateTrainingJob request of XGBoost on ``s3://tests/numbers/``; `changes` are its members, None drops one."""
    request = {
        "TrainingJobName": name,
        "HyperParameters": {key: str(value) for key, value in hyperparameters.items()},
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [
            channel("train", f"s3://{BUCKET}/numbers/train/"),
            channel("validation", f"s3://{BUCKET}/numbers/validation/"),
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/trained"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **changes,
    }
    return {member: value for member, value in request.items() if value is not None}


def put_numbers(aws: Running, prefix: str = "numbers") -> None:
    """The channels that `training_request` names."""
    s3 = aws.client("s3")
    for name, seed in (("train", 1), ("validation", 2)):
        features, labels = numbers(300, seed)
        s3.put_object(Bucket=BUCKET, Key=f"{prefix}/{name}/part.csv", Body=as_csv(labels, features))


def finished(aws: Running, name: str) -> dict[str, Any]:
    """The description of a training job when it is over."""
    sagemaker = aws.client("sagemaker")
    return until(
        lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", ("InProgress", "Stopping")
    )


def trained(aws: Running, name: str, hyperparameters: Mapping[str, object], **changes: Any) -> dict[str, Any]:
    """Train, and the description when it is over."""
    aws.client("sagemaker").create_training_job(**training_request(name, hyperparameters, **changes))
    return finished(aws, name)
