"""CreateTrainingJob requests: the rules between their members that the service model does not state."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws import images
from include.local_aws.s3.client import S3Files, S3InputError
from include.local_aws.sagemaker import names
from include.local_aws.wire.errors import ValidationException, not_implemented

DAY = 24 * 60 * 60
DEFAULT_RUNTIME = DAY
"""Seconds that a training may run where the request says nothing (API reference, StoppingCondition)."""
MAX_RUNTIME = 28 * DAY
CHECKPOINTS = "/opt/ml/checkpoints"
"""Where checkpoints stand in the container unless the request says otherwise (API reference, CheckpointConfig)."""

_ABSENT = ("ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig", "TensorBoardOutputConfig",
           "DebugRuleConfigurations", "ProfilerRuleConfigurations", "SessionChainingConfig")  # fmt: skip


def check(request: Mapping[str, Any], region: str, s3: S3Files) -> None:
    """Raises `ValidationException` for what AWS refuses, "not implemented" for what it takes and is not done here."""
    for member in _ABSENT:
        if request.get(member):
            raise not_implemented(f"{member} of CreateTrainingJob")
    _check_algorithm(request)
    _check_resources(request.get("ResourceConfig"))
    _check_limits(request)
    _check_checkpoints(request)
    _check_channels(request.get("InputDataConfig", ()), request, region, s3)


def metric_definitions(request: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Name and regular expression of the metrics that the job's log tells: the algorithm's own, else the request's."""
    specification = request["AlgorithmSpecification"]
    given = [(each["Name"], each["Regex"]) for each in specification.get("MetricDefinitions", ())]
    try:
        training = images.training(specification["TrainingImage"])
    except images.UnknownImage:  # a job of another version of the embedded AWS can still be described
        return given
    return given or (training.metrics(request) if training else ())


def _check_algorithm(request: Mapping[str, Any]) -> None:
    specification = request.get("AlgorithmSpecification")
    if specification is None:
        raise ValidationException("AlgorithmSpecification is required to create a training job.")
    if ("TrainingImage" in specification) == ("AlgorithmName" in specification):
        raise ValidationException(
            "You must specify either TrainingImage or AlgorithmName in AlgorithmSpecification, and not both."
        )
    if "AlgorithmName" in specification:
        raise not_implemented("AlgorithmSpecification.AlgorithmName (algorithm resources) of CreateTrainingJob")
    if "TrainingImageConfig" in specification:
        raise not_implemented("AlgorithmSpecification.TrainingImageConfig of CreateTrainingJob")
    if specification["TrainingInputMode"] == "Pipe":
        raise not_implemented("TrainingInputMode Pipe of CreateTrainingJob (File and FastFile are)")
    image = specification["TrainingImage"]
    try:
        training = images.training(image)
    except images.UnknownImage as error:
        raise names.image_refused(image, "for training jobs", error) from error
    if training is None and "ContainerEntrypoint" not in specification:
        raise not_implemented(f"training with the image {image}")
    _check_metrics(specification.get("MetricDefinitions", ()))
    if training is not None and "ContainerEntrypoint" not in specification:
        if specification.get("MetricDefinitions") and training.metrics(request):
            raise ValidationException(
                "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request "
                "without specifying metric definitions."
            )
        training.check(request)


def _check_metrics(definitions: Sequence[Mapping[str, str]]) -> None:
    for each in definitions:
        try:
            re.compile(each["Regex"])
        except re.error as error:
            raise ValidationException(
                f"Invalid metric definition regex for {each['Name']!r}: {each['Regex']!r} can't be compiled: {error}."
            ) from error
    names = [each["Name"] for each in definitions]
    if len(set(names)) != len(names):
        raise ValidationException(f"MetricDefinitions must have unique names, found {', '.join(sorted(names))}.")


