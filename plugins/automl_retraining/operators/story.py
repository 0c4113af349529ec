"""What the DAGs of all ways to retrain have in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from automl_retraining.core.config import Pipeline
from automl_retraining.operators.form import schedule, source_of
from automl_retraining.operators.record import leave_reason


def story(pipeline: Pipeline, trainer: str, *, doc: str | None, description: str, params: dict[str, Any]) -> DAG:
    """The empty DAG ``<trainer>_<pipeline>``: its schedule, limits, form and retries.

    Of a pipeline with several trainers only the first one named runs by the schedule; the others are triggered by hand,
    so that one tick does not retrain the same model twice.

    Args:
        pipeline: The model kept fresh.
        trainer: The way to retrain.
        doc: The DAG's page in Markdown.
        description: One line, unless the pipeline has its own.
        params: The trigger form.
    """
    return DAG(
        dag_id=f"{trainer}_{pipeline.name}",
        description=pipeline.description or description,
        doc_md=doc,
        tags=["automl", trainer, pipeline.name],
        # No start date: with one, unpausing would at once run the cron line's last tick.
        schedule=schedule(pipeline) if trainer == pipeline.scheduled_trainer else None,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=pipeline.max_active_minutes) + _for_a_person(pipeline),
        params=params,
        user_defined_macros={"source_of": source_of},
        default_args={
            "owner": pipeline.owner,
            "retries": 2,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=10),
            "on_failure_callback": leave_reason,
        },
    )


def _for_a_person(pipeline: Pipeline) -> timedelta:
    """What a person may take to answer is not the run's own time: without it, a run that waits would be failed."""
    return timedelta(seconds=0 if pipeline.gate.approval == "never" else pipeline.gate.answer_within)
