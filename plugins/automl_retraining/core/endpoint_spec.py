"""The section of a pipeline's YAML about the endpoint that serves the champion, and how a new model gets behind it."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from automl_retraining.core.section import INSTANCE_TYPE, Seconds, Section

Strategy = Literal["all_at_once", "canary", "linear", "rolling"]

STEP_LIMITS: dict[Strategy, tuple[int, int]] = {"canary": (1, 50), "linear": (10, 50), "rolling": (5, 50)}
"""Smallest and largest step of each strategy, in percent of the fleet (SageMaker's CanarySize, LinearStepSize and
MaximumBatchSize)."""
STARTING = 600
"""Seconds allowed for new instances to start, beyond a rollout's waits. SageMaker says no figure."""
MOST_ALARMS = 10
"""AutoRollbackConfiguration takes at most so many."""


class RolloutSpec(Section):
    """How traffic moves to the new fleet. Defaults: all of it at once, as soon as the new fleet is healthy."""

    strategy: Strategy = "all_at_once"
    step: int | None = Field(None, ge=1, le=100, description="percent of the fleet that moves in one step")
    wait: Seconds = Field(300, ge=0, le=3600, description="between steps, while the alarms are watched")
    termination_wait: Seconds = Field(
        0, ge=0, le=3600, description="the old fleet stays so long after the last step, and the alarms are watched"
    )
    max_time: Seconds | None = Field(None, ge=600, le=28800, description="then SageMaker gives up and goes back")

    @model_validator(mode="after")
    def _steps(self) -> Self:
        limits = STEP_LIMITS.get(self.strategy)
        if limits is None:
            for key in ("step", "wait"):
                if key in self.model_fields_set:
                    raise ValueError(
                        f"rollout.{key}: expected none for all_at_once, which has one step, found "
                        f"{getattr(self, key)}: rollout.termination_wait says how long the old fleet stays"
                    )
            return self
        low, high = limits
        if self.step is None:
            raise ValueError(
                f"rollout.step: expected {low} to {high} (percent of the fleet) for {self.strategy}, found none"
            )
        if not low <= self.step <= high:
            raise ValueError(
                f"rollout.step: expected {low} to {high} (percent of the fleet) for {self.strategy}, found {self.step}"
            )
        if self.strategy == "rolling" and self.termination_wait:
            raise ValueError(
                "rollout.termination_wait: expected none for rolling, which ends old instances batch by batch, found "
                f"{self.termination_wait}"
            )
        return self

    @property
    def gradual(self) -> bool:
        """Whether both models serve side by side for a while."""
        return self.strategy != "all_at_once"

    def waits(self, instances: int) -> int:
        """Seconds that a fleet of so many instances waits in all, where nothing goes wrong."""
        shifts = self.shifts(instances)
        if self.strategy == "rolling":
            return shifts * self.wait
        return (shifts - 1) * self.wait + self.termination_wait

    def starts(self, instances: int) -> int:
        """How often new instances are started: a rolling update starts each batch when the one before it is done."""
        return self.shifts(instances) if self.strategy == "rolling" else 1

    def shifts(self, instances: int) -> int:
        """In how many steps the traffic of a fleet of so many instances moves."""
        if self.step is None:
            return 1
        if self.strategy == "canary":
            return 2
        return math.ceil(instances / max(1, instances * self.step // 100))

    @property
    def watched(self) -> tuple[str, int]:
        """The key, and the seconds, of the wait in which alarms must be able to fire."""
        return ("rollout.wait", self.wait) if self.gradual else ("rollout.termination_wait", self.termination_wait)


class AlarmsSpec(Section):
    """CloudWatch alarms that roll a rollout back: ``names`` are somebody's own, the others are made by this project.

    What is made watches the champion's variant: of the ``new`` fleet alone, or of ``both`` fleets together, where a
    canary of 10 % is a tenth of the requests and hardly moves an average.
    """

    names: tuple[str, ...] = ()
    fleet: Literal["new", "both"] = "new"
    errors_5xx: int | None = Field(None, ge=0, description="more 5xx answers than this in one period")
    errors_5xx_share: float | None = Field(None, ge=0, lt=1, description="a larger share of all answers is 5xx")
    latency_ms: float | None = Field(None, gt=0, description="the model takes longer than this (ModelLatency)")
    latency_statistic: str = Field("p90", pattern=r"^(Average|Maximum|p[0-9]{1,2}(\.[0-9]{1,2})?)$")
    period: Seconds = Field(60, description="10, 20, 30 or a multiple of 60; SageMaker's metrics come once a minute")
    evaluation_periods: int = Field(1, ge=1, le=100)
    datapoints: int | None = Field(None, ge=1, le=100, description="so many of the periods must be over the limit")

    @model_validator(mode="after")
    def _periods(self) -> Self:
        if self.period not in (10, 20, 30) and (self.period < 60 or self.period % 60):
            raise ValueError(f"alarms.period: expected 10, 20, 30 or a multiple of 60 seconds, found {self.period}")
        if self.datapoints is not None and self.datapoints > self.evaluation_periods:
            raise ValueError(
                f"alarms.datapoints: expected at most evaluation_periods ({self.evaluation_periods}), found "
                f"{self.datapoints}"
            )
        for name in self.names:
            if not 1 <= len(name) <= 255 or not name.strip():
                raise ValueError(f"alarms.names: expected names of 1 to 255 characters, found {name[:40]!r}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"alarms.names: expected each name once, found {', '.join(self.names)}")
        if len(self.names) + len(self.made) > MOST_ALARMS:
            raise ValueError(
                f"alarms: expected at most {MOST_ALARMS} (SageMaker's limit), found {len(self.names)} named and "
                f"{len(self.made)} to make"
            )
        return self

    @property
    def made(self) -> tuple[str, ...]:
        """Which limits need an alarm of our own: names of fields."""
        fields = ("errors_5xx", "errors_5xx_share", "latency_ms")
        return tuple(field for field in fields if getattr(self, field) is not None)

    @property
    def any(self) -> bool:
        """Whether there is anything to roll back on."""
        return bool(self.names or self.made)


class CaptureSpec(Section):
    """Requests and answers that SageMaker keeps in S3."""

    percent: int = Field(ge=0, le=100, description="share of the requests; 0 switches it off")
    uri: str | None = Field(None, pattern=r"^s3://[^/]+(/.*)?$", max_length=512)


class EndpointSpec(Section):
    """The endpoint that serves the champion. See docs/rollout.md."""

    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE)
    instance_count: int = Field(1, ge=1, le=1000)
    adopt: bool = False
    smoke_rows: int = Field(5, ge=1, le=100)
    lease: Seconds = Field(1800, ge=60)
    rollout: RolloutSpec = RolloutSpec()
    alarms: AlarmsSpec = AlarmsSpec()
    capture: CaptureSpec | None = None
    max_latency_ms: float | None = Field(None, gt=0, description="median of single test rows, in the smoke test")
    max_model_mb: float | None = Field(None, gt=0, description="all model artifacts together, in 10^6 bytes")

    @model_validator(mode="after")
    def _rollout(self) -> Self:
        rollout, alarms = self.rollout, self.alarms
        if rollout.gradual and not alarms.any:
            raise ValueError(
                f"alarms: expected at least one for the rollout {rollout.strategy}, found none: SageMaker rolls back "
                "only where there are alarms, so without one the new model gets all the traffic however it does; set "
                "alarms.errors_5xx, alarms.latency_ms or alarms.names"
            )
        if problem := too_small(rollout, self.instance_count):
            raise ValueError(f"instance_count: {problem}")
        shortest = alarms.period * (alarms.datapoints or alarms.evaluation_periods)
        key, seconds = rollout.watched
        if alarms.made and seconds < shortest:
            raise ValueError(
                f"{key}: expected at least {shortest} s, what an alarm needs to fire (alarms.period times "
                f"periods), found {seconds}: it could not fire in time"
            )
        waits = rollout.waits(self.instance_count)
        if rollout.max_time is not None and rollout.max_time <= waits:
            raise ValueError(
                f"rollout.max_time: expected more than the {waits} s that the rollout waits, found {rollout.max_time}"
            )
        if problem := self.lease_too_short(self.instance_count):
            raise ValueError(f"lease: {problem}")
        return self

    @property
    def guarded(self) -> bool:
        """Whether an update says how to move: else SageMaker moves all traffic at once and watches no alarm."""
        return self.alarms.any or self.rollout.gradual or bool(self.rollout.termination_wait or self.rollout.max_time)

    def lease_too_short(self, instances: int) -> str | None:
        """Why the lease does not cover the rollout of so many instances; None where it does.

        An update that waits for nothing is held against no figure: SageMaker says none for how long it takes.
        """
        waits, starting = self.rollout.waits(instances), STARTING * self.rollout.starts(instances)
        longest = self.rollout.max_time or (waits + starting if waits else 0)
        if self.lease >= longest:
            return None
        return (
            f"expected at least {longest} s, as long as the rollout may take (rollout.max_time, or its waits of "
            f"{waits} s and {starting} s for instances to start), found {self.lease}: another run could write the "
            "endpoint in the middle of it"
        )


def too_small(rollout: RolloutSpec, instances: int) -> str | None:
    """Why a fleet of so many instances cannot do the rollout; None where it can.

    SageMaker moves whole instances. A step that is less than one would be rounded up: the canary of 10 % on two
    instances would get half of the traffic, and on one instance all of it.
    """
    if not rollout.gradual:
        return None
    assert rollout.step is not None
    if instances * rollout.step >= 100:
        return None
    needed = math.ceil(100 / rollout.step)
    return (
        f"expected at least {needed} instances for the rollout {rollout.strategy} in steps of {rollout.step} %, since "
        f"only whole instances move, found {instances}: raise the number of instances or the step (up to 50 %, which "
        "needs 2 instances), or choose strategy all_at_once"
    )
