"""An A/B test: the challenger put beside the champion, watched without holding a worker, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout
from pydantic import ValidationError

from automl_retraining.core.ab_records import Judgement, Quality, Traffic
from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.errors import (
    ABTestEnded,
    ABTestRefused,
    ConfigError,
    EndpointBusy,
    EndpointError,
    EvidenceError,
)
from automl_retraining.core.names import run_folder_name
from automl_retraining.core.records import Manifest
from automl_retraining.core.yaml_errors import sentences
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.endpoint_writer import EndpointWriter
from automl_retraining.sagemaker import ab, ab_capture, ab_metrics, endpoint, endpoint_config, storage, tags
from automl_retraining.triggers.ab import ABTrigger, gone

if TYPE_CHECKING:
    from airflow.sdk import Context

START, WATCH, JUDGE, SHIFT, PROMOTE, WITHDRAW = (
    "start_variant", "watch", "judge_ab", "shift_weights", "promote", "withdraw",
)  # fmt: skip
"""Task ids."""
HARM = "harm"
"""XCom key under which a task that watched says what harm it saw."""
_FROM_THE_FORM = ("share", "watch", "min_invocations")
_GRACE = timedelta(minutes=15)
"""What a watch may last beyond its own deadline, before Airflow ends it."""


class ABOperator(EndpointWriter):
    """Base of an A/B test's tasks: its settings, its folder, and what was begun.

    What a run does is the pipeline's section ``ab``, changed by the trigger form.
    """

    def run_folder(self, context: Context) -> str:
        """``s3://<bucket>/<pipeline>/ab/<run>``: apart from the runs that train."""
        bucket = self.deployment.bucket_of(self.pipeline)
        return storage.join(f"s3://{bucket}", self.pipeline.name, "ab", run_folder_name(context["run_id"]))

    def spec(self, context: Context) -> ABSpec:
        """The pipeline's section with what the trigger form says.

        Raises:
            ConfigError: the two do not go together.
        """
        assert self.pipeline.ab is not None
        given = {name: context["params"][name] for name in _FROM_THE_FORM if name in context["params"]}
        try:
            return ABSpec.model_validate({**self.pipeline.ab.model_dump(), **given})
        except ValidationError as error:
            raise ConfigError("; ".join(f"the trigger form: {each}" for each in sentences(error, ABSpec))) from error

    def begun(self, context: Context) -> dict[str, Any]:
        """What the task start_variant returned."""
        found: dict[str, Any] | None = context["ti"].xcom_pull(task_ids=START)
        if found is None:
            raise EndpointError(f"expected the task {START} to say what it put beside the champion, found nothing")
        return found

    def the_test(self, context: Context) -> endpoint.Endpoint:
        """The endpoint, which serves this run's test.

        Raises:
            ABTestEnded: it does not.
            EndpointBusy: it is changing.
        """
        name, config = self.pipeline.endpoint_name, self.begun(context)["config"]
        current = endpoint.describe(self.sm, name)
        if current is None or current.status == "Failed" or current.config_name != config:
            raise ABTestEnded(gone(name, config, "none" if current is None else str(current.config_name)))
        if current.status != "InService":
            raise EndpointBusy(f"endpoint {name}: expected it to be InService, found {current.status}")
        return current

    def metrics(self, spec: ABSpec, *, since: str, until: datetime) -> tuple[Traffic, Traffic]:
        """What champion and challenger did since then."""
        return ab_metrics.traffic(
            self._client("cloudwatch"),
            spec,
            self.pipeline.endpoint_name,
            (endpoint.CHAMPION_VARIANT, ab.CHALLENGER_VARIANT),
            since=datetime.fromisoformat(since),
            until=until,
        )

    def watch_until(
        self,
        context: Context,
        spec: ABSpec,
        *,
        since: str,
        until: datetime,
        deadline: datetime,
        min_invocations: int,
        method: str,
    ) -> NoReturn:
        """Defer, watching for harm; go on in the method with the trigger's event."""
        self.defer(
            trigger=ABTrigger(
                endpoint_name=self.pipeline.endpoint_name,
                config_name=self.begun(context)["config"],
                spec=spec.model_dump(mode="json"),
                since=since,
                until=until.isoformat(),
                deadline=deadline.isoformat(),
                min_invocations=min_invocations,
                conn_id=self.pipeline.aws.conn_id,
                region=self.pipeline.aws.region,
            ),
            method_name=method,
            timeout=max(deadline - datetime.now(UTC), timedelta(0)) + _GRACE,
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As the base's, but a watch that broke is begun again by Airflow's next try."""
        if next_method == "settled":
            return super().resume_execution(next_method, next_kwargs, context)
        try:
            return super(EndpointWriter, self).resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralTimeout, TaskDeferralError) as error:
            raise EndpointBusy(
                f"endpoint {self.pipeline.endpoint_name}: expected the triggerer to watch the A/B test, found that it "
                f"does not any more: {str(error) or type(error).__name__}"
            ) from error

    @staticmethod
    def seen(event: Mapping[str, Any]) -> str | None:
        """The harm that was seen, or None where the watch came to its end.

        Raises:
            ABTestEnded: somebody else ended the test.
            EndpointError: it cannot be watched.
        """
        if event["why"] == "gone":
            raise ABTestEnded(str(event["sentence"]))
        if event["why"] == "error":
            raise EndpointError(str(event["sentence"]))
        return str(event["sentence"]) if event["why"] == "harm" else None


class StartVariantOperator(ABOperator):
    """Put the challenger beside the champion, with its share of the requests, and send it the test rows.

    A test that another run left behind is ended first.

    Args:
        pipeline: The model kept fresh.
        challenger: A model's name, or the id of a run; empty for the newest approved version; a template.
        kwargs: BaseOperator's.

    XCom: ``endpoint``, ``config``, ``base_config``, ``champion``, ``challenger``, ``share``, ``since``.
    """

    template_fields = ("challenger",)

    def __init__(self, *, pipeline: Any, challenger: str = "", **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.challenger = challenger

    @fail_for_good("start the A/B test")
    def execute(self, context: Context) -> dict[str, Any]:
        """Begin, or go on with what a try before this one began."""
        return self._start(context)

    def _start(self, context: Context) -> dict[str, Any]:
        self.take_lease(context)
        try:
            how, move = self._begin(context)
        except BaseException:
            self.give_lease_back(context)
            raise
        if how != "serving":
            self.wait(move)
        self.give_lease_back(context)
        return self._next(context, move)

    @fail_for_good("start the A/B test")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does it serve both?"""
        move = self.stored_move(context)
        self.outcome_of_move(context, move)
        return self._next(context, move)

    def _begin(self, context: Context) -> tuple[str, dict[str, Any]]:
        name, spec = self.pipeline.endpoint_name, self.spec(context)
        current = endpoint.describe(self.sm, name)
        if current is None or current.status == "Failed":
            found = "none" if current is None else f"Failed ({current.failure_reason})"
            raise ABTestRefused(f"endpoint {name}: expected one that serves a champion, found {found}")
        endpoint.check_ours(current, adopt=self.pipeline.endpoint.adopt, pipeline=self.pipeline.name)
        own = self.run_tags(context)
        stored = context["task_state_store"].get("move")
        move: dict[str, Any] = dict(stored) if isinstance(stored, dict) else self._choose(context, current, spec, own)
        how = endpoint.put(self.sm, current, endpoint_name=name, config_name=move["config"], tags=own)
        self.log.info("endpoint %s: %s with configuration %s", name, how, move["config"])
        return how, move

    def _choose(
        self, context: Context, current: endpoint.Endpoint, spec: ABSpec, own: list[tags.Tag]
    ) -> dict[str, Any]:
        champion = endpoint.champion_of(self.sm, current)
        assert champion is not None  # it serves
        base = ab.base_of(self.sm, current)
        changed = current.changed.isoformat()
        if ab.under_test(current.config_name):
            self.log.warning("the test %s was left behind: the champion serves alone first", current.config_name)
            config = base.name
            if base.gone:
                config = self.resource_name(context, "config")
                endpoint_config.create_config(self.sm, ab.alone_request(base, config_name=config, tags=own))
            move: dict[str, Any] = {"config": config, "left_behind": current.config_name, "changed": changed}
            context["task_state_store"].set("move", move)
            return move
        bucket = self.deployment.bucket_of(self.pipeline)
        challenger = ab.choose(
            self.sm,
            self.s3,
            self.challenger.strip(),
            pipeline=self.pipeline,
            bucket=bucket,
            champion=champion.model_name,
        )
        move = {
            "config": self.resource_name(context, ab.KIND),
            "base_config": base.name,
            "champion": champion.model_name,
            "challenger": challenger,
            "share": spec.share,
            "changed": changed,
        }
        serving = self.pipeline.endpoint
        request = ab.test_request(
            current,
            spec,
            weight=ab.weights(self.sm, current.name)[endpoint.CHAMPION_VARIANT],
            config_name=move["config"],
            challenger=challenger,
            instance_type=serving.instance_type,
            kms_key=self.pipeline.aws.kms_key,
            capture_uri=(serving.capture and serving.capture.uri)
            or storage.join(f"s3://{bucket}", self.pipeline.name, "capture"),
            tags=[
                *own,
                {"Key": ab.BASE_CONFIG, "Value": base.name},
                # A rollback while the test runs puts the champion alone back.
                {"Key": tags.PREVIOUS_CONFIG, "Value": base.name},
            ],
        )
        endpoint_config.create_config(self.sm, request)
        context["task_state_store"].set("move", move)
        return move

    def _next(self, context: Context, move: Mapping[str, Any]) -> dict[str, Any]:
        """Test the challenger's answers, and say what was begun; or begin, where another test had to end first."""
        if "left_behind" in move:
            self.forget(context)
            return self._start(context)
        begun = {
            **{key: move[key] for key in ("config", "base_config", "champion", "challenger", "share")},
            "endpoint": self.pipeline.endpoint_name,
            "since": datetime.now(UTC).isoformat(),
        }
        self.log.info(
            "endpoint %s: %s gets %s %% of the requests beside %s",
            begun["endpoint"], begun["challenger"], begun["share"], begun["champion"],
        )  # fmt: skip
        self.log.info("%s", smoke_test(self, begun["challenger"], ab.CHALLENGER_VARIANT))
        self.forget(context)
        return begun


def smoke_test(operator: EndpointWriter, model_name: str, variant: str) -> str:
    """Hold the variant's answers against those of the run that made its model, where that folder is still there.

    Raises:
        SmokeTestFailed: an answer differs.
    """
    from automl_retraining.sagemaker import smoke

    model = endpoint.describe_model(operator.sm, model_name)
    folder = endpoint.tags_of(operator.sm, model["ModelArn"]).get(tags.RUN_FOLDER) if model else None
    if not folder:
        return f"Not tested: model {model_name} does not say which run made it."
    runtime = operator._client("sagemaker-runtime")
    count = operator.pipeline.endpoint.smoke_rows
    try:
        rows = smoke.check_run(operator.s3, runtime, folder, operator.pipeline.endpoint_name, variant, count=count)
    except storage.ObjectMissing as error:
        return f"Not tested: {error}."
    return f"{len(rows)} test rows of the run that made {model_name} are answered as they were then."


class WatchOperator(ABOperator):
    """Wait until the test has lasted long enough and was asked enough, or did harm; deferred.

    XCom: ``why`` and ``sentence``; and under the key ``harm`` the harm, where there was one.
    """

    @fail_for_good("watch the A/B test")
    def execute(self, context: Context) -> NoReturn:
        """Watch from when the variant was there, however often this task is tried."""
        begun, spec = self.begun(context), self.spec(context)
        since = datetime.fromisoformat(begun["since"])
        self.watch_until(
            context,
            spec,
            since=begun["since"],
            until=since + timedelta(seconds=spec.watch),
            deadline=since + timedelta(seconds=spec.longest_watch),
            min_invocations=spec.min_invocations,
            method="watched",
        )

    @fail_for_good("watch the A/B test")
    def watched(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Say why the watch ended."""
        if harm := self.seen(event):
            self.log.warning("the test ends early: %s", harm)
            context["ti"].xcom_push(HARM, harm)
        return dict(event)


class JudgeABOperator(ABOperator):
    """Judge from the metrics, and the labels where the test asks for them, and write ``judgement.json``.

    While labels are still to come and may, it waits for them, watching for harm.

    XCom: ``verdict`` and ``sentence``.
    """

    @fail_for_good("judge the A/B test")
    def execute(self, context: Context) -> dict[str, str]:
        """Judge, or wait for labels."""
        return self._judge(context, context["ti"].xcom_pull(task_ids=WATCH, key=HARM))

    @fail_for_good("judge the A/B test")
    def again(self, context: Context, event: Mapping[str, Any]) -> dict[str, str]:
        """More labels may have come, or the test did harm meanwhile."""
        return self._judge(context, self.seen(event))

    def _judge(self, context: Context, harmed: str | None) -> dict[str, str]:
        from automl_retraining.core.ab import judge

        spec, begun, now = self.spec(context), self.begun(context), datetime.now(UTC)
        quality = None
        if spec.quality is not None and harmed is None:
            quality = self._quality(context, spec, now)
            late = self._labels_until(context, spec, now)
            if quality.improvement is None and now < late:
                self.log.info("labels are still to come, until %s: %s", late, quality.undefined)
                again = min(now + timedelta(seconds=spec.quality.look_again), late)
                self.watch_until(
                    context, spec, since=begun["since"], until=again, deadline=again, min_invocations=0, method="again"
                )
        champion, challenger = self.metrics(spec, since=begun["since"], until=now)
        judgement = judge(spec, champion, challenger, quality, judged=now, harmed=harmed)
        storage.write_record(self.s3, storage.join(self.run_folder(context), "judgement.json"), judgement)
        context["task_state_store"].delete("labels_until")
        for rule in judgement.rules:
            self.log.info("%s: %s: %s", rule.result, rule.name, rule.sentence)
        self.log.info("%s", judgement.sentence)
        return {"verdict": judgement.verdict, "sentence": judgement.sentence}

    def _labels_until(self, context: Context, spec: ABSpec, now: datetime) -> datetime:
        """Until when labels may come: counted from when this task first looked."""
        assert spec.quality is not None
        store = context["task_state_store"]
        stored = store.get("labels_until")
        if stored is None:
            stored = (now + timedelta(seconds=spec.quality.wait)).isoformat()
            store.set("labels_until", stored)
        return datetime.fromisoformat(str(stored))

    def _quality(self, context: Context, spec: ABSpec, now: datetime) -> Quality:
        from automl_retraining.core.ab_quality import compare
        from automl_retraining.core.metrics import Task

        assert spec.quality is not None
        begun = self.begun(context)
        config = endpoint.describe_config(self.sm, begun["config"]) or {}
        where = config.get("DataCaptureConfig", {}).get("DestinationS3Uri")
        if not where:
            raise EvidenceError(f"configuration {begun['config']}: expected it to capture data, found that it does not")
        since = datetime.fromisoformat(begun["since"])
        captured = {
            role: ab_capture.answers(self.s3, where, self.pipeline.endpoint_name, variant, since=since, until=now)
            for role, variant in (
                ("champion", endpoint.CHAMPION_VARIANT),
                ("challenger", ab.CHALLENGER_VARIANT),
            )
        }
        return compare(
            spec.quality,
            self.pipeline.gate,
            self._task(begun["challenger"], Task),
            ab_capture.labels(self.s3, spec.quality.labels),
            champion=captured["champion"],
            challenger=captured["challenger"],
            confidence=spec.confidence,
        )

    def _task(self, model_name: str, task: type[Any]) -> Any:
        """What the challenger predicts, as the manifest of the run that made it says."""
        model = endpoint.describe_model(self.sm, model_name)
        folder = endpoint.tags_of(self.sm, model["ModelArn"]).get(tags.RUN_FOLDER) if model else None
        if not folder:
            raise EvidenceError(
                f"model {model_name}: expected the tag {tags.RUN_FOLDER}, found none: what it predicts is not known, "
                "so its quality cannot be judged"
            )
        manifest = storage.read_record(self.s3, storage.join(folder, "manifest.json"), Manifest)
        return task(manifest.problem_type, manifest.labels, manifest.positive_class)


def judgement_of(operator: ABOperator, context: Context) -> Judgement | None:
    """The run's judgement; None where it did not come so far this time."""
    if context["ti"].xcom_pull(task_ids=JUDGE) is None:
        return None
    where = storage.join(operator.run_folder(context), "judgement.json")
    return storage.read_record(operator.s3, where, Judgement)
