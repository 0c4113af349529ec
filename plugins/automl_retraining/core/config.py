"""A pipeline: one YAML file per model kept fresh, as a typed, frozen value.

Imported by every DAG file, so it stays light: pydantic and PyYAML only.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from automl_retraining.core.errors import ConfigError
from automl_retraining.core.yaml_errors import read_yaml, sentences, yaml_sentence

Trainer = Literal["autopilot", "candidates", "tuned", "refit"]
ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]
SearchMode = Literal["AUTO", "ENSEMBLING", "HYPERPARAMETER_TUNING"]

_INSTANCE_TYPE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: object) -> object:
    """Read ``90``, ``"90s"``, ``"30m"``, ``"2h"`` or ``"1d"`` as seconds."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", value)):
        return int(match[1]) * _UNITS[match[2]]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            f'expected a duration such as "90s", "30m", "2h" or a whole number of seconds, found {value!r}'
        )
    return value


Seconds = Annotated[int, BeforeValidator(_seconds)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(_Section):
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


class SplitSpec(_Section):
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


class SearchSpec(_Section):
    """Autopilot's options under the names of CreateAutoMLJobV2, in lower case. Limits are set, never unlimited."""

    mode: SearchMode = "AUTO"
    metric: str | None = None
    algorithms: tuple[str, ...] = ()
    max_candidates: int = Field(10, ge=1, le=750)
    max_run_time: Seconds = Field(3600, ge=60)
    max_training_job_run_time: Seconds = Field(1800, ge=1)
    sample_weight: str | None = None
    feature_types: dict[str, Literal["numeric", "categorical", "text", "datetime"]] = Field(default_factory=dict)


class ProcessingSpec(_Section):
    """The processing job of a ``tuned`` pipeline: a script of a source directory in the scikit-learn container."""

    source_dir: str = Field("include/containers/preprocessing", description="below the project's root, or absolute")
    script: str = "preprocess.py"
    image_version: str = "1.4-2"
    instance_type: str = Field("ml.m5.large", pattern=_INSTANCE_TYPE)
    volume_gb: int = Field(30, ge=1, le=16384)
    max_run_time: Seconds = Field(3600, ge=1)


class ParameterRange(_Section):
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


class TuningSpec(_Section):
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
    instance_type: str = Field("ml.m5.large", pattern=_INSTANCE_TYPE)
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


class RefitSpec(_Section):
    """What a refit changes of the champion's jobs beside the data; what is not said stays as it was."""

    instance_type: str | None = Field(None, pattern=_INSTANCE_TYPE, description="of every job that is run again")
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


class CandidatesSpec(_Section):
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
    instance_type: str | None = Field(None, pattern=_INSTANCE_TYPE, description="instead of the notebook's")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.algorithms:
            raise ValueError("algorithms: expected at least one of xgboost, linear-learner, mlp, found an empty list")
        for key, given in (("algorithms", self.algorithms), ("names", self.names)):
            if len(set(given)) < len(given):
                raise ValueError(f"{key}: expected each once, found {', '.join(given)}")
        return self


class GatePolicy(_Section):
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


class EndpointSpec(_Section):
    """The endpoint that serves the champion."""

    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
    instance_type: str = Field("ml.m5.large", pattern=_INSTANCE_TYPE)
    instance_count: int = Field(1, ge=1, le=1000)
    adopt: bool = False
    smoke_rows: int = Field(5, ge=1, le=100)
    lease: Seconds = Field(1800, ge=60)


class TransformSpec(_Section):
    """Batch transform of the test rows."""

    instance_type: str = Field("ml.m5.large", pattern=_INSTANCE_TYPE)
    instance_count: int = Field(1, ge=1, le=100)
    max_payload_mb: int = Field(6, ge=1, le=100)


class AwsSpec(_Section):
    """Where to run. What is not said here comes from the deployment's environment: see ``Deployment``."""

    conn_id: str = "aws_default"
    region: str | None = None
    bucket: str | None = None
    role_arn: str | None = None
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)


