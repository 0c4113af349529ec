"""The DAG `retention`: retires what the pipelines' policies no longer keep. A dry run by default.

```
retire      one task for each connection, region and bucket
```

Every run writes what it would retire, what it keeps although it is old, and why, to
`s3://<bucket>/retention/<run>.json`. Trigger it with `dry_run` off to delete that; the environment variable
`AUTOML_RETRAINING_RETENTION_DRY_RUN=false` turns it off for the weekly run too. See docs/lifecycle.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from automl_retraining.core.config import Deployment, load_pipelines
from automl_retraining.operators.lifecycle import RetentionOperator, groups

_PIPELINES = list(load_pipelines())

if _PIPELINES:
    with DAG(
        dag_id="retention",
        description="Retire models, configurations, versions and run folders that no policy keeps",
        doc_md=__doc__,
        tags=["automl", "lifecycle"],
        schedule=CronTriggerTimetable("0 3 * * 0", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=12),
        params={
            "dry_run": Param(
                Deployment.from_environment().retention_dry_run,
                type="boolean",
                title="Dry run",
                description="Only list what would be retired.",
            )
        },
        default_args={"retries": 3, "retry_delay": timedelta(minutes=2), "retry_exponential_backoff": True},
    ) as dag:
        for _task_id, _members in groups(_PIPELINES).items():
            RetentionOperator(task_id=_task_id, pipelines=_members)
