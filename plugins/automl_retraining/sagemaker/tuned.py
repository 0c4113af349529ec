"""From training jobs and a preprocessor to a candidate that serves: the leaderboard and the model's containers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from automl_retraining.core.errors import DataError, JobFailed
from automl_retraining.core.records import Candidate, ContainerSpec, Leaderboard, Record
from automl_retraining.core.section import ProblemType
from automl_retraining.sagemaker import algorithms, candidates, steps, storage
from automl_retraining.sagemaker.answers import member
from automl_retraining.sagemaker.jobs import Job

FEATURES = "ART_FEATURES"
"""Environment variable of a training job: the digest of the features it was trained on."""
TRANSFORM = "ART_TRANSFORM"
"""Environment variable of the preprocessor's container: ``features`` or ``labels``."""
_SERVE = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
}
_LABELS_SUPPORTED = "predicted_label,probability,probabilities,labels"
_MOST_LISTED = 100


class Preprocessed(Record):
    """XCom of the preprocessing task: where features and preprocessor are, and what the two must agree on."""

    job_name: str
    job_arn: str
    image_uri: str
    train_uri: str
    validation_uri: str
    model_uri: str
    features_uri: str
    n_outputs: int
    digest: str
    environment: dict[str, str] = Field(default_factory=dict)


def containers(
    preprocessed: Preprocessed, algorithm: str, training: Mapping[str, Any], problem_type: ProblemType
) -> tuple[ContainerSpec, ...]:
    """The pipeline model: preprocessor, algorithm and, for a classification, the preprocessor again to give labels.

    Environment variables that the jobs ran with are carried on; those that the containers need to serve come over them.

    Args:
        preprocessed: The preprocessing task's result.
        algorithm: Which algorithm the training ran.
        training: DescribeTrainingJob's answer of the best job.
        problem_type: What the model predicts.

    Raises:
        DataError: the training job was trained on other features than the preprocessor makes.
        JobFailed: the training job names no artifact.
    """
    name = training["TrainingJobName"]
    environment = dict(training.get("Environment") or {})
    trained_on = environment.pop(FEATURES, None)
    if trained_on != preprocessed.digest:
        raise DataError(
            f"training job {name}: expected a model of the features that preprocessing job {preprocessed.job_name} "
            f"makes ({preprocessed.n_outputs} of them, digest {preprocessed.digest}), found one of "
            f"{f'digest {trained_on}' if trained_on else 'unknown features'}: they must not serve together"
        )
    artifact = steps.artifact(training)
    preprocessor = {**preprocessed.environment, **_SERVE}
    chain = [
        ContainerSpec(
            image=preprocessed.image_uri,
            model_data_url=preprocessed.model_uri,
            environment={**preprocessor, TRANSFORM: "features"},
        ),
        ContainerSpec(
            image=training["AlgorithmSpecification"]["TrainingImage"],
            model_data_url=artifact,
            environment={**environment, **algorithms.answer_environment(algorithm, problem_type)},
        ),
    ]
    if problem_type != "Regression":
        chain.append(
            ContainerSpec(
                image=preprocessed.image_uri,
                model_data_url=preprocessed.model_uri,
                environment={
                    **preprocessor,
                    TRANSFORM: "labels",
                    "SAGEMAKER_INFERENCE_SUPPORTED": _LABELS_SUPPORTED,
                    "SAGEMAKER_INFERENCE_INPUT": "predicted_label",
                    "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label",
                },
            )
        )
    return tuple(chain)


def check_artifact(s3: Any, training: Mapping[str, Any]) -> None:
    """JobFailed where the artifact that a training job names is not in S3."""
    uri = (training.get("ModelArtifacts") or {}).get("S3ModelArtifacts")
    if not uri or not storage.exists(s3, uri):
        raise JobFailed(
            f"training job {training.get('TrainingJobName')}: expected its model artifact at {uri or 'an S3 URI'}, "
            "found nothing there: was it deleted? Clear the search to train again"
        )


def list_trainings(sm: Any, tuning_job: str) -> list[dict[str, Any]]:
    """Summaries of all training jobs of a tuning job, over all pages."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = sm.list_training_jobs_for_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=tuning_job, MaxResults=_MOST_LISTED, **token
        )
        found.extend(member(page, "TrainingJobSummaries", f"training jobs of tuning job {tuning_job}"))
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def of_summary(raw: Mapping[str, Any], algorithm: str | None) -> Candidate:
    """A line of the leaderboard from a tuning job's training job summary."""
    metric = raw.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
    created, ended = raw.get("TrainingStartTime") or raw.get("CreationTime"), raw.get("TrainingEndTime")
    value = metric.get("Value")
    return Candidate(
        name=member(raw, "TrainingJobName", "training job"),
        status=raw.get("TrainingJobStatus") or "Unknown",
        objective_metric=metric.get("MetricName"),
        objective_value=value,
        metrics={} if value is None else {str(metric.get("MetricName")): value},
        algorithm=algorithm,
        hyperparameters=_tidy(raw.get("TunedHyperParameters") or {}),
        created=created,
        ended=ended,
        duration=candidates.seconds(created, ended),
        failure_reason=raw.get("FailureReason"),
    )


def of_description(raw: Mapping[str, Any], algorithm: str, metric: str) -> Candidate:
    """A line of the leaderboard from DescribeTrainingJob's answer; ``metric`` is the objective."""
    metrics = {
        each["MetricName"]: float(each["Value"])
        for each in raw.get("FinalMetricDataList") or ()
        if each.get("MetricName") and each.get("Value") is not None
    }
    created, ended = raw.get("TrainingStartTime") or raw.get("CreationTime"), raw.get("TrainingEndTime")
    return Candidate(
        name=member(raw, "TrainingJobName", "training job"),
        status=raw.get("TrainingJobStatus") or "Unknown",
        objective_metric=metric,
        objective_value=metrics.get(metric),
        metrics=metrics,
        algorithm=algorithm,
        hyperparameters=_tidy(raw.get("HyperParameters") or {}),
        created=created,
        ended=ended,
        duration=candidates.seconds(created, ended),
        failure_reason=raw.get("FailureReason"),
    )


def leaderboard(
    job: Job,
    rows: Iterable[Candidate],
    *,
    metric: str,
    maximize: bool,
    best: str | None,
    billable: float | None,
    transitions: Sequence[tuple[str, datetime]] = (),
) -> Leaderboard:
    """All training jobs of a search, best first; those without an objective value last."""

    def rank(row: Candidate) -> tuple[bool, float]:
        value = row.objective_value
        return (value is None, 0.0 if value is None else (-value if maximize else value))

    created = job.created
    assert created is not None  # Describe… always answers it
    return Leaderboard(
        job_name=job.name,
        job_arn=job.arn or "",
        kind=job.kind,
        objective_metric=metric,
        greater_is_better=maximize,
        status=job.status,
        secondary_status=job.secondary,
        created=created,
        ended=job.ended,
        duration=candidates.seconds(created, job.ended),
        billable_seconds=billable,
        transitions=tuple(transitions),
        candidates=tuple(sorted(rows, key=rank)),
        best=best,
    )


def _tidy(hyperparameters: Mapping[str, str]) -> dict[str, str]:
    """Without the quotes that the console puts around texts, and without what the service adds for itself."""
    return {name: str(value).strip('"') for name, value in hyperparameters.items() if not name.startswith("_")}
