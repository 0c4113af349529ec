"""Score the test rows with a model, by batch transform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RequestError
from automl_retraining.operators.base import SageMakerJobOperator
from automl_retraining.sagemaker import requests
from automl_retraining.sagemaker.jobs import TRANSFORM, Description, JobKind
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context

_PROBLEM_TYPES = ("BinaryClassification", "MulticlassClassification", "Regression")


class TransformOperator(SageMakerJobOperator):
    """Runs one batch transform over lines ``row_id,feature,...``; the output has ``row_id`` and the model's answers.

    Args:
        pipeline: The model kept fresh.
        model_name: The model; a template.
        input_uri: The transform input's S3 prefix or object; a template.
        output_uri: Where ``<object>.out`` goes; a template.
        problem_type: A template; classification returns label, probabilities and labels, regression one number.
        skip_without_model: Skip the task where the model's name renders to nothing (there is no champion yet).
        kwargs: The base's.

    Returns (XCom) ``{"job_name", "output_uri", "model_name"}``.
    """

    kind: ClassVar[JobKind] = TRANSFORM
    template_fields = ("model_name", "input_uri", "output_uri", "problem_type")

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        model_name: str,
        input_uri: str,
        output_uri: str,
        problem_type: str,
        skip_without_model: bool = False,
        max_wait: float = 4 * 3600,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, max_wait=max_wait, **kwargs)
        self.model_name = model_name
        self.input_uri = input_uri
        self.output_uri = output_uri
        self.problem_type = problem_type
        self.skip_without_model = skip_without_model

    def execute(self, context: Context) -> Any:
        """Submit the job and wait for it, or skip where there is no model to score."""
        if self.skip_without_model and not _text(self.model_name):
            raise AirflowSkipException("there is no model to score")
        return super().execute(context)

    def request(self, context: Context, name: str) -> dict[str, Any]:  # noqa: ARG002 - the base's signature
        """CreateTransformJob's arguments under that name, without tags."""
        if not _text(self.model_name):
            raise RequestError(f"model_name: expected a model's name, found that it rendered to {self.model_name!r}")
        if self.problem_type not in _PROBLEM_TYPES:
            raise RequestError(
                f"problem type: expected one of {', '.join(_PROBLEM_TYPES)}, found {self.problem_type!r}"
            )
        spec = self.pipeline.transform
        return requests.create_transform_job(
            name,
            requests.TransformOptions(
                model_name=self.model_name,
                input_uri=self.input_uri,
                output_uri=self.output_uri,
                classification=self.problem_type != "Regression",
                instance_type=spec.instance_type,
                instance_count=spec.instance_count,
                max_payload_mb=spec.max_payload_mb,
                kms_key=self.pipeline.aws.kms_key,
            ),
        )

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:  # noqa: ARG002
        """Where the predictions are."""
        return {
            "job_name": description["TransformJobName"],
            "output_uri": self.output_uri,
            "model_name": self.model_name,
        }


def _text(value: object) -> str:
    """A rendered template; nothing, and a rendered None, are empty."""
    text = "" if value is None else str(value).strip()
    return "" if text == "None" else text
