"""CreateProcessingJob's rules."""

from typing import Any

import pytest

from include.local_aws.processing.requests import MAX_INSTANCES, check
from include.local_aws.wire.errors import AwsError, NotImplementedHere, ResourceLimitExceeded, ValidationException
from tests.support.processing import SKLEARN, cluster, request, source, target

REGISTRY = SKLEARN.partition("/")[0]


def image(uri: str) -> dict[str, Any]:
    return {"AppSpecification": {"ImageUri": uri, "ContainerEntrypoint": ["python3", "x.py"]}}


def inputs(*given: dict[str, Any]) -> dict[str, Any]:
    return {"ProcessingInputs": list(given)}


def outputs(*given: dict[str, Any]) -> dict[str, Any]:
    return {"ProcessingOutputConfig": {"Outputs": list(given)}}


def at(path: str | None) -> dict[str, Any]:
    given = source("a", "s3://b/k", LocalPath=path)
    return {**given, "S3Input": {name: value for name, value in given["S3Input"].items() if value is not None}}


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        (image("nobody/nothing:1"), ValidationException, "Requested image nobody/nothing:1 not found"),
        (image(f"{REGISTRY}/sagemaker-scikit-lern:1.2-1-cpu-py3"), NotImplementedHere, "sagemaker-scikit-lern"),
        (image(f"{REGISTRY}/sagemaker-spark-processing:3.3"), NotImplementedHere, "sagemaker-spark-processing:3.3"),
        (image(f"{REGISTRY}/my-own:1"), NotImplementedHere, "images that AWS does not publish, such as"),
        (image(f"{REGISTRY}/linear-learner:1"), NotImplementedHere, "linear-learner:1"),
        ({"AppSpecification": {"ImageUri": SKLEARN}}, ValidationException, "has no entrypoint of its own"),
        ({"ProcessingResources": cluster(MAX_INSTANCES + 1)}, ResourceLimitExceeded, "ml.m5.large for processing job"),
        ({"ProcessingResources": {"ClusterConfig": {"VolumeSizeInGB": 1}}}, ValidationException, "InstanceCount and"),
        (inputs(source("a", "s3://b/k"), source("a", "s3://b/l")), ValidationException, "found 'a' more than once"),
        (outputs(target("o", "s3://b/k"), target("o", "s3://b/l")), ValidationException, "found 'o' more than once"),
        (inputs(at("/opt/ml/input/a")), ValidationException, "found '/opt/ml/input/a'"),
        (inputs(at("/opt/ml/processing/../a")), ValidationException, "must be an absolute path that starts with"),
        (inputs(at("/opt/ml/processing")), ValidationException, "must be an absolute path that starts with"),
        (inputs(at("input/a")), ValidationException, "must be an absolute path that starts with"),
        (inputs(at(None)), ValidationException, "LocalPath is required for the processing input a"),
        (inputs({"InputName": "a"}), ValidationException, "must have an S3Input or a DatasetDefinition"),
        (inputs(source("a", "s3://b/k", S3InputMode="Pipe")), NotImplementedHere, "S3InputMode Pipe"),
        (
            inputs(source("a", "s3://b/k", S3CompressionType="Gzip")),
            ValidationException,
            "only be used with S3InputMode",
        ),
        (
            inputs({**source("a", "s3://b/k"), "AppManaged": True}),
            NotImplementedHere,
            "AppManaged of the processing input",
        ),
        (inputs({"InputName": "a", "DatasetDefinition": {}}), NotImplementedHere, "DatasetDefinition"),
        (outputs({"OutputName": "o"}), ValidationException, "must have an S3Output or a FeatureStoreOutput"),
        (outputs({"OutputName": "o", "FeatureStoreOutput": {}}), NotImplementedHere, "FeatureStoreOutput"),
    ],
)
def test_what_aws_refuses_and_what_is_not_done_here_is_said_by_name(
    changed: dict[str, Any], error: type[AwsError], said: str
) -> None:
    with pytest.raises(error) as caught:
        check(request("job", **changed))
    assert said in caught.value.message


def test_a_whole_request_with_everything_that_is_kept_only_passes() -> None:
    check(
        request(
            "job",
            ProcessingInputs=[source("a", "s3://b/k", S3DataDistributionType="ShardedByS3Key")],
            ProcessingOutputConfig={"Outputs": [target("o", "s3://b/o", "Continuous")], "KmsKeyId": "key"},
            NetworkConfig={"EnableNetworkIsolation": True, "VpcConfig": {"SecurityGroupIds": ["sg"], "Subnets": ["s"]}},
            ExperimentConfig={"ExperimentName": "e"},
            ProcessingResources=cluster(MAX_INSTANCES),
        )
    )
