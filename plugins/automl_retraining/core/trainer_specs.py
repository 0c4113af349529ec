"""The sections of a pipeline's YAML that say when and how a challenger is made."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from automl_retraining.core.section import INSTANCE_TYPE, SearchMode, Seconds, Section, Trainer


class Schedule(Section):
    """When the pipeline runs by itself: a cron line or an asset; neither means by hand only."""

    cron: str | None = None
    asset: str | None = None
    trainer: Trainer | None = Field(None, description="which of several trainers it starts; the first by default")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.cron and self.asset:
            raise ValueError("expected either cron or asset, found both: a run starts by the clock or by new data")
        return self

    @field_validator("cron")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is None:
            return None
        from croniter import croniter  # type: ignore[import-untyped]  # Airflow's own; only a cron line needs it

        if not croniter.is_valid(value):
            raise ValueError(
                f'expected a cron line such as "0 5 * * 1" (Mondays at 5:00 UTC) or @daily, found {value!r}'
            )
        return value

    @field_validator("asset")
    @classmethod
    def _asset(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[!-~]+", value):
            raise ValueError(f"expected a URI such as s3://bucket/prefix/, found {value!r}")
        return value


class SplitSpec(Section):
    """How rows are assigned to train, validation and test: a keyed hash, so the same row always lands in the same part.

    ``key``/``group``/``time`` name columns. Shares are of the hash range, so actual counts vary with the data.
    """

    validation: float = Field(0.15, gt=0, lt=0.5)
    test: float = Field(0.2, gt=0, lt=0.5)
    key: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    time: str | None = None
    missing_target: Literal["stop", "drop"] = "stop"
    min_class_rows: int = Field(5, ge=1, description="fewest rows of a class that each part must hold")

    @model_validator(mode="after")
    def _columns(self) -> Self:
        if self.key and self.group:
            raise ValueError("expected key or group, found both: rows of one group already stay together")
        if self.group and self.time:
            raise ValueError(
                "expected group or time, found both: a group's later rows would be test rows of a group trained on"
            )
        return self


class SearchSpec(Section):
    """Autopilot's options under the names of CreateAutoMLJobV2, in lower case. Limits are set, never unlimited."""

    mode: SearchMode = "AUTO"
    metric: str | None = None
    algorithms: tuple[str, ...] = ()
    max_candidates: int = Field(10, ge=1, le=750)
    max_run_time: Seconds = Field(3600, ge=60)
    max_training_job_run_time: Seconds = Field(1800, ge=1)
    sample_weight: str | None = None
    feature_types: dict[str, Literal["numeric", "categorical", "text", "datetime"]] = Field(default_factory=dict)


class ProcessingSpec(Section):
    """The processing job of a ``tuned`` pipeline: a script of a source directory in the scikit-learn container."""

    source_dir: str = Field("include/containers/preprocessing", description="below the project's root, or absolute")
    script: str = "preprocess.py"
    image_version: str = "1.4-2"
    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE)
    volume_gb: int = Field(30, ge=1, le=16384)
    max_run_time: Seconds = Field(3600, ge=1)


