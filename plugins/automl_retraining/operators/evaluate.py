"""The evidence: both models' predictions on the same test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.outcome import champion_state
from automl_retraining.core.records import ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.operators.states import states

if TYPE_CHECKING:
    from airflow.sdk import Context


class EvaluateOperator(SageMakerOperator):
    """Join, evaluate, and write ``scores/`` and ``evaluation.json`` into the run folder.

    Runs when both models' transforms have ended, however (``trigger_rule="all_done"``): skipped where the challenger
    was not scored; where the champion could not be, the evaluation says so.
    XCom: the number of test rows and the primary metric's values.
    """

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **{"trigger_rule": "all_done", **kwargs})

    @fail_for_good("evaluate")
    def execute(self, context: Context) -> dict[str, Any]:
        """Read, join, evaluate, write."""
        ended = states(context)
        if ended.get("score_challenger") != "success":
            # Skipped rather than failed: the grid then shows the cause in red, not this. The record fails the run.
            raise AirflowSkipException(f"nothing to evaluate: score_challenger is {ended.get('score_challenger')}")
        from automl_retraining.sagemaker.evidence import evaluate_run

        ti = context["ti"]
        read = ti.xcom_pull(task_ids="champion")
        champion = ModelRef.model_validate(read) if read else None
        error = None
        if champion is not None and champion_state(ended.get("score_champion")) != "scored":
            reason = ti.xcom_pull(task_ids="score_champion", key="failure") or "see the log of task score_champion"
            error = f"champion {champion.model_name} could not be scored on these test rows: {reason}"
        evaluation = evaluate_run(
            self.s3,
            self.run_folder(context),
            policy=self.pipeline.gate,
            challenger=ModelRef.model_validate(ti.xcom_pull(task_ids="create_model")),
            champion=champion,
            champion_error=error,
        )
        for warning in evaluation.warnings:
            self.log.warning("%s", warning)
        primary = evaluation.metric(self.pipeline.gate.metric)
        return {"rows": evaluation.rows, "metric": primary.model_dump(mode="json") if primary else None}
