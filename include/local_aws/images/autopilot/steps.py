"""The jobs behind tuned candidates, as requests that can be sent again.

A candidate is made in AWS's order: a processing job splits the table, a training job fits the data processor, a
transform job applies it to both parts, a training job of the algorithm learns from what comes out. The search does all
of it in one process; what it reports here is the request of each, with the artifacts where that job would leave them.
``artifact:`` stands for the job's output in S3, and the role is filled in by whoever takes the steps over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.local_aws.images.autopilot import layout, uris
from include.local_aws.images.autopilot.answers import CSV, RECORDIO
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.processor_training import PROGRAM, SUBMIT_DIRECTORY
from include.local_aws.images.autopilot.spec import SearchSpec

_TYPES = {
    "processing": ("AWS::SageMaker::ProcessingJob", "processing-job"),
    "training": ("AWS::SageMaker::TrainingJob", "training-job"),
    "transform": ("AWS::SageMaker::TransformJob", "transform-job"),
}
_INSTANCE = "ml.m5.4xlarge"
TRANSFORM_ENVIRONMENT: Mapping[str, str] = {
    "MAX_CONTENT_LENGTH": "20971520",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": RECORDIO,
    "SAGEMAKER_PROGRAM": "sagemaker_serve",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
}
"""Of the model that transforms training rows: without AUTOML_TRANSFORM_MODE, which would leave the label out."""


@dataclass(frozen=True)
class Done:
    """When a job was done (epoch seconds), how, and what it measured."""

    started: float
    ended: float
    status: str = "Completed"
    failure: str | None = None
    metrics: tuple[tuple[str, float], ...] = ()


def step(kind: str, spec: SearchSpec, name: str) -> dict[str, str]:
    """A job as an AutoMLCandidateStep."""
    described, resource = _TYPES[kind]
    arn = f"arn:aws:sagemaker:{spec.region}:{spec.account}:{resource}/{name}"
    return {"CandidateStepType": described, "CandidateStepArn": arn, "CandidateStepName": name}


def preprocessing(spec: SearchSpec, output: Output, done: Done) -> None:
    """Report the processing job that split the table."""
    name = layout.preprocessing(spec.job_name)
    request = {
        "ProcessingJobName": name,
        "AppSpecification": {"ImageUri": uris.features(spec.region)},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": _INSTANCE, "VolumeSizeInGB": 50}},
        "ProcessingInputs": [
            _processing_input(f"input-{number}", uri) for number, uri in enumerate(spec.inputs, start=1)
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                _processing_output("tuning_data", layout.TUNING_DATA),
                _processing_output("header", layout.HEADER.rpartition("/")[0]),
            ]
        },
    }
    _report(output, "processing", name, request, done)


def _processing_input(name: str, uri: str) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": source}


def _processing_output(name: str, relative: str) -> dict[str, Any]:
    target = {
        "S3Uri": f"artifact:{relative}",
        "LocalPath": f"/opt/ml/processing/{name}",
        "S3UploadMode": "EndOfJob",
    }
    return {"OutputName": name, "S3Output": target}


def data_processor(spec: SearchSpec, output: Output, number: int, done: Done) -> None:
    """Report the training job of ``dpp<number>``."""
    name = layout.data_processor(spec.job_name, number)
    request = {
        "TrainingJobName": name,
        "HyperParameters": {
            "processor_module": f"{layout.MODULES}.dpp{number}",
            "sagemaker_program": PROGRAM,
            "sagemaker_submit_directory": SUBMIT_DIRECTORY,
        },
        **_training(uris.features(spec.region), layout.DATA_PROCESSOR_MODELS),
        "InputDataConfig": [
            _channel("code", f"{layout.modules_folder(spec.job_name)}/", "text/x-python"),
            _channel("train", f"{layout.TUNING_DATA}/train/", CSV),
        ],
    }
    _report(output, "training", name, request, done, model=processor_model(spec, number))


def processor_model(spec: SearchSpec, number: int) -> str:
    """Where ``dpp<number>``'s training job leaves its model, below the job's output."""
    return layout.model(layout.DATA_PROCESSOR_MODELS, layout.data_processor(spec.job_name, number))


def transform(spec: SearchSpec, output: Output, number: int, done: Done) -> None:
    """Report the transform job that applied ``dpp<number>``, and its model."""
    name, model = layout.transform(spec.job_name, number), layout.transform_model(spec.job_name, number)
    container = {
        "Image": uris.features(spec.region),
        "ModelDataUrl": f"artifact:{processor_model(spec, number)}",
        "Environment": dict(TRANSFORM_ENVIRONMENT),
    }
    _report(output, "model", model, {"ModelName": model, "PrimaryContainer": container}, done)
    request = {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"artifact:{layout.TUNING_DATA}/"}},
            "ContentType": CSV,
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": f"artifact:{layout.TRANSFORMED}/dpp{number}/rpb",
            "Accept": RECORDIO,
            "AssembleWith": "None",
        },
        "TransformResources": {"InstanceCount": 1, "InstanceType": _INSTANCE},
    }
    _report(output, "transform", name, request, done)


def algorithm(
    spec: SearchSpec,
    output: Output,
    number: int,
    algorithm_name: str,
    name: str,
    hyperparameters: Mapping[str, str],
    done: Done,
) -> None:
    """Report the training job of a candidate's algorithm on the features of ``dpp<number>``."""
    folder = layout.tuning_folder(spec.job_name, number, algorithm_name)
    features = f"{layout.TRANSFORMED}/dpp{number}/rpb"
    request = {
        "TrainingJobName": name,
        "HyperParameters": dict(hyperparameters),
        **_training(uris.training(algorithm_name, spec.region), folder),
        "InputDataConfig": [_channel(part, f"{features}/{part}/", RECORDIO) for part in ("train", "validation")],
    }
    _report(output, "training", name, request, done, model=layout.model(folder, name))


def of_candidate(spec: SearchSpec, number: int, name: str) -> list[dict[str, str]]:
    """The steps of a candidate of definition ``number``, in their order."""
    job = spec.job_name
    return [
        step("processing", spec, layout.preprocessing(job)),
        step("training", spec, layout.data_processor(job, number)),
        step("transform", spec, layout.transform(job, number)),
        step("training", spec, name),
    ]


def _training(image: str, folder: str) -> dict[str, Any]:
    return {
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"artifact:{folder}"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": _INSTANCE, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }


def _channel(name: str, prefix: str, content_type: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"artifact:{prefix}",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": source},
        "ContentType": content_type,
        "CompressionType": "None",
    }


def _report(
    output: Output, kind: str, name: str, request: Mapping[str, Any], done: Done, *, model: str | None = None
) -> None:
    output.emit(
        "step",
        kind=kind,
        name=name,
        request=dict(request),
        started=done.started,
        ended=done.ended,
        status=done.status,
        failure=done.failure,
        metrics=_pairs(done.metrics),
        model=None if model is None else f"artifact:{model}",
    )


def _pairs(metrics: Sequence[tuple[str, float]]) -> list[list[Any]]:
    return [[name, value] for name, value in metrics]
