"""Looking at a job: describe it, remember what changed, say it in words. The one way to wait, whoever waits."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from automl_retraining.core.errors import JobFailed, JobStopped, RetrainingError
from automl_retraining.sagemaker import failures, outcomes
from automl_retraining.sagemaker.jobs import Description, Job, JobKind, read, stop_arguments

_ASKED_AGAIN = 3
"""How often a job is described whose description comes without its status."""


class JobAtFault(JobFailed):
    """The job failed for what it was given (``ClientError: ...``): another try would fail the same way."""

    retryable: ClassVar[bool] = False


@dataclass
class History:
    """What was seen of one job, in order: each state with the time it was first seen.

    For training jobs the times are SageMaker's own; for all others they are observed, give or take a tick.
    """

    kind: JobKind
    transitions: list[tuple[str, datetime]] = field(default_factory=list)
    _reported: list[tuple[str, datetime]] = field(default_factory=list)

    def observe(self, job: Job, now: datetime) -> list[str]:
        """Take note of the job as it is now; the sentences to log, none where nothing changed."""
        if job.transitions:
            self.transitions = list(job.transitions)
        else:
            word = job.secondary or job.status
            if not self.transitions or self.transitions[-1][0] != word:
                self.transitions.append((word, now))
        fresh = self.transitions[len(self._reported) :]
        lines = []
        for index, (word, at) in enumerate(fresh, start=len(self._reported)):
            observed = "" if job.transitions else ", give or take a tick"
            if index == 0:
                lines.append(f"{self.kind.title} {job.name}: {word}")
            else:
                before, since = self.transitions[index - 1]
                lines.append(f"{self.kind.title} {job.name}: {word}, after {seconds(since, at)} of {before}{observed}")
        self._reported = list(self.transitions)
        return lines

    def summary(self) -> str:
        """``Starting 3 s, AnalyzingData 12 s, ...``: every state but the last with how long it lasted."""
        pairs = zip(self.transitions, self.transitions[1:], strict=False)
        return ", ".join(f"{word} {seconds(at, until)}" for (word, at), (_, until) in pairs)


def seconds(start: datetime, end: datetime) -> str:
    """A duration for a reader: ``4 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round((end - start).total_seconds()))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def describe(sm: Any, kind: JobKind, name: str) -> Description | None:
    """The job's description; None where there is no job of that name.

    Raises:
        ConnectionClosedError: answers without a status, which no job is without. A connection that drops in the middle
            of an answer can leave botocore with an empty one: that is no news of the job, and a wait goes on.
    """
    from botocore.exceptions import ClientError, ConnectionClosedError

    for _ in range(_ASKED_AGAIN):
        try:
            description: Description = getattr(sm, kind.describe)(**stop_arguments(kind, name))
        except ClientError as error:
            if says_missing(kind, error):
                return None
            raise
        if description.get(kind.status_member):
            return description
    raise ConnectionClosedError(endpoint_url=f"{sm.meta.endpoint_url} (its answers have no {kind.status_member})")


def look(sm: Any, kind: JobKind, name: str) -> Job | None:
    """The job as a value; None where there is none."""
    description = describe(sm, kind, name)
    return None if description is None else read(kind, description)


def says_missing(kind: JobKind, error: BaseException) -> bool:
    """Whether AWS's answer means that there is no such job."""
    found = failures.code(error)
    if found == "ValidationException":
        # Endpoints and models answer so; the same code means other things too, so the words decide.
        return any(
            words in failures.message(error).lower() for words in ("could not find", "does not exist", "not found")
        )
    return found in kind.not_found or found == "ResourceNotFound"


def stop(sm: Any, kind: JobKind, name: str) -> str:
    """Ask SageMaker to stop the job; a sentence on what came of it. A job that has ended already is no error."""
    from botocore.exceptions import ClientError

    if kind.stop is None:
        return f"{kind.title} {name} is left as it is: SageMaker cannot stop one"
    try:
        getattr(sm, kind.stop)(**stop_arguments(kind, name))
    except ClientError as error:
        if says_missing(kind, error):
            return f"{kind.title} {name} was not there, or had ended: nothing to stop"
        if failures.code(error) == "ValidationException":
            # AWS refuses to stop what is not in progress.
            return f"{kind.title} {name} was ending already: {failures.message(error)}"
        raise
    return f"asked SageMaker to stop {kind.title} {name}"


def ending_error(
    kind: JobKind, job: Job, log_tail: str = "", link: str = "", meaning: outcomes.Meaning | None = None
) -> RetrainingError:
    """The error of a job that did not succeed, with its reason, its partial failures and where its log is.

    ``meaning`` is what its end means, by the table of ``sagemaker.outcomes`` where it is not given.
    """
    meaning = meaning or outcomes.meaning(kind, job.status, job.secondary)
    parts = [f"{kind.title} {job.name} ended as {job.state}"]
    if meaning.outcome == "usable":
        parts[0] += f": {meaning.words}, and it left nothing that can serve: give it more time or candidates"
    elif meaning.outcome == "failure" and job.secondary not in (None, "Failed", "Stopped", "Completed"):
        parts[0] += f": {meaning.words}"
    parts.append(f"reason: {job.reason}" if job.reason else "SageMaker gives no reason")
    if job.partial_failures:
        parts.append("partial failures: " + "; ".join(job.partial_failures))
    if link:
        parts.append(f"log: {link}")
    message = ". ".join(part.rstrip(".") for part in parts)
    if log_tail:
        message = f"{message}\nlast lines of its log:\n{log_tail}"
    if job.phase in ("stopped", "stopping"):
        return JobStopped(message)
    # SageMaker's own word for "the input is wrong": the same job would fail, and cost, again.
    return JobAtFault(message) if (job.reason or "").startswith("ClientError") else JobFailed(message)
