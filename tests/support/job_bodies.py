"""What the records of jobs that are over hold: one of each kind that is a trial component."""

from typing import Any

from tests.support.tuning_requests import channel

TRAINING: dict[str, Any] = {
    "secondary": "Completed",
    "model": "s3://tests/out/model.tar.gz",
    "started": 2.0,
    "ended": 3.0,
    "request": {
        "TrainingJobName": "job",
        "HyperParameters": {"eta": "0.3", "objective": "reg:squarederror", "odd": "nan"},
        "AlgorithmSpecification": {"TrainingImage": "registry/xgboost:1", "TrainingInputMode": "File"},
        "InputDataConfig": [channel("train", "s3://tests/train/"), channel("odd", "s3://tests/odd/", "text/csv; q=1")],
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 5},
        "ExperimentConfig": {"TrialComponentDisplayName": "shown"},
    },
}
PROCESSING: dict[str, Any] = {
    "message": "done",
    "request": {
        "AppSpecification": {"ImageUri": "registry/sklearn:1"},
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
        "ProcessingInputs": [{"InputName": "raw", "S3Input": {"S3Uri": "s3://tests/raw/"}}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "ready", "S3Output": {"S3Uri": "s3://tests/ready"}}]},
    },
}
TRANSFORM: dict[str, Any] = {
    "failure": "ClientError: no",
    "containers": [{"Image": "registry/xgboost:1", "ModelDataUrl": "s3://tests/model.tar.gz"}],
    "request": {
        "ModelName": "model",
        "TransformInput": {
            "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://tests/in/"}},
        },
        "TransformOutput": {"S3OutputPath": "s3://tests/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    },
}
