"""Have Autopilot write its candidate definitions, and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import JobFailed
from automl_retraining.operators.autopilot import AutopilotOperator
from automl_retraining.sagemaker import candidate_definitions, storage
from automl_retraining.sagemaker.jobs import Description
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context


class DefinitionsOperator(AutopilotOperator):
    """Runs an Autopilot job that stops after its candidate definitions. XCom: ``CandidateDefinitions``.

    The mode is HYPERPARAMETER_TUNING whatever the pipeline's search says, since ensembles have no definitions. Copies
    both notebooks into the run folder, and writes ``candidate_definitions.json`` beside them.

    Args:
        pipeline: The model kept fresh: its ``candidates`` section says which algorithms.
        split: The split task's XCom.
        kwargs: The base's.

    Raises:
        AirflowFailException: the job failed, wrote no notebook, or one that cannot be read.
    """

    def __init__(self, *, pipeline: Pipeline, split: Any, **kwargs: Any) -> None:
        super().__init__(
            pipeline=pipeline,
            split=split,
            mode="HYPERPARAMETER_TUNING",
            algorithms=list(pipeline.candidates.algorithms),
            candidate_definitions_only=True,
            **kwargs,
        )

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:
        """The definitions that the notebook holds."""
        super().result(context, description, history)
        uri = (description.get("AutoMLJobArtifacts") or {}).get("CandidateDefinitionNotebookLocation")
        if not uri:
            raise JobFailed(
                f"Autopilot job {description['AutoMLJobName']}: expected a candidate definition notebook, found none"
            )
        text = storage.read_text(self.s3, uri)
        found = candidate_definitions.read(text, uri, region=str(self.sm.meta.region_name))
        storage.write_record(self.s3, storage.join(self.run_folder(context), "candidate_definitions.json"), found)
        self.log.info("%d candidate definitions: %s", len(found.candidates), ", ".join(found.names))
        return found.model_dump(mode="json")
