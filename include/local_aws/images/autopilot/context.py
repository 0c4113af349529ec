"""What the parts of one search share: the question, the data, the clock and where to report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.candidates import Candidate
from include.local_aws.images.autopilot.spec import Mode, ProblemType, SearchSpec
from include.local_aws.images.autopilot.table import Table

_REPORTS_SHARE = 0.25
_REPORTS_SECONDS = 20.0
_CLOSING_SHARE = 0.05
_CLOSING_SECONDS = 3.0
"""For the ensemble, and for writing the last models."""


@dataclass(frozen=True)
class Context:
    """One search. ``started`` is ``time.monotonic`` of the job's start."""

    spec: SearchSpec
    table: Table
    mode: Mode
    metric: str
    algorithms: tuple[str, ...]
    max_candidates: int
    output: Output
    started: float
    failures: list[str] = field(default_factory=list)
    """Why candidates came to nothing, in order."""
    reported: bool = True
    """Whether reports follow the training; without them the whole time is the training's."""

    @property
    def problem_type(self) -> ProblemType:
        """Of the table."""
        return self.table.schema.problem_type

    def training_seconds(self) -> float:
        """From the job's start until training has to end: the job's limit, less what follows the training."""
        limit = self.spec.max_job_seconds
        if limit is None:
            return float("inf")
        reports = min(_REPORTS_SHARE * limit, _REPORTS_SECONDS) if self.reported else 0.0
        return limit - reports - min(_CLOSING_SHARE * limit, _CLOSING_SECONDS)

    def seconds_left(self) -> float:
        """Until training has to end."""
        return self.started + self.training_seconds() - time.monotonic()

    def job_seconds_left(self) -> float:
        """Until the job has to end."""
        limit = self.spec.max_job_seconds
        return float("inf") if limit is None else self.started + limit - time.monotonic()

    def fit_seconds(self) -> float:
        """How long a fit that starts now may take."""
        limit = self.spec.max_fit_seconds
        return self.seconds_left() if limit is None else min(limit, self.seconds_left())

    def report(self, candidate: Candidate, described: Mapping[str, Any], number: int) -> None:
        """A candidate is there (again)."""
        self.output.emit("candidate", candidate=dict(described))
        print(
            f"candidate {number} of {self.max_candidates}: {candidate.name} {self.metric}="
            f"{candidate.metrics[self.metric]:.5g} in {candidate.ended - candidate.started:.1f} s",
            flush=True,
        )

    def report_failure(self, described: Mapping[str, Any]) -> None:
        """A candidate came to nothing; a partial failure of the job, unless it was the job's time that was over."""
        sentence = f"{described['CandidateName']}: {described['FailureReason']}"
        self.failures.append(sentence)
        partial = {} if described["CandidateStatus"] == "Stopped" else {"partial_failure": sentence[:1024]}
        self.output.emit("candidate", candidate=dict(described), **partial)
        print(f"candidate {described['CandidateStatus'].lower()}: {sentence}", flush=True)

    def nothing_completed(self) -> str:
        """Why the search has no candidate."""
        why = self.failures[-1] if self.failures else "the time was over before the first one ended"
        return (
            f"No candidate was completed ({why}). Give MaxAutoMLJobRuntimeInSeconds or "
            "MaxRuntimePerTrainingJobInSeconds more time, or a smaller table."
        )
