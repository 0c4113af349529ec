"""What the pages of models show, out of the runs' lines and the endpoint. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.metric_table import METRICS
from automl_retraining.core.records import Interval
from automl_retraining.ui.catalog import dags_of
from automl_retraining.ui.index import View
from automl_retraining.ui.serving import Serving
from automl_retraining.ui.summary import RunSummary

TREND = 60
"""Runs of the trend in the table of models."""


@dataclass(frozen=True)
class Reign:
    """A model that served as champion; ``until`` is None while it still does."""

    model: str
    run_id: str | None
    dag_id: str | None
    since: datetime | None
    until: datetime | None
    metric: Interval | None


def with_dags(runs: Sequence[RunSummary], known: Mapping[str, str]) -> tuple[RunSummary, ...]:
    """The runs, those without an outcome with the DAG that Airflow says they are of."""
    return tuple(
        run if run.dag_id or run.run_id not in known else replace(run, dag_id=known[run.run_id]) for run in runs
    )


def visible(runs: Sequence[RunSummary], readable: Collection[str], every: Collection[str]) -> tuple[RunSummary, ...]:
    """The runs of the DAGs that the user may read; one whose DAG nobody knows only to who may read all of them."""
    sees_all = set(every) <= set(readable)
    return tuple(run for run in runs if (run.dag_id in readable if run.dag_id else sees_all))


def model(
    pipeline: Pipeline, runs: Sequence[RunSummary], view: View, serving: Serving | None, readable: Collection[str]
) -> dict[str, Any]:
    """A pipeline in one line of the table of models; the runs are newest first."""
    over = [run for run in runs if run.over]
    profiled = next((run for run in runs if run.rows is not None), None)
    return {
        "pipeline": pipeline.name,
        "description": pipeline.description,
        "owner": pipeline.owner,
        "endpoint_name": pipeline.endpoint_name,
        "problem_type": pipeline.problem_type,
        "metric": {
            "name": pipeline.gate.metric,
            "greater_is_better": METRICS[pipeline.gate.metric].greater_is_better,
        },
        "dags": [dag for dag in dags_of(pipeline) if dag.dag_id in readable],
        "schedule": {"cron": pipeline.schedule.cron, "asset": pipeline.schedule.asset},
        "endpoint": serving,
        "champion": _champion(runs, serving),
        "last": over[0] if over else None,
        "running": [run for run in runs if not run.over],
        "trend": [
            {
                "run_id": run.run_id,
                "dag_id": run.dag_id,
                "finished": run.finished,
                "challenger": run.challenger,
                "champion": run.champion,
                "outcome": run.outcome,
                "verdict": run.verdict,
            }
            for run in reversed([run for run in over if run.challenger][:TREND])
        ],
        "freshness": None
        if profiled is None
        else {
            "run_id": profiled.run_id,
            "created": profiled.created,
            "rows": profiled.rows,
            "unchanged": profiled.unchanged,
        },
        "runs": len(runs),
        "progress": progress(view),
        "error": view.error,
    }


def progress(view: View) -> dict[str, Any]:
    """How far the reading of the run folders is."""
    return {"done": view.done, "total": view.total, "ready": view.ready}


def reigns(runs: Sequence[RunSummary]) -> list[Reign]:
    """The champions one after the other, newest first, by what each run found to serve when it ended.

    So a rollback shows as what it is: the model before serves again.
    """
    found: list[Reign] = []
    ended = sorted(((run.finished, run) for run in runs if run.finished and run.serves), key=lambda pair: pair[0])
    made = {run.challenger_model: run for run in runs if run.challenger_model}
    for finished, run in ended:
        assert run.serves is not None
        if found and found[-1].model == run.serves:
            continue
        if found:
            found[-1] = replace(found[-1], until=finished)
        maker = made.get(run.serves)
        found.append(
            Reign(
                model=run.serves,
                run_id=maker.run_id if maker else None,
                dag_id=maker.dag_id if maker else None,
                since=finished,
                until=None,
                metric=maker.challenger if maker else None,
            )
        )
    return found[::-1]


def _champion(runs: Sequence[RunSummary], serving: Serving | None) -> dict[str, Any] | None:
    """What the endpoint serves; where it cannot be asked, what the last run found there."""
    line = reigns(runs)
    serves = serving.champion if serving is not None and serving.error is None else None
    name = serves or (line[0].model if line and (serving is None or serving.error) else None)
    if name is None:
        return None
    reign = next((one for one in line if one.model == name), None)
    if reign is not None:
        return {"model": name, "run_id": reign.run_id, "dag_id": reign.dag_id, "since": reign.since}
    return {"model": name, "run_id": None, "dag_id": None, "since": serving.changed if serving else None}