class ParameterRange(Section):
    """What a tuning job may choose a hyperparameter from: ``min`` to ``max`` (whole numbers or not), or ``values``."""

    min: int | float | None = None
    max: int | float | None = None
    scaling: Literal["auto", "linear", "logarithmic", "reverse_logarithmic"] = "auto"
    values: tuple[str, ...] | None = None

    @field_validator("values", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        return [str(each) for each in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.values is not None:
            if self.min is not None or self.max is not None:
                raise ValueError("expected min and max, or values, found both")
            if not self.values or len(set(self.values)) < len(self.values):
                raise ValueError(f"expected different values, found {', '.join(self.values) or 'none'}")
            return self
        if self.min is None or self.max is None:
            raise ValueError("expected both min and max, or a list of values")
        if self.min >= self.max:
            raise ValueError(f"expected min below max, found min {self.min} and max {self.max}: the range is empty")
        if self.scaling == "logarithmic" and self.min <= 0:
            raise ValueError(f"expected a min above 0 for logarithmic scaling, found {self.min}")
        if self.scaling == "reverse_logarithmic" and not (self.min >= 0 and self.max < 1):
            raise ValueError(
                f"expected a range within 0 and 1 for reverse logarithmic scaling, found {self.min} to {self.max}"
            )
        return self


class TuningSpec(Section):
    """The tuning job of a ``tuned`` pipeline; ``search: false`` trains once, with ``static`` and the defaults.

    ``ranges`` and ``static`` are by algorithm, then by hyperparameter, and replace the defaults of
    ``sagemaker/algorithms.py`` name by name.
    """

    algorithms: tuple[Literal["xgboost", "linear-learner"], ...] = ("xgboost",)
    search: bool = True
    strategy: Literal["Bayesian", "Random", "Grid", "Hyperband"] = "Bayesian"
    max_jobs: int = Field(20, ge=1, le=750)
    max_parallel: int = Field(2, ge=1, le=100)
    max_run_time: Seconds = Field(3600, ge=120)
    max_training_job_run_time: Seconds = Field(1800, ge=1)
    early_stopping: bool = True
    warm_start: bool = Field(False, description="begin with what the last run's tuning job found; a single algorithm")
    seed: int = Field(20240229, ge=0)
    ranges: dict[str, dict[str, ParameterRange]] = Field(default_factory=dict)
    static: dict[str, dict[str, str | int | float]] = Field(default_factory=dict)
    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE)
    volume_gb: int = Field(30, ge=1, le=16384)
    spot: bool = False
    max_wait: Seconds | None = Field(None, description="spot: longest waiting and training together")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.algorithms:
            raise ValueError("algorithms: expected at least one of xgboost, linear-learner, found an empty list")
        if len(set(self.algorithms)) < len(self.algorithms):
            raise ValueError(f"algorithms: expected each once, found {', '.join(self.algorithms)}")
        for key, given in (("ranges", self.ranges), ("static", self.static)):
            strangers = sorted(set(given) - set(self.algorithms))
            if strangers:
                raise ValueError(
                    f"{key}: expected the algorithms of this pipeline, {', '.join(self.algorithms)}, "
                    f"found {', '.join(strangers)}"
                )
        if not self.search and len(self.algorithms) > 1:
            raise ValueError(f"algorithms: expected one where search is false, found {', '.join(self.algorithms)}")
        if self.warm_start and len(self.algorithms) > 1:
            raise ValueError(
                f"warm_start: expected a single algorithm, found {', '.join(self.algorithms)}: SageMaker starts "
                "several cold"
            )
        if self.max_wait is not None and not self.spot:
            raise ValueError(f"max_wait: expected none without spot, found {self.max_wait} s")
        if self.max_wait is not None and self.max_wait < self.max_training_job_run_time:
            raise ValueError(
                f"max_wait: expected at least max_training_job_run_time ({self.max_training_job_run_time} s), found "
                f"{self.max_wait} s"
            )
        return self


class RefitSpec(Section):
    """What a refit changes of the champion's jobs beside the data; what is not said stays as it was."""

    instance_type: str | None = Field(None, pattern=INSTANCE_TYPE, description="of every job that is run again")
    spot: bool | None = Field(None, description="of the algorithm's training")
    max_wait: Seconds | None = Field(None, description="spot: longest waiting and training together")
    max_run_time: Seconds | None = Field(None, ge=60, description="of each job that is run again")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_wait is not None and not self.spot:
            raise ValueError(f"max_wait: expected none without spot: true, found {self.max_wait} s")
        if self.max_wait is not None and self.max_run_time is not None and self.max_wait < self.max_run_time:
            raise ValueError(
                f"max_wait: expected at least max_run_time ({self.max_run_time} s), found {self.max_wait} s"
            )
        return self


class CandidatesSpec(Section):
    """A ``candidates`` pipeline: which of Autopilot's candidate definitions are tuned, who chooses, and the budget.

    The rule takes ``names`` where there are some, else the first definitions, each algorithm in turn.
    """

    algorithms: tuple[Literal["xgboost", "linear-learner", "mlp"], ...] = ("xgboost", "linear-learner", "mlp")
    pick: Literal["rule", "person"] = "rule"
    names: tuple[str, ...] = Field((), max_length=10, description="such as dpp0-xgboost, as the notebook calls them")
    max_picked: int = Field(3, ge=1, le=10, description="a tuning job takes at most 10 definitions")
    answer_within: Seconds = Field(12 * 3600, ge=60, description="a person's time; then the rule chooses")
    strategy: Literal["Bayesian", "Random", "Hyperband"] = "Bayesian"
    max_jobs: int = Field(10, ge=1, le=750)
    max_parallel: int = Field(2, ge=1, le=100)
    max_run_time: Seconds = Field(3600, ge=120)
    max_training_job_run_time: Seconds = Field(1800, ge=1)
    seed: int = Field(20240229, ge=0)
    instance_type: str | None = Field(None, pattern=INSTANCE_TYPE, description="instead of the notebook's")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.algorithms:
            raise ValueError("algorithms: expected at least one of xgboost, linear-learner, mlp, found an empty list")
        for key, given in (("algorithms", self.algorithms), ("names", self.names)):
            if len(set(given)) < len(given):
                raise ValueError(f"{key}: expected each once, found {', '.join(given)}")
        return self
