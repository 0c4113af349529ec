"""The champion changed while a run was under way: its challenger is compared with the new one, not thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from automl_retraining.core.approval import objection
from automl_retraining.core.errors import ChampionChanged, JobTimeout, JobVanished
from automl_retraining.core.records import Evaluation, Manifest, ModelRef
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.approve import approval_of
from automl_retraining.operators.endpoint_writer import EndpointWriter
from automl_retraining.operators.registering import register_candidate
from automl_retraining.sagemaker import reference, requests, storage, watching
from automl_retraining.sagemaker.jobs import TRANSFORM
from automl_retraining.sagemaker.submit import Plan, Stored, submit_once
from automl_retraining.triggers.job import JobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from automl_retraining.sagemaker.registry import Status

_STATE = "rematch"
_MOST = 5
"""Rematches in one run; an endpoint that changes more often than that is fought over."""
_LONGEST_WAIT = 4 * 3600
"""Seconds for the batch transform, as for the run's other ones."""


class RematchOperator(EndpointWriter):
    """Scores the new champion on the run's test rows, evaluates and decides again, and goes on by that.

    The run folder then tells the second comparison: ``evaluation.json`` (with a warning that says so),
    ``decision.json`` and ``scores/`` are written anew; the new champion's outputs are below
    ``transform/champion-<n>/``. The lease is not held meanwhile.
    """

    template_fields = ("model_name",)

    def __init__(self, *, model_name: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name

    def put_behind(self, context: Context) -> dict[str, Any] | None:
        """What follows a new decision: leave the endpoint as it is, or put the challenger behind it."""
        raise NotImplementedError(f"{type(self).__name__} must say what follows a promotion")

    def compare_again(
        self, context: Context, champion: ModelRef | None, *, instead_of: str | None
    ) -> dict[str, Any] | None:
        """Score the champion that serves now and wait for that; where none does, decide at once.

        Raises:
            ChampionChanged: it has changed too often to go on.
        """
        name = self.pipeline.endpoint_name
        written: Any = context["task_state_store"].get(_STATE) or {"round": 0, "used": -1, "champion": None}
        if champion is not None and "job" in written and written["champion"]["model_name"] == champion.model_name:
            self._wait_for(written["job"])  # a try before this one has begun the same
        said = (
            f"endpoint {name}: the gate compared the challenger with {instead_of or 'no champion'}, but "
            f"{champion.model_name if champion else 'nothing'} serves now, since another run has changed it"
        )
        self.log.warning("%s: comparing again", said)
        if written["round"] >= _MOST:
            raise ChampionChanged(f"{said}: expected to be done after {_MOST} comparisons; clear the task champion")
        state = {
            "round": written["round"] + 1,
            "used": written["used"] + 1,
            "said": said,
            "scored": self._scored_before(context, written),
            "champion": champion.model_dump(mode="json") if champion else None,
        }
        context["task_state_store"].set(_STATE, state)
        if champion is None:
            return self._decide_again(context, state, None)
        return self._score(context, state, champion)

    @fail_for_good("compare with the new champion")
    def scored(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """The batch transform has ended: evaluate, decide, and go on or keep the champion."""
        state: Any = context["task_state_store"].get(_STATE)
        job = watching.look(self.sm, TRANSFORM, str(event["job_name"]))
        if job is None:
            raise JobVanished(f"{TRANSFORM.title} {event['job_name']} is not there any more: clear the task")
        if not job.over:
            self._wait_for(job.name)
        error = None if job.phase == "succeeded" else str(watching.ending_error(TRANSFORM, job))
        return self._decide_again(context, state, error)

    def waited_too_long(self, context: Context, error: BaseException) -> NoReturn:
        """Of a rematch: stop its job. Else as the base."""
        state: Any = context["task_state_store"].get(_STATE) or {}
        if "job" not in state:
            super().waited_too_long(context, error)
        outcome = watching.stop(self.sm, TRANSFORM, state["job"])
        raise JobTimeout(
            f"{TRANSFORM.title} {state['job']}: expected it to end within {_LONGEST_WAIT} s, found it running; "
            f"{outcome}"
        ) from error

    def _score(self, context: Context, state: dict[str, Any], champion: ModelRef) -> NoReturn:
        store = context["task_state_store"]
        folder = self.run_folder(context)
        manifest = storage.read_record(self.s3, storage.join(folder, "manifest.json"), Manifest)
        spec = self.pipeline.transform
        options = requests.TransformOptions(
            model_name=champion.model_name,
            input_uri=manifest.transform_input_uri,
            output_uri=storage.join(folder, "transform", f"champion-{state['round']}"),
            classification=manifest.problem_type != "Regression",
            instance_type=spec.instance_type,
            instance_count=spec.instance_count,
            max_payload_mb=spec.max_payload_mb,
            kms_key=self.pipeline.aws.kms_key,
        )
        first = int(state["used"])

        def save(stored: Stored) -> None:
            store.set(_STATE, {**state, "job": stored.name, "used": first + stored.failures})

        plan = Plan(
            name_for=lambda used: self.resource_name(context, TRANSFORM.key, first + used),
            request_for=lambda name: self.tagged(
                context, requests.create_transform_job(name, options), name_member=TRANSFORM.name_member
            ),
            save=save,
            say=self.log.info,
        )
        self._wait_for(submit_once(self.sm, TRANSFORM, plan, stored=None, cleared=False).name)

    def _scored_before(self, context: Context, written: Mapping[str, Any]) -> dict[str, str]:
        """Where the outputs of the models that this run has compared with are, by model: one may be a reference now."""
        if self.pipeline.gate.mode != "non_inferiority":
            return {}
        if written["round"]:
            last = written["champion"]
            return {**written["scored"], **({last["model_name"]: f"champion-{written['round']}"} if last else {})}
        before = storage.read_record(self.s3, storage.join(self.run_folder(context), "evaluation.json"), Evaluation)
        scored = {}
        if before.champion is not None and before.champion_error is None:
            scored[before.champion.model_name] = "champion"
        if any(metric.against_reference for metric in before.metrics) and before.reference is not None:
            scored[before.reference.model_name] = "reference"
        return scored

    def _reference(self, state: Mapping[str, Any], champion: ModelRef | None) -> dict[str, Any]:
        """The new champion's reference, with its outputs where this run has them: else the gate is in doubt."""
        if champion is None:
            return {}
        found = reference.look(self.sm, self.s3, champion)
        given: dict[str, Any] = {"reference": found.model, "reference_error": found.problem}
        if found.model is None or found.problem or found.model.model_name == champion.model_name:
            return given
        if self.pipeline.gate.mode != "non_inferiority":
            return {**given, "reference_error": reference.NOT_ASKED}
        if output := state["scored"].get(found.model.model_name):
            return {**given, "reference_output": output}
        said = (
            f"reference {found.model.model_name} of the champion that serves now was not scored in this run: clear the "
            "task champion to compare with both"
        )
        return {**given, "reference_error": said}

    def _wait_for(self, job: str) -> NoReturn:
        self.defer(
            trigger=JobTrigger(
                kind=TRANSFORM.key,
                job_name=job,
                conn_id=self.pipeline.aws.conn_id,
                region=self.pipeline.aws.region,
                since=datetime.now(UTC).isoformat(),
                stop_on_kill=True,
            ),
            method_name="scored",
            timeout=timedelta(seconds=_LONGEST_WAIT),
        )

    def _decide_again(self, context: Context, state: Mapping[str, Any], error: str | None) -> dict[str, Any] | None:
        from automl_retraining.core.gate import decide
        from automl_retraining.sagemaker.evidence import evaluate_run

        folder, store = self.run_folder(context), context["task_state_store"]
        champion = ModelRef.model_validate(state["champion"]) if state["champion"] else None
        evaluation = evaluate_run(
            self.s3,
            folder,
            policy=self.pipeline.gate,
            challenger=ModelRef(model_name=self.model_name, run_id=context["run_id"], run_folder=folder),
            champion=champion,
            champion_error=error and f"champion could not be scored on these test rows: {error}",
            champion_output=f"champion-{state['round']}",
            **self._reference(state, champion),
            notes=(state["said"],),
        )
        decision = decide(evaluation, self.pipeline.gate)
        storage.write_record(self.s3, storage.join(folder, "decision.json"), decision)
        self.log.info("%s: %s", decision.verdict, decision.sentence)
        # Nobody was asked about the champion that serves now: what needs a person stays out.
        barred = objection(decision, approval_of(context))
        status: Status = "Rejected" if barred else "Approved"
        register_candidate(self, context, evaluation, decision, status)
        store.set(_STATE, {key: value for key, value in state.items() if key != "job"})
        return self.put_behind(context)

    def forget(self, context: Context) -> None:
        """The task is done: clearing it begins anew."""
        for key in (_STATE, "move", "lease_owner"):
            context["task_state_store"].delete(key)
