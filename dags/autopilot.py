"""One DAG `autopilot_<pipeline>` for each pipeline that names the trainer `autopilot`.

```
split ────┬─ search ─ create_model ─ score_challenger ─┐
champion ─┼─ search_training                           ├─ evaluate ─ gate ─┬─ update_endpoint ─ smoke_test ─┬─ record
          └─ score_champion ───────────────────────────┘                   └─ keep_champion ────────────────┘
```
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.autopilot import AutopilotOperator
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.operators.form import params, schedule, source_of
from automl_retraining.operators.record import leave_reason
from automl_retraining.operators.split import SplitOperator
from automl_retraining.sensors.secondary_status import SecondaryStatusSensor


def autopilot(pipeline: Pipeline) -> DAG:
    """Retrain with one Autopilot job; deploy its best model only when the evidence says so."""
    with DAG(
        dag_id=f"autopilot_{pipeline.name}",
        description=pipeline.description or f"Retrain {pipeline.name} with SageMaker Autopilot",
        doc_md=__doc__,
        tags=["automl", "autopilot", pipeline.name],
        # No start date: with one, unpausing would at once run the cron line's last tick.
        schedule=schedule(pipeline),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=pipeline.max_active_minutes),
        params=params(pipeline),
        user_defined_macros={"source_of": source_of},
        default_args={
            "owner": pipeline.owner,
            "retries": 2,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=10),
            "on_failure_callback": leave_reason,
        },
    ) as dag:
        split = SplitOperator(
            task_id="split", pipeline=pipeline, source="{{ source_of(params, triggering_asset_events) }}"
        )
        search = AutopilotOperator(
            task_id="search",
            pipeline=pipeline,
            split=split.output,
            mode="{{ params.mode }}",
            max_candidates="{{ params.max_candidates }}",
            max_run_time="{{ params.max_run_time }}",
        )
        search_training = SecondaryStatusSensor(
            task_id="search_training",
            kind="automl",
            submitted_by="search",
            status="TrainingModels, ModelTuning",
            search_mode="{{ params.mode }}",
            conn_id=pipeline.aws.conn_id,
            region=pipeline.aws.region,
            timeout=pipeline.search.max_run_time + 3600,
        )
        champion, score_champion = champion_scored(pipeline)
        record = ending(pipeline, search=search.output, score_champion=score_champion)

        # An endpoint that may not be written stops the run here, before a search is paid for.
        [split, champion] >> search
        split >> [search_training, score_champion]
        champion >> search_training
        search_training >> record
    return dag


for _pipeline in load_pipelines("autopilot"):
    globals()[f"autopilot_{_pipeline.name}"] = autopilot(_pipeline)
