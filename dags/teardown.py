"""One DAG `teardown_<pipeline>` for each pipeline: removes everything of it. A dry run unless it is confirmed.

```
remove
```

Its endpoint, alarms, endpoint configurations, models, versions and their group, run folders and state; running jobs are
stopped. Trigger it with `confirm` = the pipeline's name; without it, the run only lists. Pause the pipeline's own DAGs
first: a run that is active is refused. See docs/lifecycle.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.lifecycle import TeardownOperator


def teardown(pipeline: Pipeline) -> DAG:
    """Remove one pipeline from AWS."""
    with DAG(
        dag_id=f"teardown_{pipeline.name}",
        description=f"Remove everything of {pipeline.name} from AWS",
        doc_md=__doc__,
        tags=["automl", "lifecycle", pipeline.name],
        schedule=None,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=6),
        params={
            "confirm": Param(
                "",
                type="string",
                title="Confirm",
                description=f"Type {pipeline.name} to remove it. Left empty, the run lists what would be removed.",
            )
        },
        default_args={
            "owner": pipeline.owner,
            "retries": 3,
            "retry_delay": timedelta(seconds=30),
            "retry_exponential_backoff": True,
        },
    ) as dag:
        TeardownOperator(task_id="remove", pipeline=pipeline, confirm="{{ params.confirm }}")
    return dag


for _pipeline in load_pipelines():
    globals()[f"teardown_{_pipeline.name}"] = teardown(_pipeline)
