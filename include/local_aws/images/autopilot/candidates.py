"""A candidate as ListCandidatesForAutoMLJob returns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.local_aws.images.autopilot import objective
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.predictor import Predictor

ALL_KEYS = "predicted_label,probability,probabilities,labels"
_NOT_OBJECTIVES = frozenset({"LogLoss", "InferenceLatency"})
_REASON_LIMIT = 1024


@dataclass(frozen=True)
class Candidate:
    """A trained candidate. ``predicted`` are its predictions for the validation rows, ``model`` its artifact's path."""

    name: str
    algorithm: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    predictor: Predictor
    predicted: Floats
    containers: Sequence[Mapping[str, Any]]
    started: float
    ended: float
    steps: Sequence[Mapping[str, str]] = ()
    """The jobs that made it, as AutoMLCandidateSteps."""

    def rank(self, metric: str) -> tuple[float, float]:
        """Greater is better: by the objective, then by the closeness of the predictions."""
        return objective.score(self.metrics, metric), objective.tie_break(self.metrics)


def best(candidates: Sequence[Candidate], metric: str) -> Candidate:
    """The candidate with the best objective; of equals the first made."""
    return max(candidates, key=lambda candidate: candidate.rank(metric))


def describe(candidate: Candidate, metric: str, locations: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The candidate as an AutoMLCandidate; ``locations`` are those of its reports, once they exist.

    An ensembling candidate has no steps here: whoever takes it over knows the jobs that stand for them.
    """
    properties: dict[str, Any] = {
        "CandidateMetrics": [
            {
                **({} if name in _NOT_OBJECTIVES else {"MetricName": name}),
                "StandardMetricName": name,
                "Value": value,
                "Set": "Validation",
            }
            for name, value in candidate.metrics.items()
        ]
    }
    if locations:
        properties["CandidateArtifactLocations"] = dict(locations)
    return {
        "CandidateName": candidate.name,
        "FinalAutoMLJobObjectiveMetric": {
            "Type": "Minimize" if metric in objective.MINIMIZED else "Maximize",
            "MetricName": metric,
            "Value": candidate.metrics[metric],
            "StandardMetricName": metric,
        },
        "ObjectiveStatus": "Succeeded",
        "CandidateSteps": [dict(step) for step in candidate.steps],
        "CandidateStatus": "Completed",
        "InferenceContainers": [dict(container) for container in candidate.containers],
        "CreationTime": candidate.started,
        "EndTime": candidate.ended,
        "LastModifiedTime": candidate.ended,
        "CandidateProperties": properties,
    }


def describe_failure(
    name: str,
    reason: str,
    started: float,
    ended: float,
    *,
    stopped: bool = False,
    steps: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """A candidate that has no model: its fit failed, or was stopped with the job."""
    return {
        "CandidateName": name,
        "ObjectiveStatus": "Failed",
        "CandidateSteps": [dict(step) for step in steps],
        "CandidateStatus": "Stopped" if stopped else "Failed",
        "FailureReason": reason[:_REASON_LIMIT],
        "CreationTime": started,
        "EndTime": ended,
        "LastModifiedTime": ended,
    }
