"""The section of a pipeline's YAML that says what evidence puts a challenger behind the endpoint."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from automl_retraining.core.section import Seconds, Section

CheckAction = Literal["off", "warn", "doubt", "stop"]
"""What follows from a check that found something: nothing; a sentence in the report; doubt; the run stops, unpaid."""


class ChecksPolicy(Section):
    """Checks of the data before anything is trained (``core/sanity.py``), and what follows from each."""

    single_feature: CheckAction = Field("warn", description="one feature alone predicts the target")
    identifier: CheckAction = Field("warn", description="a feature names the row")
    duplicates: CheckAction = Field("warn", description="test rows stand in the train part too")
    target_shift: CheckAction = Field("warn", description="the target differs from the champion's training data")
    train_test: CheckAction = Field("warn", description="a classifier tells train rows from test rows")
    rows: int = Field(20_000, ge=500, le=1_000_000, description="most rows looked at of each part")


class GatePolicy(Section):
    """What evidence puts a challenger behind the endpoint. See docs/gate.md."""

    metric: str
    mode: Literal["superiority", "non_inferiority"] = "superiority"
    margin: float = Field(0.0, ge=0, allow_inf_nan=False)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    floors: dict[str, float] = Field(default_factory=dict)
    guardrails: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(
        default_factory=dict, description="other metrics, and by how much the challenger may be worse in each"
    )
    max_calibration_error: float | None = Field(None, gt=0, lt=1, description="of stated probabilities; classes only")
    max_prediction_drift: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="PSI of its predictions against the champion's"
    )
    slices: tuple[str, ...] = ()
    resamples: int = Field(2000, ge=200, le=100_000)
    seed: int = 20240229
    max_leaked_share: float = Field(0.01, ge=0, le=1)
    checks: ChecksPolicy = ChecksPolicy()
    approval: Literal["never", "on_doubt", "always"] = Field("never", description="when a person decides")
    approvers: tuple[str, ...] = Field((), description="Airflow user names; none means anybody who may answer")
    answer_within: Seconds = Field(24 * 3600, ge=10, description="a person's time; then the champion stays")

    @model_validator(mode="before")
    @classmethod
    def _on_doubt(cls, given: Any) -> Any:
        """``on_doubt: keep`` or ``approve`` is another way to say ``approval: never`` or ``on_doubt``."""
        if not isinstance(given, dict) or "on_doubt" not in given:
            return given
        rest = {key: value for key, value in given.items() if key != "on_doubt"}
        asked, approval = given["on_doubt"], given.get("approval")
        if asked not in ("keep", "approve"):
            raise ValueError(f"on_doubt: expected one of keep, approve, found {asked!r}")
        if approval is None:
            return {**rest, "approval": "on_doubt" if asked == "approve" else "never"}
        if (asked == "approve") != (approval in ("on_doubt", "always")):
            raise ValueError(
                f"expected approval and on_doubt to agree, found approval: {approval} and on_doubt: {asked}: say one "
                "of them only"
            )
        return rest

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
        if self.metric in self.guardrails:
            raise ValueError(
                f"guardrails: expected metrics other than {self.metric}, which metric, mode and margin judge already"
            )
        return self

    @model_validator(mode="after")
    def _answer(self) -> Self:
        if self.approvers and self.approval == "never":
            raise ValueError(
                f"approvers: expected none where approval is never, found {', '.join(self.approvers)}: set approval to "
                "on_doubt or always, or take them out"
            )
        if empty := [name for name in self.approvers if not name.strip()]:
            raise ValueError(f"approvers: expected user names, found {empty[0]!r}")
        return self
