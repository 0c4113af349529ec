"""One DAG `tuned_<pipeline>` for each pipeline that names the trainer `tuned`.

```
preflight ─┐
split ─────┤              ┌─ preprocess ─ search ─ create_model ─ score_challenger ─┐
champion ──┴─ check_data ─┤                                                         ├─ evaluate ─ gate ─┬─ update_endpoint ─ smoke_test ─┬─ record
                          └─ score_champion ────────────────────────────────────────┘                   └─ keep_champion ────────────────┘
```
"""  # noqa: E501

from __future__ import annotations

from airflow.sdk import DAG

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.check_data import CheckDataOperator
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.operators.form import tuning_params
from automl_retraining.operators.preflight import PreflightOperator
from automl_retraining.operators.processing import PreprocessOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.story import story
from automl_retraining.operators.training import FeatureTrainingOperator, TrainOperator
from automl_retraining.operators.tuning import TuningOperator

MIN_TRAIN_ROWS = 50
"""Fewer rows train nothing worth comparing; unlike Autopilot, the algorithms take any number."""


def tuned(pipeline: Pipeline) -> DAG:
    """Retrain with a processing job and a tuning job; deploy the best model only when the evidence says so."""
    with story(
        pipeline,
        "tuned",
        doc=__doc__,
        description=f"Retrain {pipeline.name} with a processing and a tuning job",
        params=tuning_params(pipeline),
    ) as dag:
        split = SplitOperator(
            task_id="split",
            pipeline=pipeline,
            source="{{ source_of(params, triggering_asset_events) }}",
            min_train_rows=MIN_TRAIN_ROWS,
        )
        preprocess = PreprocessOperator(task_id="preprocess", pipeline=pipeline, split=split.output)
        search: FeatureTrainingOperator
        if pipeline.tuning.search:
            search = TuningOperator(
                task_id="search",
                pipeline=pipeline,
                split=split.output,
                preprocessed=preprocess.output,
                max_jobs="{{ params.max_jobs }}",
                max_parallel="{{ params.max_parallel }}",
                max_run_time="{{ params.max_run_time }}",
                strategy="{{ params.strategy }}",
            )
        else:
            search = TrainOperator(
                task_id="search", pipeline=pipeline, split=split.output, preprocessed=preprocess.output
            )
        champion, score_champion = champion_scored(pipeline)
        ending(pipeline, search=search.output, score_champion=score_champion)

        # An endpoint that may not be written, or data that the policy stops at, end the run here, before anything is
        # paid for.
        preflight = PreflightOperator(task_id="preflight", pipeline=pipeline, trainer="tuned")
        check_data = CheckDataOperator(task_id="check_data", pipeline=pipeline)
        [preflight, split, champion] >> check_data >> [preprocess, score_champion]
    return dag


for _pipeline in load_pipelines("tuned"):
    globals()[f"tuned_{_pipeline.name}"] = tuned(_pipeline)
