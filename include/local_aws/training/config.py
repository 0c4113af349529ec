"""The files in ``/opt/ml/input/config`` (developer guide, "How Amazon SageMaker provides training information")."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.training.requests import CHECKPOINTS

HOST = "algo-1"
"""The one host that a training has here, however many instances it asks for."""


def files(request: Mapping[str, Any]) -> dict[str, Any]:
    """Their names and what stands in them."""
    documents: dict[str, Any] = {
        "hyperparameters.json": request.get("HyperParameters", {}),
        "inputdataconfig.json": {
            channel["ChannelName"]: _channel(request, channel) for channel in request.get("InputDataConfig", ())
        },
        "resourceconfig.json": _resources(request["ResourceConfig"]),
    }
    if "CheckpointConfig" in request:
        documents["checkpointconfig.json"] = {"LocalPath": CHECKPOINTS, **request["CheckpointConfig"]}
    return documents


def _channel(request: Mapping[str, Any], channel: Mapping[str, Any]) -> dict[str, Any]:
    source = channel["DataSource"]["S3DataSource"]
    described = {
        "TrainingInputMode": channel.get("InputMode", request["AlgorithmSpecification"]["TrainingInputMode"]),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    if "ContentType" in channel:
        described["ContentType"] = channel["ContentType"]
    return described


def _resources(resources: Mapping[str, Any]) -> dict[str, Any]:
    groups = resources.get("InstanceGroups", ())
    kind = groups[0]["InstanceType"] if groups else resources["InstanceType"]
    group = groups[0]["InstanceGroupName"] if groups else "homogeneousCluster"
    return {
        "current_host": HOST,
        "current_instance_type": kind,
        "current_group_name": group,
        "hosts": [HOST],
        "instance_groups": [{"instance_group_name": group, "instance_type": kind, "hosts": [HOST]}],
        "network_interface_name": "lo",
    }