def _check_resources(resources: Mapping[str, Any] | None) -> None:
    if resources is None:
        raise ValidationException("ResourceConfig is required to create a training job.")
    for member in ("TrainingPlanArn", "InstancePlacementConfig", "InstancePreferences"):
        if member in resources:
            raise not_implemented(f"ResourceConfig.{member} of CreateTrainingJob")
    groups = resources.get("InstanceGroups", ())
    if groups and ("InstanceType" in resources or resources.get("InstanceCount")):
        raise ValidationException("InstanceGroups cannot be given together with InstanceType and InstanceCount.")
    if not groups and not ("InstanceType" in resources and resources.get("InstanceCount", 0) >= 1):
        raise ValidationException("ResourceConfig must have InstanceType and an InstanceCount of 1 or more.")
    if not groups and "VolumeSizeInGB" in resources and resources["VolumeSizeInGB"] < 1:
        raise ValidationException("VolumeSizeInGB must be 1 or more.")


def _check_limits(request: Mapping[str, Any]) -> None:
    condition = request.get("StoppingCondition", {})
    runtime = condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME)
    if runtime > MAX_RUNTIME:
        raise ValidationException(f"MaxRuntimeInSeconds must be at most {MAX_RUNTIME} (28 days), found {runtime}.")
    wait = condition.get("MaxWaitTimeInSeconds")
    if request.get("EnableManagedSpotTraining"):
        if wait is None or wait < runtime:
            raise ValidationException(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
            )
    elif wait is not None:
        raise ValidationException(
            "MaxWaitTimeInSeconds above zero is only valid for managed spot training: set EnableManagedSpotTraining."
        )


def _check_checkpoints(request: Mapping[str, Any]) -> None:
    path = request.get("CheckpointConfig", {}).get("LocalPath", CHECKPOINTS)
    inside = path.removeprefix("/opt/ml/")
    if not path.startswith("/opt/ml/") or not inside.strip("/") or ".." in inside.split("/"):
        raise not_implemented(f"CheckpointConfig.LocalPath {path!r} of CreateTrainingJob (below /opt/ml it is)")


def _check_channels(
    channels: Sequence[Mapping[str, Any]], request: Mapping[str, Any], region: str, s3: S3Files
) -> None:
    names = [each["ChannelName"] for each in channels]
    if len(set(names)) != len(names):
        raise ValidationException(f"Channel names must be unique, found {', '.join(sorted(names))}.")
    for channel in channels:
        name, source = channel["ChannelName"], channel["DataSource"]
        if name in (".", ".."):
            raise ValidationException(f"Expected a channel name, found {name!r}.")
        if len(source) != 1:
            raise ValidationException(f"Channel {name} must have exactly one data source.")
        if "S3DataSource" not in source:
            raise not_implemented(f"the {next(iter(source))} of channel {name} of CreateTrainingJob")
        if channel.get("InputMode") == "Pipe":
            raise not_implemented(f"InputMode Pipe of channel {name} of CreateTrainingJob (File and FastFile are)")
        if channel.get("RecordWrapperType", "None") != "None":
            raise not_implemented(f"RecordWrapperType of channel {name} of CreateTrainingJob")
        _check_source(source["S3DataSource"], name, request, region, s3)


def _check_source(source: Mapping[str, Any], name: str, request: Mapping[str, Any], region: str, s3: S3Files) -> None:
    kind, uri = source["S3DataType"], source["S3Uri"]
    if kind not in ("S3Prefix", "ManifestFile"):
        raise not_implemented(f"S3DataType {kind} of channel {name} of CreateTrainingJob")
    for member in ("HubAccessConfig", "ModelAccessConfig"):
        if member in source:
            raise not_implemented(f"S3DataSource.{member} of channel {name} of CreateTrainingJob")
    groups = {each["InstanceGroupName"] for each in request["ResourceConfig"].get("InstanceGroups", ())}
    unknown = sorted(set(source.get("InstanceGroupNames", ())) - groups)
    if unknown:
        raise ValidationException(f"Channel {name} names the instance group {unknown[0]}, which ResourceConfig lacks.")
    try:
        found = s3.any_below(uri)
    except S3InputError as error:
        raise ValidationException(str(error)) from error
    if not found:
        raise ValidationException(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            f"exists in the selected region ({region}), that objects exist under that S3 prefix, and that the role "
            f'"{request["RoleArn"]}" has "s3:ListBucket" permissions on bucket "{uri.split("/")[2]}".'
        )
