"""What passes between rooms: the typed records of a run folder.

Each record is a frozen value that reads and writes its JSON file. Times are UTC. Light: imported by DAG files.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.section import ProblemType
from automl_retraining.core.trainer_specs import SplitSpec

CLASSIFICATION_OUTPUT = ("predicted_label", "probabilities", "labels")
"""What a classification model of ours is asked to answer, in this order (``SAGEMAKER_INFERENCE_OUTPUT``).

``probability`` alone is not safe: it means different things in Autopilot's two modes.
"""

PartName = Literal["train", "validation", "test"]
ColumnType = Literal["integer", "number", "text", "datetime", "empty"]


class Record(BaseModel):
    """Base of all records: frozen, closed, JSON with a stable order."""

    # An interval on too few rows may have no end: "Infinity" in quotes, as JSON has no such number.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def to_json(self) -> str:
        """The record as its file's text: two-space indent, a newline at the end."""
        return self.model_dump_json(indent=2) + "\n"


# ---------------------------------------------------------------- manifest.json


class ColumnProfile(Record):
    """One column of the whole table. Moments and quantiles only for numbers; ``top`` only for text."""

    name: str
    type: ColumnType
    missing: int
    distinct: int = Field(description="exact up to the counter's limit, else the limit")
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    top: tuple[tuple[str, int], ...] = ()


class Part(Record):
    """One part of the split, as stored."""

    uri: str
    rows: int
    bytes: int
    sha256: str
    class_counts: dict[str, int] = Field(default_factory=dict)
    target_mean: float | None = None


class SplitFacts(Record):
    """How the rows were assigned: enough to assign them again."""

    spec: SplitSpec
    salt: str
    by: Literal["key", "group", "features", "time"]
    columns: tuple[str, ...]
    cutoff: str | None = Field(None, description="first time of the test part; only ever moves forward")
    train: Part
    validation: Part
    test: Part
    keys_uri: str = Field(description="8-byte big-endian hashes of the train and validation rows' keys, sorted")
    keys_sha256: str


class SourceFacts(Record):
    """Where the bytes came from."""

    uri: str
    bytes: int
    sha256: str
    rows: int
    dropped_missing_target: int = 0


class Manifest(Record):
    """manifest.json: what data this run was trained and judged on."""

    format: Literal[1] = 1
    pipeline: str
    run_id: str
    created: datetime
    source: SourceFacts
    target: str
    problem_type: ProblemType
    labels: tuple[str, ...] = Field(description="classes by name, sorted; empty for regression")
    positive_class: str | None = None
    columns: tuple[ColumnProfile, ...] = Field(description="in the file's order, target included")
    features: tuple[str, ...] = Field(description="columns the model sees, in order")
    split: SplitFacts
    transform_input_uri: str = Field(description="test rows for batch transform: row id first, no header, no target")
    truth_uri: str = Field(description="row_id, truth, and the split's group/time and the gate's slice columns")
    changes: tuple[str, ...] = Field((), description="what differs from the last run, in sentences")
    warnings: tuple[str, ...] = ()
    previous_run: str | None = None
    unchanged: bool = Field(False, description="the same bytes and split as the last run")


class SplitResult(Record):
    """XCom of the split task."""

    run_folder: str
    manifest_uri: str
    train_uri: str
    validation_uri: str
    transform_input_uri: str
    problem_type: ProblemType
    target: str
    n_features: int
    labels: tuple[str, ...]
    rows: int


# ---------------------------------------------------------------- models and candidates


class ContainerSpec(Record):
    """One container of a model, as CreateModel takes it."""

    image: str
    model_data_url: str | None = None
    environment: dict[str, str] = Field(default_factory=dict)


class Candidate(Record):
    """One line of the leaderboard. Durations are in seconds."""

    name: str
    status: str
    objective_metric: str | None = None
    objective_value: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    algorithm: str | None = None
    hyperparameters: dict[str, str] = Field(default_factory=dict)
    created: datetime | None = None
    ended: datetime | None = None
    duration: float | None = None
    containers: tuple[ContainerSpec, ...] = ()
    failure_reason: str | None = None
    insights_uri: str | None = None
    explainability_uri: str | None = None


class Leaderboard(Record):
    """leaderboard.json: every candidate of the search, best first."""

    format: Literal[1] = 1
    job_name: str
    job_arn: str
    kind: str
    objective_metric: str
    greater_is_better: bool
    mode: str | None = None
    status: str
    secondary_status: str | None = None
    created: datetime
    ended: datetime | None = None
    duration: float | None = None
    billable_seconds: float | None = Field(None, description="as SageMaker bills them; None where it does not say")
    transitions: tuple[tuple[str, datetime], ...] = Field((), description="secondary status, first seen")
    partial_failures: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    best: str | None = None
    notebooks: tuple[str, ...] = Field((), description="S3 URIs of the notebooks copied into the run folder")


class SearchResult(Record):
    """XCom of any search task: what the shared ending needs of a challenger."""

    job_name: str
    job_arn: str
    kind: str
    mode: str | None = None
    candidate: Candidate
    problem_type: ProblemType
    leaderboard_uri: str


class ModelRef(Record):
    """A SageMaker model that scores: champion or challenger."""

    model_name: str
    run_id: str | None = Field(None, description="the run of ours that made it, by its tag")
    run_folder: str | None = None
    endpoint_config: str | None = Field(None, description="for the champion: the configuration that serves")
    since: datetime | None = None


# ---------------------------------------------------------------- evaluation.json, decision.json, outcome.json


class Interval(Record):
    """A value with the ends of its two-sided interval at the policy's confidence."""

    value: float
    low: float
    high: float


