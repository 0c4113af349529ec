"""Training, models and endpoints of a framework image with scripts of the tests."""

import io
import itertools
import tarfile
from collections.abc import Mapping
from typing import Any

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until
from tests.support.processing import SKLEARN

_numbers = itertools.count()
MULTIPLIER = """
def model_fn(model_dir):
    return {factor}

def input_fn(body, content_type):
    return [float(line.split(",")[0]) for line in body.split()]

def predict_fn(values, factor):
    if {fails} and values[0] != 7.0:
        raise RuntimeError("no idea")
    return [value * factor for value in values]

def output_fn(values, accept):
    return "".join(f"{{value}}\\n" for value in values), "text/csv"
"""
"""A model that multiplies the first cell of a row; one that fails does so for every row but a 7."""


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A tar.gz of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return out.getvalue()


def create_multiplier(
    s3: Any, sagemaker: Any, name: str, bucket: str, tags: list[dict[str, str]], *, factor: float, fails: bool
) -> None:
    """Upload and create such a model."""
    key = f"{name}/model.tar.gz"
    body = archive({"code/inference.py": MULTIPLIER.format(factor=factor, fails=fails)})
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": SKLEARN, "ModelDataUrl": f"s3://{bucket}/{key}", "Environment": environment}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=tags)


def put_source(aws: Running, files: Mapping[str, str | bytes]) -> str:
    """Upload a source directory; the answer is the URI of its sourcedir.tar.gz."""
    key = f"source/{next(_numbers)}/sourcedir.tar.gz"
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive(files))
    return f"s3://{BUCKET}/{key}"


def channel(name: str, uri: str) -> dict[str, Any]:
    """A channel of one S3 prefix."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}


def request(name: str, hyperparameters: Mapping[str, str] | None = None, **changed: Any) -> dict[str, Any]:
    """A CreateTrainingJob request of the scikit-learn image."""
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": SKLEARN, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/trained"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "HyperParameters": dict(hyperparameters or {}),
        **changed,
    }


def train(aws: Running, body: dict[str, Any]) -> dict[str, Any]:
    """Create a training job, and answer its description when it is over."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**body)
    return until(
        lambda: sagemaker.describe_training_job(TrainingJobName=body["TrainingJobName"]),
        "TrainingJobStatus",
        ("InProgress", "Stopping"),
    )


def unpacked(aws: Running, uri: str) -> dict[str, bytes]:
    """The files of an archive in S3."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        found = {each.name: tar.extractfile(each) for each in tar.getmembers() if each.isfile()}
        return {name: file.read() for name, file in found.items() if file is not None}


def serve(aws: Running, name: str, *containers: dict[str, Any]) -> dict[str, Any]:
    """Put a model of these containers behind an endpoint of the same name; its description when it is settled."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(ModelName=name, Containers=list(containers), ExecutionRoleArn=ROLE)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return until(lambda: sagemaker.describe_endpoint(EndpointName=name), "EndpointStatus", ("Creating",))


def invoke(
    aws: Running, name: str, body: bytes | str, content_type: str = "text/csv", **more: Any
) -> tuple[bytes, str]:
    """Body and content type of an endpoint's answer."""
    runtime = aws.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=content_type, **more)
    return answer["Body"].read(), answer["ContentType"]
