"""A pipeline: one YAML file per model kept fresh, as a typed, frozen value.

Imported by every DAG file, so it stays light: pydantic and PyYAML only.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.endpoint_spec import EndpointSpec
from automl_retraining.core.errors import ConfigError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.lifecycle_spec import RegistrySpec, RetentionSpec
from automl_retraining.core.section import INSTANCE_TYPE, ProblemType, Section, Trainer
from automl_retraining.core.trainer_specs import (
    CandidatesSpec,
    ProcessingSpec,
    RefitSpec,
    Schedule,
    SearchSpec,
    SplitSpec,
    TuningSpec,
)
from automl_retraining.core.yaml_errors import read_yaml, sentences, shown, yaml_sentence


class TransformSpec(Section):
    """Batch transform of the test rows."""

    instance_type: str = Field("ml.m5.large", pattern=INSTANCE_TYPE)
    instance_count: int = Field(1, ge=1, le=100)
    max_payload_mb: int = Field(6, ge=1, le=100)


class AwsSpec(Section):
    """Where to run. What is not said here comes from the deployment's environment: see ``Deployment``."""

    conn_id: str = "aws_default"
    region: str | None = None
    bucket: str | None = None
    role_arn: str | None = None
    kms_key: str | None = None
    capacity_wait: int = Field(
        7200, ge=0, le=7 * 86400, description="seconds to wait where AWS has no room for a job now; 0 fails at once"
    )
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)


class Pipeline(Section):
    """One model kept fresh."""

    # Nothing ends in a hyphen in SageMaker, and the endpoint's name is made of this one.
    name: str = Field(pattern=r"^[a-z](?:[a-z0-9_]{0,38}[a-z0-9])?$")
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
    ab: ABSpec | None = Field(None, description="A/B tests by the DAG ab_<pipeline>; none without this section")
    transform: TransformSpec = TransformSpec()
    registry: RegistrySpec = RegistrySpec()
    retention: RetentionSpec = RetentionSpec()
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

        named = [
            ("gate.metric", self.gate.metric),
            *(("gate.floors", name) for name in self.gate.floors),
            *(("gate.guardrails", name) for name in self.gate.guardrails),
            *(("ab.quality.metric", spec.metric) for spec in (self.ab and self.ab.quality,) if spec and spec.metric),
        ]
        for key, name in named:
            legal = [
                spec.name
                for spec in METRICS.values()
                if self.problem_type is None or self.problem_type in spec.problem_types
            ]
            if name not in legal:
                problem = f" for {self.problem_type}" if self.problem_type else ""
                raise ValueError(f"key {key}: expected one of {', '.join(legal)}{problem}, found {name!r}")
        if self.gate.max_calibration_error is not None and self.problem_type == "Regression":
            raise ValueError(
                "key gate.max_calibration_error: expected none for Regression, whose models state no probabilities"
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

    @property
    def package_group(self) -> str:
        """The model package group's name: as said, or ``art-<pipeline>`` with hyphens."""
        return self.registry.group or "art-" + self.name.replace("_", "-").strip("-")


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
        found = "an empty file" if document is None else shown(document)
        raise ConfigError(f"{path}: expected a mapping of keys such as source, target and gate, found {found}")
    document.setdefault("name", path.stem)
    try:
        pipeline = Pipeline.model_validate(document)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in sentences(error, Pipeline))) from error
    if pipeline.name != path.stem:
        raise ConfigError(f"{path}: key name: expected {path.stem!r}, as the file is named, found {pipeline.name!r}")
    return pipeline


def load_pipelines(trainer: Trainer | None = None, folder: Path | None = None) -> Iterator[Pipeline]:
    """Every valid pipeline that names this trainer, or every valid one.

    A broken file hides only itself: dags/check_pipelines.py shows it as Airflow's import error.
    """
    for path in pipeline_files(folder):
        try:
            pipeline = load_pipeline(path)
        except ConfigError:
            continue  # reported by dags/check_pipelines.py, once, not by every story
        if trainer is None or trainer in pipeline.trainers:
            yield pipeline


def pipeline_files(folder: Path | None = None) -> list[Path]:
    """The YAML files of the folder, by name; those that end in .yml too, so that nobody wonders where the DAG is."""
    where = folder or pipelines_folder()
    return sorted([*where.glob("*.yaml"), *where.glob("*.yml")])


class Deployment(Section):
    """What one Airflow deployment sets once for all its pipelines, from environment variables.

    | variable | means |
    |---|---|
    | ``AUTOML_RETRAINING_BUCKET`` | bucket of the run folders |
    | ``AUTOML_RETRAINING_ROLE_ARN`` | role that SageMaker assumes |
    | ``AUTOML_RETRAINING_DEPLOYMENT`` | id hashed into job names, so two Airflows in one account never collide |
    | ``AUTOML_RETRAINING_DATA_DIRS`` | folders (``:`` between) that a local source may lie in, beside include/data |
    | ``AUTOML_RETRAINING_RETENTION_DRY_RUN`` | ``false``: the weekly run of the DAG ``retention`` deletes |
    | ``AUTOML_RETRAINING_SWEEP_DRY_RUN`` | ``false``: the hourly run of the DAG ``sweep`` stops jobs |
    """

    bucket: str | None = None
    role_arn: str | None = None
    deployment: str = "default"
    data_dirs: tuple[Path, ...] = ()
    retention_dry_run: bool = True
    sweep_dry_run: bool = True

    @classmethod
    def from_environment(cls) -> Deployment:
        """Read the variables; empty counts as unset."""
        further = [Path(part) for part in os.environ.get("AUTOML_RETRAINING_DATA_DIRS", "").split(os.pathsep) if part]
        return cls(
            bucket=os.environ.get("AUTOML_RETRAINING_BUCKET") or None,
            role_arn=os.environ.get("AUTOML_RETRAINING_ROLE_ARN") or None,
            deployment=os.environ.get("AUTOML_RETRAINING_DEPLOYMENT") or "default",
            data_dirs=(project_root() / "include" / "data", *further),
            # Anything but a plain "false" leaves it a dry run: a typing error must not delete.
            retention_dry_run=os.environ.get("AUTOML_RETRAINING_RETENTION_DRY_RUN", "").strip().lower() != "false",
            sweep_dry_run=os.environ.get("AUTOML_RETRAINING_SWEEP_DRY_RUN", "").strip().lower() != "false",
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
