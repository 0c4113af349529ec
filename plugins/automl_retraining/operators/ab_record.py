"""What an A/B test came to, written down, whatever happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.ab_records import ABResult, Judgement
from automl_retraining.core.ab_report import page
from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import ConfigError, RegistryError
from automl_retraining.core.records import Outcome
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.ab_base import (
    HARM,
    JUDGE,
    PROMOTE,
    SHIFT,
    START,
    WATCH,
    WITHDRAW,
    ABOperator,
    judgement_of,
)
from automl_retraining.operators.champion import champion_if_known
from automl_retraining.operators.record import FAILURE
from automl_retraining.operators.states import states
from automl_retraining.sagemaker import ab, registry, storage

if TYPE_CHECKING:
    from airflow.sdk import Context


class RecordABOperator(ABOperator):
    """Write ``result.json``, ``report.html`` and ``outcome.json``, whatever happened; then fail where a task failed.

    A challenger that the test withdrew is set to Rejected in the model registry. XCom: the Outcome.
    """

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **{"trigger_rule": "all_done", **kwargs})

    @fail_for_good("record the A/B test")
    def execute(self, context: Context) -> None:
        """Gather, write, and say it."""
        ti: Any = context["ti"]
        result = self._result(context)
        folder = self.run_folder(context)
        storage.write_record(self.s3, storage.join(folder, "result.json"), result)
        report = storage.join(folder, "report.html")
        storage.write_text(self.s3, report, page(result), "text/html; charset=utf-8")
        outcome = self._outcome(context, result, report)
        storage.write_record(self.s3, storage.join(folder, "outcome.json"), outcome)
        # Pushed rather than returned: a task that fails returns nothing, and whoever follows the run wants it.
        ti.xcom_push("return_value", outcome.model_dump(mode="json"))
        self.log.info("%s: %s", result.outcome, result.sentence)
        self.log.info("report: %s", report)
        if result.outcome == "withdrawn":
            self._reject(result)
        if result.failed_tasks or result.outcome == "failed":
            failed = ", ".join(result.failed_tasks) or "none"
            raise AirflowFailException(f"failed tasks: {failed}. {result.sentence}")

    def _result(self, context: Context) -> ABResult:
        ti: Any = context["ti"]
        ended = states(context)
        order = [task for task in (START, WATCH, JUDGE, SHIFT, PROMOTE, WITHDRAW) if task in ended]
        failed = tuple(task for task in order if ended[task] == "failed")
        begun: dict[str, Any] = ti.xcom_pull(task_ids=START) or {}
        judgement = judgement_of(self, context) if ended.get(JUDGE) == "success" else None
        reached = ended.get(PROMOTE) in ("success", "failed")
        promoted = ti.xcom_pull(task_ids=PROMOTE, key="promoted") if reached else None
        harm = [ti.xcom_pull(task_ids=task, key=HARM) for task in (WATCH, SHIFT)]
        early = next((said for said in harm if said), None)
        serving, _ = champion_if_known(self)
        word, sentence = self._ending(failed, judgement, early, promoted, context)
        return ABResult(
            pipeline=self.pipeline.name,
            run_id=ti.run_id,
            endpoint=self.pipeline.endpoint_name,
            outcome=word,
            sentence=sentence,
            champion=begun.get("champion"),
            challenger=begun.get("challenger"),
            spec=self._asked_for(context),
            started=begun.get("since"),
            finished=datetime.now(UTC),
            ended_early=early,
            judgement=judgement,
            serves=serving and serving.model_name,
            failed_tasks=failed,
        )

    def _asked_for(self, context: Context) -> ABSpec:
        """The run's settings; the pipeline's, where the form's were refused: the record is written either way."""
        assert self.pipeline.ab is not None
        try:
            return self.spec(context)
        except ConfigError:
            return self.pipeline.ab

    def _ending(
        self,
        failed: tuple[str, ...],
        judgement: Judgement | None,
        early: str | None,
        promoted: Mapping[str, Any] | None,
        context: Context,
    ) -> tuple[Any, str]:
        if failed:
            reasons = [
                f"{task} failed: {context['ti'].xcom_pull(task_ids=task, key=FAILURE) or 'see its log'}"
                for task in failed
            ]
            end = " The challenger serves alone." if promoted else ""
            end += " The challenger may still stand beside the champion: clear withdraw." if WITHDRAW in failed else ""
            return "failed", f"{'; '.join(reasons)}.{end}"
        if promoted:
            return "promoted", judgement.sentence if judgement else "Promoted."
        if early:
            return "withdrawn", f"Withdrawn: {early.removeprefix('Withdrawn: ')}"
        if judgement is None:
            return "failed", "the A/B test ended without a judgement: see the log of the task that did not run"
        return "withdrawn", judgement.sentence

    def _outcome(self, context: Context, result: ABResult, report: str) -> Outcome:
        rules = result.judgement.rules if result.judgement else ()
        return Outcome(
            pipeline=self.pipeline.name,
            run_id=result.run_id,
            outcome="kept" if result.outcome == "withdrawn" else result.outcome,
            sentence=result.sentence,
            reasons=tuple(rule.sentence for rule in rules),
            endpoint=result.endpoint,
            challenger=result.challenger,
            champion=result.serves,
            previous_champion=result.champion,
            finished=result.finished,
            failed_tasks=result.failed_tasks,
            report_uri=report,
            facts={"run_folder": self.run_folder(context), "dag_id": context["ti"].dag_id},
        )

    def _reject(self, result: ABResult) -> None:
        """What was withdrawn must not stay Approved: whoever deploys from the registry trusts it."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.pipeline.registry.enabled or result.challenger is None:
            return
        try:
            arn = ab.version_of(self.sm, result.challenger)
            if arn and registry.status_of(self.sm, arn) == "Approved":
                registry.set_status(self.sm, arn, "Rejected", f"A/B test: {result.sentence}")
        except (ClientError, BotoCoreError, RegistryError) as error:
            self.log.warning("model %s keeps its status in the model registry: %s", result.challenger, error)
