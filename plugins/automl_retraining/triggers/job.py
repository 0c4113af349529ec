"""Waiting for a SageMaker job in the triggerer: one trigger for every kind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from automl_retraining.sagemaker import failures, watching
from automl_retraining.sagemaker.jobs import Job, kind_of
from automl_retraining.sagemaker.progress import Progress
from automl_retraining.triggers.poller import Observation, Poller, shared

_SETTLE = 1.0
"""Seconds beyond a worker's heartbeat interval; see ``JobTrigger._let_worker_end``."""
_PROGRESS_UP_TO = 10
"""Progress is asked for while so few jobs are watched: a nicety that must not cost a busy account its calls."""


class JobTrigger(BaseTrigger):
    """Fires when the job is over, or has reached one of the named states.

    Args:
        kind: The job kind's key.
        job_name: Its name.
        conn_id: The Airflow connection.
        region: None for the connection's.
        since: When the job was created (ISO 8601): young jobs are looked at more often.
        until: Statuses or secondary statuses that are enough; none waits for the end.
        stop_on_kill: Stop the job when the task is killed: for the task that submitted it, not for who only looks.
        deferred_at: When the task deferred (ISO 8601); now, where not given.

    The event: ``{"job_name", "status", "secondary", "phase", "reason", "transitions": [[status, ISO time], ...]}``, or
    ``{"job_name", "error": sentence, "transitions"}`` where the job cannot be followed, with ``"gone": true`` where it
    is not there any more.
    """

    def __init__(
        self,
        *,
        kind: str,
        job_name: str,
        conn_id: str,
        region: str | None = None,
        since: str | None = None,
        until: Sequence[str] = (),
        stop_on_kill: bool = False,
        deferred_at: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.kind = kind
        self.job_name = job_name
        self.conn_id = conn_id
        self.region = region
        self.since = since
        self.until = list(until)
        self.stop_on_kill = stop_on_kill
        self.deferred_at = deferred_at or datetime.now(UTC).isoformat()
        self._progress = Progress(kind, job_name)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments to make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "kind": self.kind,
                "job_name": self.job_name,
                "conn_id": self.conn_id,
                "region": self.region,
                "since": self.since,
                "until": self.until,
                "stop_on_kill": self.stop_on_kill,
                "deferred_at": self.deferred_at,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the job and log what happens to it."""
        history = watching.History(kind_of(self.kind))
        since = datetime.fromisoformat(self.since) if self.since else datetime.now(UTC)
        poller = shared(self.kind, self.conn_id, self.region)
        with poller.watching(self.job_name, since) as watch:
            while True:
                age = (datetime.now(UTC) - since).total_seconds()
                seen = await watch.next(max(3.0, poller.pace.next(age)) if self._reports else None)
                if seen is not None and seen.job is not None:
                    for line in history.observe(seen.job, seen.at):
                        self.log.info(line)
                if seen is None or (seen.job is not None and not self._enough(seen.job)):
                    await self._log_progress(poller)
                    continue
                await self._log_progress(poller)
                await self._let_worker_end()
                yield TriggerEvent(self._event(seen, history))  # type: ignore[no-untyped-call]
                return

    async def on_kill(self) -> None:
        """Stop the job, unless the task is still deferred.

        Airflow calls this when the task was killed, marked or cleared, but also when a stalled triggerer finds that its
        triggers were given to another: then the task is still deferred, and its job must live.
        """
        if not self.stop_on_kill:
            return
        state = await asyncio.to_thread(self._task_state)
        if state == "deferred":
            self.log.info("the task is still deferred: %s is left running", self.job_name)
            return
        outcome = await asyncio.to_thread(self._stop)
        self.log.warning("the task was killed (it is now %s): %s", state or "cleared", outcome)

    async def _let_worker_end(self) -> None:
        """Do not fire before the worker that deferred the task is surely reported as finished.

        Its supervisor may notice the end only at its next heartbeat. Were the task running again by then, the scheduler
        would take the late report for the resumed task's and fail it ("killed externally", Airflow 3.3.2).
        """
        from airflow.sdk.configuration import conf

        settled = datetime.fromisoformat(self.deferred_at).timestamp() + _SETTLE
        settled += conf.getint("workers", "min_heartbeat_interval")
        await asyncio.sleep(max(0.0, settled - datetime.now(UTC).timestamp()))

    @property
    def _reports(self) -> bool:
        """Whether there is progress to log: who only looks at a job leaves that to the task that submitted it."""
        return self._progress.worthwhile and self.stop_on_kill

    def _enough(self, job: Job) -> bool:
        return job.over or job.status in self.until or job.secondary in self.until

    def _event(self, seen: Observation, history: watching.History) -> dict[str, Any]:
        event: dict[str, Any] = {
            "job_name": self.job_name,
            "transitions": [[word, at.isoformat()] for word, at in history.transitions],
        }
        if seen.error is not None:
            return {**event, "error": seen.error}
        if seen.job is None:
            title = kind_of(self.kind).title
            words = f"expected {title} {self.job_name}, found none: somebody deleted it; clear the task"
            return {**event, "error": words, "gone": True}
        return {
            **event,
            "status": seen.job.status,
            "secondary": seen.job.secondary,
            "phase": seen.job.phase,
            "reason": seen.job.reason,
        }

    async def _log_progress(self, poller: Poller) -> None:
        """Say what the search found since the last look; a nicety, the leaderboard is what counts."""
        if not self._reports or poller.size > _PROGRESS_UP_TO:
            return
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            lines = await poller.call(self._progress.look)
        except (ClientError, BotoCoreError) as error:
            self.log.debug("progress cannot be read now: %s", failures.sentence(error, "looking at the search"))
            return
        for bad, line in lines:
            self.log.log(logging.WARNING if bad else logging.INFO, line)

    def _stop(self) -> str:
        from automl_retraining.operators._aws import client

        sm = client("sagemaker", conn_id=self.conn_id, region=self.region)
        return watching.stop(sm, kind_of(self.kind), self.job_name)

    def _task_state(self) -> str | None:
        """The task's state as the scheduler has it now; None where it was cleared or its run deleted."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        ti: Any = self.task_instance
        answer = RuntimeTaskInstance.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
        )
        states = answer.get(ti.run_id, {})
        mapped = ti.map_index is not None and ti.map_index >= 0
        state = states.get(f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id)
        return None if state is None else str(getattr(state, "value", state))
