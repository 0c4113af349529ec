"""What the tasks of an A/B test share: settings, folder, what was begun, and watching without a worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout
from pydantic import ValidationError

from automl_retraining.core.ab_records import Judgement, Traffic
from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.errors import (
    ABTestEnded,
    ConfigError,
    EndpointBusy,
    EndpointError,
)
from automl_retraining.core.names import run_folder_name
from automl_retraining.core.yaml_errors import sentences
from automl_retraining.operators.endpoint_writer import EndpointWriter
from automl_retraining.sagemaker import ab, ab_metrics, endpoint, storage, tags
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


def smoke_test(operator: EndpointWriter, model_name: str, variant: str) -> str:
    """Hold the variant's answers against those of the run that made its model, where that folder is still there.

    Raises:
        SmokeTestFailed: an answer differs.
    """
    from automl_retraining.sagemaker import smoke

    folder = endpoint.model_tags(operator.sm, model_name).get(tags.RUN_FOLDER)
    if not folder:
        return f"Not tested: model {model_name} does not say which run made it."
    runtime = operator._client("sagemaker-runtime")
    count = operator.pipeline.endpoint.smoke_rows
    try:
        rows = smoke.check_run(operator.s3, runtime, folder, operator.pipeline.endpoint_name, variant, count=count)
    except storage.ObjectMissing as error:
        return f"Not tested: {error}."
    return f"{len(rows)} test rows of the run that made {model_name} are answered as they were then."


def judgement_of(operator: ABOperator, context: Context) -> Judgement | None:
    """The run's judgement; None where it did not come so far this time."""
    if context["ti"].xcom_pull(task_ids=JUDGE) is None:
        return None
    where = storage.join(operator.run_folder(context), "judgement.json")
    return storage.read_record(operator.s3, where, Judgement)
