"""The gate: promote only when the evidence says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BranchMixIn

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import ConfigError
from automl_retraining.core.records import Decision, Evaluation
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.operators.registering import PACKAGE, register_candidate
from automl_retraining.sagemaker import storage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from automl_retraining.sagemaker.registry import Status


class GateOperator(SageMakerOperator, BranchMixIn):
    """Decide from ``evaluation.json`` and the pipeline's policy alone, write ``decision.json``, and branch.

    XCom: key ``decision`` holds the verdict, its sentence and when it was decided; ``package_arn`` the challenger's
    version in the model registry.

    Args:
        pipeline: The model kept fresh; its policy says when a person is asked.
        promote: The task that puts the challenger behind the endpoint.
        keep: The task that keeps the champion.
        approve: The task that asks a person; only where the policy's approval is not ``never``.
        kwargs: The base's.
    """

    inherits_from_skipmixin = True

    def __init__(
        self, *, pipeline: Pipeline, promote: str, keep: str, approve: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.promote = promote
        self.keep = keep
        self.approve = approve

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
        following = self._next(decision)
        arn = register_candidate(self, context, evaluation, decision, self._status(following))
        if arn is not None:
            context["ti"].xcom_push(PACKAGE, arn)
        return following

    def _status(self, following: str) -> Status:
        """What the challenger's version begins with in the model registry."""
        if following == self.promote:
            return "Approved"
        return "Rejected" if following == self.keep else "PendingManualApproval"

    def _next(self, decision: Decision) -> str:
        """The task that follows the verdict."""
        approval = decision.policy.approval
        asked = approval == "always" if decision.verdict == "promote" else approval != "never"
        if decision.verdict != "keep" and asked:
            if self.approve is None:
                raise ConfigError(
                    f"gate.approval is {approval}: expected a task that asks a person, found none in this DAG"
                )
            return self.approve
        return self.promote if decision.verdict == "promote" else self.keep
