"""Moving the endpoint to another configuration under its lease: what update and going back have in common."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import TaskDeferralTimeout, TaskDeferred

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import EndpointBusy, EndpointError
from automl_retraining.links.console import ConsoleLink, LogLink
from automl_retraining.links.report import ReportLink
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import alarms, endpoint, failures, lease, logs, storage
from automl_retraining.sagemaker.jobs import ENDPOINT, JobKind
from automl_retraining.triggers.job import JobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

_MARGIN = 120
"""Seconds that the lease outlives the wait inside it, so that it never runs out while its holder still writes."""
_FEWEST_TRIES = 8
_LONGEST_DELAY = 300
"""Seconds between two tries at most."""
_SKEW = timedelta(seconds=5)
"""How far the worker's clock may run ahead of CloudWatch's."""
_EARLY = 10
"""How often an endpoint may look unchanged before that counts as its answer."""


def patience(pipeline: Pipeline) -> dict[str, Any]:
    """Airflow's arguments of a task that must outlast another one's lease: tries until that has surely expired."""
    delays = [min(10 * 2**number, _LONGEST_DELAY) for number in range(_FEWEST_TRIES)]
    further = math.ceil(max(0, pipeline.endpoint.lease + _MARGIN - sum(delays)) / _LONGEST_DELAY)
    return {
        "retries": _FEWEST_TRIES + further,
        "retry_delay": timedelta(seconds=10),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(seconds=_LONGEST_DELAY),
    }


def lease_owner(context: Context) -> str:
    """A token for leases that a retry of this task brings again."""
    store, ti = context["task_state_store"], context["ti"]
    owner = store.get("lease_owner")
    if owner is None:
        owner = f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{uuid.uuid4().hex}"
        store.set("lease_owner", owner)
    return str(owner)


class EndpointWriter(SageMakerOperator):
    """Base of the operators that move the endpoint to another configuration and wait for it, under its lease.

    The lease's token and what is being moved are kept in the task's state store: a task that was killed continues its
    move when it is tried again. The wait may take ``endpoint.lease`` of the pipeline, and is deferred.
    """

    operator_extra_links = (ConsoleLink(), LogLink(), ReportLink())

    @property
    def console_url(self) -> str:
        """The endpoint's page in the AWS console; empty for an AWS without one."""
        return self._page(logs.console_url)

    @property
    def log_url(self) -> str:
        """The endpoint's log in CloudWatch; empty for an AWS without a console."""
        return self._page(logs.log_url)

    def _page(self, address: Callable[[JobKind, str, str], str]) -> str:
        if not logs.has_console(self.sm):
            return ""
        return address(ENDPOINT, self.pipeline.endpoint_name, str(self.sm.meta.region_name))

    def take_lease(self, context: Context) -> None:
        """Take the endpoint's lease, or find that this task has it already."""
        owner, ti = lease_owner(context), context["ti"]
        seconds = self.pipeline.endpoint.lease + _MARGIN
        about = f"task {ti.task_id} of {ti.dag_id} run {ti.run_id}"
        bucket = self.deployment.bucket_of(self.pipeline)
        lease.acquire(self.s3, bucket, self.pipeline.endpoint_name, owner=owner, seconds=seconds, about=about)

    def give_lease_back(self, context: Context) -> None:
        """Release the lease; a lease that had expired and was taken over is only worth a warning now."""
        owner = context["task_state_store"].get("lease_owner")
        bucket = self.deployment.bucket_of(self.pipeline)
        if not lease.release(self.s3, bucket, self.pipeline.endpoint_name, owner=str(owner)):
            self.log.warning("the lease of %s was taken over before this task ended", self.pipeline.endpoint_name)

    @contextmanager
    def leased(self, context: Context) -> Iterator[None]:
        """Hold the lease until the end or an error; where the task begins to wait, ``settled`` gives it back."""
        self.take_lease(context)
        try:
            yield
        except TaskDeferred:
            raise
        except BaseException:
            self.give_lease_back(context)
            raise
        self.give_lease_back(context)

    @property
    def capture_uri(self) -> str:
        """Where the endpoint's captured data go, unless the pipeline says another place."""
        return storage.join(f"s3://{self.deployment.bucket_of(self.pipeline)}", self.pipeline.name, "capture")

    def wait(self, move: Mapping[str, Any]) -> NoReturn:
        """Defer until the endpoint has settled, then go on in ``settled``."""
        self.log.info("waiting until endpoint %s has moved to %s", self.pipeline.endpoint_name, move["config"])
        self.defer(
            trigger=JobTrigger(
                kind="endpoint",
                job_name=self.pipeline.endpoint_name,
                conn_id=self.pipeline.aws.conn_id,
                region=self.pipeline.aws.region,
                since=datetime.now(UTC).isoformat(),
                stop_on_kill=False,  # an update cannot be stopped; the lease expires by itself
            ),
            method_name="settled",
            timeout=timedelta(seconds=self.pipeline.endpoint.lease),
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """As Airflow's, but a wait that took too long is handled here."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:
            with fail_for_good("wait for the endpoint"):
                self.waited_too_long(context, error)
        return None

    def waited_too_long(self, context: Context, error: BaseException) -> NoReturn:
        """Give the lease back and say so."""
        self.give_lease_back(context)
        name, seconds = self.pipeline.endpoint_name, self.pipeline.endpoint.lease
        raise EndpointError(
            f"endpoint {name}: expected it to settle within {seconds} s, found it still changing: "
            "look at the endpoint's log, raise endpoint.lease, and clear this task"
        ) from error

    @staticmethod
    def begun_move(context: Context) -> dict[str, Any] | None:
        """What a try before this one stored before it began to move the endpoint; None where none did."""
        stored = context["task_state_store"].get("move")
        return dict(stored) if isinstance(stored, dict) else None

    def finish_move(self, context: Context) -> dict[str, Any]:
        """Hold the settled endpoint against the configuration asked for, and give the lease back; what was moved.

        Raises:
            RolledBack: SageMaker went back to the old configuration.
            EndpointBusy: it is still changing, since waiting for it broke; a retry waits on, with the same lease.
            EndpointError: it failed, or is gone.
        """
        name, move = self.pipeline.endpoint_name, self.begun_move(context)
        if move is None:
            raise EndpointError("expected the task's state to say what it is moving, found none: clear the task")
        found = endpoint.describe(self.sm, name)
        if found is not None and found.status in endpoint.CHANGING:
            raise EndpointBusy(
                f"endpoint {name}: expected it to have settled, found {found.status}: waiting for it broke"
            )
        if found is not None and found.config_name != move["config"] and self._not_begun(found, move):
            context["task_state_store"].set("move", {**move, "early": move.get("early", 0) + 1})
            self.wait(move)
        try:
            endpoint.verify(found, endpoint_name=name, config_name=move["config"], fired=lambda: self._fired(move))
        finally:
            self.give_lease_back(context)
        return move

    def _fired(self, move: Mapping[str, Any]) -> list[str]:
        """What the alarms of this move said since it began; that they cannot be asked must not hide the rollback."""
        from botocore.exceptions import BotoCoreError, ClientError

        if not move.get("alarms"):
            return []
        since = datetime.fromisoformat(move["begun"]) - _SKEW
        try:
            return alarms.fired(self._client("cloudwatch"), move["alarms"], since)
        except (ClientError, BotoCoreError) as error:
            return [failures.sentence(error, "which alarm went off cannot be told")]

    @staticmethod
    def _not_begun(found: endpoint.Endpoint, move: Mapping[str, Any]) -> bool:
        """Whether the endpoint still shows the state before the update, which is not a rollback."""
        unchanged = (found.status, found.changed.isoformat()) == ("InService", move["changed"])
        return unchanged and int(move.get("early", 0)) < _EARLY

    def forget(self, context: Context) -> None:
        """The task is done: clearing it begins anew."""
        for key in ("move", "lease_owner"):
            context["task_state_store"].delete(key)
