"""Stop the jobs that run on although the DAG run that made them is over or gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from automl_retraining.core.config import Deployment
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.lifecycle import TidyingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from automl_retraining.sagemaker.sweep import RunningJob

ACTIVE = ["queued", "running"]
"""States of a DAG run that may still wait for its jobs."""


class SweepOperator(TidyingOperator):
    """Find the running jobs that no DAG run owns, and stop them where the run is no dry run.

    A job is left alone when it is younger than ``params.grace`` (seconds), when its run is queued or running, or when
    that cannot be told from its tags.

    Args:
        pipelines: Pipelines of one connection, region and bucket.
        kwargs: BaseOperator's.

    XCom: ``unowned``, the jobs that no run owns; ``stopped``, what was done; ``left``, the ones that nobody can tell.
    """

    @fail_for_good("sweep jobs that no run owns")
    def execute(self, context: Context) -> dict[str, Any]:
        """Look, say, and stop unless ``params.dry_run``."""
        from automl_retraining.sagemaker import sweep, watching

        dry_run = bool(context["params"]["dry_run"])
        unowned, stopped, left = [], [], {}
        runs: dict[tuple[str, str], str | None] = {}
        for job in sweep.created_before(
            self.sm,
            deployment=Deployment.from_environment().deployment,
            pipelines=[each.name for each in self.pipelines],
            before=datetime.now(UTC) - timedelta(seconds=float(context["params"]["grace"])),
        ):
            why = self._why_owned(context["ti"], job, runs)
            if why == "":
                continue
            if why is not None:
                self.log.warning("%s %s is left alone: %s", job.kind.title, job.name, why)
                left[job.name] = why
                continue
            unowned.append(job.name)
            of = f"{job.kind.title} {job.name} (of run {job.run_id} of {job.dag_id}, which is over or gone)"
            if dry_run:
                self.log.warning("%s runs on: it would be stopped", of)
                continue
            said = watching.stop(self.sm, job.kind, job.name)
            self.log.warning("%s ran on: %s", of, said)
            stopped.append(said)
        self.log.info("%d jobs that no run owns, %d left because that cannot be told", len(unowned), len(left))
        return {"dry_run": dry_run, "unowned": unowned, "stopped": stopped, "left": left}

    def _why_owned(self, ti: Any, job: RunningJob, runs: dict[tuple[str, str], str | None]) -> str | None:
        """Empty where the job's run is active, a sentence where nobody can tell, None where no run owns the job."""
        if job.dag_id is None:
            return "expected the tag art:dag-id, found none, so its run cannot be looked up: stop it by hand"
        key = (job.dag_id, job.run_id)
        if key not in runs:
            runs[key] = self._why_active(ti, *key)
        return runs[key]

    @staticmethod
    def _why_active(ti: Any, dag_id: str, run_id: str) -> str | None:
        if ti.get_dr_count(dag_id=dag_id, run_ids=[run_id], states=ACTIVE):
            return ""
        # A tag cannot hold every character of an id: a run that is not known by its tag may be one that is active.
        if not ti.get_dr_count(dag_id=dag_id, run_ids=[run_id]) and ti.get_dr_count(dag_id=dag_id, states=ACTIVE):
            return f"no run of {dag_id} is called {run_id!r}, but one that is active may be meant: left for later"
        return None
