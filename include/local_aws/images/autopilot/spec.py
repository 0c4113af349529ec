"""What a search was asked to do: an AutoML request, read into one frozen value.

The limits and defaults are Autopilot's own, from the SageMaker API reference (TabularJobConfig, AutoMLAlgorithmConfig,
AutoMLJobObjective, AutoMLDataSplitConfig). A request that Autopilot would fail raises ``JobFailure`` with the sentence
that becomes the job's FailureReason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ProblemType = Literal["BinaryClassification", "MulticlassClassification", "Regression"]
Mode = Literal["ENSEMBLING", "HYPERPARAMETER_TUNING"]
ColumnKind = Literal["numeric", "categorical", "text", "datetime"]

METRICS: Mapping[ProblemType, tuple[str, ...]] = {
    "BinaryClassification": ("Accuracy", "AUC", "BalancedAccuracy", "F1", "Precision", "Recall"),
    "MulticlassClassification": ("Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro"),
    "Regression": ("MAE", "MSE", "R2", "RMSE"),
}
DEFAULT_METRIC: Mapping[ProblemType, str] = {
    "BinaryClassification": "F1",
    "MulticlassClassification": "Accuracy",
    "Regression": "MSE",
}
ALGORITHMS: Mapping[Mode, tuple[str, ...]] = {
    "ENSEMBLING": (
        "lightgbm",
        "xgboost",
        "extra-trees",
        "randomforest",
        "nn-torch",
        "linear-learner",
        "catboost",
        "fastai",
    ),
    "HYPERPARAMETER_TUNING": ("xgboost", "linear-learner", "mlp"),
}
DEFAULT_MAX_CANDIDATES: Mapping[Mode, int] = {"ENSEMBLING": 10, "HYPERPARAMETER_TUNING": 100}
DEFAULT_VALIDATION_FRACTION = 0.2
MINIMUM_ROWS = 500
"""Autopilot refuses smaller training tables."""
AUTO_ENSEMBLING_BELOW_BYTES = 100 * 1024 * 1024
"""AUTO takes ENSEMBLING below this size of the training data, HYPERPARAMETER_TUNING from it on."""

_KINDS: tuple[ColumnKind, ...] = ("numeric", "categorical", "text", "datetime")


class JobFailure(Exception):
    """The request or the data cannot be trained on; the message is the job's FailureReason."""


@dataclass(frozen=True)
class SearchSpec:
    """One AutoML request, with the defaults that do not depend on the data filled in."""

    job_name: str
    region: str
    account: str
    output_uri: str
    seed: int
    target: str
    mode: Literal["AUTO", "ENSEMBLING", "HYPERPARAMETER_TUNING"]
    problem_type: ProblemType | None
    metric: str | None
    algorithms: tuple[str, ...]
    max_candidates: int | None
    max_fit_seconds: float | None
    max_job_seconds: float | None
    validation_fraction: float
    sample_weight: str | None
    definitions_only: bool
    features: tuple[str, ...] | None
    kinds: Mapping[str, ColumnKind]
    inputs: tuple[str, ...]
    """S3 URIs of the training channels."""

    def resolved_mode(self, training_bytes: int) -> Mode:
        """The mode that runs: AUTO is decided by the size of the training data, or by what only a tuning has."""
        if self.mode != "AUTO":
            return self.mode
        if self.definitions_only:
            return "HYPERPARAMETER_TUNING"
        return "ENSEMBLING" if training_bytes < AUTO_ENSEMBLING_BELOW_BYTES else "HYPERPARAMETER_TUNING"

    def resolved_metric(self, problem_type: ProblemType) -> str:
        """The objective's name; Autopilot's default for the problem type when none was asked for.

        Raises:
            JobFailure: the metric asked for does not exist for this problem type.
        """
        metric = self.metric or DEFAULT_METRIC[problem_type]
        if metric not in METRICS[problem_type]:
            raise JobFailure(
                f"The objective metric {metric} does not fit {problem_type}: expected one of "
                f"{', '.join(METRICS[problem_type])}. Change AutoMLJobObjective.MetricName."
            )
        return metric

    def resolved_algorithms(self, mode: Mode) -> tuple[str, ...]:
        """The algorithms to search over in this mode, in the mode's own order.

        Raises:
            JobFailure: an algorithm was asked for that the mode does not have.
        """
        if not self.algorithms:
            return ALGORITHMS[mode]
        strangers = [name for name in self.algorithms if name not in ALGORITHMS[mode]]
        if strangers:
            raise JobFailure(
                f"{', '.join(strangers)} is not an algorithm of {mode}: expected some of "
                f"{', '.join(ALGORITHMS[mode])} in AlgorithmsConfig."
            )
        return tuple(name for name in ALGORITHMS[mode] if name in self.algorithms)

    def resolved_max_candidates(self, mode: Mode) -> int:
        """How many candidates to make at most."""
        return self.max_candidates or DEFAULT_MAX_CANDIDATES[mode]


