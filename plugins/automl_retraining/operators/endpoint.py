"""Putting the challenger behind the endpoint, under the endpoint's lease."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from automl_retraining.core.approval import objection
from automl_retraining.core.errors import EndpointBusy, RolledBack
from automl_retraining.core.records import Decision, ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.approve import approval_of
from automl_retraining.operators.registering import require_approved
from automl_retraining.operators.rematch import RematchOperator
from automl_retraining.sagemaker import ab, alarms, endpoint, endpoint_config, rollout, storage, tags

if TYPE_CHECKING:
    from airflow.sdk import Context


KEPT = "kept"
"""XCom key under which the task says why it left the endpoint as it is, without failing."""


class UpdateEndpointOperator(RematchOperator):
    """Create the endpoint configuration of the challenger and move the endpoint to it, or create the endpoint.

    Inside the lease the champion is read again. Where it is not the one that the gate compared with, the challenger is
    compared with the new one, and goes on only where it is promoted over that one too.

    Over an endpoint that serves, the traffic moves as the pipeline's rollout says, guarded by its alarms. What the
    fleet cannot do, an alarm that is missing or in ALARM, and a model that is too large are found before anything is
    written. A model that is too large keeps the champion without failing.

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
        if barred := objection(decision, approval_of(context)):
            self.log.warning("endpoint %s is left as it is: %s", self.pipeline.endpoint_name, barred)
            context["ti"].xcom_push(KEPT, barred)
            self.forget(context)
            return None
        stored = self._begun(context)
        if stored is None and (too_large := self._too_large()):
            self.log.warning("endpoint %s is left as it is: %s", self.pipeline.endpoint_name, too_large)
            context["ti"].xcom_push(KEPT, too_large)
            self.forget(context)
            return None
        with self.leased(context):
            current = endpoint.describe(self.sm, self.pipeline.endpoint_name)
            ab.refuse_during_test(current)
            if current is not None:
                endpoint.check_ours(current, adopt=self.pipeline.endpoint.adopt, pipeline=self.pipeline.name)
            move = stored or self._new_move(context)
            begun = current is not None and move["config"] in (current.config_name, current.pending_config)
            champion = endpoint.champion_of(self.sm, current) if current is not None and not begun else None
            serves = champion.model_name if champion else None
            changed = not begun and serves not in (decision.champion, self.model_name)
            if champion is not None and serves == self.model_name:  # cleared after it had succeeded
                move |= {"config": champion.endpoint_config}
            elif not changed:
                if not begun:
                    require_approved(self, context)
                how = self._write(context, current, move, champion, begun=begun)
                self.log.info("endpoint %s: %s with configuration %s", self.pipeline.endpoint_name, how, move["config"])
                if how != "serving":
                    self.wait(move)
        if changed:
            return self.compare_again(context, champion, instead_of=decision.champion)
        return self._done(context, move)

    @fail_for_good("update the endpoint")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does it serve what was asked for?"""
        try:
            move = self.finish_move(context)
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
        name, own = self.pipeline.endpoint_name, self.run_tags(context)
        if not begun:
            if current is not None and current.status == "InService":
                move["alarms"] = self._guard(current, move, own)
            move |= {
                "previous_config": champion.endpoint_config if champion else None,
                "previous_model": champion.model_name if champion else None,
                "changed": current.changed.isoformat() if current else "",
                "begun": datetime.now(UTC).isoformat(),
            }
            context["task_state_store"].set("move", move)
        before = [{"Key": tags.PREVIOUS_CONFIG, "Value": move["previous_config"]}] if move["previous_config"] else []
        request = endpoint_config.config_request(
            None if current is None or current.status == "Failed" else current,
            config_name=move["config"],
            model_name=self.model_name,
            spec=self.pipeline.endpoint,
            kms_key=self.pipeline.aws.kms_key,
            tags=[*own, *before],
            capture_uri=self.capture_uri,
        )
        endpoint_config.create_config(self.sm, request)  # finds it where it has begun, and holds it against this model
        deployment = rollout.deployment(self.pipeline.endpoint, move.get("alarms", ()))
        how = endpoint.put(
            self.sm, current, endpoint_name=name, config_name=move["config"], tags=own, deployment=deployment
        )
        if how == "deleting":
            raise EndpointBusy(
                f"endpoint {name}: expected it to be InService, found Failed ({current and current.failure_reason}): "
                "deleted it, since nothing else can be done with it; the next try creates it anew"
            )
        return how

    def _guard(self, current: endpoint.Endpoint, move: Mapping[str, Any], own: list[tags.Tag]) -> list[str]:
        """Hold the rollout against the fleet and the named alarms, then make our own; the names of all of them."""
        spec = self.pipeline.endpoint
        rollout.check_fleet(spec, current)
        if not spec.alarms.any:
            return []
        cloudwatch = self._client("cloudwatch")
        alarms.check_named(cloudwatch, spec.alarms.names)
        wanted = alarms.requests(
            spec.alarms,
            endpoint_name=current.name,
            variant=current.champion_variant["VariantName"],
            config_name=move["config"],
            tags=own,
        )
        made = alarms.sync(cloudwatch, wanted, endpoint_name=current.name, fresh=spec.alarms.fleet == "new")
        return [*spec.alarms.names, *made]

    def _too_large(self) -> str | None:
        limit = self.pipeline.endpoint.max_model_mb
        return None if limit is None else rollout.too_large(self.sm, self.s3, self.model_name, limit)

    def _begun(self, context: Context) -> dict[str, Any] | None:
        """What a try before this one stored, where it was for the same model."""
        move = self.begun_move(context)
        return move if move is not None and move.get("model") == self.model_name else None

    def _new_move(self, context: Context) -> dict[str, Any]:
        """What is being moved, where no try before this one has begun."""
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