class Pipeline(_Section):
    """One model kept fresh."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    description: str = ""
    owner: str = "ml"
    trainers: tuple[Trainer, ...] = ("autopilot",)
    schedule: Schedule = Schedule()
    source: str
    target: str
    problem_type: ProblemType | None = None
    positive_class: str | None = None
    drop: tuple[str, ...] = ()
    skip_unchanged: bool = False
    on_schema_change: Literal["stop", "accept"] = "stop"
    max_active_minutes: int = Field(24 * 60, ge=1, description="a run older than this is failed and its job stopped")
    split: SplitSpec = SplitSpec()
    search: SearchSpec = SearchSpec()
    processing: ProcessingSpec = ProcessingSpec()
    tuning: TuningSpec = TuningSpec()
    candidates: CandidatesSpec = CandidatesSpec()
    refit: RefitSpec = RefitSpec()
    gate: GatePolicy
    endpoint: EndpointSpec = EndpointSpec()
    transform: TransformSpec = TransformSpec()
    aws: AwsSpec = AwsSpec()

    @field_validator("trainers")
    @classmethod
    def _trainers(cls, value: tuple[Trainer, ...]) -> tuple[Trainer, ...]:
        if not value:
            raise ValueError("expected at least one of autopilot, candidates, tuned, refit, found an empty list")
        if len(set(value)) < len(value):
            raise ValueError(f"expected each trainer once, found {', '.join(value)}")
        return value

    @model_validator(mode="after")
    def _scheduled(self) -> Self:
        if self.schedule.trainer is not None and self.schedule.trainer not in self.trainers:
            raise ValueError(
                f"key schedule.trainer: expected one of this pipeline's trainers, {', '.join(self.trainers)}, found "
                f"{self.schedule.trainer!r}"
            )
        return self

    @model_validator(mode="after")
    def _columns(self) -> Self:
        hidden = {
            "drop": self.drop,
            "split.key": self.split.key,
            "split.group": self.split.group,
            "split.time": (self.split.time,) if self.split.time else (),
        }
        used = {
            "target": (self.target,),
            "search.sample_weight": (self.search.sample_weight,) if self.search.sample_weight else (),
            "search.feature_types": tuple(self.search.feature_types),
        }
        for hiding, columns in hidden.items():
            doubled = [column for column, times in Counter(columns).items() if times > 1]
            if doubled:
                raise ValueError(f"key {hiding}: expected each column once, found {doubled[0]!r} again")
            for using, needed in used.items():
                for column in needed:
                    if column in columns:
                        raise ValueError(
                            f"key {hiding}: expected columns other than {column!r}, which {using} needs in the "
                            "training data: take it out of one of them"
                        )
        for using in ("search.sample_weight", "search.feature_types"):
            if self.target in used[using]:
                raise ValueError(f"key {using}: expected a column other than the target, found {self.target!r}")
        return self

    @model_validator(mode="after")
    def _metrics(self) -> Self:
        from automl_retraining.core.metric_table import METRICS  # which imports this module

        for key, name in (("gate.metric", self.gate.metric), *(("gate.floors", name) for name in self.gate.floors)):
            legal = [
                spec.name
                for spec in METRICS.values()
                if self.problem_type is None or self.problem_type in spec.problem_types
            ]
            if name not in legal:
                problem = f" for {self.problem_type}" if self.problem_type else ""
                raise ValueError(f"key {key}: expected one of {', '.join(legal)}{problem}, found {name!r}")
        if self.gate.mode == "non_inferiority":
            raise ValueError(
                "key gate.mode: expected superiority, found 'non_inferiority': it is not available for a pipeline yet, "
                "as it must hold against the last model promoted by superiority too, or a year of it walks downhill"
            )
        if self.positive_class is not None and self.problem_type not in (None, "BinaryClassification"):
            raise ValueError(
                f"key positive_class: expected none for {self.problem_type}, found {self.positive_class!r}: only a "
                "problem of two classes has a positive one"
            )
        return self

    @property
    def scheduled_trainer(self) -> Trainer:
        """The trainer that the schedule starts: what ``schedule.trainer`` says, else the first."""
        return self.schedule.trainer or self.trainers[0]

    @property
    def endpoint_name(self) -> str:
        """The endpoint's name: as said, or ``art-<pipeline>`` with hyphens."""
        return self.endpoint.name or "art-" + self.name.replace("_", "-")


def project_root() -> Path:
    """The folder that holds dags/, plugins/ and include/."""
    return Path(__file__).resolve().parents[3]


