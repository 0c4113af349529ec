"""A job while it runs, as the page draws it: its steps with durations, its candidates so far, the tail of its log."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from automl_retraining.core.records import Candidate
from automl_retraining.sagemaker import candidates, failures, logs, secondary_status, tuned, watching
from automl_retraining.sagemaker.jobs import AUTOML, KINDS, TUNING, Description, Job, JobKind, read
from automl_retraining.ui.airflow_db import SubmittedBy

LOG_LINES = 30
_MOST_HISTORIES = 500


@dataclass(frozen=True)
class Step:
    """One status on a job's way. ``since`` is None where it began before anybody looked."""

    status: str
    state: Literal["done", "now", "ahead", "skipped"]
    since: datetime | None = None
    until: datetime | None = None
    certain: bool = True


class Histories:
    """When each status of a job was first seen, by anybody who looked at the page."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], watching.History] = OrderedDict()
        self._lock = threading.Lock()

    def observe(self, kind: JobKind, job: Job, now: datetime) -> tuple[tuple[str, datetime], ...]:
        """Take note of the job as it is now; all that was seen of it, in order."""
        with self._lock:
            history = self._kept.setdefault((kind.key, job.name), watching.History(kind))
            self._kept.move_to_end((kind.key, job.name))
            while len(self._kept) > _MOST_HISTORIES:
                self._kept.popitem(last=False)
            history.observe(job, now)
            return tuple(history.transitions)


def kind_by_name(name: str) -> JobKind | None:
    """The kind of a job of ours, which its name says; None of any other."""
    return next((kind for kind in KINDS.values() if name.startswith(kind.prefix)), None)


def look(sm: Any, log_client: Any, submitted: SubmittedBy, histories: Histories) -> dict[str, Any] | None:
    """The job as it is now; None where there is no job of that name, or the name is not one of ours."""
    kind = kind_by_name(submitted.job_name)
    description = watching.describe(sm, kind, submitted.job_name) if kind else None
    if kind is None or description is None:
        return None
    job = read(kind, description)
    seen = histories.observe(kind, job, datetime.now(UTC))
    mode = candidates.mode(description) if kind is AUTOML else None
    found = _candidates(sm, kind, job, description)
    objective = _objective(kind, description, found)
    return {
        "task_id": submitted.task_id,
        "kind": kind.key,
        "title": kind.title,
        "name": job.name,
        "status": job.status,
        "secondary": job.secondary,
        "phase": job.phase,
        "reason": job.reason,
        "created": job.created,
        "ended": job.ended,
        "steps": steps(kind, job, seen, mode),
        "objective": objective,
        "candidates": [shown(one) for one in found],
        "best": best(found, objective["greater_is_better"]) if objective else None,
        "counts": _counts(found),
        **_log(log_client, kind, job.name),
        "links": _links(sm, kind, job.name),
    }


def steps(kind: JobKind, job: Job, seen: Sequence[tuple[str, datetime]], mode: str | None = None) -> list[Step]:
    """The job's way: what it went through, where it is, and what usually comes.

    Args:
        kind: the job's kind.
        job: as it is now.
        seen: its statuses with the time each was first seen, in order; the last is the one it has now.
        mode: Autopilot's, where it is known.
    """
    way = secondary_status.order(kind, mode)
    unsure = secondary_status.uncertain(mode) if mode in ("ENSEMBLING", "HYPERPARAMETER_TUNING") else ()
    current = job.secondary or job.status
    times = _times(job, seen, way)
    reached = max((way.index(word) for word in (*times, current) if word in way), default=-1)
    found = []
    for place, word in enumerate(way):
        since, until = times.get(word, (None, None))
        if word == current and not job.over:
            found.append(Step(word, "now", since, None, word not in unsure))
        elif word in times or place < reached:
            found.append(Step(word, "done", since, until, word not in unsure))
        else:
            found.append(Step(word, "skipped" if job.over else "ahead", certain=word not in unsure))
    further = [word for word in times if word not in way and word != current]
    found[reached + 1 : reached + 1] = [Step(word, "done", *times[word]) for word in further]
    if current not in way:
        since = times.get(current, (None, None))[0]
        found.append(Step(current, "done" if job.over else "now", job.ended or since if job.over else since))
    return found


def _times(
    job: Job, seen: Sequence[tuple[str, datetime]], way: Sequence[str]
) -> dict[str, tuple[datetime | None, datetime | None]]:
    """From when until when each status was; a status that came again (a spot instance was lost) as its last time."""
    ends = [*(at for _, at in seen[1:]), job.ended if job.over else None]
    times: dict[str, tuple[datetime | None, datetime | None]] = {}
    for place, ((word, at), end) in enumerate(zip(seen, ends, strict=True)):
        since: datetime | None = at
        if place == 0 and not job.transitions:
            # Nobody saw it begin; but a job begins with the first status of its way.
            since = job.created if word == way[0] else None
        times[word] = (since, end)
    return times


def shown(one: Candidate) -> dict[str, Any]:
    """A candidate as the page shows it."""
    return {
        "name": one.name,
        "status": one.status,
        "algorithm": one.algorithm,
        "value": one.objective_value,
        "created": one.created,
        "ended": one.ended,
        "seconds": one.duration,
        "metrics": one.metrics,
        "hyperparameters": one.hyperparameters,
        "failure_reason": one.failure_reason,
    }


def best(found: Sequence[Candidate], greater_is_better: bool) -> str | None:
    """The name of the best candidate so far; None while none has a value."""
    scored = [one for one in found if one.objective_value is not None]
    if not scored:
        return None
    sign = 1 if greater_is_better else -1
    return max(scored, key=lambda one: sign * (one.objective_value or 0.0)).name


def _candidates(sm: Any, kind: JobKind, job: Job, description: Description) -> list[Candidate]:
    if kind is AUTOML:
        found = [candidates.candidate(raw) for raw in candidates.list_candidates(sm, job.name)]
    elif kind is TUNING:
        only = (description.get("TrainingJobDefinition") or {}).get("DefinitionName")
        found = [
            tuned.of_summary(raw, raw.get("TrainingJobDefinitionName") or only)
            for raw in tuned.list_trainings(sm, job.name)
        ]
    else:
        return []
    return sorted(found, key=lambda one: (one.created is None, one.created or job.created or datetime.now(UTC)))


def _objective(kind: JobKind, description: Description, found: Sequence[Candidate]) -> dict[str, Any] | None:
    if kind is AUTOML:
        asked = description.get("AutoMLJobObjective") or {}
        name = asked.get("MetricName") or next((one.objective_metric for one in found if one.objective_metric), None)
        return {"name": name, "greater_is_better": candidates.greater_is_better(name)} if name else None
    if kind is TUNING:
        config = description.get("HyperParameterTuningJobConfig") or {}
        objective = config.get("HyperParameterTuningJobObjective")
        for definition in description.get("TrainingJobDefinitions") or ():
            objective = objective or definition.get("TuningObjective")
        if objective:
            return {"name": objective["MetricName"], "greater_is_better": objective["Type"] == "Maximize"}
    return None


def _counts(found: Sequence[Candidate]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one.status] = counts.get(one.status, 0) + 1
    return counts


def _log(log_client: Any, kind: JobKind, name: str) -> dict[str, Any]:
    """The log's tail, or why there is none: the job is shown either way."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return {"log": logs.tail(log_client, kind, name, LOG_LINES), "log_problem": None}
    except (ClientError, BotoCoreError) as error:
        return {"log": [], "log_problem": failures.sentence(error, "read the log")}


def _links(sm: Any, kind: JobKind, name: str) -> dict[str, str]:
    """Where the AWS console shows the job and its log; none for an AWS without a console."""
    if not logs.has_console(sm):
        return {}
    region = str(sm.meta.region_name)
    log = logs.log_url(kind, name, region)
    return {"console": logs.console_url(kind, name, region), **({"log": log} if log else {})}
