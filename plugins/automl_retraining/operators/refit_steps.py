"""The steps of a candidate of Autopilot's tuning, run again up to the algorithm's features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import JobFailed
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.operators.refit import RefitOperator
from automl_retraining.sagemaker import refit, requests, storage, tuned
from automl_retraining.sagemaker.jobs import TRAINING, TRANSFORM, Description, JobKind
from automl_retraining.sagemaker.lineage import Lineage, NotRefittable
from automl_retraining.sagemaker.upload import Uploads
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context

_CHUNK = 8 << 20


class FitProcessorOperator(RefitOperator):
    """The training job of an Autopilot champion's data processor, on the new train part.

    Writes train and validation without their headers, as the data processor takes them, into the run folder first.
    XCom: ``{"job_name", "model_uri", "rows_uri"}``.
    """

    kind: ClassVar[JobKind] = TRAINING

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateTrainingJob's arguments."""
        split, lineage = self.given
        rows = self._rows_uri(context)
        with Uploads(self.s3, kms_key=self.pipeline.aws.kms_key) as uploads:
            for part, uri in (("train", split.train_uri), ("validation", split.validation_uri)):
                target = uploads.open(storage.join(rows, part, f"{part}.csv"), "text/csv")
                for chunk in refit.rows_only(self._chunks(uri)):
                    target.write(chunk)
        described = self.described(lineage.preprocessing_job)
        data = {"train": storage.join(rows, "train") + "/"}
        return refit.training(
            described,
            name,
            pipeline=self.pipeline,
            role_arn=self.deployment.role_of(self.pipeline),
            channels={**data, **self.own_copy(context, refit.prefixes(described, without=data))},
            output_uri=storage.join(self.run_folder(context), "preprocessing"),
        )

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:  # noqa: ARG002
        """Where the fitted data processor is."""
        tuned.check_artifact(self.s3, description)
        return {
            "job_name": description["TrainingJobName"],
            "model_uri": description["ModelArtifacts"]["S3ModelArtifacts"],
            "rows_uri": self._rows_uri(context),
        }

    def _rows_uri(self, context: Context) -> str:
        return storage.join(self.run_folder(context), "preprocessing", "rows") + "/"

    def _chunks(self, uri: str) -> Iterator[bytes]:
        bucket, key = storage.parse_uri(uri)
        with storage.words("read", uri):
            body = self.s3.get_object(Bucket=bucket, Key=key)["Body"]
            yield from body.iter_chunks(_CHUNK)


class ProcessorModelOperator(CreateModelOperator):
    """The model that makes features: the container of the champion's transform job over the newly fitted processor.

    Args:
        pipeline: The model kept fresh.
        lineage: The ``Lineage`` of ``find_jobs``.
        processor: The XCom of a ``FitProcessorOperator``.
        kwargs: The base's.
    """

    template_fields = ("lineage", "processor")

    def __init__(self, *, pipeline: Pipeline, lineage: Any, processor: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, search=None, **kwargs)
        self.lineage = lineage
        self.processor = processor

    def request(self, context: Context, name: str) -> dict[str, Any]:  # noqa: ARG002 - as the base's
        """CreateModel's arguments under that name, without tags."""
        container = Lineage.model_validate(self.lineage).transform_container
        if container is None:
            raise NotRefittable("expected find_jobs to name the container that makes features, found none: clear it")
        aws = self.pipeline.aws
        return requests.create_model(
            name,
            [container.model_copy(update={"model_data_url": self.processor["model_uri"]})],
            self.deployment.role_of(self.pipeline),
            subnets=aws.subnets,
            security_group_ids=aws.security_group_ids,
            network_isolation=self.network_isolation,
        )


class MakeFeaturesOperator(RefitOperator):
    """The transform job of an Autopilot champion, on the new rows. XCom: ``{"job_name", "train_uri", ...}``.

    Args:
        pipeline: The model kept fresh.
        split: The split task's XCom.
        lineage: The ``Lineage`` of ``find_jobs``.
        processor: The XCom of a ``FitProcessorOperator``.
        model: The XCom of a ``ProcessorModelOperator``.
        kwargs: The base's.
    """

    kind: ClassVar[JobKind] = TRANSFORM
    template_fields: Sequence[str] = (*RefitOperator.template_fields, "processor", "model")

    def __init__(self, *, processor: Any, model: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processor = processor
        self.model = model

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateTransformJob's arguments."""
        return refit.transform(
            self.described(self.given[1].transform_job),
            name,
            pipeline=self.pipeline,
            model_name=self.model["model_name"],
            input_uri=self.processor["rows_uri"],
            output_uri=self._features_uri(context, name),
        )

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:  # noqa: ARG002
        """Where the features of train and validation are, and with which processor they were made."""
        name = description["TransformJobName"]
        uris = {part: storage.join(self._features_uri(context, name), part) + "/" for part in ("train", "validation")}
        for part, uri in uris.items():
            if not storage.any_below(self.s3, uri):
                raise JobFailed(f"batch transform job {name} ended well, but made no features of {part} at {uri}")
        return {
            "job_name": name,
            "model_uri": self.processor["model_uri"],
            **{f"{part}_uri": uri for part, uri in uris.items()},
        }

    def _features_uri(self, context: Context, name: str) -> str:
        """By the job's name, so that the next refit finds the job by its features' place."""
        return storage.join(self.run_folder(context), "preprocessing", name)
