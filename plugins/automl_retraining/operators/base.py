"""The base of every operator that makes something at SageMaker.

Jobs are submitted once, waited for at no cost and stopped when the task is killed. A concrete operator says which kind
of job it is, builds its request and reads its result; the rest is here, once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

from automl_retraining.core.config import Deployment, Pipeline
from automl_retraining.core.errors import JobError, JobStopped, JobTimeout, JobVanished
from automl_retraining.core.names import job_name, run_folder_uri
from automl_retraining.links.console import ConsoleLink, LogLink
from automl_retraining.links.report import ReportLink
from automl_retraining.operators import capacity
from automl_retraining.operators._aws import client, fail_for_good
from automl_retraining.sagemaker import failures, logs, outcomes, tags, watching
from automl_retraining.sagemaker.jobs import Description, JobKind, read
from automl_retraining.sagemaker.submit import Plan, Stored, Submitted, submit_once
from automl_retraining.triggers.job import JobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

STATE_KEY = "submitted"
"""Where the name stands in ``task_state_store``: shown in the UI's Storage tab."""

START_ALLOWANCE = 1800
"""Seconds beyond a job's own limit for its instances to start and its outputs to be uploaded."""

_RESUMPTIONS = 3
"""How often a trigger that broke (not the job) is started again before the task gives up."""


