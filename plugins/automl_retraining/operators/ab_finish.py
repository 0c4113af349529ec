"""The end of an A/B test: the weights shifted, the challenger promoted or withdrawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import ABTestEnded, EndpointBusy, EndpointError
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.ab_base import HARM, JUDGE, ABOperator, smoke_test
from automl_retraining.sagemaker import ab, endpoint, endpoint_config, tags

if TYPE_CHECKING:
    from airflow.sdk import Context

_STAGE = "stage"
_ASKED_AT_MOST = 3
"""Times that the weights of one step are asked for."""


class ShiftWeightsOperator(ABOperator):
    """Give the challenger more and more of the requests, each share watched; skipped where it is withdrawn.

    The lease is held only while the weights change. XCom: ``share``; under the key ``harm`` what ended it.
    """

    @fail_for_good("shift the weights")
    def execute(self, context: Context) -> dict[str, int]:
        """Go on from the step that a try before this one came to."""
        _only_a_promotion(context)
        return self._step(context)

    @fail_for_good("shift the weights")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, int]:  # noqa: ARG002 - Airflow's call
        """The weights have changed, or not: the next look says it."""
        self.give_lease_back(context)
        return self._step(context)

    @fail_for_good("shift the weights")
    def watched(self, context: Context, event: Mapping[str, Any]) -> dict[str, int]:
        """The next step, unless this one did harm."""
        if harm := self.seen(event):
            context["ti"].xcom_push(HARM, harm)
            raise AirflowSkipException(f"the challenger is withdrawn: {harm}")
        context["task_state_store"].set(_STAGE, {"step": self._stage(context)["step"] + 1})
        return self._step(context)

    @staticmethod
    def _stage(context: Context) -> dict[str, Any]:
        stored = context["task_state_store"].get(_STAGE)
        return dict(stored) if isinstance(stored, dict) else {"step": 0}

    def _step(self, context: Context) -> dict[str, int]:
        store, spec, stage = context["task_state_store"], self.spec(context), self._stage(context)
        if stage["step"] >= len(spec.shift):
            store.delete(_STAGE)
            self.forget(context)
            return {"share": spec.shift[-1]}
        share = spec.shift[stage["step"]]
        if "since" not in stage:
            with self.leased(context):
                if self._ask(context, share, stage):
                    self.wait({"config": self.begun(context)["config"]})
            stage["since"] = datetime.now(UTC).isoformat()
            store.set(_STAGE, stage)
        until = datetime.fromisoformat(stage["since"]) + timedelta(seconds=spec.shift_watch)
        return self.watch_until(
            context, spec, since=stage["since"], until=until, deadline=until, min_invocations=0, method="watched"
        )

    def _ask(self, context: Context, share: int, stage: Mapping[str, Any]) -> bool:
        """Ask for the share; False where the challenger has it."""
        request = ab.shift_request(self.sm, self.the_test(context), share)
        if request is None:
            return False
        asked = stage.get("asked", 0)
        if asked >= _ASKED_AT_MOST:
            raise EndpointError(
                f"endpoint {self.pipeline.endpoint_name}: expected the challenger to get {share} % of the requests, "
                f"found that its weight or instances do not change, asked {asked} times: see the endpoint's events"
            )
        context["task_state_store"].set(_STAGE, {**stage, "asked": asked + 1})
        self.sm.update_endpoint_weights_and_capacities(**request)
        self.log.info("the challenger gets %d %% of the requests", share)
        return True


class PromoteChallengerOperator(ABOperator):
    """Make the challenger the champion: a configuration of one variant; skipped where it is withdrawn.

    XCom: ``endpoint``, ``config``, ``model_name``, ``previous_config``, ``previous_model``, and ``test``, a sentence.
    """

    @fail_for_good("promote the challenger")
    def execute(self, context: Context) -> dict[str, Any]:
        """Move the endpoint, unless a try before this one did."""
        _only_a_promotion(context)
        with self.leased(context):
            how, move = self._begin(context)
            if how != "serving":
                self.wait(move)
        return self._done(context, move)

    @fail_for_good("promote the challenger")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does the challenger serve?"""
        return self._done(context, self.finish_move(context))

    def _begin(self, context: Context) -> tuple[str, dict[str, Any]]:
        begun, own = self.begun(context), self.run_tags(context)
        move = self.begun_move(context)
        if move is not None:
            current = endpoint.describe(self.sm, self.pipeline.endpoint_name)
            if current is None:
                raise ABTestEnded(f"endpoint {self.pipeline.endpoint_name}: expected the A/B test, found no endpoint")
        else:
            current = self.the_test(context)
            champion = current.champion_variant.get("ModelName")
            if champion != begun["champion"]:
                raise ABTestEnded(
                    f"endpoint {current.name}: expected the champion {begun['champion']}, which the test began with, "
                    f"found {champion}: somebody else changed it"
                )
            ab.require_approved(self.sm, begun["challenger"], pipeline=self.pipeline)
            base = ab.base_of(self.sm, current)
            move = {
                "config": self.resource_name(context, "config"),
                "model": begun["challenger"],
                "previous_config": base.name,
                "previous_model": begun["champion"],
                "changed": current.changed.isoformat(),
            }
            request = endpoint_config.config_request(
                replace(current, config=base.config),
                config_name=move["config"],
                model_name=move["model"],
                spec=self.pipeline.endpoint,
                kms_key=self.pipeline.aws.kms_key,
                tags=[*own, {"Key": tags.PREVIOUS_CONFIG, "Value": base.name}],
                capture_uri=self.capture_uri,
            )
            endpoint_config.create_config(self.sm, request)
            context["task_state_store"].set("move", move)
        # All at once: the challenger answers these requests already, on a fleet as large as the champion's.
        how = endpoint.put(
            self.sm, current, endpoint_name=self.pipeline.endpoint_name, config_name=move["config"], tags=own
        )
        return how, move

    def _done(self, context: Context, move: Mapping[str, Any]) -> dict[str, Any]:
        self.log.info(
            "endpoint %s serves %s alone (before: %s)",
            self.pipeline.endpoint_name, move["model"], move["previous_model"],
        )  # fmt: skip
        done = {
            "endpoint": self.pipeline.endpoint_name,
            "config": move["config"],
            "model_name": move["model"],
            "previous_config": move["previous_config"],
            "previous_model": move["previous_model"],
        }
        context["ti"].xcom_push("promoted", done)
        tested = smoke_test(self, move["model"], endpoint.CHAMPION_VARIANT)
        self.forget(context)
        return {**done, "test": tested}


