"""Make the features of one candidate: fit its data transformer, then transform the rows with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import DataError, JobFailed
from automl_retraining.core.records import Record
from automl_retraining.operators.base import START_ALLOWANCE, SageMakerJobOperator
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.sagemaker import requests, steps, storage, training, tuned
from automl_retraining.sagemaker.candidate_definitions import CandidateDefinitions, Definition
from automl_retraining.sagemaker.jobs import TRAINING, TRANSFORM, Description, JobKind
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context

_CODE_TYPE = "text/x-python"


class Fitted(Record):
    """XCom of `FitTransformerOperator`: a candidate and the artifact of its data transformer."""

    candidate: str
    job_name: str
    transformer_uri: str


class Featured(Record):
    """XCom of `MakeFeaturesOperator`: a candidate, its data transformer, and its features."""

    candidate: str
    transformer_uri: str
    train_uri: str
    validation_uri: str


class FitTransformerOperator(SageMakerJobOperator):
    """Fits a candidate's data transformer on the train rows, with a training job. XCom: ``Fitted``.

    Args:
        pipeline: The model kept fresh.
        definitions: The definitions task's XCom.
        candidate: The candidate's name; mapped over the choice.
        kwargs: The base's.

    Raises:
        AirflowFailException: the data transformer's code raised; the last line says what.
    """

    kind: ClassVar[JobKind] = TRAINING
    template_fields = ("definitions", "candidate")

    def __init__(self, *, pipeline: Pipeline, definitions: Any, candidate: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.definitions = definitions
        self.candidate = candidate

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateTrainingJob's arguments, once code and rows are known to be where Autopilot leaves them."""
        definitions, chosen = _chosen(self.definitions, self.candidate)
        aws = self.pipeline.aws
        missing = steps.missing_parts(storage.list_uris(self.s3, f"{definitions.rows_uri}/"), definitions.rows_uri)
        if missing:
            raise DataError(
                f"candidate {chosen.name}: expected Autopilot's rows at {definitions.rows_uri}, found none of "
                f"{', '.join(missing)}: were they deleted? Clear the task definitions to have them again"
            )
        machine = chosen.transformer_machine
        return training.create_training_job(
            name,
            training.TrainingOptions(
                image_uri=definitions.transformer_image,
                role_arn=self.deployment.role_of(self.pipeline),
                output_uri=_folder(self.run_folder(context), chosen, "transformer"),
                channels={
                    steps.CODE_CHANNEL: f"{definitions.modules_uri}/",
                    "train": f"{definitions.rows_uri}/train/",
                },
                content_types={steps.CODE_CHANNEL: _CODE_TYPE},
                hyperparameters=steps.transformer_hyperparameters(chosen.transformer),
                instance_type=self.pipeline.candidates.instance_type or machine.instance_type,
                instance_count=machine.instance_count,
                volume_gb=machine.volume_size_in_gb,
                max_run_time=self.pipeline.candidates.max_training_job_run_time,
                kms_key=aws.kms_key,
                volume_kms_key=aws.kms_key,
                subnets=aws.subnets,
                security_group_ids=aws.security_group_ids,
            ),
        )

    def longest_wait(self) -> float:
        """The job's own limit and half an hour around it."""
        return min(self.max_wait, self.pipeline.candidates.max_training_job_run_time + START_ALLOWANCE)

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:  # noqa: ARG002
        """Where the fitted data transformer is."""
        tuned.check_artifact(self.s3, description)
        return Fitted(
            candidate=str(self.candidate),
            job_name=description["TrainingJobName"],
            transformer_uri=steps.artifact(description),
        ).model_dump(mode="json")


class TransformerModelOperator(CreateModelOperator):
    """Makes a model of a fitted data transformer, for the transform job. XCom: a ``ModelRef``.

    Args:
        pipeline: The model kept fresh.
        definitions: The definitions task's XCom.
        fitted: The XCom of the candidate's `FitTransformerOperator`.
        kwargs: The base's.
    """

    template_fields: Sequence[str] = ("definitions", "fitted")

    def __init__(self, *, pipeline: Pipeline, definitions: Any, fitted: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, search=None, **kwargs)
        self.definitions = definitions
        self.fitted = fitted

    def request(self, context: Context, name: str) -> dict[str, Any]:  # noqa: ARG002 - the base's signature
        """CreateModel's arguments: one container that makes features."""
        fitted = Fitted.model_validate(self.fitted)
        definitions, chosen = _chosen(self.definitions, fitted.candidate)
        aws = self.pipeline.aws
        container = steps.feature_making(
            definitions.transformer_image,
            fitted.transformer_uri,
            content_type=chosen.features_type,
            sparse=chosen.sparse,
        )
        return requests.create_model(
            name,
            (container,),
            self.deployment.role_of(self.pipeline),
            subnets=aws.subnets,
            security_group_ids=aws.security_group_ids,
            network_isolation=self.network_isolation,
        )


class MakeFeaturesOperator(SageMakerJobOperator):
    """Makes features of train and validation rows with one transform job. XCom: ``Featured``.

    Args:
        pipeline: The model kept fresh.
        definitions: The definitions task's XCom.
        fitted: The XCom of the candidate's `FitTransformerOperator`.
        model: The XCom of its `TransformerModelOperator`.
        kwargs: The base's.
    """

    kind: ClassVar[JobKind] = TRANSFORM
    template_fields = ("definitions", "fitted", "model")

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        definitions: Any,
        fitted: Any,
        model: Any,
        max_wait: float = 4 * 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, max_wait=max_wait, **kwargs)
        self.definitions = definitions
        self.fitted = fitted
        self.model = model

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateTransformJob's arguments."""
        definitions, chosen = _chosen(self.definitions, Fitted.model_validate(self.fitted).candidate)
        machine = chosen.transform_machine
        return steps.create_feature_transform(
            name,
            model_name=self.model["model_name"],
            rows_uri=definitions.rows_uri,
            # By the job's name: what a failed try of the same task left behind is not taken for this one's.
            output_uri=storage.join(_folder(self.run_folder(context), chosen, "features"), name),
            content_type=chosen.features_type,
            instance_type=self.pipeline.candidates.instance_type or machine.instance_type,
            instance_count=machine.instance_count,
            kms_key=self.pipeline.aws.kms_key,
        )

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:  # noqa: ARG002
        """Where the features are, once they are known to be there."""
        fitted = Fitted.model_validate(self.fitted)
        folder = description["TransformOutput"]["S3OutputPath"]
        missing = steps.missing_parts(storage.list_uris(self.s3, f"{folder}/"), folder)
        if missing:
            raise JobFailed(
                f"transform job {description['TransformJobName']} ended well but wrote no features of "
                f"{', '.join(missing)}: expected them below {folder}"
            )
        return Featured(
            candidate=fitted.candidate,
            transformer_uri=fitted.transformer_uri,
            train_uri=f"{folder}/train/",
            validation_uri=f"{folder}/validation/",
        ).model_dump(mode="json")


def _chosen(definitions: Any, candidate: Any) -> tuple[CandidateDefinitions, Definition]:
    found = CandidateDefinitions.model_validate(definitions)
    return found, found.named(str(candidate))[0]


def _folder(run_folder: str, chosen: Definition, what: str) -> str:
    return storage.join(run_folder, "candidates", chosen.name, what)
