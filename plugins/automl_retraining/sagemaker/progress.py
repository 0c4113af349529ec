"""What a search has found so far, in lines for the log of the task that waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from automl_retraining.sagemaker.jobs import AUTOML, TUNING

_COUNTERS = (
    ("Completed", "completed"),
    ("InProgress", "in progress"),
    ("NonRetryableError", "failed"),
    ("RetryableError", "failed and tried again"),
    ("Stopped", "stopped"),
)
"""Members of TrainingJobStatusCounters, in the order in which they are said."""


@dataclass
class Progress:
    """Remembers what was said of one search, and says what is new. Kinds that are no search say nothing."""

    kind: str
    job_name: str
    _said: dict[str, str] = field(default_factory=dict)

    @property
    def worthwhile(self) -> bool:
        """Whether asking can bring anything."""
        return self.kind in (AUTOML.key, TUNING.key)

    def look(self, sm: Any) -> list[tuple[bool, str]]:
        """New lines, each with whether it is bad news. One call."""
        if self.kind == AUTOML.key:
            return self._candidates(sm)
        return self._trainings(sm) if self.kind == TUNING.key else []

    def _candidates(self, sm: Any) -> list[tuple[bool, str]]:
        found = sm.list_candidates_for_auto_ml_job(
            AutoMLJobName=self.job_name, SortBy="CreationTime", SortOrder="Descending", MaxResults=100
        ).get("Candidates", ())
        lines = []
        for raw in reversed(found):
            # A wait goes on whatever an answer lacks: what is not there is not said.
            name, status = raw.get("CandidateName"), raw.get("CandidateStatus") or "Unknown"
            if not name or self._said.get(name) == status:
                continue
            self._said[name] = status
            objective = raw.get("FinalAutoMLJobObjectiveMetric") or {}
            if objective.get("Value") is not None:
                metric = objective.get("StandardMetricName") or objective.get("MetricName")
                lines.append((False, f"candidate {name}: {metric} {objective['Value']:.5g}"))
            elif status == "Failed":
                lines.append((True, f"candidate {name} failed: {raw.get('FailureReason') or 'no reason given'}"))
        return lines

    def _trainings(self, sm: Any) -> list[tuple[bool, str]]:
        job = sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=self.job_name)
        counters = job.get("TrainingJobStatusCounters") or {}
        counts = [f"{counters[member]} {words}" for member, words in _COUNTERS if counters.get(member)]
        best = job.get("BestTrainingJob") or {}
        metric = best.get("FinalHyperParameterTuningJobObjectiveMetric") or {}
        said = "training jobs: " + (", ".join(counts) or "none yet")
        if metric.get("Value") is not None:
            said += f"; best so far {best.get('TrainingJobName')}: {metric.get('MetricName')} {metric['Value']:.5g}"
        if self._said.get("") == said:
            return []
        self._said[""] = said
        return [(False, said)]
