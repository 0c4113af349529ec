"""The evidence: both models' predictions on the same test rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.outcome import champion_state
from automl_retraining.core.records import ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.operators.states import states
from automl_retraining.sagemaker import reference

if TYPE_CHECKING:
    from airflow.sdk import Context


class EvaluateOperator(SageMakerOperator):
    """Join, evaluate, and write ``scores/`` and ``evaluation.json`` into the run folder.

    Runs when all models' transforms have ended, however (``trigger_rule="all_done"``): skipped where the challenger
    was not scored; where the champion or the reference could not be, the evaluation says so.
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
            **self._reference(context, champion, ended.get("score_reference")),
        )
        for warning in (*evaluation.warnings, evaluation.leakage_unknown, evaluation.reference_error):
            if warning and warning != reference.NOT_ASKED:
                self.log.warning("%s", warning)
        primary = evaluation.metric(self.pipeline.gate.metric)
        # By way of JSON: an interval on too few rows may have no end, and XCom's database no infinity.
        return {"rows": evaluation.rows, "metric": json.loads(primary.model_dump_json()) if primary else None}

    def _reference(self, context: Context, champion: ModelRef | None, state: str | None) -> dict[str, Any]:
        """The reference, and where its predictions are or why there are none; it is scored only as not inferior."""
        if champion is None:
            return {}
        found = reference.look(self.sm, self.s3, champion)
        given = {"reference": found.model, "reference_error": found.problem}
        if found.model is None or found.problem or found.model.model_name == champion.model_name:
            return given
        if self.pipeline.gate.mode != "non_inferiority":
            return {**given, "reference_error": reference.NOT_ASKED}
        ti = context["ti"]
        scored = ti.xcom_pull(task_ids="score_reference") if state == "success" else None
        if scored and scored["model_name"] == found.model.model_name:
            return {**given, "reference_output": "reference"}
        task = "score_champion" if state == "upstream_failed" else "score_reference"
        reason = ti.xcom_pull(task_ids=task, key="failure") or f"see the log of task {task}"
        said = f"reference {found.model.model_name} could not be scored on these test rows: {reason}"
        return {**given, "reference_error": said}
