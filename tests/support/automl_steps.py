"""The jobs behind a tuned candidate, described and run again."""

from dataclasses import dataclass
from typing import Any

import botocore.session

from tests.support.local_aws_requests import ROLE, until

_MODEL = botocore.session.get_session().get_service_model("sagemaker")


@dataclass(frozen=True)
class Steps:
    """What Describe tells about a candidate's steps, in their order."""

    processing: dict[str, Any]
    processor: dict[str, Any]
    transform: dict[str, Any]
    algorithm: dict[str, Any]


def describe(sagemaker: Any, candidate: dict[str, Any]) -> Steps:
    """Every step of a tuned candidate."""
    kinds = [step["CandidateStepType"].rpartition("::")[2] for step in candidate["CandidateSteps"]]
    assert kinds == ["ProcessingJob", "TrainingJob", "TransformJob", "TrainingJob"]
    first, second, third, fourth = (step["CandidateStepName"] for step in candidate["CandidateSteps"])
    return Steps(
        sagemaker.describe_processing_job(ProcessingJobName=first),
        sagemaker.describe_training_job(TrainingJobName=second),
        sagemaker.describe_transform_job(TransformJobName=third),
        sagemaker.describe_training_job(TrainingJobName=fourth),
    )


def request_of(operation: str, described: dict[str, Any]) -> dict[str, Any]:
    """What a Describe answer tells, without what only an answer has: a Create request."""
    members = _MODEL.operation_model(operation).input_shape.members
    return {name: value for name, value in described.items() if name in members}


def run_again(sagemaker: Any, steps: Steps, name: str, output: str) -> dict[str, Any]:
    """Run the data processor, its transform job and the algorithm again; the algorithm's training job described."""
    processor = train(sagemaker, steps.processor, f"{name}-dpp", f"{output}/dpp")
    old = sagemaker.describe_model(ModelName=steps.transform["ModelName"])
    container = {**old["PrimaryContainer"], "ModelDataUrl": processor["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
    request = request_of("CreateTransformJob", steps.transform)
    target = {**request["TransformOutput"], "S3OutputPath": f"{output}/features"}
    sagemaker.create_transform_job(
        **{**request, "TransformJobName": name, "ModelName": name, "TransformOutput": target}
    )
    done = until(lambda: sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus", ("InProgress",))
    assert done["TransformJobStatus"] == "Completed", done.get("FailureReason")
    channels = {"train": f"{output}/features/train/", "validation": f"{output}/features/validation/"}
    return train(sagemaker, steps.algorithm, f"{name}-algorithm", f"{output}/model", channels)


def train(
    sagemaker: Any, described: dict[str, Any], name: str, output: str, channels: dict[str, str] | None = None
) -> dict[str, Any]:
    """A described training job again, under another name, with other channels where these are given."""
    request = request_of("CreateTrainingJob", described)
    request |= {"TrainingJobName": name, "OutputDataConfig": {"S3OutputPath": output}}
    # Described of SageMaker's own algorithms, and refused in a request for them.
    request["AlgorithmSpecification"].pop("MetricDefinitions", None)
    for channel in request["InputDataConfig"]:
        uri = (channels or {}).get(channel["ChannelName"])
        if uri is not None:
            channel["DataSource"]["S3DataSource"]["S3Uri"] = uri
    sagemaker.create_training_job(**request)
    done = until(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", ("InProgress",))
    assert done["TrainingJobStatus"] == "Completed", done.get("FailureReason")
    return done


def metrics_of(described: dict[str, Any]) -> dict[str, float]:
    """A training job's final metrics."""
    return {each["MetricName"]: each["Value"] for each in described["FinalMetricDataList"]}
