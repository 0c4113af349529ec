"""The gate: promote only when the evidence says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BranchMixIn

from automl_retraining.core.config import Pipeline
from automl_retraining.core.records import Evaluation
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    from airflow.sdk import Context


class GateOperator(SageMakerOperator, BranchMixIn):
    """Decide from ``evaluation.json`` and the pipeline's policy alone, write ``decision.json``, and branch.

    XCom: key ``decision`` holds the verdict, its sentence and when it was decided.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, pipeline: Pipeline, promote: str, keep: str, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.promote = promote
        self.keep = keep

    @fail_for_good("decide")
    def execute(self, context: Context) -> Any:
        """Decide, say why, and follow one branch."""
        return self.do_branch(context, self._decide(context))

    def _decide(self, context: Context) -> str:
        from automl_retraining.core.gate import decide

        folder = self.run_folder(context)
        evaluation = storage.read_record(self.s3, storage.join(folder, "evaluation.json"), Evaluation)
        decision = decide(evaluation, self.pipeline.gate)
        storage.write_record(self.s3, storage.join(folder, "decision.json"), decision)
        self.log.info("%s: %s", decision.verdict, decision.sentence)
        for rule in decision.rules:
            self.log.info("%s %s: %s", rule.result, rule.name, rule.sentence)
        context["ti"].xcom_push(
            "decision",
            {"verdict": decision.verdict, "sentence": decision.sentence, "decided": datetime.now(UTC).isoformat()},
        )
        return self.promote if decision.verdict == "promote" else self.keep
