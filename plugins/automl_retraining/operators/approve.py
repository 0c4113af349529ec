"""A person decides, in Airflow, with the evidence in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import BranchMixIn, Param

from automl_retraining.core import approval as words
from automl_retraining.core.approval import MOST_CHARACTERS, answered, question, subject, waiting
from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.records import Answer, Approval, Decision, Evaluation, Outcome
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.operators.states import states
from automl_retraining.sagemaker import registry, run_folder, storage

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVAL = "approval"
"""XCom key of the answer, and where it stands in ``task_state_store``."""

_APPROVE, _REFUSE = "Approve", "Refuse"
_ASKED = "asked"


class ApproveOperator(SageMakerOperator, HITLOperator, BranchMixIn):
    """Ask a person whether the challenger goes behind the endpoint, and follow one branch.

    Airflow shows the question under Browse, Required Actions; the task waits in ``awaiting_input`` and holds neither a
    worker nor a triggerer. Only ``gate.approvers`` may answer, or, where there are none, whoever may answer such
    questions of this DAG. Whoever does not answer within ``gate.answer_within`` has refused: the time runs from the
    first question, also across retries. An answer is kept, so that a retry does not ask again; clearing the task does.

    While it waits the run folder says so (``outcome.json``: waiting) and has its report.
    XCom: key ``approval`` holds the Approval.

    Args:
        pipeline: The model kept fresh: its ``gate`` has who may answer and their time.
        promote: The task that follows an approval.
        keep: The task that follows a refusal.
        kwargs: BaseOperator's.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, pipeline: Pipeline, promote: str, keep: str, **kwargs: Any) -> None:
        kwargs.pop("params", None)  # the DAG's form, which Airflow adds; each class of the hierarchy gets it anew
        super().__init__(
            pipeline=pipeline,
            subject=f"{pipeline.name}: put the new model behind the endpoint?",
            options=[_APPROVE, _REFUSE],
            defaults=[_REFUSE],
            response_timeout=timedelta(seconds=pipeline.gate.answer_within),
            assigned_users=[{"id": user, "name": user} for user in pipeline.gate.approvers] or None,
            params={
                "reason": Param(
                    None,
                    type=["null", "string"],
                    maxLength=MOST_CHARACTERS,
                    title="Reason",
                    description="Goes into outcome.json, the report and the model registry.",
                )
            },
            **kwargs,
        )
        self.promote = promote
        self.keep = keep

    @fail_for_good("ask for approval")
    def execute(self, context: Context) -> Any:
        """Write down that the run waits, and ask; or go on with the answer that a try before this one got."""
        store: Any = context["task_state_store"]
        tries = context["ti"].max_tries  # clearing a task, and nothing else, raises the number of tries it may have
        kept: Any = store.get(APPROVAL)
        if kept and kept["max_tries"] == tries:
            return self._go_on(context, Approval.model_validate(kept["answer"]))
        asked: Any = store.get(_ASKED)
        if not asked or asked["max_tries"] != tries:
            asked = {"at": datetime.now(UTC).isoformat(), "max_tries": tries}
            store.set(_ASKED, asked)
        until = datetime.fromisoformat(asked["at"]) + timedelta(seconds=self.pipeline.gate.answer_within)
        left = until - datetime.now(UTC)
        if left <= timedelta(0):
            return self._answer(context, "timed_out", who=None, at=datetime.now(UTC), comment=None)
        self._write_waiting(context, until)
        self.response_timeout = left
        super().execute(context)  # ends here: it raises what tells Airflow to wait
        raise AssertionError("expected Airflow to wait for a person")

    @fail_for_good("ask for approval")
    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> Any:
        """A person answered, or the time is up."""
        at = event.get("responded_at") or datetime.now(UTC)
        if event.get("timedout") or event.get("error_type") == "timeout":
            return self._answer(context, "timed_out", who=None, at=at, comment=None)
        # Nothing but this one answer puts a model behind the endpoint.
        approved = list(event.get("chosen_options") or ()) == [_APPROVE]
        form: Any = event.get("params_input") or {}
        return self._answer(
            context,
            "approved" if approved else "refused",
            who=_who(event.get("responded_by_user")),
            at=at,
            comment=words.comment(form.get("reason")),
        )

    def _answer(self, context: Context, answer: Answer, *, who: str | None, at: datetime, comment: str | None) -> Any:
        decision = self._decision(context)
        approval = Approval(
            answer=answer,
            who=who,
            answered=at,
            comment=comment,
            challenger=decision.challenger,
            champion=decision.champion,
            answer_within=self.pipeline.gate.answer_within,
        )
        written: Any = {"answer": approval.model_dump(mode="json"), "max_tries": context["ti"].max_tries}
        context["task_state_store"].set(APPROVAL, written)
        return self._go_on(context, approval)

    def _go_on(self, context: Context, approval: Approval) -> Any:
        """Tell the registry and the tasks that follow, and take the branch."""
        sentence = answered(approval, self._decision(context))
        self.log.info("%s", sentence)
        approved = approval.answer == "approved"
        package = context["ti"].xcom_pull(task_ids="gate", key="package_arn")
        if package:
            registry.set_status(self.sm, str(package), "Approved" if approved else "Rejected", sentence)
        context["ti"].xcom_push(APPROVAL, approval.model_dump(mode="json"))
        return self.do_branch(context, self.promote if approved else self.keep)

    def _write_waiting(self, context: Context, until: datetime) -> None:
        """The question, from the run folder; and the folder says that the run waits, with a report to look at."""
        folder = run_folder.read(self.s3, self.run_folder(context), states(context))
        decision, evaluation = folder.decision, folder.evaluation
        if decision is None or evaluation is None:
            raise EvidenceError(
                f"{folder.uri}: expected the gate's decision and the evaluation that it was made from, found that "
                "evaluate or gate did not succeed in this run: clear them"
            )
        report = storage.join(folder.uri, "report.html")
        self.subject = subject(decision)
        self.body = question(decision, evaluation, folder=folder.uri, report=report, until=until)
        outcome = self._waiting(context, decision, evaluation, report, until)
        storage.write_record(self.s3, storage.join(folder.uri, "outcome.json"), outcome)
        run_folder.write_report(self.s3, folder, outcome)

    def _waiting(
        self, context: Context, decision: Decision, evaluation: Evaluation, report: str, until: datetime
    ) -> Outcome:
        gate = context["ti"].xcom_pull(task_ids="gate", key="decision")
        champion = evaluation.champion
        return Outcome(
            pipeline=self.pipeline.name,
            run_id=context["run_id"],
            outcome="waiting",
            sentence=waiting(decision, until),
            reasons=decision.reasons,
            endpoint=self.pipeline.endpoint_name,
            challenger=decision.challenger,
            champion=decision.champion,
            endpoint_config=champion.endpoint_config if champion else None,
            decided=gate["decided"] if gate else None,
            report_uri=report,
        )

    def _decision(self, context: Context) -> Decision:
        return storage.read_record(self.s3, storage.join(self.run_folder(context), "decision.json"), Decision)


def approval_of(context: Context) -> Approval | None:
    """The answer that this run's task ``approve`` got; None where nobody was asked, or it is of an earlier clearing."""
    if states(context).get("approve") != "success":
        return None
    found = context["ti"].xcom_pull(task_ids="approve", key=APPROVAL)
    return Approval.model_validate(found) if found else None


def _who(user: Any) -> str:
    """The user's name, as Airflow knows it; where it knows none, its id."""
    for key in ("name", "id"):
        value = user.get(key) if isinstance(user, Mapping) else getattr(user, key, None)
        if value:
            return str(value)
    return "a person"
