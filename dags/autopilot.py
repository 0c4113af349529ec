"""One DAG `autopilot_<pipeline>` for each pipeline that names the trainer `autopilot`.

```
preflight ─┐
split ─────┤              ┌─ search ─ create_model ─ score_challenger ─┐
champion ──┴─ check_data ─┼─ search_training                           ├─ evaluate ─ gate ─┬─ update_endpoint ─ smoke_test ─┬─ record
                          └─ score_champion ───────────────────────────┘                   └─ keep_champion ────────────────┘
```
"""  # noqa: E501

from __future__ import annotations

from airflow.sdk import DAG

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.autopilot import AutopilotOperator
from automl_retraining.operators.check_data import CheckDataOperator
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.operators.form import params
from automl_retraining.operators.preflight import PreflightOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.story import story
from automl_retraining.sensors.secondary_status import SecondaryStatusSensor


def autopilot(pipeline: Pipeline) -> DAG:
    """Retrain with one Autopilot job; deploy its best model only when the evidence says so."""
    with story(
        pipeline,
        "autopilot",
        doc=__doc__,
        description=f"Retrain {pipeline.name} with SageMaker Autopilot",
        params=params(pipeline),
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

        # An endpoint that may not be written, or data that the policy stops at, end the run here, before a search is
        # paid for.
        preflight = PreflightOperator(task_id="preflight", pipeline=pipeline, trainer="autopilot")
        check_data = CheckDataOperator(task_id="check_data", pipeline=pipeline)
        [preflight, split, champion] >> check_data >> [search, search_training, score_champion]
        search_training >> record
    return dag


for _pipeline in load_pipelines("autopilot"):
    globals()[f"autopilot_{_pipeline.name}"] = autopilot(_pipeline)
