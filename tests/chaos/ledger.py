"""What a run made at SageMaker: every job that carries its tags."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automl_retraining.sagemaker import tags
from automl_retraining.sagemaker.jobs import read
from automl_retraining.sagemaker.submit import read_tags
from automl_retraining.sagemaker.sweep import STOPPABLE


@dataclass(frozen=True)
class Made:
    """One job."""

    kind: str
    name: str
    phase: str
    created: datetime
    digest: str


@dataclass
class Ledger:
    """Reads the jobs of runs, and remembers whose each one is: an account has ever more of them."""

    sm: Any
    _owners: dict[str, dict[str, str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def jobs(self, dag_id: str, run_id: str) -> list[Made]:
        """The run's own jobs, by creation; not the ones that SageMaker makes for a search or a tuning job."""
        found = []
        for kind in STOPPABLE:
            pages = self.sm.get_paginator(kind.list_operation).paginate(NameContains=kind.prefix)
            for job in (read(kind, summary) for page in pages for summary in page[kind.list_result]):
                if not job.name.startswith(kind.prefix) or job.created is None:
                    continue
                with self._lock:
                    owner = self._owners.setdefault(job.name, {})
                    if not owner:
                        owner.update(read_tags(self.sm, job.arn))
                if (owner.get(tags.DAG_ID), owner.get(tags.RUN_ID)) == (dag_id, run_id):
                    found.append(Made(kind.key, job.name, job.phase, job.created, owner.get(tags.DIGEST, "")))
        return sorted(found, key=lambda made: made.created)


def duplicates(jobs: list[Made], undisturbed: Mapping[str, int], cleared: datetime | None) -> list[str]:
    """More jobs than the run had intents: two of one request, or more of a kind than the undisturbed run made.

    A run that was cleared has two lives, each of which may make what an undisturbed run makes.
    """
    said = []
    lives = [jobs] if cleared is None else [[each for each in jobs if each.created < cleared], jobs]
    for number, life in enumerate(lives, 1):
        for (kind, digest), times in Counter((each.kind, each.digest) for each in life).items():
            if times > number:
                names = ", ".join(each.name for each in life if (each.kind, each.digest) == (kind, digest))
                said.append(f"{times} {kind} jobs of one request: {names}")
        for kind, count in Counter(each.kind for each in life).items():
            if count > number * undisturbed.get(kind, 0):
                names = ", ".join(each.name for each in life if each.kind == kind)
                said.append(f"{count} {kind} jobs, {number * undisturbed.get(kind, 0)} expected: {names}")
    return said


def stopped_by_mistake(jobs: list[Made], cleared: datetime | None) -> list[str]:
    """Jobs that were stopped although their task still waited for them: only what was cleared may be stopped."""
    return [
        f"{each.kind} job {each.name} was stopped"
        for each in jobs
        if each.phase in ("stopped", "stopping") and (cleared is None or each.created >= cleared)
    ]
