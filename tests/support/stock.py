"""The stock Amazon provider on the embedded AWS: its connection, a task's context, a world of finished jobs."""

import inspect
import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tests.support.housing import (
    BUCKET,
    ROLE,
    SKLEARN,
    XGBOOST,
    training_request,
    transform_request,
    tuning_request,
    variant,
)

ROLE_NAME = "stock"
"""Given by its name, which the operators look up in IAM."""

SCRIPT = """
import json, pathlib
rows = sum(len(path.read_text().splitlines()) for path in pathlib.Path("/opt/ml/processing/input/data").iterdir())
(pathlib.Path("/opt/ml/processing/output/report") / "report.json").write_text(json.dumps({"rows": rows}))
"""


@dataclass(frozen=True)
class World:
    """Clients of the embedded AWS, and the names of what is there."""

    sagemaker: Any
    s3: Any
    model: str
    artifact: str
    training: str


def connection(url: str) -> dict[str, str]:
    """The environment that gives Airflow its AWS connection."""
    extra = {"region_name": "us-east-1", "endpoint_url": url}
    described = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    return {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(described)}


def make_world(client: Any, name: str) -> World:
    """Train and make a model of this name; `client` makes clients by the name of their service.

    The table is there already.
    """
    sagemaker, s3, iam = client("sagemaker"), client("s3"), client("iam")
    roles = {each["RoleName"] for each in iam.list_roles()["Roles"]}
    if ROLE_NAME not in roles:
        iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument="{}", Path="/service-role/")
    s3.put_object(Bucket=BUCKET, Key="stock/code/report.py", Body=SCRIPT.encode())
    sagemaker.create_training_job(**training_request(name))
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 90})
    artifact = sagemaker.describe_training_job(TrainingJobName=name)["ModelArtifacts"]["S3ModelArtifacts"]
    sagemaker.create_model(**model_config(name, artifact, role=ROLE))
    return World(sagemaker, s3, name, artifact, name)


def classes(module: ModuleType, base: type) -> Iterator[type]:
    """The classes that a module itself defines below `base`, public ones that can be used as they are."""
    for name, each in sorted(vars(module).items()):
        is_own = inspect.isclass(each) and each.__module__ == module.__name__
        if is_own and issubclass(each, base) and "Base" not in name and not name.startswith("_"):
            yield each


def model_config(name: str, artifact: str, *, role: str = ROLE_NAME) -> dict[str, Any]:
    """The configuration of SageMakerModelOperator."""
    container = {"Image": XGBOOST, "ModelDataUrl": artifact}
    return {"ModelName": name, "ExecutionRoleArn": role, "PrimaryContainer": container}


def training_config(name: str) -> dict[str, Any]:
    """The configuration of SageMakerTrainingOperator, numbers as texts as a template renders them."""
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": "1", "VolumeSizeInGB": "10"}
    return training_request(name, RoleArn=ROLE_NAME, ResourceConfig=resources)


def slow_training_config(name: str) -> dict[str, Any]:
    """One that would train for minutes, were it not stopped."""
    config = training_config(name)
    return {**config, "HyperParameters": {**config["HyperParameters"], "num_round": "60000"}}


def direct(config: Mapping[str, Any]) -> dict[str, Any]:
    """A training or processing operator's configuration as a request: the role's ARN, and numbers for texts."""
    request = {**deepcopy(dict(config)), "RoleArn": ROLE}
    cluster = request.get("ResourceConfig") or request["ProcessingResources"]["ClusterConfig"]
    cluster.update(InstanceCount=1, VolumeSizeInGB=10)
    return request


def tuning_config(name: str) -> dict[str, Any]:
    """The configuration of SageMakerTuningOperator."""
    config = tuning_request(name, jobs=2)
    config["TrainingJobDefinition"]["RoleArn"] = ROLE_NAME
    return config


def transform_config(name: str, world: World) -> dict[str, Any]:
    """The configuration of SageMakerTransformOperator, which makes its model first."""
    role = {"Model": model_config(name, world.artifact)}
    return {**role, "Transform": transform_request(name, name)}


def processing_config(name: str) -> dict[str, Any]:
    """The configuration of SageMakerProcessingOperator: count the table's rows."""

    def given(of: str, uri: str) -> dict[str, Any]:
        local = f"/opt/ml/processing/input/{of}"
        source = {"S3Uri": uri, "LocalPath": local, "S3DataType": "S3Prefix", "S3InputMode": "File"}
        return {"InputName": of, "S3Input": source}

    target = {
        "S3Uri": f"s3://{BUCKET}/stock/{name}",
        "LocalPath": "/opt/ml/processing/output/report",
        "S3UploadMode": "EndOfJob",
    }
    cluster = {"InstanceCount": "1", "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": "10"}
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE_NAME,
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/report.py"],
        },
        "ProcessingInputs": [
            given("code", f"s3://{BUCKET}/stock/code/"),
            given("data", f"s3://{BUCKET}/ames/train/"),
        ],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": target}]},
    }


def endpoint_config(name: str, model: str) -> dict[str, Any]:
    """The configuration of SageMakerEndpointConfigOperator."""
    return {"EndpointConfigName": name, "ProductionVariants": [variant("v", model)]}


def automl_arguments(name: str, *, candidates: int = 1) -> dict[str, Any]:
    """Arguments of SageMakerAutoMLOperator for a small search."""
    extras = {
        "AutoMLJobConfig": {"CompletionCriteria": {"MaxCandidates": candidates}, "Mode": "ENSEMBLING"},
        "ProblemType": "Regression",
        "AutoMLJobObjective": {"MetricName": "MSE"},
    }
    return {
        "job_name": name,
        "s3_input": f"s3://{BUCKET}/stock/automl/train.csv",
        "target_attribute": "price",
        "s3_output": f"s3://{BUCKET}/stock/automl/out",
        "role_arn": ROLE,
        "extras": extras,
    }


def create_pipeline(world: World, name: str, *, slow: bool = False) -> None:
    """A pipeline of one training step, which takes minutes where it is `slow`."""
    arguments = direct((slow_training_config if slow else training_config)(name))
    del arguments["TrainingJobName"]
    step = {"Name": "Train", "Type": "Training", "Arguments": arguments}
    definition = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [step]})
    token = name.ljust(32, "-")
    world.sagemaker.create_pipeline(
        PipelineName=name, PipelineDefinition=definition, ClientRequestToken=token, RoleArn=ROLE
    )
