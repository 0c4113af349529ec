"""Jobs that run on although nobody waits for them any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automl_retraining.sagemaker import tags, watching
from automl_retraining.sagemaker.jobs import AUTOML, PROCESSING, TRAINING, TRANSFORM, TUNING, Job, JobKind, read
from automl_retraining.sagemaker.submit import read_tags

STOPPABLE: tuple[JobKind, ...] = (AUTOML, TUNING, TRAINING, PROCESSING, TRANSFORM)


def stop_left_running(
    sm: Any, *, deployment: str, pipeline: str, run_id: str, kinds: Iterable[JobKind] = (AUTOML, TRANSFORM)
) -> list[str]:
    """Stop every job of this run that is in progress; a sentence for each.

    For the end of a run, when all its tasks have ended: a task that is killed in the moment between its deferral and
    the start of its trigger leaves its job behind, and nobody else would stop it.
    """
    wanted = {tags.DEPLOYMENT: deployment, tags.PIPELINE: pipeline, tags.RUN_ID: run_id}
    ours = {key: tags.legal_value(value) for key, value in wanted.items()}
    said = []
    for kind in kinds:
        for name, arn in _in_progress(sm, kind):
            if tags.difference(ours, read_tags(sm, arn)) is None:
                said.append(watching.stop(sm, kind, name))
    return said


def running(
    sm: Any, *, deployment: str, pipeline: str, kinds: Iterable[JobKind] = STOPPABLE
) -> Iterator[tuple[JobKind, str]]:
    """Every job of this pipeline, of whichever run, that is in progress: its kind and name."""
    wanted = {tags.DEPLOYMENT: deployment, tags.PIPELINE: pipeline}
    ours = {key: tags.legal_value(value) for key, value in wanted.items()}
    for kind in kinds:
        for name, arn in list(_in_progress(sm, kind)):
            if tags.difference(ours, read_tags(sm, arn)) is None:
                yield kind, name


@dataclass(frozen=True)
class RunningJob:
    """A job of ours in progress, and the DAG run that made it, as its tags name it."""

    kind: JobKind
    name: str
    pipeline: str
    dag_id: str | None
    """None on a job that carries no such tag."""
    run_id: str
    created: datetime


def created_before(
    sm: Any, *, deployment: str, pipelines: Iterable[str], before: datetime, kinds: Iterable[JobKind] = STOPPABLE
) -> Iterator[RunningJob]:
    """Every job of these pipelines that is in progress and was created before then."""
    ours = {tags.legal_value(name): name for name in pipelines}
    for kind in kinds:
        for job in list(_jobs_in_progress(sm, kind)):
            if job.created is None or job.created >= before:
                continue
            found = read_tags(sm, job.arn)
            pipeline = ours.get(found.get(tags.PIPELINE, ""))
            if pipeline is None or found.get(tags.DEPLOYMENT) != tags.legal_value(deployment):
                continue
            dag_id, run_id = found.get(tags.DAG_ID), found.get(tags.RUN_ID, "")
            yield RunningJob(kind, job.name, pipeline, dag_id, run_id, job.created)


def _in_progress(sm: Any, kind: JobKind) -> Iterable[tuple[str, str | None]]:
    return ((job.name, job.arn) for job in _jobs_in_progress(sm, kind))


def _jobs_in_progress(sm: Any, kind: JobKind) -> Iterator[Job]:
    arguments: dict[str, Any] = {"StatusEquals": "InProgress", "NameContains": kind.prefix, "MaxResults": 100}
    while True:
        page: Mapping[str, Any] = getattr(sm, kind.list_operation)(**arguments)
        for summary in page.get(kind.list_result, ()):
            job = read(kind, summary)
            if job.name.startswith(kind.prefix):
                yield job
        if not page.get("NextToken"):
            return
        arguments["NextToken"] = page["NextToken"]