class WithdrawOperator(ABOperator):
    """Put the champion alone back, whatever happened, unless the challenger was promoted or nothing was begun.

    It asks the endpoint, not the tasks before it: a test of this run that serves is ended.

    XCom: ``config`` and ``champion``.
    """

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **{"trigger_rule": "all_done", **kwargs})

    @fail_for_good("withdraw the challenger")
    def execute(self, context: Context) -> dict[str, Any]:
        """Move the endpoint, unless a try before this one did."""
        with self.leased(context):
            how, move = self._begin(context)
            if how not in ("serving", "nothing"):
                self.wait(move)
        if how == "nothing":
            self.forget(context)
            raise AirflowSkipException("there is nothing to withdraw: the endpoint does not serve a test of this run")
        return self._done(context, move)

    @fail_for_good("withdraw the challenger")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does the champion serve alone?"""
        return self._done(context, self.finish_move(context))

    def _begin(self, context: Context) -> tuple[str, dict[str, Any]]:
        """Move the endpoint: what ``put`` says, or that there is nothing to withdraw."""
        name, own = self.pipeline.endpoint_name, self.run_tags(context)
        current = endpoint.describe(self.sm, name)
        if current is None or current.status == "Failed":
            return "nothing", {}
        move = self.begun_move(context)
        if move is None:
            coming = current.pending_config if current.status in endpoint.CHANGING else None
            if not self._of_this_run(context, coming or current.config_name):
                return "nothing", {}
            if current.status in endpoint.CHANGING:
                # It has to settle first: SageMaker takes no update meanwhile. The next try finds what came of it.
                raise EndpointBusy(f"endpoint {name}: expected it to be InService, found {current.status}")
            base = ab.base_of(self.sm, current)
            config = base.name
            if base.gone:
                config = self.resource_name(context, "config")
                endpoint_config.create_config(self.sm, ab.alone_request(base, config_name=config, tags=own))
            move = {
                "config": config,
                "model": current.champion_variant.get("ModelName"),
                "changed": current.changed.isoformat(),
            }
            context["task_state_store"].set("move", move)
        how = endpoint.put(self.sm, current, endpoint_name=name, config_name=move["config"], tags=own)
        self.log.info("endpoint %s: %s with configuration %s", name, how, move["config"])
        return how, move

    def _of_this_run(self, context: Context, config_name: str | None) -> bool:
        """Whether that configuration is a test that this run made."""
        if config_name is None or not ab.under_test(config_name):
            return False
        config = endpoint.describe_config(self.sm, config_name)
        made_by = endpoint.tags_of(self.sm, config["EndpointConfigArn"]) if config else {}
        own = tags.as_mapping(self.run_tags(context))
        return all(made_by.get(key) == own[key] for key in (tags.PIPELINE, tags.RUN_ID, tags.DEPLOYMENT))

    def _done(self, context: Context, move: Mapping[str, Any]) -> dict[str, Any]:
        self.log.info("endpoint %s: the champion %s serves alone", self.pipeline.endpoint_name, move["model"])
        self.forget(context)
        return {"config": move["config"], "champion": move["model"]}


def _only_a_promotion(context: Context) -> None:
    """Skip the task unless the judgement is to promote."""
    verdict = (context["ti"].xcom_pull(task_ids=JUDGE) or {}).get("verdict")
    if verdict != "promote":
        raise AirflowSkipException(f"the judgement is to {verdict or 'do nothing'}")
