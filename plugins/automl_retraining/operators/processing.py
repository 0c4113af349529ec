"""Make features with a processing job: our preprocessing script in the scikit-learn container."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from automl_retraining.core import features
from automl_retraining.core.config import Pipeline, project_root
from automl_retraining.core.errors import JobFailed
from automl_retraining.core.records import Manifest, SplitResult
from automl_retraining.operators.base import START_ALLOWANCE, SageMakerJobOperator
from automl_retraining.sagemaker import images, processing, sourcedir, storage
from automl_retraining.sagemaker.jobs import PROCESSING, Description, JobKind
from automl_retraining.sagemaker.tuned import Preprocessed
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context

IMAGE = "scikit-learn"


class PreprocessOperator(SageMakerJobOperator):
    """Fits the feature pipeline on the train part and applies it to train and validation.

    Uploads the source directory and ``spec.json`` into the run folder first. XCom: ``Preprocessed``.

    Args:
        pipeline: The model kept fresh: its ``processing`` section says which script, container and machine.
        split: The split task's XCom.
        kwargs: The base's.

    Raises:
        AirflowFailException: the script raised (its traceback's last lines are in the message), wrote no output, or
            made features of other columns than the table's.
    """

    kind: ClassVar[JobKind] = PROCESSING
    template_fields: Sequence[str] = ("split",)

    def __init__(self, *, pipeline: Pipeline, split: Any, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.split = split

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """CreateProcessingJob's arguments; the code and the spec are uploaded first."""
        spec, aws = self.pipeline.processing, self.pipeline.aws
        folder = storage.join(self.run_folder(context), "preprocessing")
        source = Path(spec.source_dir)
        source = source if source.is_absolute() else project_root() / source
        code, entrypoint = sourcedir.upload(self.s3, source, spec.script, folder)
        return processing.create_processing_job(
            name,
            processing.ProcessingOptions(
                image_uri=images.image_uri(IMAGE, str(self.sm.meta.region_name), spec.image_version),
                role_arn=self.deployment.role_of(self.pipeline),
                code_uri=code,
                entrypoint_uri=entrypoint,
                inputs=self.data(context),
                outputs={part: self._output(context, name, part) for part in ("train", "validation", "model")},
                instance_type=spec.instance_type,
                volume_gb=spec.volume_gb,
                max_run_time=spec.max_run_time,
                kms_key=aws.kms_key,
                volume_kms_key=aws.kms_key,
                subnets=aws.subnets,
                security_group_ids=aws.security_group_ids,
            ),
        )

    def data(self, context: Context) -> dict[str, str]:
        """Where the script finds the table, by channel; the table's description (``spec.json``) is written first."""
        split = SplitResult.model_validate(self.split)
        manifest = storage.read_record(self.s3, split.manifest_uri, Manifest)
        spec_uri = storage.join(self.run_folder(context), "preprocessing", "spec", "spec.json")
        spec = json.dumps(features.preprocessing_spec(manifest), indent=1) + "\n"
        storage.write_text(self.s3, spec_uri, spec, "application/json")
        return {"spec": spec_uri, "train": split.train_uri, "validation": split.validation_uri}

    def longest_wait(self) -> float:
        """The job's own limit and half an hour around it."""
        return min(self.max_wait, self.pipeline.processing.max_run_time + START_ALLOWANCE)

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:  # noqa: ARG002
        """Where everything is, once it is known to be there and to fit the table."""
        name = description["ProcessingJobName"]
        model_folder = self._output(context, name, "model")
        uris = {
            "model_uri": storage.join(model_folder, "model.tar.gz"),
            "features_uri": storage.join(model_folder, "features.json"),
            "train_uri": self._output(context, name, "train") + "/",
            "validation_uri": self._output(context, name, "validation") + "/",
        }
        missing = [uri for uri in uris.values() if not storage.list_uris(self.s3, uri)]
        if missing:
            raise JobFailed(
                f"processing job {name} ended well but wrote too little: expected features of train and validation, "
                f"model.tar.gz and features.json, found nothing at {', '.join(missing)}: see what the script "
                f"{self.pipeline.processing.script} writes below {processing.OUTPUT}"
            )
        contract = features.read_contract(storage.read_text(self.s3, uris["features_uri"]), uris["features_uri"])
        manifest = storage.read_record(self.s3, SplitResult.model_validate(self.split).manifest_uri, Manifest)
        features.check_inputs(contract, manifest.features, whose=f"the preprocessor of job {name}")
        self.log.info("%d columns became %d features", len(contract.inputs), len(contract.outputs))
        return Preprocessed(
            job_name=name,
            job_arn=description["ProcessingJobArn"],
            image_uri=description["AppSpecification"]["ImageUri"],
            n_outputs=len(contract.outputs),
            digest=contract.digest,
            environment=dict(description.get("Environment") or {}),
            **uris,
        ).model_dump(mode="json")

    def _output(self, context: Context, name: str, part: str) -> str:
        """By the job's name: what a failed try of the same task left behind is not taken for this one's."""
        return storage.join(self.run_folder(context), "preprocessing", name, part)
