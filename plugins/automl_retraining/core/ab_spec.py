"""The section of a pipeline's YAML about A/B tests: the challenger gets a share of the champion's requests."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from automl_retraining.core.section import Seconds, Section

PERIODS = (1, 5, 10, 30)
"""CloudWatch's periods below a minute, for metrics of high resolution (API reference, MetricStat)."""
FEWEST_PERIODS = 5
"""Periods that a comparison of latencies needs: each is one observation."""


class ABQualitySpec(Section):
    """Whether the challenger answers better, where the truth of what was asked arrives later.

    ``labels`` is a CSV file, or a prefix of such files, with the columns ``inference_id`` and ``label``.
    """

    labels: str = Field(pattern=r"^s3://[^/]+/.+$", max_length=1024)
    metric: str | None = Field(None, description="the gate's, where not said")
    margin: float = Field(0.0, ge=0, allow_inf_nan=False, description="how much worse the challenger may be")
    min_labels: int = Field(200, ge=20, description="labelled answers of each of the two")
    wait: Seconds = Field(0, ge=0, le=30 * 86400, description="after the watch, for labels that come late")
    look_again: Seconds = Field(300, ge=1)


class ABSpec(Section):
    """An A/B test; a pipeline without this section has none. See docs/ab.md."""

    share: int = Field(10, ge=1, le=50, description="percent of the requests that the challenger gets")
    instance_count: int | None = Field(None, ge=1, le=1000, description="of the challenger; by its share, where unsaid")
    watch: Seconds = Field(3600, ge=5, le=30 * 86400)
    max_watch: Seconds | None = Field(None, description="where requests are few; then it is judged as it is")
    min_invocations: int = Field(1000, ge=1, description="requests that the challenger must have answered")
    period: Seconds = Field(60, description="of the metrics; how often they are looked at")
    confidence: float = Field(0.95, gt=0.5, lt=1)
    max_error_rise: float = Field(0.01, ge=0, lt=1, description="share of answers 4xx, and 5xx, above the champion's")
    max_latency_rise: float = Field(0.25, ge=0, le=100, description="0.25: a quarter slower than the champion")
    latency_statistic: str = Field("p90", pattern=r"^(Average|p[0-9]{1,2}(\.[0-9]{1,2})?)$")
    on_doubt: Literal["withdraw", "promote"] = "withdraw"
    shift: tuple[int, ...] = Field((50,), description="shares in percent on the way to all of it, each watched")
    shift_watch: Seconds = Field(600, ge=1, le=86400)
    quality: ABQualitySpec | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.period not in PERIODS and (self.period < 60 or self.period % 60):
            raise ValueError(f"ab.period: expected 1, 5, 10, 30 or a multiple of 60 seconds, found {self.period}")
        if self.watch < FEWEST_PERIODS * self.period:
            raise ValueError(
                f"ab.watch: expected at least {FEWEST_PERIODS * self.period} s, which is {FEWEST_PERIODS} periods of "
                f"ab.period, found {self.watch}: latencies are compared period by period"
            )
        if self.max_watch is not None and self.max_watch < self.watch:
            raise ValueError(f"ab.max_watch: expected at least ab.watch, {self.watch} s, found {self.max_watch}")
        before = self.share
        for step in self.shift:
            if not before < step <= 90:
                raise ValueError(
                    f"ab.shift: expected shares that grow from ab.share, {self.share}, to 90 at most, found "
                    f"{', '.join(map(str, self.shift))}: what comes after the last step is the promotion"
                )
            before = step
        return self

    @property
    def longest_watch(self) -> int:
        """Seconds of the watch at most: as said, else four times as long as it is to take."""
        return self.max_watch or 4 * self.watch

    @property
    def looks(self) -> int:
        """How often the metrics may be looked at before the test ends: what each look may cost in false alarms."""
        late = self.quality.wait if self.quality else 0
        return math.ceil((self.longest_watch + late + len(self.shift) * self.shift_watch) / self.period)
