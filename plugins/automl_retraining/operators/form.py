"""What a person may choose when triggering a run, and what starts one by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Asset, CronTriggerTimetable, Param

from automl_retraining.core.config import Pipeline


def params(pipeline: Pipeline) -> dict[str, Param]:
    """The trigger form of an Autopilot search: its defaults are the pipeline's."""
    search = pipeline.search
    return {
        **refit_params(pipeline),
        "mode": Param(
            search.mode,
            type="string",
            enum=["AUTO", "ENSEMBLING", "HYPERPARAMETER_TUNING"],
            title="Search mode",
            description="AUTO takes ENSEMBLING below 100 MB and HYPERPARAMETER_TUNING above.",
        ),
        "max_candidates": _count(search.max_candidates, 750, "Max candidates", "How many models Autopilot may try."),
        "max_run_time": _seconds(search.max_run_time, 60),
    }


def tuning_params(pipeline: Pipeline) -> dict[str, Param]:
    """The trigger form of a tuned run: its defaults are the pipeline's."""
    tuning = pipeline.tuning
    if not tuning.search:
        return refit_params(pipeline)
    return {
        **refit_params(pipeline),
        **_budget(tuning.max_jobs, tuning.max_parallel, tuning.max_run_time),
        "strategy": Param(
            tuning.strategy,
            type="string",
            enum=["Bayesian", "Random", "Grid", "Hyperband"],
            title="Strategy",
            description="How the tuning job chooses hyperparameters.",
        ),
    }


def candidates_params(pipeline: Pipeline) -> dict[str, Param]:
    """The trigger form of a run that tunes chosen candidate definitions: its defaults are the pipeline's."""
    spec = pipeline.candidates
    return {
        **refit_params(pipeline),
        "pick": Param(
            spec.pick,
            type="string",
            enum=["rule", "person"],
            title="Who picks",
            description="The pipeline's rule, or a person (Browse, Required Actions) who is shown the candidates.",
        ),
        **_budget(spec.max_jobs, spec.max_parallel, spec.max_run_time),
    }


def refit_params(pipeline: Pipeline) -> dict[str, Param]:
    """The trigger form of a refit: everything but the data is the champion's. Every other form has it too."""
    return {
        "source": Param(
            pipeline.source,
            type="string",
            minLength=1,
            title="Data source",
            description="A CSV file with a header: a path below the data folders, `https://…` or `s3://bucket/key`.",
        )
    }


def _budget(max_jobs: int, max_parallel: int, max_run_time: int) -> dict[str, Param]:
    """What a tuning job may cost."""
    return {
        "max_jobs": _count(max_jobs, 750, "Max training jobs", "How many models the tuning job may train."),
        "max_parallel": _count(
            max_parallel, 100, "Max parallel jobs", "How many of them at once: fewer learn more from each other."
        ),
        "max_run_time": _seconds(max_run_time, 120),
    }


def _count(value: int, most: int, title: str, description: str) -> Param:
    return Param(value, type="integer", minimum=1, maximum=most, title=title, description=description)


def _seconds(value: int, least: int) -> Param:
    return Param(
        value,
        type="integer",
        minimum=least,
        title="Max run time",
        description="Seconds that the whole search may take; it then goes on with the best model so far.",
    )


def schedule(pipeline: Pipeline) -> CronTriggerTimetable | list[Asset] | None:
    """What starts the pipeline by itself: its cron line in UTC, new data of its asset, or nothing.

    A DAG with this schedule must have no ``start_date``: with one in the past, Airflow runs the last missed time as
    soon as the DAG is unpaused, even without catch-up.
    """
    if pipeline.schedule.cron:
        return CronTriggerTimetable(pipeline.schedule.cron, timezone="UTC", run_immediately=False)
    if pipeline.schedule.asset:
        return [Asset(pipeline.schedule.asset)]
    return None


def source_of(params: Mapping[str, Any], events: Mapping[Any, Sequence[Any]] | None) -> str:
    """The run's data source: what the latest asset event names in ``extra["source"]``, else the form's.

    A template macro: ``{{ source_of(params, triggering_asset_events) }}``.
    """
    every = [event for group in (events or {}).values() for event in group]
    named = [event for event in every if (event.extra or {}).get("source")]
    if not named:
        return str(params["source"])
    return str(max(named, key=lambda event: event.timestamp).extra["source"])
