"""Wait until a job has come so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseSensorOperator
from airflow.sdk.bases.sensor import PokeReturnValue

from automl_retraining.core.errors import JobError, JobVanished, RequestError
from automl_retraining.links.console import ConsoleLink, LogLink
from automl_retraining.links.report import ReportLink
from automl_retraining.operators._aws import client, fail_for_good
from automl_retraining.sagemaker import logs, secondary_status, watching
from automl_retraining.sagemaker.jobs import Job, kind_of
from automl_retraining.triggers.job import JobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

_LOOK_AGAIN = 10.0
"""Seconds until the next look for a job that is not submitted yet: longer than a worker's heartbeat interval, since a
task that resumes before the end of its worker was reported is failed by the scheduler."""
_IN_ONE_GO = 15.0
"""Seconds that a look may last, before the worker slot is given back for the next."""

_DEAD = frozenset({"failed", "upstream_failed", "skipped", "removed"})
_OVER = _DEAD | {"success"}


class SecondaryStatusSensor(BaseSensorOperator):
    """Succeeds when a job has reached the named status, or a later one in the table of its kind and mode.

    Autopilot and training jobs are waited for by secondary status, all others by status. Fails at once for a status
    that a job of this kind and mode never has; with the job's own reason when the job fails; when it is stopped.
    Every transition is logged with how long the state before it lasted (observed, give or take a tick).

    Args:
        kind: ``automl``, ``training``, ``processing``, ``tuning``, ``transform`` or ``endpoint``.
        status: The status to wait for, such as ``TrainingModels``. Several, separated by commas: any of
            those that the mode has.
        job_name: The job's name; a template. May render to nothing while the job is not submitted yet, if
            ``submitted_by`` is given too.
        submitted_by: The task that submits the job and pushes its name as XCom ``job_name``; used where ``job_name`` is
            not given, to say in words that the job will never come, and to wait for the next one where it tries again.
        search_mode: Autopilot's mode; a template. AUTO, or nothing, allows the statuses of both modes.
        conn_id: The Airflow connection.
        region: None for the connection's.
        deferrable: Wait in the triggerer. False pokes as other sensors do.
        kwargs: BaseSensorOperator's (``timeout``, ``soft_fail``, ...).
    """

    template_fields = ("job_name", "status", "search_mode")
    operator_extra_links = (ConsoleLink(), LogLink(), ReportLink())
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        kind: str,
        status: str,
        job_name: str | None = None,
        submitted_by: str | None = None,
        search_mode: str | None = None,
        conn_id: str = "aws_default",
        region: str | None = None,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.status = status
        self.job_name = job_name
        self.submitted_by = submitted_by
        self.search_mode = search_mode
        self.conn_id = conn_id
        self.region = region
        self.deferrable = deferrable
        self.console_url = ""
        self.log_url = ""
        self._history: watching.History | None = None
        self._given_up: str | None = None

    @cached_property
    def sm(self) -> Any:
        """The SageMaker client."""
        return client("sagemaker", conn_id=self.conn_id, region=self.region)

    @fail_for_good("waiting for the job's status")
    def execute(self, context: Context) -> Any:
        """Wait until the job is submitted, then until it has come so far."""
        self.enough()  # a status that never comes is said at once, not after a wait
        if not self.deferrable:
            return super().execute(context)
        return self._look(context, datetime.now(UTC))

    def look_again(
        self,
        context: Context,
        event: Any = None,  # noqa: ARG002 - the timer's, which says nothing
        started: str = "",
        given_up: str | None = None,
    ) -> Any:
        """Called when it is time to look again whether the job, or another after the given-up one, is submitted."""
        self._given_up = given_up
        with fail_for_good("waiting for the job's status"):
            return self._look(context, datetime.fromisoformat(started))

    def reached(self, context: Context, event: Mapping[str, Any], started: str = "") -> dict[str, Any]:
        """Called when the job has come so far, is over, or cannot be followed."""
        with fail_for_good("waiting for the job's status"):
            name = str(event["job_name"])
            self._link(name)
            if error := event.get("error"):
                raise (JobVanished if event.get("gone") else JobError)(str(error))
            job = watching.look(self.sm, kind_of(self.kind), name)
            if job is None:
                raise JobVanished(f"{kind_of(self.kind).title} {name} is not there any more: somebody deleted it")
            state = str(event.get("secondary") or event.get("status"))
            if not self._good(job, state) and self._another_may_come(context, name):
                self._defer_look(datetime.fromisoformat(started) if started else datetime.now(UTC))
            return self._verdict(job, state, event.get("transitions", ()))

    def poke(self, context: Context) -> PokeReturnValue:
        """One look, for a sensor that does not defer."""
        name = self._name(context)
        if name is None:
            return PokeReturnValue(False)
        kind = kind_of(self.kind)
        self._link(name)
        job = watching.look(self.sm, kind, name)
        if job is None:
            raise JobVanished(f"expected {kind.title} {name}, found none")
        if self._history is None:
            self._history = watching.History(kind)
        for line in self._history.observe(job, datetime.now(UTC)):
            self.log.info(line)
        good = self._good(job, job.secondary or job.status)
        if not good and (not job.over or self._another_may_come(context, name)):
            return PokeReturnValue(False)
        transitions = [[word, at.isoformat()] for word, at in self._history.transitions]
        return PokeReturnValue(True, self._verdict(job, job.secondary or job.status, transitions))

    def enough(self) -> frozenset[str]:
        """The statuses that end the wait well.

        Raises:
            RequestError: none of the wanted statuses occurs in that mode.
        """
        kind = kind_of(self.kind)
        wanted = [word.strip() for word in self.status.split(",") if word.strip()]
        if not wanted:
            raise RequestError("status: expected the status to wait for, such as TrainingModels; found nothing")
        found: frozenset[str] = frozenset()
        refusals: list[RequestError] = []
        for word in wanted:
            try:
                found |= secondary_status.reached_by(kind, word, _text(self.search_mode))
            except RequestError as error:
                refusals.append(error)
        if not found:
            raise refusals[0]
        return found

    def _look(self, context: Context, started: datetime) -> Any:
        """Wait a little for the job's name; then for the job, or look again later."""
        until = time.monotonic() + _IN_ONE_GO
        while (name := self._name(context)) is None:
            if time.monotonic() > until:
                self._defer_look(started)
            time.sleep(1)
        self._link(name)
        self.log.info("waiting for %s %s to reach %s", kind_of(self.kind).title, name, self.status)
        self.defer(
            trigger=JobTrigger(
                kind=self.kind,
                job_name=name,
                conn_id=self.conn_id,
                region=self.region,
                since=datetime.now(UTC).isoformat(),
                until=sorted(self.enough()),
            ),
            method_name="reached",
            kwargs={"started": started.isoformat()},
            timeout=self._left(started),
        )

    def _defer_look(self, started: datetime) -> NoReturn:
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        self.log.info("task %s has not submitted its job yet: looking again soon", self.submitted_by)
        self.defer(
            trigger=TimeDeltaTrigger(timedelta(seconds=_LOOK_AGAIN)),
            method_name="look_again",
            kwargs={"started": started.isoformat(), "given_up": self._given_up},
            timeout=self._left(started),
        )

    def _left(self, started: datetime) -> timedelta:
        return timedelta(seconds=max(1.0, self.timeout - (datetime.now(UTC) - started).total_seconds()))

    def _name(self, context: Context) -> str | None:
        """The job's name; None while it is not submitted.

        Raises:
            JobError: the submitting task has ended without a job.
            RequestError: nothing says which job.
        """
        given = _text(self.job_name)
        if given is not None:
            return given
        if self.submitted_by is None:
            raise RequestError(
                "job_name: expected a job's name, or submitted_by with the task that pushes it as XCom job_name; "
                f"found neither: job_name rendered to {self.job_name!r}"
            )
        ti: Any = context["ti"]
        state = self._state_of_submitter(ti)
        pulled = _text(ti.xcom_pull(task_ids=self.submitted_by, key="job_name"))
        if pulled is not None and (pulled != self._given_up or state in _OVER):
            return pulled
        if state in _DEAD:
            raise JobError(
                f"task {self.submitted_by} is {state} and has submitted no job: there is nothing to wait for"
            )
        if state == "success":
            raise JobError(
                f"task {self.submitted_by} succeeded without pushing a job's name as XCom job_name: "
                "is it the right task?"
            )
        return None

    def _state_of_submitter(self, ti: Any) -> str | None:
        answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=[self.submitted_by], run_ids=[ti.run_id])
        state = answer.get(ti.run_id, {}).get(self.submitted_by)
        return None if state is None else str(getattr(state, "value", state))

    def _good(self, job: Job, state: str) -> bool:
        return bool({state, job.status, job.secondary} & self.enough())

    def _another_may_come(self, context: Context, name: str) -> bool:
        """Whether the submitting task is not over, so that a job that ended badly may not be its last."""
        if self.submitted_by is None or _text(self.job_name) is not None:
            return False
        state = self._state_of_submitter(context["ti"])
        if state in _OVER:
            return False
        self._given_up = name
        self.log.warning(
            "job %s ended badly, and task %s is %s: waiting for its next job", name, self.submitted_by, state
        )
        return True

    def _verdict(self, job: Job, state: str, transitions: Sequence[Sequence[str]]) -> dict[str, Any]:
        if not self._good(job, state):
            raise watching.ending_error(kind_of(self.kind), job, link=self.log_url)
        self.log.info("%s %s has reached %s (wanted: %s)", kind_of(self.kind).title, job.name, state, self.status)
        return {"job_name": job.name, "status": state, "transitions": [list(step) for step in transitions]}

    def _link(self, name: str) -> None:
        if ".amazonaws.com" in str(self.sm.meta.endpoint_url):
            region = str(self.sm.meta.region_name)
            self.console_url = logs.console_url(kind_of(self.kind), name, region)
            self.log_url = logs.log_url(kind_of(self.kind), name, region)


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return None if text in ("", "None") else text
