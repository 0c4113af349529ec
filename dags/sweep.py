"""The DAG `sweep`: stops jobs that run on although the DAG run that made them is over or gone. A dry run by default.

```
sweep       one task for each connection, region and bucket
```

A task stops its own job when it is killed, marked failed or timed out, and a run that ends stops what it left. What is
left beyond that – a whole run marked failed or deleted between two heartbeats, an Airflow that was rebuilt – is found
here, by the tags `art:deployment`, `art:dag-id` and `art:run-id`, once it is ten minutes old. Every run lists it as a
warning; trigger it with `dry_run` off to stop it, or set `AUTOML_RETRAINING_SWEEP_DRY_RUN=false` for the hourly run.
Two Airflows in one account need an `AUTOML_RETRAINING_DEPLOYMENT` each before that: neither knows the other's runs.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from automl_retraining.core.config import Deployment, load_pipelines
from automl_retraining.operators.lifecycle import groups
from automl_retraining.operators.sweep import SweepOperator

_PIPELINES = list(load_pipelines())

if _PIPELINES:
    with DAG(
        dag_id="sweep",
        description="Stop running jobs that no DAG run owns",
        doc_md=__doc__,
        tags=["automl", "lifecycle"],
        schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=50),
        params={
            "dry_run": Param(
                Deployment.from_environment().sweep_dry_run,
                type="boolean",
                title="Dry run",
                description="Only list the jobs that would be stopped.",
            ),
            "grace": Param(
                600,
                type="integer",
                minimum=0,
                title="Grace",
                description="Seconds from a job's creation in which it is left alone.",
            ),
        },
        default_args={"retries": 3, "retry_delay": timedelta(minutes=2), "retry_exponential_backoff": True},
    ) as dag:
        for _task_id, _members in groups(_PIPELINES, "sweep").items():
            SweepOperator(task_id=_task_id, pipelines=_members)
