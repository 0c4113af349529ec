"""From descriptions to requests: what is kept, what is dropped and what is pointed elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import pytest

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker import refit
from automl_retraining.sagemaker.jobs import AUTOML, PROCESSING, TRAINING, TRANSFORM, TUNING, JobKind
from tests.support.botocore_check import accepted

ROLE = "arn:aws:iam::123456789012:role/automl-retraining"
REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"


@cache
def client() -> Any:
    """A client that is never called."""
    return boto3.session.Session("test", "test", region_name="us-east-1").client("sagemaker")


def sample(shape: Any) -> Any:
    """A value of that shape with every member that there is; of a union one."""
    match shape.type_name:
        case "structure":
            members = list(shape.members.items())
            members = members[:1] if getattr(shape, "is_tagged_union", False) else members
            return {name: sample(member) for name, member in members}
        case "list":
            return [sample(shape.member)]
        case "map":
            return {sample(shape.key): sample(shape.value)}
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
        case "float" | "double":
            return 1.0
        case "boolean":
            return True
        case "timestamp":
            return datetime(2026, 1, 1, tzinfo=UTC)
    text = shape.metadata["enum"][0] if "enum" in shape.metadata else "s3://bucket/a"
    return str(text).ljust(shape.metadata.get("min", 0), "a")


def full(kind: JobKind) -> dict[str, Any]:
    """A description with every member of the service model."""
    operation = client().meta.method_to_api_mapping[kind.describe]
    found: dict[str, Any] = sample(client().meta.service_model.operation_model(operation).output_shape)
    return found


def pipeline(**sections: Any) -> Pipeline:
    """A pipeline that refits."""
    base = {"name": "p", "source": "a.csv", "target": "y", "trainers": ["refit"], "gate": {"metric": "rmse"}}
    return Pipeline.model_validate({**base, **sections})


def training(pipeline: Pipeline, spot: bool | None = None, **described: Any) -> dict[str, Any]:
    """The request of a described xgboost training."""
    description = {
        "TrainingJobName": "old", "TrainingJobArn": "arn:old", "TrainingJobStatus": "Completed", "RoleArn": "arn:x",
        "HyperParameters": {"num_round": "10", "feature_dim": "7"},
        "AlgorithmSpecification": {
            "TrainingImage": f"{REGISTRY}/sagemaker-xgboost:3.0-5", "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "validation:rmse", "Regex": "x"}],
        },
        "InputDataConfig": [
            {
                "ChannelName": name, "ContentType": "text/csv",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/old/{name}/"}},
            }
            for name in ("train", "validation", "code")
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/old", "KmsKeyId": ""},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        "EnableManagedSpotTraining": False, **described,
    }  # fmt: skip
    request = refit.training(
        refit.arguments(client(), TRAINING, description),
        "new",
        pipeline=pipeline,
        role_arn=ROLE,
        channels={"train": "s3://bucket/new/train/", "validation": "s3://bucket/new/validation/"},
        output_uri="s3://bucket/new",
        environment={"ART_FEATURES": "abc"},
        spot=spot,
    )
    accepted("create_training_job", request)
    return request


@pytest.mark.parametrize("kind", [TRAINING, PROCESSING, TRANSFORM, TUNING, AUTOML], ids=lambda kind: kind.key)
def test_what_is_kept_of_a_description_is_a_request(kind: JobKind) -> None:
    """Of every member that AWS may answer, those that it takes, and no other, at every depth."""
    description = full(kind)
    kept = refit.arguments(client(), kind, description)
    accepted(kind.create, kept)
    assert kept[kind.name_member] == description[kind.name_member]
    for read_only in (kind.arn_member, kind.status_member, "CreationTime", "FailureReason", "Tags", "ExperimentConfig"):
        assert read_only not in kept


def test_members_that_are_answered_empty_are_not_sent() -> None:
    """AWS answers some members empty that it refuses to be sent so."""
    request = training(pipeline(), VpcConfig={"Subnets": [], "SecurityGroupIds": []}, DebugRuleConfigurations=[])
    assert not {"VpcConfig", "DebugRuleConfigurations"} & set(request)


def test_a_training_is_the_old_one_on_other_data() -> None:
    """Its channels of data and its output are new; code and hyperparameters stay, but for what depends on the data."""
    request = training(pipeline())
    uris = [each["DataSource"]["S3DataSource"]["S3Uri"] for each in request["InputDataConfig"]]
    assert uris == ["s3://bucket/new/train/", "s3://bucket/new/validation/", "s3://bucket/old/code/"]
    assert (request["TrainingJobName"], request["RoleArn"]) == ("new", ROLE)
    assert request["HyperParameters"] == {"num_round": "10"}
    assert request["Environment"] == {"ART_FEATURES": "abc"}
    assert "CheckpointConfig" not in request
    assert refit.prefixes(request, without=("train", "validation")) == {"code": "s3://bucket/old/code/"}


@pytest.mark.parametrize(("repository", "kept"), [("sagemaker-xgboost:3.0-5", False), ("my-own@sha256:ab", True)])
def test_metric_definitions_are_sent_of_scripts_only(repository: str, kept: bool) -> None:
    """SageMaker describes those of its own algorithms, and refuses them in a request."""
    specification = {
        "TrainingImage": f"{REGISTRY}/{repository}", "TrainingInputMode": "File",
        "MetricDefinitions": [{"Name": "rmse", "Regex": "rmse=(.*)"}],
    }  # fmt: skip
    request = training(pipeline(), AlgorithmSpecification=specification)
    assert ("MetricDefinitions" in request["AlgorithmSpecification"]) is kept


def test_instance_types_spot_and_limits_change_where_the_pipeline_says_so() -> None:
    """Checkpoints go to a place of their own."""
    spec = {"instance_type": "ml.c5.xlarge", "spot": True, "max_wait": "2h", "max_run_time": "1h"}
    request = training(pipeline(refit=spec), spot=True)
    assert request["ResourceConfig"] == {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["EnableManagedSpotTraining"] is True
    assert request["CheckpointConfig"] == {"S3Uri": "s3://bucket/new/checkpoints/new"}


def test_a_spot_training_never_goes_on_from_the_champions_checkpoints() -> None:
    """It would end at once, with the old model."""
    described: dict[str, Any] = {
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": "s3://bucket/old/checkpoints", "LocalPath": "/opt/ml/mine"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4000},
    }
    kept = training(pipeline(), **described)
    assert kept["CheckpointConfig"] == {"S3Uri": "s3://bucket/new/checkpoints/new", "LocalPath": "/opt/ml/mine"}
    assert kept["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4000}
    on_demand = training(pipeline(refit={"spot": False}), spot=False, **described)
    assert "EnableManagedSpotTraining" not in on_demand
    assert on_demand["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}


def test_a_wait_shorter_than_the_training_is_refused() -> None:
    """SageMaker would refuse it in other words."""
    with pytest.raises(RequestError, match=r"refit.max_wait: expected at least the training's own limit, 3600 s"):
        training(pipeline(refit={"spot": True, "max_wait": 600}), spot=True)


def test_keys_network_and_debug_output_are_this_runs() -> None:
    """What the pipeline's aws section says, over what the job had; nothing is written where the champion wrote."""
    aws = {"kms_key": "key", "subnets": ["subnet-1"], "security_group_ids": ["sg-1"]}
    request = training(
        pipeline(aws=aws),
        DebugHookConfig={"S3OutputPath": "s3://bucket/old/debug"},
        ProfilerConfig={"S3OutputPath": "s3://bucket/old/profile", "DisableProfiler": False},
    )
    assert request["OutputDataConfig"] == {"S3OutputPath": "s3://bucket/new", "KmsKeyId": "key"}
    assert request["ResourceConfig"]["VolumeKmsKeyId"] == "key"
    assert request["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    for member in ("DebugHookConfig", "ProfilerConfig"):
        assert request[member]["S3OutputPath"] == "s3://bucket/new/debug/new"


def test_a_channel_that_the_job_never_had_is_named() -> None:
    """Said before anything is sent."""
    channels = [
        {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/"}}}
    ]
    with pytest.raises(RequestError, match="the channel 'validation', found train"):
        training(pipeline(), InputDataConfig=channels)


def test_a_processing_job_is_the_old_one_on_other_places() -> None:
    """The code stays where it is; an output that nobody wants is not written over the champion's."""
    description = {
        "ProcessingJobName": "old", "ProcessingJobArn": "arn", "ProcessingJobStatus": "Completed", "RoleArn": "arn:x",
        "ProcessingInputs": [
            {
                "InputName": name, "AppManaged": False,
                "S3Input": {
                    "S3Uri": f"s3://bucket/old/{name}", "LocalPath": f"/opt/ml/processing/{name}",
                    "S3DataType": "S3Prefix", "S3InputMode": "File",
                },
            }
            for name in ("train", "code")
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": name,
                    "S3Output": {"S3Uri": "s3://bucket/old", "LocalPath": "/opt/x", "S3UploadMode": "EndOfJob"},
                }
                for name in ("model", "plots")
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": f"{REGISTRY}/sagemaker-scikit-learn:1.4-2-cpu-py3"},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }  # fmt: skip
    request = refit.processing(
        refit.arguments(client(), PROCESSING, description),
        "new",
        pipeline=pipeline(refit={"instance_type": "ml.c5.xlarge", "max_run_time": 600}, aws={"kms_key": "key"}),
        role_arn=ROLE,
        inputs={"train": "s3://bucket/new/train.csv"},
        outputs={"model": "s3://bucket/new/model"},
    )
    accepted("create_processing_job", request)
    inputs = [each["S3Input"]["S3Uri"] for each in request["ProcessingInputs"]]
    assert inputs == ["s3://bucket/new/train.csv", "s3://bucket/old/code"]
    assert refit.prefixes(request, without=("train",)) == {"code": "s3://bucket/old/code"}
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    assert (output["OutputName"], output["S3Output"]["S3Uri"]) == ("model", "s3://bucket/new/model")
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == "key"
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.c5.xlarge"
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}


def test_a_transform_is_the_old_one_with_another_model_on_other_rows() -> None:
    """Types and splitting stay."""
    description = {
        "TransformJobName": "old", "TransformJobArn": "arn", "ModelName": "old-model",
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/old/"}},
            "ContentType": "text/csv", "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": "s3://bucket/old-out", "Accept": "application/x-recordio-protobuf"},
        "TransformResources": {"InstanceType": "ml.m5.4xlarge", "InstanceCount": 1},
        "DataCaptureConfig": {"DestinationS3Uri": "s3://bucket/old-capture"},
    }  # fmt: skip
    request = refit.transform(
        refit.arguments(client(), TRANSFORM, description),
        "new",
        pipeline=pipeline(refit={"instance_type": "ml.c5.xlarge"}, aws={"kms_key": "key"}),
        model_name="new-model",
        input_uri="s3://bucket/new/",
        output_uri="s3://bucket/out",
    )
    accepted("create_transform_job", request)
    assert (request["TransformJobName"], request["ModelName"]) == ("new", "new-model")
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://bucket/new/"
    assert (request["TransformInput"]["ContentType"], request["TransformInput"]["SplitType"]) == ("text/csv", "Line")
    assert request["TransformOutput"]["Accept"] == "application/x-recordio-protobuf"
    assert request["TransformOutput"]["S3OutputPath"] == "s3://bucket/out"
    assert request["TransformResources"] == {"InstanceType": "ml.c5.xlarge", "InstanceCount": 1}
    assert request["DataCaptureConfig"]["DestinationS3Uri"] == "s3://bucket/out/capture"


def test_tags_of_others_go_with_the_job() -> None:
    """Ours are the new run's own, and nobody may set AWS's."""
    found = {"aws:sagemaker:x": "1", "art:run-id": "old", "cost-centre": "42", "AWS:y": "2"}
    assert refit.carried_tags(found) == [{"Key": "cost-centre", "Value": "42"}]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"a,b\n1,2\n", b"1,2\n"),
        (b'"a\nb",c\r\n1,2\r\n', b"1,2\r\n"),
        (b'"a ""b""\n",c\n1,"x\ny"\n', b'1,"x\ny"\n'),
        (b"a,b\n", b""),
        (b"a,b", b""),
    ],
)
def test_the_header_is_left_out_and_every_other_byte_is_kept(text: bytes, rows: bytes, size: int) -> None:
    """However the file arrives."""
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert b"".join(refit.rows_only(chunks)) == rows