def parse(job: Mapping[str, Any], feature_specification: Mapping[str, Any] | None = None) -> SearchSpec:
    """Read ``input/config/automl.json`` and the feature specification, if one was given.

    Raises:
        JobFailure: a rule between the request's options is broken.
    """
    request = job["request"]
    problem = request["AutoMLProblemTypeConfig"]
    if "TabularJobConfig" not in problem:
        raise JobFailure(
            f"{', '.join(problem) or 'No problem type'} was asked for: "
            "the embedded Autopilot trains TabularJobConfig only."
        )
    tabular = problem["TabularJobConfig"]
    criteria = tabular.get("CompletionCriteria", {})
    objective = request.get("AutoMLJobObjective", {}).get("MetricName")
    problem_type = tabular.get("ProblemType")
    if (objective is None) != (problem_type is None):
        raise JobFailure("ProblemType and AutoMLJobObjective must be given together, or neither of them.")
    mode = tabular.get("Mode", "AUTO")
    generation = tabular.get("CandidateGenerationConfig", {})
    algorithms = tuple(
        name for entry in generation.get("AlgorithmsConfig", ()) for name in entry.get("AutoMLAlgorithms", ())
    )
    if algorithms and mode == "AUTO":
        raise JobFailure("AlgorithmsConfig must not be given with Mode AUTO: name ENSEMBLING or HYPERPARAMETER_TUNING.")
    sample_weight = tabular.get("SampleWeightAttributeName")
    if sample_weight is not None and mode == "HYPERPARAMETER_TUNING":
        raise JobFailure("SampleWeightAttributeName is supported in ENSEMBLING mode only.")
    fraction = float((request.get("DataSplitConfig") or {}).get("ValidationFraction", DEFAULT_VALIDATION_FRACTION))
    if not 0 < fraction < 1:
        raise JobFailure(f"ValidationFraction is {fraction:g}: it must be greater than 0 and less than 1.")
    features, kinds = _feature_specification(feature_specification or {}, tabular["TargetAttributeName"])
    return SearchSpec(
        job_name=job["job_name"],
        region=job["region"],
        account=job["account"],
        output_uri=job["output_uri"].rstrip("/"),
        seed=int(job.get("seed", 1)),
        target=tabular["TargetAttributeName"],
        mode=mode,
        problem_type=problem_type,
        metric=objective,
        algorithms=algorithms,
        max_candidates=criteria.get("MaxCandidates"),
        max_fit_seconds=criteria.get("MaxRuntimePerTrainingJobInSeconds"),
        max_job_seconds=criteria.get("MaxAutoMLJobRuntimeInSeconds"),
        validation_fraction=fraction,
        sample_weight=sample_weight,
        definitions_only=bool(tabular.get("GenerateCandidateDefinitionsOnly", False)),
        features=features,
        kinds=kinds,
        inputs=tuple(
            channel["DataSource"]["S3DataSource"]["S3Uri"]
            for channel in request.get("AutoMLJobInputDataConfig", ())
            if channel.get("ChannelType", "training") == "training"
        ),
    )


def _feature_specification(
    document: Mapping[str, Any], target: str
) -> tuple[tuple[str, ...] | None, dict[str, ColumnKind]]:
    names = document.get("FeatureAttributeNames")
    kinds = document.get("FeatureDataTypes", {})
    unknown = {name: kind for name, kind in kinds.items() if kind not in _KINDS}
    if unknown:
        name, kind = next(iter(unknown.items()))
        raise JobFailure(
            f"FeatureDataTypes gives {name!r} the type {kind!r}: the embedded Autopilot knows {', '.join(_KINDS)}."
        )
    if target in kinds or (names is not None and target in names):
        raise JobFailure(f"The feature specification names the target column {target!r}: leave it out.")
    if names is not None:
        if len(set(names)) != len(names):
            raise JobFailure("FeatureAttributeNames lists a column twice: each name must be unique.")
        strangers = [name for name in kinds if name not in names]
        if strangers:
            raise JobFailure(
                f"FeatureDataTypes names {strangers[0]!r}, which is not among FeatureAttributeNames: add it there."
            )
    return (tuple(names) if names is not None else None), dict(kinds)
