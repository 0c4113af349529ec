"""The request of a processing job that runs a script of a source directory.

Held by a test against what the pinned SageMaker SDK's ``FrameworkProcessor`` sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker import sourcedir
from automl_retraining.sagemaker.requests import Options, optional, vpc

INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
_MOST_CHANNELS = 10
"""Inputs, and outputs, of one job (API reference, CreateProcessingJob)."""


class ProcessingOptions(Options):
    """A script of a source directory in a container. Inputs and outputs are S3 URIs by channel name.

    A channel is a folder of its name below ``/opt/ml/processing/input`` or ``/opt/ml/processing/output``.
    """

    image_uri: str
    role_arn: str
    code_uri: str
    entrypoint_uri: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = Field(default_factory=dict)
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(1, ge=1)
    volume_gb: int = Field(30, ge=1)
    max_run_time: int = Field(3600, ge=1)
    kms_key: str | None = None
    volume_kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()


def create_processing_job(
    name: str, options: ProcessingOptions, tags: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """The arguments of ``create_processing_job``.

    Raises:
        RequestError: more channels than SageMaker takes, or a location that is no S3 URI.
    """
    if len(options.inputs) + 2 > _MOST_CHANNELS or len(options.outputs) > _MOST_CHANNELS:
        raise RequestError(
            f"processing job {name}: expected at most {_MOST_CHANNELS - 2} inputs beside the code and {_MOST_CHANNELS} "
            f"outputs, found {len(options.inputs)} and {len(options.outputs)}"
        )
    for channel, uri in {**options.inputs, **options.outputs}.items():
        if not uri.startswith("s3://"):
            raise RequestError(f"processing job {name}: channel {channel}: expected an S3 URI, found {uri!r}")
    inputs = [_input(channel, uri, f"{INPUT}/{channel}") for channel, uri in options.inputs.items()]
    inputs.append(_input("code", options.code_uri, sourcedir.CODE_PATH))
    inputs.append(_input("entrypoint", options.entrypoint_uri, sourcedir.ENTRYPOINT_PATH))
    request: dict[str, Any] = {
        "ProcessingJobName": name,
        "ProcessingInputs": inputs,
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": channel,
                    "S3Output": {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{channel}", "S3UploadMode": "EndOfJob"},
                }
                for channel, uri in options.outputs.items()
            ],
            **optional(KmsKeyId=options.kms_key),
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": options.instance_type,
                "InstanceCount": options.instance_count,
                "VolumeSizeInGB": options.volume_gb,
                **optional(VolumeKmsKeyId=options.volume_kms_key),
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": options.max_run_time},
        "AppSpecification": {
            "ImageUri": options.image_uri,
            "ContainerEntrypoint": ["/bin/bash", f"{sourcedir.ENTRYPOINT_PATH}/{sourcedir.RUN}"],
            **({"ContainerArguments": list(options.arguments)} if options.arguments else {}),
        },
        "RoleArn": options.role_arn,
    }
    if options.environment:
        request["Environment"] = dict(options.environment)
    network = vpc(options.subnets, options.security_group_ids)
    if network:
        request["NetworkConfig"] = {"VpcConfig": network}
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request


def _input(name: str, uri: str, path: str) -> dict[str, Any]:
    return {
        "InputName": name,
        "S3Input": {
            "S3Uri": uri,
            "LocalPath": path,
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            "S3DataDistributionType": "FullyReplicated",
            "S3CompressionType": "None",
        },
    }
