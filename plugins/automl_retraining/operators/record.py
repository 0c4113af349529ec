"""The last tasks of a story: the champion kept, and what happened written down, whatever happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.approval import answered, covers
from automl_retraining.core.config import Pipeline
from automl_retraining.core.frequency import runs_a_year
from automl_retraining.core.outcome import judge
from automl_retraining.core.records import Approval, Decision, Outcome
from automl_retraining.operators import registering
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.approve import approval_of
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.operators.champion import champion_if_known
from automl_retraining.operators.endpoint import KEPT
from automl_retraining.operators.states import states
from automl_retraining.sagemaker import run_folder, storage, sweep

if TYPE_CHECKING:
    from airflow.sdk import Context


FAILURE = "failure"
"""XCom key under which a task that failed for good leaves its reason."""


def leave_reason(context: Context) -> None:
    """``on_failure_callback`` of every task: leave the reason behind for the record.

    Airflow calls it once, when the task will not be tried again, and before it reports the task's state.
    """
    error = context.get("exception")
    context["ti"].xcom_push(FAILURE, str(error) or type(error).__name__)


class KeepChampionOperator(SageMakerOperator):
    """Say why the endpoint was left as it is. XCom: the decision's sentence, or what a person answered to it."""

    @fail_for_good("read the decision")
    def execute(self, context: Context) -> str:
        """Log the reasons."""
        where = storage.join(self.run_folder(context), "decision.json")
        decision = storage.read_record(self.s3, where, Decision)
        approval = approval_of(context)
        sentence = answered(approval, decision) if approval and covers(approval, decision) else decision.sentence
        self.log.info("%s", sentence)
        for reason in decision.reasons:
            self.log.info("- %s", reason)
        return sentence


class RecordOperator(SageMakerOperator):
    """Write ``outcome.json`` and ``report.html``, always; then fail where a task of the run failed.

    Runs when everything else has ended (``trigger_rule="all_done"``), so that the run's folder is complete and its
    state honest. The report leaves out what the run did not get to.
    XCom: the Outcome.
    """

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **{"trigger_rule": "all_done", **kwargs})

    @fail_for_good("record the run")
    def execute(self, context: Context) -> None:
        """Gather, judge, write, and say it."""
        self._stop_left_running(context)
        folder = run_folder.read(self.s3, self.run_folder(context), states(context))
        outcome = self._outcome(context, folder)
        storage.write_record(self.s3, storage.join(folder.uri, "outcome.json"), outcome)
        # Pushed rather than returned: a task that fails returns nothing, and whoever follows the run wants it.
        context["ti"].xcom_push("return_value", outcome.model_dump(mode="json"))
        self.log.info("%s: %s", outcome.outcome, outcome.sentence)
        registering.settle(self, context, outcome)
        self.log.info("report: %s", self._report(folder, outcome))
        if outcome.failed_tasks or outcome.outcome == "failed":
            failed = ", ".join(outcome.failed_tasks) or "none"
            raise AirflowFailException(f"failed tasks: {failed}. {outcome.sentence}")

    def _report(self, folder: run_folder.RunFolder, outcome: Outcome) -> str:
        return run_folder.write_report(self.s3, folder, outcome, runs_a_year(self.pipeline.schedule))

    def _stop_left_running(self, context: Context) -> None:
        """A task killed between its deferral and the start of its trigger leaves its job to nobody: it ends here."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            said = sweep.stop_left_running(
                self.sm,
                deployment=self.deployment.deployment,
                pipeline=self.pipeline.name,
                run_id=context["run_id"],
            )
        except (ClientError, BotoCoreError) as error:
            # The record matters more: it is written either way, and says what could not be looked at.
            self.log.warning("jobs of this run that may still run cannot be looked for: %s", error)
            return
        for sentence in said:
            self.log.warning("nobody waited for it any more: %s", sentence)

    def _outcome(self, context: Context, folder: run_folder.RunFolder) -> Outcome:
        ti: Any = context["ti"]
        dag: Any = context["dag"]
        order = [task.task_id for task in dag.topological_sort() if task.task_id != self.task_id]
        ended = states(context)
        failures = {task: ti.xcom_pull(task_ids=task, key=FAILURE) for task in order if ended.get(task) == "failed"}
        rolled_back = [
            ti.xcom_pull(task_ids=task, key="rolled_back")
            for task in ("update_endpoint", "smoke_test")
            if ended.get(task) == "failed"
        ]
        updated = ended.get("update_endpoint") == "success"
        kept = ti.xcom_pull(task_ids="update_endpoint", key=KEPT) if updated else None
        approval = approval_of(context)
        ending = judge(
            order=order,
            states=ended,
            failures={task: reason for task, reason in failures.items() if reason},
            decision=folder.decision,
            rolled_back=next((sentence for sentence in rolled_back if sentence), None),
            approval=approval,
            kept=kept,
        )
        serving, note = champion_if_known(self)
        # The evaluation knows best: a champion that changed during the run was compared again with the new one.
        compared = folder.evaluation.champion if folder.evaluation else None
        before = compared.model_name if compared else ti.xcom_pull(task_ids="champion", key="model_name")
        gate = ti.xcom_pull(task_ids="gate", key="decision") if folder.decision else None
        return Outcome(
            pipeline=self.pipeline.name,
            run_id=ti.run_id,
            outcome=ending.word,
            sentence=ending.sentence,
            reasons=ending.reasons,
            endpoint=self.pipeline.endpoint_name,
            challenger=folder.decision.challenger if folder.decision else None,
            champion=serving.model_name if serving else None,
            previous_champion=before,
            endpoint_config=serving.endpoint_config if serving else None,
            **_answer(approval),
            decided=gate["decided"] if gate else None,
            finished=datetime.now(UTC),
            failed_tasks=ending.failed,
            report_uri=storage.join(folder.uri, "report.html"),
            facts=_facts(context, folder.uri, note),
        )


def _answer(approval: Approval | None) -> dict[str, Any]:
    """What a person said, as the outcome has it."""
    if approval is None:
        return {}
    return {
        "answer": approval.answer,
        "answered_by": approval.who,
        "answered": approval.answered,
        "answer_comment": approval.comment,
        "approved_by": approval.who if approval.answer == "approved" else None,
    }


def _facts(context: Context, folder: str, note: str | None) -> dict[str, Any]:
    """Who ran, the names of its jobs and how long each task took (seconds)."""
    ti: Any = context["ti"]
    dag_run = context["dag_run"]
    tasks = {row["task_id"]: row for row in ti.get_task_breadcrumbs(dag_id=ti.dag_id, run_id=ti.run_id)}
    jobs = {
        task: name
        for task in (
            "preprocess",
            "fit_processor",
            "make_features",
            "search",
            "score_challenger",
            "score_champion",
            "score_reference",
        )
        if task in tasks and (name := ti.xcom_pull(task_ids=task, key="job_name"))
    }
    facts: dict[str, Any] = {
        "run_folder": folder,
        "dag_id": ti.dag_id,
        "run_type": str(getattr(dag_run.run_type, "value", dag_run.run_type)),
        "jobs": jobs,
        "task_seconds": {
            # Airflow gives a task that it skips again, after a clearing, a duration of nothing.
            task: round(row["duration"], 1)
            for task, row in tasks.items()
            if row["duration"] is not None and row["state"] != "skipped"
        },
    }
    if package := ti.xcom_pull(task_ids="gate", key=registering.PACKAGE):
        facts["model_package"] = package
    if note:
        facts["endpoint_note"] = note
    return facts
