"""One trigger puts the model before back behind the endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RollbackRefused, SmokeTestFailed, StorageError
from automl_retraining.core.records import Outcome
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.operators.champion import champion_if_known
from automl_retraining.operators.endpoint_writer import EndpointWriter
from automl_retraining.operators.record import FAILURE
from automl_retraining.sagemaker import endpoint, endpoint_config, rollback, storage, tags

if TYPE_CHECKING:
    from airflow.sdk import Context

DONE = "rolled_back"
"""XCom key under which a rollback that was carried out says so, even where its test failed afterwards."""


class RollbackOperator(EndpointWriter):
    """Move the endpoint back, all traffic at once, under its lease, verified; then test it as far as that is possible.

    The test sends the rows of the run that made the model, where its folder is still there, and holds the answers
    against what was evaluated then. A model that fails it serves all the same: somebody asked for it. The task fails.

    Args:
        pipeline: The model kept fresh.
        to_config: This configuration, rather than the one before; a template.
        to_model: This model, in a new configuration; a template.
        kwargs: BaseOperator's.

    XCom: ``endpoint``, ``config``, ``model_name``, ``previous_config``, ``previous_model`` (what served until now), and
    ``test``, a sentence.
    """

    template_fields: Sequence[str] = ("to_config", "to_model")

    def __init__(self, *, pipeline: Pipeline, to_config: str = "", to_model: str = "", **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.to_config = to_config
        self.to_model = to_model

    @fail_for_good("roll back")
    def execute(self, context: Context) -> dict[str, Any]:
        """Begin to go back, or go on with what a try before this one began."""
        with self.leased(context):
            how, move = self._begin(context)
            if how != "serving":
                self.wait(move)
        return self._done(context, move)

    @fail_for_good("roll back")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does it serve what was asked for?"""
        return self._done(context, self.finish_move(context))

    def _begin(self, context: Context) -> tuple[str, dict[str, Any]]:
        name, spec = self.pipeline.endpoint_name, self.pipeline.endpoint
        current = endpoint.describe(self.sm, name)
        if current is None or current.status == "Failed":
            found = "no endpoint of that name" if current is None else f"Failed ({current.failure_reason})"
            raise RollbackRefused(
                f"endpoint {name}: expected one that serves, found {found}: run a training DAG to make it anew"
            )
        endpoint.check_ours(current, adopt=spec.adopt, pipeline=self.pipeline.name)
        own = self.run_tags(context)
        move = self.begun_move(context) or self._choose(context, current, own)
        how = endpoint.put(self.sm, current, endpoint_name=name, config_name=move["config"], tags=own)
        self.log.info("endpoint %s: %s with configuration %s, model %s", name, how, move["config"], move["model"])
        return how, move

    def _choose(self, context: Context, current: endpoint.Endpoint, own: list[tags.Tag]) -> dict[str, Any]:
        """Find what to put back, store it, and make its configuration where there is none."""
        spec = self.pipeline.endpoint
        champion = endpoint.champion_of(self.sm, current)
        assert champion is not None  # it serves
        target = rollback.target(
            self.sm,
            current,
            to_config=self.to_config.strip() or None,
            to_model=self.to_model.strip() or None,
            pipeline=self.pipeline.name,
            adopt=spec.adopt,
        )
        move: dict[str, Any] = {
            "config": target.config or self.resource_name(context, "config"),
            "model": target.model,
            "run_folder": target.run_folder,
            "previous_config": champion.endpoint_config,
            "previous_model": champion.model_name,
            "changed": current.changed.isoformat(),
        }
        if target.config is None:
            request = endpoint_config.config_request(
                current,
                config_name=move["config"],
                model_name=target.model,
                spec=spec,
                kms_key=self.pipeline.aws.kms_key,
                tags=[*own, {"Key": tags.PREVIOUS_CONFIG, "Value": str(champion.endpoint_config)}],
                capture_uri=self.capture_uri,
            )
            endpoint_config.create_config(self.sm, request)
        context["task_state_store"].set("move", move)
        return move

    def _done(self, context: Context, move: Mapping[str, Any]) -> dict[str, Any]:
        done = {
            "endpoint": self.pipeline.endpoint_name,
            "config": move["config"],
            "model_name": move["model"],
            "previous_config": move["previous_config"],
            "previous_model": move["previous_model"],
        }
        self.log.info(
            "endpoint %s serves model %s again (until now: %s)",
            self.pipeline.endpoint_name, move["model"], move["previous_model"],
        )  # fmt: skip
        context["ti"].xcom_push(DONE, done)
        tested = self._test(move)
        self.forget(context)  # not before: a try after this one must go on, not one further back
        return {**done, "test": tested}

    def _test(self, move: Mapping[str, Any]) -> str:
        from automl_retraining.sagemaker import smoke

        folder = move["run_folder"]
        if not folder:
            return "Not tested: the model does not say which run made it."
        found = endpoint.describe(self.sm, self.pipeline.endpoint_name)
        if found is None or found.config_name != move["config"]:
            return "Not tested: another run has changed the endpoint since."
        variant = found.champion_variant["VariantName"]
        runtime, count = self._client("sagemaker-runtime"), self.pipeline.endpoint.smoke_rows
        try:
            rows = smoke.check_run(self.s3, runtime, folder, found.name, variant, count=count)
        except StorageError as error:
            self.log.warning("not tested: %s", error)
            return f"Not tested: {error}."
        except SmokeTestFailed as error:
            raise SmokeTestFailed(
                f"{error}. It was put back and serves all the same: roll back further, or to another model"
            ) from error
        return f"{len(rows)} test rows of the run that made it are answered as they were then."


