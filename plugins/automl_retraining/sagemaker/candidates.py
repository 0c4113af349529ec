"""What ListCandidatesForAutoMLJob and DescribeAutoMLJobV2 answer, as records of the run folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from automl_retraining.core.records import Candidate, ContainerSpec, Leaderboard
from automl_retraining.sagemaker import inference
from automl_retraining.sagemaker.answers import member
from automl_retraining.sagemaker.jobs import AUTOML, read

_SMALLER_IS_BETTER = frozenset({"MSE", "RMSE", "MAE", "MAPE", "MASE", "WAPE", "AverageWeightedQuantileLoss", "LogLoss"})


def list_candidates(sm: Any, job_name: str) -> list[dict[str, Any]]:
    """All candidates of the job, over all pages."""
    found: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        page = sm.list_candidates_for_auto_ml_job(
            AutoMLJobName=job_name, MaxResults=100, **({"NextToken": token} if token else {})
        )
        found.extend(member(page, "Candidates", f"candidates of Autopilot job {job_name}"))
        token = page.get("NextToken")
        if not token:
            return found


def greater_is_better(metric: str) -> bool:
    """The direction of an Autopilot objective."""
    return metric not in _SMALLER_IS_BETTER


def candidate(raw: Mapping[str, Any]) -> Candidate:
    """One candidate as a line of the leaderboard.

    Metrics are named as SageMaker names them; where it reports one for several sets, the set leads
    (``Train.AUC``), and the validation set's has the bare name.
    """
    objective = raw.get("FinalAutoMLJobObjectiveMetric") or {}
    properties = raw.get("CandidateProperties") or {}
    locations = properties.get("CandidateArtifactLocations") or {}
    created, ended = raw.get("CreationTime"), raw.get("EndTime")
    chain = inference.containers(raw.get("InferenceContainers") or ())
    name = str(member(raw, "CandidateName", "candidate of an Autopilot job"))
    return Candidate(
        name=name,
        status=raw.get("CandidateStatus") or "Unknown",
        objective_metric=objective.get("StandardMetricName") or objective.get("MetricName"),
        objective_value=objective.get("Value"),
        metrics=_metrics(properties.get("CandidateMetrics") or ()),
        algorithm=algorithm(name, chain),
        created=created,
        ended=ended,
        duration=seconds(created, ended),
        containers=chain,
        failure_reason=raw.get("FailureReason"),
        insights_uri=locations.get("ModelInsights"),
        explainability_uri=locations.get("Explainability"),
    )


def leaderboard(
    description: Mapping[str, Any],
    raw_candidates: Iterable[Mapping[str, Any]],
    *,
    transitions: Sequence[tuple[str, datetime]] = (),
    notebooks: Sequence[str] = (),
) -> Leaderboard:
    """All candidates of a finished job, best first; those without an objective value last."""
    job = read(AUTOML, description)
    rows = [candidate(raw) for raw in raw_candidates]
    metric = _objective(description) or next((row.objective_metric for row in rows if row.objective_metric), "unknown")
    upward = greater_is_better(metric)

    def rank(row: Candidate) -> tuple[bool, float]:
        value = row.objective_value
        return (value is None, 0.0 if value is None else (-value if upward else value))

    best = (description.get("BestCandidate") or {}).get("CandidateName")
    return Leaderboard(
        job_name=job.name,
        job_arn=job.arn or "",
        kind=AUTOML.key,
        objective_metric=metric,
        greater_is_better=upward,
        mode=mode(description),
        status=job.status,
        secondary_status=job.secondary,
        created=member(description, "CreationTime", f"Autopilot job {job.name}"),
        ended=job.ended,
        duration=seconds(job.created, job.ended),
        transitions=tuple(transitions),
        partial_failures=job.partial_failures,
        candidates=tuple(sorted(rows, key=rank)),
        best=best,
        notebooks=tuple(notebooks),
    )


def mode(description: Mapping[str, Any]) -> str | None:
    """The mode the job runs in. Where AUTO was asked for, the best candidate tells: an ensemble has one container."""
    tabular = (description.get("AutoMLProblemTypeConfig") or {}).get("TabularJobConfig") or {}
    asked = tabular.get("Mode")
    if asked in ("ENSEMBLING", "HYPERPARAMETER_TUNING"):
        return str(asked)
    chain = (description.get("BestCandidate") or {}).get("InferenceContainers") or ()
    if not chain:
        return None
    return "ENSEMBLING" if len(chain) == 1 else "HYPERPARAMETER_TUNING"


def problem_type(description: Mapping[str, Any]) -> str | None:
    """The problem type that was asked for, else the one Autopilot inferred."""
    resolved = (description.get("ResolvedAttributes") or {}).get("AutoMLProblemTypeResolvedAttributes") or {}
    tabular = (description.get("AutoMLProblemTypeConfig") or {}).get("TabularJobConfig") or {}
    return tabular.get("ProblemType") or (resolved.get("TabularResolvedAttributes") or {}).get("ProblemType")


def algorithm(name: str, chain: Sequence[ContainerSpec]) -> str | None:
    """The algorithm of a candidate.

    Of a tuned chain, the second container's (the first makes features): what its environment says, else its image. Of
    an ensemble's single container, the family in the candidate's name (``LightGBM-BAG-L1-t3``), else the image.
    """
    if not chain:
        return None
    container = chain[1] if len(chain) > 1 else chain[0]
    if application := container.environment.get("ML_APPLICATION"):
        return application
    if len(chain) == 1 and (family := re.match(r"([A-Za-z]+)(?:[-_]BAG)?[-_]L\d", name)):
        return family[1]
    repository = container.image.rsplit("/", 1)[-1].split(":", 1)[0].split("@", 1)[0]
    return repository.removeprefix("sagemaker-")


def _objective(description: Mapping[str, Any]) -> str | None:
    resolved = (description.get("ResolvedAttributes") or {}).get("AutoMLJobObjective") or {}
    asked = description.get("AutoMLJobObjective") or {}
    return asked.get("MetricName") or resolved.get("MetricName")


def _metrics(data: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for datum in data:
        name = datum.get("StandardMetricName") or datum.get("MetricName")
        if name is None or datum.get("Value") is None:
            continue
        where = datum.get("Set")
        metrics[name if where in (None, "Validation") else f"{where}.{name}"] = float(datum["Value"])
    return metrics


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """How long something took; None where it has not begun or not ended."""
    return (end - start).total_seconds() if start and end else None
