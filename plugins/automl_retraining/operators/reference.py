"""Score the reference: what a challenger that is only not inferior must hold against beside the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.records import ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.transform import TransformOperator
from automl_retraining.sagemaker import reference
from automl_retraining.sagemaker.jobs import Description
from automl_retraining.sagemaker.watching import History

if TYPE_CHECKING:
    from airflow.sdk import Context


class ScoreReferenceOperator(TransformOperator):
    """Batch transform of the test rows with the last model promoted by superiority.

    Skipped where there is no champion, where the champion is that model itself, and where the model is not known or
    gone: the evaluation says so then, and the gate is in doubt.

    Args:
        pipeline: The model kept fresh.
        kwargs: TransformOperator's, without ``model_name``.

    Returns (XCom) as TransformOperator.
    """

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **{"model_name": "", **kwargs})

    @fail_for_good("score the reference")
    def execute(self, context: Context) -> Any:
        """Find it, then as the base."""
        read = context["ti"].xcom_pull(task_ids="champion")
        if not read:
            raise AirflowSkipException("there is no champion, so there is no reference")
        champion = ModelRef.model_validate(read)
        found = reference.look(self.sm, self.s3, champion)
        if found.model is None or found.problem is not None:
            raise AirflowSkipException(found.problem or "the reference is not known")
        if found.model.model_name == champion.model_name:
            raise AirflowSkipException(f"the champion {champion.model_name} is the reference itself")
        self.model_name = found.model.model_name
        self.log.info("the reference is %s, of run %s", self.model_name, found.model.run_id or "unknown")
        return super().execute(context)

    def result(self, context: Context, description: Description, history: History) -> dict[str, Any]:
        """Where the predictions are, and whose they are."""
        # After a deferral this is another instance, which has not looked for the model.
        return {**super().result(context, description, history), "model_name": description["ModelName"]}