class RecordRollbackOperator(SageMakerOperator):
    """Write ``outcome.json`` of the rollback into the run's folder, whatever happened; then fail where it failed.

    Args:
        pipeline: The model kept fresh.
        reason: Why somebody rolled back, in their words; a template.
        kwargs: BaseOperator's.

    XCom: the Outcome.
    """

    template_fields: Sequence[str] = ("reason",)

    def __init__(self, *, pipeline: Pipeline, reason: str = "", **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **{"trigger_rule": "all_done", **kwargs})
        self.reason = reason

    @fail_for_good("record the rollback")
    def execute(self, context: Context) -> None:
        """Write, then fail where the rollback failed."""
        ti: Any = context["ti"]
        done: dict[str, Any] | None = ti.xcom_pull(task_ids="rollback", key=DONE)
        tested: dict[str, Any] | None = ti.xcom_pull(task_ids="rollback")
        failure: str | None = None
        if tested is None:
            failure = ti.xcom_pull(task_ids="rollback", key=FAILURE) or "it left no reason behind: see its log"
        outcome = self._outcome(context, done, failure, tested)
        storage.write_record(self.s3, storage.join(self.run_folder(context), "outcome.json"), outcome)
        # Pushed rather than returned: a task that fails returns nothing, and whoever follows the run wants it.
        ti.xcom_push("return_value", outcome.model_dump(mode="json"))
        self.log.info("%s: %s", outcome.outcome, outcome.sentence)
        if failure is not None:
            raise AirflowFailException(f"the rollback failed: {failure}")

    def _outcome(
        self,
        context: Context,
        done: Mapping[str, Any] | None,
        failure: str | None,
        tested: Mapping[str, Any] | None,
    ) -> Outcome:
        name = self.pipeline.endpoint_name
        if done is None:
            sentence = f"rollback failed: {failure}"
        else:
            sentence = f"Endpoint {name} serves {done['model_name']} again instead of {done['previous_model']}."
            sentence += f" {failure or (tested or {}).get('test', '')}".rstrip()
        serving, _ = champion_if_known(self)
        return Outcome(
            pipeline=self.pipeline.name,
            run_id=context["run_id"],
            outcome="rolled_back" if done else "failed",
            sentence=sentence,
            reasons=(self.reason.strip(),) if self.reason.strip() else (),
            endpoint=name,
            champion=serving and serving.model_name,
            previous_champion=done["previous_model"] if done else None,
            endpoint_config=serving and serving.endpoint_config,
            finished=datetime.now(UTC),
            failed_tasks=("rollback",) if failure is not None else (),
            facts={"run_folder": self.run_folder(context), "dag_id": context["ti"].dag_id},
        )
