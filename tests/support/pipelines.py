"""Definitions of SageMaker pipelines for tests, and running them."""

import itertools
import json
from typing import Any

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until
from tests.support.processing import INPUT, SKLEARN, cluster, source, target

_numbers = itertools.count()


def get(path: str) -> dict[str, str]:
    """A reference."""
    return {"Get": path}


def join(*values: Any, on: str = "/") -> dict[str, Any]:
    """Values put together."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def parameter(name: str, kind: str = "String", **more: Any) -> dict[str, Any]:
    """A parameter."""
    return {"Name": name, "Type": kind, **more}


def step(name: str, kind: str, arguments: Any, **more: Any) -> dict[str, Any]:
    """A step."""
    return {"Name": name, "Type": kind, "Arguments": arguments, **more}


def document(*steps: Any, parameters: Any = (), **more: Any) -> str:
    """A definition's text."""
    return json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps), **more})


def processing(aws: Running, script: str, *, inputs: Any = (), outputs: Any = (), **changed: Any) -> dict[str, Any]:
    """Arguments of a Processing step that runs a script, which this uploads."""
    key = f"pipelines/code-{next(_numbers)}/code.py"
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=script.encode())
    return {
        "ProcessingResources": cluster(1),
        "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", f"{INPUT}/code/code.py"]},
        "ProcessingInputs": [source("code", f"s3://{BUCKET}/{key}"), *inputs],
        "ProcessingOutputConfig": {"Outputs": list(outputs)},
        "RoleArn": ROLE,
        **changed,
    }


def output(name: str, uri: Any) -> dict[str, Any]:
    """A processing output, whose place may be an expression."""
    described = target(name, "")
    described["S3Output"]["S3Uri"] = uri
    return described


def create(aws: Running, *steps: Any, **more: Any) -> str:
    """A new pipeline; the answer is its name."""
    name = f"pipeline-{next(_numbers)}"
    aws.client("sagemaker").create_pipeline(
        PipelineName=name, PipelineDefinition=document(*steps, **more), RoleArn=ROLE
    )
    return name


def start(aws: Running, name: str, **given: str) -> str:
    """A new execution with these parameters; the answer is its ARN."""
    answer = aws.client("sagemaker").start_pipeline_execution(
        PipelineName=name, PipelineParameters=[{"Name": key, "Value": value} for key, value in given.items()]
    )
    return str(answer["PipelineExecutionArn"])


def ended(aws: Running, arn: str) -> dict[str, Any]:
    """The description of an execution that is over."""
    sagemaker = aws.client("sagemaker")
    return until(
        lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn),
        "PipelineExecutionStatus",
        ("Executing", "Stopping"),
    )


def steps(aws: Running, arn: str) -> dict[str, dict[str, Any]]:
    """An execution's steps by name, in the order of their start."""
    pages = aws.client("sagemaker").get_paginator("list_pipeline_execution_steps")
    found = pages.paginate(PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"PageSize": 2})
    return {each["StepName"]: each for page in found for each in page["PipelineExecutionSteps"]}


def statuses(aws: Running, arn: str) -> dict[str, str]:
    """The statuses of an execution's steps by name."""
    return {name: each["StepStatus"] for name, each in steps(aws, arn).items()}