class MetricResult(Record):
    """One metric on the test rows. ``difference`` is challenger minus champion, paired by row, in the metric's unit."""

    name: str
    greater_is_better: bool
    challenger: Interval | None = None
    champion: Interval | None = None
    baseline: float | None = None
    difference: Interval | None = None
    against_baseline: Interval | None = Field(None, description="challenger minus baseline, paired by row")
    undefined: str | None = Field(None, description="why this metric has no value on these rows")
    method: str | None = Field(None, description="how the interval of the difference was computed")
    reference: Interval | None = Field(None, description="the reference's value, where it is not the champion")
    against_reference: Interval | None = Field(None, description="challenger minus reference, paired by row")
    reference_undefined: str | None = Field(None, description="why it has no value against the reference")
    reference_method: str | None = Field(None, description="how the interval of that difference was computed")


class SliceResult(Record):
    """The primary metric on the rows of one slice."""

    column: str
    value: str
    rows: int
    metric: MetricResult
    p_harm: float | None = Field(None, description="one-sided p of 'the challenger is worse here'")


class Measure(Record):
    """A property of the challenger's predictions that a policy can limit; smaller is better."""

    interval: Interval | None = None
    undefined: str | None = Field(None, description="why it has no value on these rows")


CheckName = Literal["single_feature", "identifier", "duplicates", "target_shift", "train_test"]


class CheckResult(Record):
    """One check of the data: what was looked for, and whether it was found. What follows is the policy's."""

    name: CheckName
    found: bool
    sentence: str
    columns: tuple[str, ...] = Field((), description="the columns that it was found in, the worst first")
    value: float | None = Field(None, description="the check's statistic, as its sentence names it")
    limit: float | None = Field(None, description="above this it counts as found")


class DataChecks(Record):
    """checks.json: what was looked for in the train and test parts before anything was trained."""

    format: Literal[1] = 1
    pipeline: str
    run_id: str
    train_rows: int = Field(description="rows looked at")
    test_rows: int
    seed: int
    results: tuple[CheckResult, ...]


class Evaluation(Record):
    """evaluation.json: what the predictions say, without judging it."""

    format: Literal[1] = 1
    pipeline: str
    run_id: str
    problem_type: ProblemType
    target: str
    labels: tuple[str, ...] = ()
    positive_class: str | None = None
    rows: int
    rows_dropped: int = Field(0, description="test rows found in the champion's training or validation part")
    class_counts: dict[str, int] = Field(default_factory=dict)
    unit: Literal["row", "group", "time"] = "row"
    units: int
    confidence: float
    resamples: int
    seed: int
    challenger: ModelRef
    champion: ModelRef | None = None
    champion_error: str | None = Field(None, description="why the champion could not be scored on these rows")
    reference: ModelRef | None = Field(
        None, description="the last model promoted by superiority (docs/gate.md): often the champion itself"
    )
    reference_error: str | None = Field(None, description="why it is not known, or has no predictions here")
    leakage_unknown: str | None = Field(
        None, description="why it cannot be told whether the champion was trained on these rows"
    )
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...] = ()
    discordant: int | None = Field(None, description="rows where exactly one of the two models is right")
    reference_discordant: int | None = Field(None, description="the same of challenger and reference")
    calibration: Measure | None = Field(None, description="classes: the root mean square calibration error")
    prediction_drift: Measure | None = Field(None, description="PSI of the challenger's predictions and the champion's")
    checks: tuple[CheckResult, ...] = Field((), description="those of checks.json")
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = Field((), description="those of the warnings that the run added to what the scores say")

    def metric(self, name: str) -> MetricResult | None:
        """The result of that metric, or None where it was not computed."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Rule(Record):
    """One rule of the gate and what it found."""

    name: str
    result: Literal["pass", "fail", "doubt", "info"]
    sentence: str


class Decision(Record):
    """decision.json: a function of the run folder alone, replayable."""

    format: Literal[1] = 1
    pipeline: str
    run_id: str
    verdict: Literal["promote", "keep", "doubt"]
    sentence: str
    reasons: tuple[str, ...]
    rules: tuple[Rule, ...]
    policy: GatePolicy
    challenger: str
    champion: str | None = None
    reference: ModelRef | None = Field(None, description="the last model promoted by superiority before this decision")


Answer = Literal["approved", "refused", "timed_out"]


class Approval(Record):
    """What a person answered when the gate asked, and what about. XCom of the approve task."""

    answer: Answer
    who: str | None = Field(None, description="user name; None where nobody answered in time")
    answered: datetime
    comment: str | None = None
    challenger: str
    champion: str | None = Field(None, description="the champion that the person was shown it beside")
    answer_within: int = Field(description="seconds that there were for an answer")


OutcomeWord = Literal["promoted", "kept", "waiting", "rolled_back", "void", "failed"]


class Outcome(Record):
    """outcome.json: what happened after the decision."""

    format: Literal[1] = 1
    pipeline: str
    run_id: str
    outcome: OutcomeWord
    sentence: str
    reasons: tuple[str, ...] = ()
    endpoint: str
    challenger: str | None = None
    champion: str | None = Field(None, description="the model that serves now")
    previous_champion: str | None = None
    endpoint_config: str | None = None
    answer: Answer | None = Field(None, description="a person's, where the gate asked for one")
    answered_by: str | None = None
    answered: datetime | None = None
    answer_comment: str | None = None
    approved_by: str | None = Field(None, description="who answered, where the answer was to approve")
    decided: datetime | None = None
    finished: datetime | None = Field(None, description="None while it waits for a person's answer")
    failed_tasks: tuple[str, ...] = ()
    report_uri: str | None = None
    facts: dict[str, Any] = Field(default_factory=dict, description="job names, durations and links of the run")
