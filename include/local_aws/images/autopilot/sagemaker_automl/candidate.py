"""A candidate pipeline: a data transformer and an algorithm, and the jobs that make a model of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from .jobs import RECORDIO, JobFailed, channel, completed, resources

_SHORT_FORMATS = {"text/csv": "csv", RECORDIO: "rpb"}
_KEYS = ("predicted_label", "probability", "probabilities", "labels")


@dataclass(frozen=True)
class AutoMLLocalRunConfig:
    """Whose job it is, where its data stand, and where this run's outputs go."""

    role: str
    base_automl_job_config: Mapping[str, Any]
    local_automl_job_config: Mapping[str, Any]
    security_config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def processed_data(self) -> str:
        """The rows to train on and to validate with, below ``train/`` and ``validation/``."""
        base = self.base_automl_job_config
        return f"{base['automl_output_s3_base_path']}/{base['automl_job_name']}/preprocessed-data/tuning_data"

    @property
    def name(self) -> str:
        """This run's name, with which its jobs begin."""
        return str(self.local_automl_job_config["local_automl_job_name"])

    @property
    def output(self) -> str:
        """Where this run's outputs go."""
        return f"{self.local_automl_job_config['local_automl_job_output_s3_base_path']}/{self.name}"

    def secured(self) -> dict[str, Any]:
        """The network settings of this run's training jobs and models."""
        vpc = self.security_config.get("VpcConfig")
        return {"VpcConfig": vpc} if vpc else {}


class AutoMLLocalCandidate:
    """A candidate pipeline: a data transformer and an algorithm."""

    def __init__(self, definition: Mapping[str, Any], config: AutoMLLocalRunConfig) -> None:
        self.transformer: Mapping[str, Any] = definition["data_transformer"]
        self.algorithm: Mapping[str, Any] = definition["algorithm"]
        self.name = f"{self.transformer['name']}-{self.algorithm['name']}"
        self._config = config
        self._model_data: str | None = None

    @property
    def trained(self) -> bool:
        """Whether the data transformer has been fitted and applied."""
        return self._model_data is not None

    @property
    def transformed(self) -> str:
        """Where the transformed rows go."""
        kind = _SHORT_FORMATS[self.transformer["transformed_data_format"]]
        return f"{self._config.output}/transformed-data/{self.transformer['name']}/{kind}"

    def fit_data_transformer(self) -> None:
        """Fit the data transformer on the train rows, and apply it to all rows; raises `JobFailed`."""
        sagemaker = boto3.client("sagemaker")
        base = self._config.base_automl_job_config
        name = f"{self._config.name}-{self.transformer['name']}"
        sagemaker.create_training_job(
            TrainingJobName=f"{name}-train",
            RoleArn=self._config.role,
            AlgorithmSpecification={
                "TrainingImage": base["data_transformer_image_uri"],
                "TrainingInputMode": "File",
            },
            HyperParameters={
                "processor_module": f"candidate_data_processors.{self.transformer['name']}",
                "sagemaker_program": "candidate_data_processors.trainer",
                "sagemaker_submit_directory": "/opt/ml/input/data/code",
            },
            InputDataConfig=[
                channel("code", base["generated_module_s3_path"] + "/", "text/x-python"),
                channel("train", f"{self._config.processed_data}/train/", "text/csv"),
            ],
            OutputDataConfig={"S3OutputPath": f"{self._config.output}/data-processor-models"},
            ResourceConfig=resources(self.transformer["training_resource_config"]),
            StoppingCondition={"MaxRuntimeInSeconds": 86400},
            **self._config.secured(),
        )
        done = completed(lambda: sagemaker.describe_training_job(TrainingJobName=f"{name}-train"), "Training")
        model_data = done["ModelArtifacts"]["S3ModelArtifacts"]
        environment = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": self.transformer["transformed_data_format"]}
        if self.transformer.get("sparse_encoding"):
            environment["AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF"] = "1"
        sagemaker.create_model(
            ModelName=f"{name}-model",
            ExecutionRoleArn=self._config.role,
            PrimaryContainer=self._transformer_container(model_data, environment),
            **self._config.secured(),
        )
        transform = self.transformer["transform_resource_config"]
        sagemaker.create_transform_job(
            TransformJobName=f"{name}-transform",
            ModelName=f"{name}-model",
            TransformInput={
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{self._config.processed_data}/"}},
                "ContentType": "text/csv",
                "SplitType": "Line",
            },
            TransformOutput={
                "S3OutputPath": self.transformed,
                "Accept": self.transformer["transformed_data_format"],
            },
            TransformResources={
                "InstanceType": transform["instance_type"],
                "InstanceCount": transform["instance_count"],
            },
        )
        completed(lambda: sagemaker.describe_transform_job(TransformJobName=f"{name}-transform"), "Transform")
        self._model_data = model_data

    def _transformer_container(self, model_data: str, environment: Mapping[str, str]) -> dict[str, Any]:
        return {
            "Image": self._config.base_automl_job_config["data_transformer_image_uri"],
            "ModelDataUrl": model_data,
            "Environment": {
                "MAX_CONTENT_LENGTH": "20971520",
                "SAGEMAKER_PROGRAM": "sagemaker_serve",
                "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                **environment,
            },
        }

    def inputs(self) -> list[dict[str, Any]]:
        """The channels of the algorithm's training jobs."""
        content_type = self.transformer["transformed_data_format"]
        return [channel(part, f"{self.transformed}/{part}/", content_type) for part in ("train", "validation")]

    def containers(self, model_data: str) -> list[dict[str, Any]]:
        """The inference pipeline with the model of one of its training jobs: rows in, labels or numbers out."""
        if self._model_data is None:
            raise JobFailed(f"The data transformer of {self.name} has not been fitted: run that cell before.")
        classification = self._config.base_automl_job_config["problem_type"] != "Regression"
        algorithm = {"MAX_CONTENT_LENGTH": "20971520", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}
        if self.algorithm["name"] != "xgboost":
            algorithm["ML_APPLICATION"] = self.algorithm["name"].replace("-", "_")
        chain = [
            self._transformer_container(
                self._model_data,
                {
                    "AUTOML_TRANSFORM_MODE": "feature-transform",
                    "AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF": "1",
                    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": RECORDIO,
                },
            ),
            {
                "Image": self._config.base_automl_job_config["algo_inference_image_uris"][self.algorithm["name"]],
                "ModelDataUrl": model_data,
                "Environment": algorithm,
            },
        ]
        if classification:
            algorithm["SAGEMAKER_INFERENCE_OUTPUT"] = "predicted_label"
            algorithm["SAGEMAKER_INFERENCE_SUPPORTED"] = ",".join(_KEYS[:3])
            labels = {
                "AUTOML_TRANSFORM_MODE": "inverse-label-transform",
                "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
                "SAGEMAKER_INFERENCE_INPUT": "predicted_label",
                "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
                "SAGEMAKER_INFERENCE_SUPPORTED": ",".join(_KEYS),
            }
            chain.append(self._transformer_container(self._model_data, labels))
        return chain
