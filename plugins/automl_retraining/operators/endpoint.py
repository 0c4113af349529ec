"""Putting the challenger behind the endpoint, under the endpoint's lease."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import EndpointBusy, RolledBack
from automl_retraining.core.records import Decision, ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.rematch import RematchOperator
from automl_retraining.sagemaker import endpoint, storage

if TYPE_CHECKING:
    from airflow.sdk import Context


class UpdateEndpointOperator(RematchOperator):
    """Create the endpoint configuration of the challenger and move the endpoint to it, or create the endpoint.

    Inside the lease the champion is read again. Where it is not the one that the gate compared with, the challenger is
    compared with the new one, and goes on only where it is promoted over that one too.

    Args:
        pipeline: The model kept fresh.
        model_name: The challenger; a template.
        kwargs: BaseOperator's.

    XCom: ``endpoint``, ``config``, ``model_name``, and what served before: ``previous_config``, ``previous_model``;
    nothing where the champion was kept after all.
    """

    @fail_for_good("update the endpoint")
    def execute(self, context: Context) -> dict[str, Any] | None:
        """Write the endpoint, unless a try before this one did."""
        return self.put_behind(context)

    def put_behind(self, context: Context) -> dict[str, Any] | None:
        """Under the lease: write, or compare again where another champion serves by now."""
        where = storage.join(self.run_folder(context), "decision.json")
        decision = storage.read_record(self.s3, where, Decision)
        self.take_lease(context)
        try:
            current = endpoint.describe(self.sm, self.pipeline.endpoint_name)
            if current is not None:
                endpoint.check_ours(current, adopt=self.pipeline.endpoint.adopt, pipeline=self.pipeline.name)
            move = self._move(context)
            begun = current is not None and move["config"] in (current.config_name, current.pending_config)
            champion = endpoint.champion_of(self.sm, current) if current is not None and not begun else None
            serves = champion.model_name if champion else None
            changed = not begun and serves not in (decision.champion, self.model_name)
            if champion is not None and serves == self.model_name:  # cleared after it had succeeded
                move, how = {**move, "config": champion.endpoint_config}, "serving"
            elif not changed:
                how = self._write(context, current, move, champion, begun=begun)
        except BaseException:
            self.give_lease_back(context)
            raise
        if changed:
            self.give_lease_back(context)
            return self.compare_again(context, champion, instead_of=decision.champion)
        self.log.info("endpoint %s: %s with configuration %s", self.pipeline.endpoint_name, how, move["config"])
        if how != "serving":
            self.wait(move)
        self.give_lease_back(context)
        return self._done(context, move)

    @fail_for_good("update the endpoint")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does it serve what was asked for?"""
        move = self.stored_move(context)
        try:
            self.outcome_of_move(context, move)
        except RolledBack as error:
            context["ti"].xcom_push("rolled_back", str(error))
            raise
        return self._done(context, move)

    def _write(
        self,
        context: Context,
        current: endpoint.Endpoint | None,
        move: dict[str, Any],
        champion: ModelRef | None,
        *,
        begun: bool,
    ) -> str:
        """Store what is being moved, then create the configuration and move the endpoint; what ``put`` says."""
        name, tags = self.pipeline.endpoint_name, self.run_tags(context)
        if not begun:
            move |= {
                "previous_config": champion.endpoint_config if champion else None,
                "previous_model": champion.model_name if champion else None,
                "changed": current.changed.isoformat() if current else "",
            }
            context["task_state_store"].set("move", move)
        request = endpoint.config_request(
            None if current is None or current.status == "Failed" else current,
            config_name=move["config"],
            model_name=self.model_name,
            spec=self.pipeline.endpoint,
            kms_key=self.pipeline.aws.kms_key,
            tags=tags,
        )
        endpoint.create_config(self.sm, request)  # finds it where it has begun, and holds it against this model
        how = endpoint.put(self.sm, current, endpoint_name=name, config_name=move["config"], tags=tags)
        if how == "deleting":
            raise EndpointBusy(
                f"endpoint {name}: expected it to be InService, found Failed ({current and current.failure_reason}): "
                "deleted it, since nothing else can be done with it; the next try creates it anew"
            )
        return how

    def _move(self, context: Context) -> dict[str, Any]:
        """What is being moved: as a try before this one stored it, where it was for the same model."""
        stored = context["task_state_store"].get("move")
        if isinstance(stored, dict) and stored.get("model") == self.model_name:
            return dict(stored)
        return {
            "config": self.resource_name(context, "config"),
            "model": self.model_name,
            "previous_config": None,
            "previous_model": None,
            "changed": "",
        }

    def _done(self, context: Context, move: Mapping[str, Any]) -> dict[str, Any]:
        self.forget(context)
        self.log.info(
            "endpoint %s serves model %s (before: %s)",
            self.pipeline.endpoint_name, move["model"], move["previous_model"] or "nothing",
        )  # fmt: skip
        return {
            "endpoint": self.pipeline.endpoint_name,
            "config": move["config"],
            "model_name": move["model"],
            "previous_config": move["previous_config"],
            "previous_model": move["previous_model"],
        }
