"""The request of a training job of a built-in algorithm or of a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker.requests import Options, optional, vpc


class TrainingOptions(Options):
    """One training. Channels are S3 prefixes by name; hyperparameters are texts, as the API takes them.

    ``max_wait`` (seconds, spot only) bounds waiting for capacity and training together. ``metrics`` are regular
    expressions by metric name for a script's log; a built-in algorithm has its own.
    """

    image_uri: str
    role_arn: str
    output_uri: str
    channels: Mapping[str, str]
    hyperparameters: Mapping[str, str] = Field(default_factory=dict)
    content_type: str = "text/csv"
    content_types: Mapping[str, str] = Field(default_factory=dict, description="of channels that differ")
    metrics: Mapping[str, str] = Field(default_factory=dict)
    environment: Mapping[str, str] = Field(default_factory=dict)
    instance_type: str = "ml.m5.large"
    instance_count: int = Field(1, ge=1)
    volume_gb: int = Field(30, ge=1)
    max_run_time: int = Field(3600, ge=1)
    spot: bool = False
    max_wait: int | None = None
    checkpoint_uri: str | None = None
    kms_key: str | None = None
    volume_kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()


def create_training_job(name: str, options: TrainingOptions, tags: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """The arguments of ``create_training_job``.

    Raises:
        RequestError: see `definition`.
    """
    request = {
        "TrainingJobName": name,
        "HyperParameters": dict(options.hyperparameters),
        **definition(options),
    }
    if tags:
        request["Tags"] = [dict(tag) for tag in tags]
    return request


def definition(options: TrainingOptions) -> dict[str, Any]:
    """What a training job and a tuning job's definition of one share: all but names and hyperparameters.

    Raises:
        RequestError: no channel, a location that is no S3 URI, or spot limits that SageMaker would refuse.
    """
    if not options.channels:
        raise RequestError("training: expected at least one channel, found none")
    for channel, uri in {**options.channels, "output": options.output_uri}.items():
        if not uri.startswith("s3://"):
            raise RequestError(f"training: {channel}: expected an S3 URI (s3://bucket/key), found {uri!r}")
    return {
        "AlgorithmSpecification": {
            "TrainingImage": options.image_uri,
            "TrainingInputMode": "File",
            **(
                {"MetricDefinitions": [{"Name": key, "Regex": regex} for key, regex in options.metrics.items()]}
                if options.metrics
                else {}
            ),
        },
        "RoleArn": options.role_arn,
        "InputDataConfig": [
            {
                "ChannelName": channel,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": uri,
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
                "ContentType": options.content_types.get(channel, options.content_type),
                "CompressionType": "None",
            }
            for channel, uri in options.channels.items()
        ],
        "OutputDataConfig": {"S3OutputPath": options.output_uri, **optional(KmsKeyId=options.kms_key)},
        "ResourceConfig": {
            "InstanceType": options.instance_type,
            "InstanceCount": options.instance_count,
            "VolumeSizeInGB": options.volume_gb,
            **optional(VolumeKmsKeyId=options.volume_kms_key),
        },
        **_stopping(options),
        **({"Environment": dict(options.environment)} if options.environment else {}),
        **optional(VpcConfig=vpc(options.subnets, options.security_group_ids)),
    }


def _stopping(options: TrainingOptions) -> dict[str, Any]:
    if not options.spot:
        if options.max_wait is not None:
            raise RequestError(
                f"max_wait: expected none without spot training, found {options.max_wait} s: say spot: true or drop it"
            )
        return {"StoppingCondition": {"MaxRuntimeInSeconds": options.max_run_time}}
    most = options.max_wait if options.max_wait is not None else 2 * options.max_run_time
    if most < options.max_run_time:
        raise RequestError(
            f"max_wait: expected at least max_run_time ({options.max_run_time} s), as it bounds waiting and training "
            f"together, found {most} s"
        )
    return {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": options.max_run_time, "MaxWaitTimeInSeconds": most},
        **({"CheckpointConfig": {"S3Uri": options.checkpoint_uri}} if options.checkpoint_uri else {}),
    }
