"""The steps that make an Autopilot candidate, as requests of our own: data transformer, features, containers.

Hyperparameters, folders and environments are those of the steps of real tuned candidates (developer guide, "Candidate
definition notebook" and "Batch forecasting"): a training job fits the data transformer, a transform job turns the rows
into features, and a model of up to three containers answers with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_retraining.core.errors import JobFailed
from automl_retraining.core.records import ContainerSpec
from automl_retraining.core.section import ProblemType
from automl_retraining.sagemaker.requests import optional

RECORDIO = "application/x-recordio-protobuf"
PROGRAM = "candidate_data_processors.trainer"
CODE_CHANNEL = "code"
_MOST_BYTES = "20971520"
"""``MAX_CONTENT_LENGTH``: the largest request body of a container."""
_SCRIPT = {"SAGEMAKER_PROGRAM": "sagemaker_serve", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
_SUPPORTED = "predicted_label,probability,probabilities"


def transformer_hyperparameters(transformer: str) -> dict[str, str]:
    """Hyperparameters of the training job that fits a data transformer ``dpp<i>`` of the code channel's package."""
    return {
        "processor_module": f"candidate_data_processors.{transformer}",
        "sagemaker_program": PROGRAM,
        "sagemaker_submit_directory": f"/opt/ml/input/data/{CODE_CHANNEL}",
    }


def feature_making(image: str, model_uri: str, *, content_type: str, sparse: bool) -> ContainerSpec:
    """The fitted data transformer as the one container of a model that makes features of rows, labels included."""
    return ContainerSpec(
        image=image,
        model_data_url=model_uri,
        environment={
            "MAX_CONTENT_LENGTH": _MOST_BYTES,
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": content_type,
            **({"AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF": "1"} if sparse else {}),
            **_SCRIPT,
        },
    )


def create_feature_transform(
    name: str,
    *,
    model_name: str,
    rows_uri: str,
    output_uri: str,
    content_type: str,
    instance_type: str,
    instance_count: int = 1,
    kms_key: str | None = None,
) -> dict[str, Any]:
    """The arguments of ``create_transform_job`` for the features of all rows below a folder.

    One job for train and validation, as Autopilot does it: the output has the input's folders.
    """
    return {
        "TransformJobName": name,
        "ModelName": model_name,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{rows_uri.rstrip('/')}/"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": output_uri, "Accept": content_type, **optional(KmsKeyId=kms_key)},
        "TransformResources": {"InstanceType": instance_type, "InstanceCount": instance_count},
    }


def containers(
    transformer_image: str,
    transformer_uri: str,
    algorithm: str,
    algorithm_image: str,
    algorithm_uri: str,
    problem_type: ProblemType,
) -> tuple[ContainerSpec, ...]:
    """A candidate's inference containers: features, algorithm and, for a classification, the labels."""
    environment = {"MAX_CONTENT_LENGTH": _MOST_BYTES, "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
    if algorithm != "xgboost":
        environment["ML_APPLICATION"] = algorithm.replace("-", "_")
    classification = problem_type != "Regression"
    if classification:
        environment |= {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label", "SAGEMAKER_INFERENCE_SUPPORTED": _SUPPORTED}
    chain = [
        ContainerSpec(
            image=transformer_image,
            model_data_url=transformer_uri,
            environment={
                "AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF": "1",
                "AUTOML_TRANSFORM_MODE": "feature-transform",
                "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": RECORDIO,
                **_SCRIPT,
            },
        ),
        ContainerSpec(image=algorithm_image, model_data_url=algorithm_uri, environment=environment),
    ]
    if classification:
        chain.append(
            ContainerSpec(
                image=transformer_image,
                model_data_url=transformer_uri,
                environment={
                    "AUTOML_TRANSFORM_MODE": "inverse-label-transform",
                    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
                    "SAGEMAKER_INFERENCE_INPUT": "predicted_label",
                    "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
                    "SAGEMAKER_INFERENCE_SUPPORTED": f"{_SUPPORTED},labels",
                    **_SCRIPT,
                },
            )
        )
    return tuple(chain)


def artifact(description: Mapping[str, Any]) -> str:
    """The model artifact's URI of a training job; JobFailed where it names none."""
    uri = (description.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    if not uri:
        raise JobFailed(
            f"training job {description.get('TrainingJobName')}: expected a model artifact, found none: read its log"
        )
    return str(uri)


def missing_parts(found: Sequence[str], folder: str, parts: Sequence[str] = ("train", "validation")) -> list[str]:
    """The parts below a folder that none of the URIs found there belongs to."""
    return [part for part in parts if not any(uri.startswith(f"{folder.rstrip('/')}/{part}/") for uri in found)]
