"""One deployment carried out: the new fleet is started, traffic moves to it in steps, alarms are watched meanwhile.

Until the last step is over the old fleet is there, and gets all traffic back at once (or in batches, where the policy
is a rolling one and says so) when the new one does not come up, an alarm trips or the time is over.
"""

import math
import threading
import time
from typing import Any

from include.local_aws.hosting import fleet as fleets
from include.local_aws.hosting import stages
from include.local_aws.hosting.board import Board
from include.local_aws.hosting.fleet import Fleet
from include.local_aws.hosting.plan import Instances, Plan, plan
from include.local_aws.hosting.routes import routes
from include.local_aws.hosting.server import Unhealthy
from include.local_aws.jobs.forkserver import ForkServerDown
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record

POLL_SECONDS = 0.5
"""How often alarms are asked for."""


class Failing(RuntimeError):
    """The deployment can't go on, for this reason."""


class Closing(RuntimeError):
    """The embedded AWS ends in the middle of a deployment, which begins anew when it is started again."""


class Deployment:
    """What is pending of one endpoint: `run` puts it into the place of `old`, or leaves that in service."""

    def __init__(
        self,
        services: Services,
        board: Board,
        closing: threading.Event,
        region: str,
        name: str,
    ) -> None:
        self._services = services
        self._board = board
        self._closing = closing
        self._region, self._name = region, name
        self._key = (region, name)
        record = services.store.get("endpoint", region, name)
        self._creating = record.status == "Creating"
        self._pending: dict[str, Any] = record.body["pending"]
        self._plan: Plan = plan(None if self._creating else self._pending.get("deployment"), self._pending["variants"])
        limit = math.inf if self._plan.timeout is None else self._pending["started"] + self._plan.timeout - time.time()
        self._deadline = time.monotonic() + limit
        self._old: Fleet | None = next(iter(board.fleets(self._key)), None)
        self._active: Instances = {variant["VariantName"]: 0 for variant in self._pending["variants"]}

    def run(self) -> None:
        """Carry it out; the endpoint's status is a settled one when it returns, unless the embedded AWS ends."""
        new: Fleet | None = None
        try:
            try:
                self._stage("Creating")
                new = fleets.launch(self._services, self._region, self._name, self._pending)
                fleets.wait_healthy(new, self._deadline)
                self._shift(new)
            except Unhealthy as error:
                late = time.monotonic() >= self._deadline
                self._undo(new, f"{error} The deployment was rolled back: {self._too_long()}." if late else str(error))
                return
            except (S3InputError, ForkServerDown, Failing) as error:
                self._undo(new, str(error))
                return
            except Closing:
                return
        except BaseException:
            self._withdraw(new)
            raise
        self._complete(new)

    def _shift(self, new: Fleet) -> None:
        """Move traffic step by step; raises `Failing` where it must go back."""
        if self._old is not None:
            self._check()
        for step in self._plan.steps:
            self._active = step.active
            self._stage("ActivatingTraffic")
            self._board.show(self._key, routes(self._old, new, step.active), [*self._both(), new])
            if self._old is None:
                continue
            self._stage("Baking", seconds=step.seconds, wait=step.wait)
            self._bake(step.seconds)

    def _both(self) -> list[Fleet]:
        return [] if self._old is None else [self._old]

    def _bake(self, seconds: float) -> None:
        over = time.monotonic() + seconds
        while True:
            self._check()
            left = over - time.monotonic()
            if left <= 0:
                return
            if self._closing.wait(min(left, POLL_SECONDS)):
                raise Closing

    def _check(self) -> None:
        """Raise `Failing` where an alarm is in alarm, or the time is over."""
        states = self._services.monitoring.alarm_states(self._region, self._plan.alarms) if self._plan.alarms else {}
        if tripped := [name for name in self._plan.alarms if states.get(name) == "ALARM"]:
            raise Failing(
                f"The deployment was rolled back because the following alarms are in ALARM state: {', '.join(tripped)}."
            )
        if time.monotonic() >= self._deadline:
            raise Failing(f"The deployment was rolled back because {self._too_long()}.")

    def _too_long(self) -> str:
        return f"it took longer than {self._plan.timeout} seconds (MaximumExecutionTimeoutInSeconds)"

    def _undo(self, new: Fleet | None, reason: str) -> None:
        if self._closing.is_set():
            return  # processes end because everything does
        if not self._creating:
            self._update(lambda now: now.having(status="RollingBack"))
            self._tell()
        if new is not None and self._old is not None and any(self._active.values()):
            for active in self._plan.back(self._active):
                self._board.show(self._key, routes(self._old, new, active), [self._old, new])
        self._withdraw(new)
        settle_failed(self._services, self._region, self._name, reason)
        self._tell()

    def _withdraw(self, new: Fleet | None) -> None:
        """The old fleet alone answers again; the new one ends after what is under way."""
        if self._old is not None:
            self._board.show(self._key, routes(self._old), [self._old])
        else:
            self._board.withdraw(self._key)
        if new is not None:
            new.end()

    def _complete(self, new: Fleet) -> None:
        pending = self._pending
        self._board.show(self._key, routes(new), [new])
        self._update(
            lambda now: now.having(
                status="InService",
                config=pending["config"],
                variants=list(new.variants),
                deployment=pending.get("deployment"),
                pending=None,
                failure=None,
            )
        )
        self._tell()
        if self._old is not None:
            self._old.end()

    def _stage(self, status: str, **more: Any) -> None:
        """Write where the deployment stands, and tell the event bus."""
        stage = {
            "status": status,
            "strategy": self._plan.strategy,
            "active": dict(self._active),
            "since": time.time(),
            **more,
        }
        self._update(lambda now: now.having(pending={**self._pending, "stage": stage}))
        self._tell()

    def _update(self, change: Any) -> None:
        self._services.store.update("endpoint", self._region, self._name, change)

    def _tell(self) -> None:
        record = self._services.store.get("endpoint", self._region, self._name)
        arn = names.arn("endpoint", self._region, self._name)
        self._services.monitoring.emit(
            self._region,
            "aws.sagemaker",
            "SageMaker Endpoint Deployment State Change",
            stages.event_detail(record, self._services.store.tags(arn)),
            [arn],
        )


def settle_failed(services: Services, region: str, name: str, reason: str) -> None:
    """After a failure: Failed where nothing ever served, else InService on what served before."""

    def change(now: Record) -> Record:
        status = "InService" if now.body.get("variants") else "Failed"
        return now.having(status=status, pending=None, failure=reason[:1024])

    services.store.update("endpoint", region, name, change)