def pipelines_folder() -> Path:
    """Where the YAML files are: ``AUTOML_RETRAINING_PIPELINES``, else include/pipelines."""
    return Path(os.environ.get("AUTOML_RETRAINING_PIPELINES") or project_root() / "include" / "pipelines")


def load_pipeline(path: Path) -> Pipeline:
    """Read one YAML file.

    Raises:
        ConfigError: naming the file, the key, what was expected and what was found.
    """
    if path.suffix != ".yaml":
        raise ConfigError(f"{path}: expected a name that ends in .yaml, found {path.suffix}: rename the file")
    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {yaml_sentence(error)}") from error
    if not isinstance(document, dict):
        found = "an empty file" if document is None else repr(document)[:80]
        raise ConfigError(f"{path}: expected a mapping of keys such as source, target and gate, found {found}")
    document.setdefault("name", path.stem)
    try:
        pipeline = Pipeline.model_validate(document)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in sentences(error, Pipeline))) from error
    if pipeline.name != path.stem:
        raise ConfigError(f"{path}: key name: expected {path.stem!r}, as the file is named, found {pipeline.name!r}")
    return pipeline


def load_pipelines(trainer: Trainer, folder: Path | None = None) -> Iterator[Pipeline]:
    """Every valid pipeline that names this trainer.

    A broken file hides only itself: dags/check_pipelines.py shows it as Airflow's import error.
    """
    for path in pipeline_files(folder):
        try:
            pipeline = load_pipeline(path)
        except ConfigError:
            continue  # reported by dags/check_pipelines.py, once, not by every story
        if trainer in pipeline.trainers:
            yield pipeline


def pipeline_files(folder: Path | None = None) -> list[Path]:
    """The YAML files of the folder, by name; those that end in .yml too, so that nobody wonders where the DAG is."""
    where = folder or pipelines_folder()
    return sorted([*where.glob("*.yaml"), *where.glob("*.yml")])


class Deployment(_Section):
    """What one Airflow deployment sets once for all its pipelines, from environment variables.

    | variable | means |
    |---|---|
    | ``AUTOML_RETRAINING_BUCKET`` | bucket of the run folders |
    | ``AUTOML_RETRAINING_ROLE_ARN`` | role that SageMaker assumes |
    | ``AUTOML_RETRAINING_DEPLOYMENT`` | id hashed into job names, so two Airflows in one account never collide |
    | ``AUTOML_RETRAINING_DATA_DIRS`` | folders (``:`` between) that a local source may lie in, beside include/data |
    """

    bucket: str | None = None
    role_arn: str | None = None
    deployment: str = "default"
    data_dirs: tuple[Path, ...] = ()

    @classmethod
    def from_environment(cls) -> Deployment:
        """Read the variables; empty counts as unset."""
        further = [Path(part) for part in os.environ.get("AUTOML_RETRAINING_DATA_DIRS", "").split(os.pathsep) if part]
        return cls(
            bucket=os.environ.get("AUTOML_RETRAINING_BUCKET") or None,
            role_arn=os.environ.get("AUTOML_RETRAINING_ROLE_ARN") or None,
            deployment=os.environ.get("AUTOML_RETRAINING_DEPLOYMENT") or "default",
            data_dirs=(project_root() / "include" / "data", *further),
        )

    def bucket_of(self, pipeline: Pipeline) -> str:
        """The pipeline's bucket, else the deployment's; ConfigError where neither is set."""
        return self._need(pipeline, pipeline.aws.bucket or self.bucket, "aws.bucket", "AUTOML_RETRAINING_BUCKET")

    def role_of(self, pipeline: Pipeline) -> str:
        """The pipeline's role ARN, else the deployment's; ConfigError where neither is set."""
        return self._need(
            pipeline, pipeline.aws.role_arn or self.role_arn, "aws.role_arn", "AUTOML_RETRAINING_ROLE_ARN"
        )

    @staticmethod
    def _need(pipeline: Pipeline, value: str | None, key: str, variable: str) -> str:
        if value:
            return value
        raise ConfigError(
            f"pipeline {pipeline.name}: expected key {key} in its YAML or the environment variable {variable}, "
            "found neither: set one of them"
        )
