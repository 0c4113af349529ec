"""The section of a pipeline's YAML that says what evidence puts a challenger behind the endpoint."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from automl_retraining.core.section import Section

CheckAction = Literal["off", "warn", "doubt", "stop"]
"""What follows from a check that found something: nothing; a sentence in the report; doubt; the run stops, unpaid."""


class ChecksPolicy(Section):
    """Checks of the data before anything is trained (``core/sanity.py``), and what follows from each."""

    single_feature: CheckAction = Field("warn", description="one feature alone predicts the target")
    identifier: CheckAction = Field("warn", description="a feature names the row")
    target_shift: CheckAction = Field("warn", description="the target differs from the champion's training data")
    train_test: CheckAction = Field("warn", description="a classifier tells train rows from test rows")
    rows: int = Field(20_000, ge=500, le=1_000_000, description="most rows looked at of each part")


class GatePolicy(Section):
    """What evidence puts a challenger behind the endpoint. See docs/gate.md."""

    metric: str
    mode: Literal["superiority", "non_inferiority"] = "superiority"
    margin: float = Field(0.0, ge=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    floors: dict[str, float] = Field(default_factory=dict)
    slices: tuple[str, ...] = ()
    resamples: int = Field(2000, ge=200, le=100_000)
    seed: int = 20240229
    max_leaked_share: float = Field(0.01, ge=0, le=1)
    checks: ChecksPolicy = ChecksPolicy()
    approval: Literal["never", "on_doubt", "always"] = "never"

    @model_validator(mode="after")
    def _slices(self) -> Self:
        reserved = {"row_id", "key_hash", "truth", "prediction", "group", "time"}
        for column in self.slices:
            if column in reserved or column.startswith("p:"):
                raise ValueError(
                    f"slices: expected columns other than {', '.join(sorted(reserved))} and p:…, which the files of "
                    f"scores use, found {column!r}: rename the column"
                )
        return self

    @model_validator(mode="after")
    def _margin(self) -> Self:
        if self.mode == "non_inferiority" and "margin" not in self.model_fields_set:
            raise ValueError("mode non_inferiority needs a margin: say how much worse the challenger may be")
        if self.approval != "never":
            raise ValueError(f"approval {self.approval!r} is not available yet: use never")
        return self
