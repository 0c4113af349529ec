"""The smallest job of each kind that does real work, and the data that they need."""

from typing import Any

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, table

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
XGBOOST = f"{REGISTRY}/sagemaker-xgboost:1.7-1"
SKLEARN = f"{REGISTRY}/sagemaker-scikit-learn:1.2-1-cpu-py3"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1}

SCRIPT = """import pathlib, shutil
pathlib.Path("/opt/ml/processing/output").mkdir(parents=True, exist_ok=True)
shutil.copy("/opt/ml/processing/input/rows/rows.csv", "/opt/ml/processing/output/rows.csv")
"""


def prepare(aws: Running) -> None:
    """The bucket, and the data of all kinds."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    frame = table(600)
    s3.put_object(Bucket=BUCKET, Key="train/table.csv", Body=frame.to_csv(index=False))
    rows = frame[["a", "b", "c"]][:50].to_csv(index=False, header=False)
    s3.put_object(Bucket=BUCKET, Key="rows/rows.csv", Body=rows)
    numbers = frame.assign(y=frame["a"] + frame["b"])[["y", "a", "b"]]
    s3.put_object(Bucket=BUCKET, Key="numbers/train.csv", Body=numbers.to_csv(index=False, header=False))
    s3.put_object(Bucket=BUCKET, Key="code/script.py", Body=SCRIPT)


def transform_request(name: str, model: str) -> dict[str, Any]:
    """A few rows through a model."""
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": f"s3://{BUCKET}/out/{name}"},
        "TransformResources": CLUSTER,
    }


def processing_request(name: str) -> dict[str, Any]:
    """A script that copies its input."""
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/script.py"],
        },
        "ProcessingResources": {"ClusterConfig": {**CLUSTER, "VolumeSizeInGB": 1}},
        "ProcessingInputs": [
            {
                "InputName": folder,
                "S3Input": {
                    "S3Uri": f"s3://{BUCKET}/{folder}/",
                    "LocalPath": f"/opt/ml/processing/input/{folder}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for folder in ("code", "rows")
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": f"s3://{BUCKET}/out/{name}",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    }


def training_request(name: str) -> dict[str, Any]:
    """Ten small trees."""
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        "HyperParameters": {"num_round": "10", "objective": "reg:squarederror", "max_depth": "3"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/numbers/"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {**CLUSTER, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
