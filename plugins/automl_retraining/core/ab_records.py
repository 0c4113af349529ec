"""What an A/B test writes down: what each variant did, what was judged of it, and how it ended. Light."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.records import Interval, Record, Rule


class Period(Record):
    """One variant's requests in one period of the metrics."""

    at: datetime
    invocations: int
    latency_ms: float | None = Field(None, description="ModelLatency, the statistic of the test")


class Traffic(Record):
    """What one variant did in the test, as CloudWatch says."""

    variant: str
    invocations: int = 0
    errors_4xx: int = 0
    errors_5xx: int = 0
    periods: tuple[Period, ...] = ()


class Quality(Record):
    """The two models against the truth that arrived, each on the requests that it answered: unpaired."""

    metric: str
    greater_is_better: bool
    champion: Interval | None = None
    challenger: Interval | None = None
    improvement: Interval | None = Field(None, description="of the challenger; above 0 is better")
    labelled_champion: int = 0
    labelled_challenger: int = 0
    left_out: tuple[str, ...] = Field((), description="captured answers that could not be used, in sentences")
    undefined: str | None = Field(None, description="why there is no comparison")


class Judgement(Record):
    """judgement.json: what the evidence says."""

    format: Literal[1] = 1
    verdict: Literal["promote", "withdraw"]
    sentence: str
    rules: tuple[Rule, ...]
    champion: Traffic
    challenger: Traffic
    quality: Quality | None = None
    judged: datetime


class ABResult(Record):
    """result.json: how the test ended."""

    format: Literal[1] = 1
    pipeline: str
    run_id: str
    endpoint: str
    outcome: Literal["promoted", "withdrawn", "failed"]
    sentence: str
    champion: str | None = Field(None, description="the model that was champion when the test began")
    challenger: str | None = None
    spec: ABSpec
    started: datetime | None = None
    finished: datetime
    ended_early: str | None = Field(None, description="the harm that ended it, in a sentence")
    judgement: Judgement | None = None
    serves: str | None = Field(None, description="the champion now")
    failed_tasks: tuple[str, ...] = ()
