"""CreateProcessingJob requests: the rules between their members that the service model does not state."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from include.local_aws import images
from include.local_aws.sagemaker import names
from include.local_aws.wire.errors import ResourceLimitExceeded, ValidationException, not_implemented

DEFAULT_RUNTIME = 24 * 60 * 60
"""Seconds that a job may run where the request says nothing (API reference, ProcessingStoppingCondition)."""
MAX_INSTANCES = 8
"""Instances of one job: each is a process here, and all run at the same time, because they may wait for each other."""
PROCESSING = PurePosixPath("/opt/ml/processing")


def check(request: Mapping[str, Any]) -> None:
    """Raises `wire.errors.AwsError` for what AWS refuses, and for what it takes and is not done here."""
    _check_image(request["AppSpecification"])
    _check_cluster(request["ProcessingResources"]["ClusterConfig"])
    inputs = request.get("ProcessingInputs", ())
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", ())
    _check_unique("input", [each["InputName"] for each in inputs])
    _check_unique("output", [each["OutputName"] for each in outputs])
    for each in inputs:
        _check_input(each)
    for each in outputs:
        _check_output(each)


def _check_image(specification: Mapping[str, Any]) -> None:
    uri = specification["ImageUri"]
    try:
        image = images.find(uri)
    except images.UnknownImage as error:
        raise names.image_refused(uri, "for processing jobs", error) from error
    if not getattr(image, "PROCESSING", False):
        raise not_implemented(f"processing jobs with the image {uri}")
    if "ContainerEntrypoint" not in specification:
        raise ValidationException(
            f"The image {uri} has no entrypoint of its own for processing: give AppSpecification.ContainerEntrypoint, "
            'such as ["python3", "/opt/ml/processing/input/code/script.py"].'
        )


def _check_cluster(cluster: Mapping[str, Any]) -> None:
    for member in ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"):
        if member in cluster:
            raise not_implemented(f"ClusterConfig.{member} of CreateProcessingJob")
    if "InstanceType" not in cluster or "InstanceCount" not in cluster:
        raise ValidationException("ClusterConfig must have InstanceCount and InstanceType.")
    count = cluster["InstanceCount"]
    if count > MAX_INSTANCES:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{cluster['InstanceType']} for processing job usage' is {MAX_INSTANCES} "
            f"Instances, with current utilization of 0 Instances and a request delta of {count} Instances. "
            "Please use AWS Service Quotas to request an increase for this quota."
        )


def _check_unique(what: str, names: Sequence[str]) -> None:
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ValidationException(f"Processing {what} names must be unique, found {twice[0]!r} more than once.")


def _check_input(given: Mapping[str, Any]) -> None:
    name = given["InputName"]
    if given.get("AppManaged"):
        raise not_implemented(f"AppManaged of the processing input {name} of CreateProcessingJob")
    if "DatasetDefinition" in given:
        raise not_implemented(f"the DatasetDefinition of the processing input {name} of CreateProcessingJob")
    if "S3Input" not in given:
        raise ValidationException(f"Processing input {name} must have an S3Input or a DatasetDefinition.")
    source = given["S3Input"]
    if source.get("S3InputMode", "File") != "File":
        raise not_implemented(f"S3InputMode Pipe of the processing input {name} of CreateProcessingJob (File is)")
    if source.get("S3CompressionType", "None") == "Gzip":
        raise ValidationException(
            f"S3CompressionType Gzip of the processing input {name} can only be used with S3InputMode Pipe."
        )
    _check_path("input", name, source.get("LocalPath"))


def _check_output(given: Mapping[str, Any]) -> None:
    name = given["OutputName"]
    if given.get("AppManaged"):
        raise not_implemented(f"AppManaged of the processing output {name} of CreateProcessingJob")
    if "FeatureStoreOutput" in given:
        raise not_implemented(f"the FeatureStoreOutput of the processing output {name} of CreateProcessingJob")
    if "S3Output" not in given:
        raise ValidationException(f"Processing output {name} must have an S3Output or a FeatureStoreOutput.")
    _check_path("output", name, given["S3Output"].get("LocalPath"))


def _check_path(what: str, name: str, path: str | None) -> None:
    if path is None:
        raise ValidationException(f"LocalPath is required for the processing {what} {name}.")
    parts = PurePosixPath(path)
    if not parts.is_relative_to(PROCESSING) or parts == PROCESSING or ".." in parts.parts:
        raise ValidationException(
            f"LocalPath of the processing {what} {name} must be an absolute path that starts with {PROCESSING}/, "
            f"found {path!r}."
        )