class SageMakerOperator(BaseOperator):
    """What every resource of a run needs: clients, names and tags.

    Args:
        pipeline: The model kept fresh: region, connection, role, tags.
        kwargs: BaseOperator's.
    """

    ui_color = "#f3ecff"
    operator_extra_links: Sequence[Any] = (ReportLink(),)

    def __init__(self, *, pipeline: Pipeline, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline

    @cached_property
    def sm(self) -> Any:
        """The SageMaker client."""
        return self._client("sagemaker")

    @cached_property
    def s3(self) -> Any:
        """The S3 client."""
        return self._client("s3")

    @property
    def deployment(self) -> Deployment:
        """What this Airflow sets for all pipelines."""
        return Deployment.from_environment()

    def run_folder(self, context: Context) -> str:
        """The run folder's S3 URI, without a slash at the end; ConfigError where no bucket is set."""
        return run_folder_uri(self.deployment.bucket_of(self.pipeline), self.pipeline.name, context["run_id"])

    def run_tags(self, context: Context) -> list[tags.Tag]:
        """The tags of everything this run makes."""
        return tags.own_tags(
            pipeline=self.pipeline.name,
            run_id=context["run_id"],
            run_folder=self.run_folder(context),
            deployment=self.deployment.deployment,
            dag_id=context["ti"].dag_id,
            extra=self.pipeline.aws.tags,
        )

    def resource_name(self, context: Context, kind: str, used: int = 0) -> str:
        """The name of the resource of that kind that this task makes, after so many names were used up."""
        ti, dag_run = context["ti"], context["dag_run"]
        return job_name(
            kind,
            deployment=self.deployment.deployment,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
            clear_number=dag_run.clear_number or 0,
            failures=used,
            run_started=dag_run.start_date.isoformat() if dag_run.start_date else "",
        )

    def tagged(self, context: Context, request: Mapping[str, Any], *, name_member: str) -> dict[str, Any]:
        """The request with the run's tags and the digest of everything but its name."""
        digest = tags.digest(request, without=(name_member, "Tags"))
        return {**request, "Tags": [*self.run_tags(context), {"Key": tags.DIGEST, "Value": digest}]}

    def _client(self, service: str) -> Any:
        return client(service, conn_id=self.pipeline.aws.conn_id, region=self.pipeline.aws.region)


class SageMakerJobOperator(SageMakerOperator):
    """Submits one job, waits for it deferred, and returns what it gave.

    The name is stored before the job is submitted, so a retry, a crash or a restart finds the same job again; clearing
    the finished task makes a new one. The job is stopped when the task is killed, marked failed or waits too long.

    Args:
        pipeline: The model kept fresh.
        deferrable: Wait in the triggerer, without a worker slot. False polls in the worker.
        wait_for_completion: False returns right after the submission.
        max_wait: Longest time from the job's creation to its end, in seconds; then the job is stopped and the
            task fails.
        log_lines: How many lines of the job's log the task's log shows at the end.
        kwargs: BaseOperator's.
    """

    kind: ClassVar[JobKind]
    operator_extra_links = (ConsoleLink(), LogLink(), ReportLink())

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        deferrable: bool = True,
        wait_for_completion: bool = True,
        max_wait: float = 24 * 3600,
        log_lines: int = 20,
        **kwargs: Any,
    ) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.deferrable = deferrable
        self.wait_for_completion = wait_for_completion
        self.max_wait = max_wait
        self.log_lines = log_lines
        self.console_url = ""
        self.log_url = ""
        self._running: str | None = None
        self._killed = False

    # ------------------------------------------------------------ what a concrete operator says

    def request(self, context: Context, name: str) -> dict[str, Any]:
        """The create operation's arguments under that name, without tags. Pure but for the rendered arguments."""
        raise NotImplementedError(f"{type(self).__name__} must build its request")

    def result(self, context: Context, description: Description, history: watching.History) -> Any:
        """What the task returns (JSON), once the job has succeeded. May write to the run folder, over what is there."""
        raise NotImplementedError(f"{type(self).__name__} must read its result")

    def usable(self, description: Description) -> bool:  # noqa: ARG002 - for the kinds that can leave something
        """Whether a job that did not end well left something that serves all the same."""
        return False

    def meaning(self, description: Description) -> outcomes.Meaning:
        """What the job's status means, by the table of ``sagemaker.outcomes``."""
        job = read(self.kind, description)
        return outcomes.meaning(self.kind, job.status, job.secondary)

    def succeeded(self, description: Description) -> bool:
        """Whether the result can be read. Of a job that is Stopped or Failed it can only where something serves."""
        outcome = self.meaning(description).outcome
        completed = read(self.kind, description).phase == "succeeded"  # ``result`` says itself what it misses
        return outcome == "success" or (outcome == "usable" and (completed or self.usable(description)))

    def longest_wait(self) -> float:
        """Seconds from the job's creation to its end."""
        return self.max_wait

    # ------------------------------------------------------------ Airflow's entry points

    @fail_for_good("submitting the job")
    def execute(self, context: Context) -> Any:
        """Submit (or find) the job and wait for it; where AWS has no room for it now, wait for that first."""
        submitted = self._submit_when_there_is_room(context)
        name = submitted.name
        if not self.wait_for_completion:
            return {"job_name": name}
        job = submitted.job
        if job is not None and job.over:
            return self._finish(context, name, [])
        created = job.created if job is not None and job.created else datetime.now(UTC)
        if self.deferrable:
            self._defer(name, created)
        return self._poll(context, name, created)

    def submit_again(self, context: Context, event: Any = None) -> Any:  # noqa: ARG002 - the timer's says nothing
        """Called when it is time to try again whether AWS has room for the job."""
        return self.execute(context)

    def resume(self, context: Context, event: Mapping[str, Any]) -> Any:
        """Called when the trigger fired: the job is over, or it cannot be followed any more."""
        with fail_for_good("finishing the job"):
            name = str(event["job_name"])
            self._remember(name)
            if event.get("gone"):
                raise JobVanished(str(event["error"]))
            if error := event.get("error"):
                return self._wait_again(context, JobError(str(error)))
            transitions = [(word, datetime.fromisoformat(at)) for word, at in event.get("transitions", ())]
            return self._finish(context, name, transitions)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow's, but a wait that timed out or broke is handled here, where the job can still be stopped."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:
            with fail_for_good("waiting for the job"):
                self._timed_out(context, error)
        except TaskDeferralError as error:
            if capacity.waiting(context):  # the timer broke; there is no job yet
                return self.submit_again(context)
            with fail_for_good("waiting for the job"):
                return self._wait_again(context, error)
        return None

    def on_kill(self) -> None:
        """Stop the job: the task was killed while it held a worker. (Killed while deferred: see JobTrigger.on_kill.)"""
        self._killed = True
        self._stop_running("the task was killed")

    # ------------------------------------------------------------ the steps

    def _submit_when_there_is_room(self, context: Context) -> Submitted:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
        from botocore.exceptions import ClientError

        while True:
            try:
                submitted = self._submit(context)
            except ClientError as error:
                most = float(self.pipeline.aws.capacity_wait)
                seconds = capacity.refused(context, error, what=self.kind.title, most=most)
                self.log.warning(
                    "%s; waiting for room, at most %s s in all: trying again in %.0f s",
                    failures.sentence(error, f"submitting the {self.kind.title}"), self.pipeline.aws.capacity_wait,
                    seconds,
                )  # fmt: skip
            else:
                capacity.forget(context)
                return submitted
            if self._killed:
                raise JobStopped(f"the task was killed while AWS had no room for its {self.kind.title}: none was made")
            if self.deferrable:
                self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=seconds)), method_name="submit_again")
            time.sleep(seconds)

    def _submit(self, context: Context) -> Submitted:
        store = context["task_state_store"]
        written: Any = store.get(STATE_KEY)
        tries_allowed = getattr(context["ti"], "max_tries", 0)
        # Clearing a task, and nothing else, raises the number of tries it may have.
        cleared = bool(written) and written.get("max_tries") != tries_allowed

        def save(stored: Stored) -> None:
            store.set(STATE_KEY, {"name": stored.name, "failures": stored.failures, "max_tries": tries_allowed})

        plan = Plan(
            name_for=lambda used: self.resource_name(context, self.kind.key, used),
            request_for=lambda name: self.tagged(
                context, self.request(context, name), name_member=self.kind.name_member
            ),
            save=save,
            say=self.log.info,
        )
        stored = Stored(written["name"], written["failures"]) if written else None
        submitted = submit_once(self.sm, self.kind, plan, stored=stored, cleared=cleared)
        name = submitted.name
        self._remember(name)
        context["ti"].xcom_push(key="job_name", value=name)
        if submitted.how == "created":
            self.log.info("submitted %s %s", self.kind.title, name)
        if self.console_url:
            self.log.info("console: %s", self.console_url)
        if self._killed:
            self._stop_running("the task was killed while it was submitting")
        return submitted

    def _defer(self, name: str, created: datetime) -> NoReturn:
        left = self.longest_wait() - (datetime.now(UTC) - created).total_seconds()
        self.defer(
            trigger=JobTrigger(
                kind=self.kind.key,
                job_name=name,
                conn_id=self.pipeline.aws.conn_id,
                region=self.pipeline.aws.region,
                since=created.isoformat(),
                stop_on_kill=True,
            ),
            method_name="resume",
            timeout=timedelta(seconds=max(1.0, left)),
        )

    def _poll(self, context: Context, name: str, created: datetime) -> Any:
        """Wait in the worker, with the same eyes as the trigger."""
        from automl_retraining.triggers.poller import interval

        history = watching.History(self.kind)
        while True:
            job = watching.look(self.sm, self.kind, name)
            now = datetime.now(UTC)
            if job is None:
                raise JobVanished(
                    f"{self.kind.title} {name} is not there any more: somebody deleted it; clear the task"
                )
            for line in history.observe(job, now):
                self.log.info(line)
            if job.over:
                return self._finish(context, name, history.transitions)
            age = (now - created).total_seconds()
            if age > self.longest_wait():
                self._timed_out(context, None)
            time.sleep(interval(age))

    def _finish(self, context: Context, name: str, transitions: Sequence[tuple[str, datetime]]) -> Any:
        """The job is over: its result, or its error."""
        description = watching.describe(self.sm, self.kind, name)
        if description is None:
            raise JobVanished(f"{self.kind.title} {name} is not there any more: somebody deleted it; clear the task")
        job = read(self.kind, description)
        if not job.over:
            return self._wait_again(context, JobError(f"{self.kind.title} {name} is {job.state} still"))
        self._running = None
        history = watching.History(self.kind, transitions=list(transitions))
        history.observe(job, job.ended or datetime.now(UTC))  # whoever found it over has seen nothing else
        self.log.info("%s %s went through: %s", self.kind.title, name, history.summary() or history.transitions[0][0])
        tail = self._log_tail(name)
        if not self.succeeded(description):
            raise watching.ending_error(self.kind, job, "\n".join(tail), self.log_url, self.meaning(description))
        for line in tail:
            self.log.info("| %s", line)
        for reason in job.partial_failures:
            self.log.warning("partial failure: %s", reason)
        result = self.result(context, description, history)
        if (meaning := self.meaning(description)).outcome == "usable":
            self.log.warning(
                "%s %s ended as %s: %s; going on with what it found", self.kind.title, name, job.state, meaning.words
            )
        context["task_state_store"].delete(STATE_KEY)
        return result

    def _timed_out(self, context: Context, error: BaseException | None) -> NoReturn:
        self._recall(context)
        name = self._running
        outcome = self._stop_running("the task waited longer than it may")
        raise JobTimeout(
            f"expected {self.kind.title} {name} to end within {self.longest_wait():.0f} s of its creation, found it "
            f"still running; {outcome}. Raise the limit, or give the job less to do"
        ) from error

    def _wait_again(self, context: Context, error: BaseException) -> Any:
        """The trigger broke, not the job: wait on, a few times."""
        written = self._recall(context)
        name = self._running
        if name is None:
            raise error
        broken = int(written.get("broken", 0)) + 1
        if broken > _RESUMPTIONS:
            self._stop_running(f"waiting for it broke {broken} times")
            raise error
        context["task_state_store"].set(STATE_KEY, {**written, "broken": broken})
        self.log.warning("waiting for %s %s broke (%s): waiting again", self.kind.title, name, error)
        job = watching.look(self.sm, self.kind, name)
        if job is None or job.over:
            return self._finish(context, name, [])
        return self._defer(name, job.created or datetime.now(UTC))

    def _recall(self, context: Context) -> dict[str, Any]:
        """What was stored before submitting; sets the running job."""
        written: Any = context["task_state_store"].get(STATE_KEY) or {}
        if written:
            self._remember(str(written["name"]))
        return dict(written)

    def _remember(self, name: str) -> None:
        """From here on this job is ours to stop, and the links lead to it."""
        self._running = name
        region = str(self.sm.meta.region_name)
        if ".amazonaws.com" in str(self.sm.meta.endpoint_url):
            self.console_url = logs.console_url(self.kind, name, region)
            self.log_url = logs.log_url(self.kind, name, region)

    def _stop_running(self, why: str) -> str:
        if self._running is None:
            return "no job of this task is running"
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            outcome = watching.stop(self.sm, self.kind, self._running)
        except (ClientError, BotoCoreError) as error:
            words = failures.sentence(error, "stopping it")
            self.log.error("%s: %s %s runs on and costs money: %s", why, self.kind.title, self._running, words)
            raise
        self.log.warning("%s: %s", why, outcome)
        return outcome

    def _log_tail(self, name: str) -> list[str]:
        """The tail of the job's log. The job's outcome does not depend on its log being readable."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return logs.tail(self._client("logs"), self.kind, name, self.log_lines)
        except (ClientError, BotoCoreError) as error:
            self.log.warning("the log of %s %s cannot be read: %s", self.kind.title, name, error)
            return []
