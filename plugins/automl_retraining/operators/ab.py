"""An A/B test: the challenger put beside the champion, watched without holding a worker, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from automl_retraining.core.ab_records import Quality
from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.errors import ABTestRefused, EvidenceError
from automl_retraining.core.records import Manifest
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.ab_base import HARM, WATCH, ABOperator, smoke_test
from automl_retraining.sagemaker import ab, ab_capture, endpoint, endpoint_config, storage, tags

if TYPE_CHECKING:
    from airflow.sdk import Context


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
        with self.leased(context):
            how, move = self._begin(context)
            if how != "serving":
                self.wait(move)
        return self._next(context, move)

    @fail_for_good("start the A/B test")
    def settled(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - Airflow's call
        """The endpoint does not change any more: does it serve both?"""
        return self._next(context, self.finish_move(context))

    def _begin(self, context: Context) -> tuple[str, dict[str, Any]]:
        name, spec = self.pipeline.endpoint_name, self.spec(context)
        current = endpoint.describe(self.sm, name)
        if current is None or current.status == "Failed":
            found = "none" if current is None else f"Failed ({current.failure_reason})"
            raise ABTestRefused(f"endpoint {name}: expected one that serves a champion, found {found}")
        endpoint.check_ours(current, adopt=self.pipeline.endpoint.adopt, pipeline=self.pipeline.name)
        own = self.run_tags(context)
        move = self.begun_move(context) or self._choose(context, current, spec, own)
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
            capture_uri=(serving.capture and serving.capture.uri) or self.capture_uri,
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
        folder = endpoint.model_tags(self.sm, model_name).get(tags.RUN_FOLDER)
        if not folder:
            raise EvidenceError(
                f"model {model_name}: expected the tag {tags.RUN_FOLDER}, found none: what it predicts is not known, "
                "so its quality cannot be judged"
            )
        manifest = storage.read_record(self.s3, storage.join(folder, "manifest.json"), Manifest)
        return task(manifest.problem_type, manifest.labels, manifest.positive_class)
