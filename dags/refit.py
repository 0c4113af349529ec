"""One DAG `refit_<pipeline>` for each pipeline that names the trainer `refit`.

```
preflight ─┐
split ─────┤                          ┌─ preprocess ─────────────────────────────────────┬─ train ─┐
champion ──┴─ check_data ─ find_jobs ─┼─ fit_processor ─ features_model ─ make_features ─┘         ├─ search ─ create_model ─ … ─┐
                                      ├─ search_again ─────────────────────────────────────────────┘                             ├─ evaluate ─ …
                                      └─ score_champion ─────────────────────────────────────────────────────────────────────────┘
```

No search: the jobs that made the champion are described and run again on the new data. Which of the three branches
runs is how the champion was made: by a processing job (`tuned_…`), by a tuned candidate's steps or as an ensemble
(`autopilot_…`).
"""  # noqa: E501

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, XComArg

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.check_data import CheckDataOperator
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.operators.form import refit_params
from automl_retraining.operators.preflight import PreflightOperator
from automl_retraining.operators.refit import RefitPreprocessOperator, RefitTrainOperator, SearchAgainOperator
from automl_retraining.operators.refit_champion import FindJobsOperator, FoundOperator
from automl_retraining.operators.refit_steps import FitProcessorOperator, MakeFeaturesOperator, ProcessorModelOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.story import story

MIN_TRAIN_ROWS = 50
"""As a tuned pipeline's; a refit of an ensemble asks for Autopilot's 500 when it knows that the champion is one."""
EITHER = "none_failed_min_one_success"
"""Of a task where branches meet."""


def refit(pipeline: Pipeline) -> DAG:
    """Retrain by running the champion's own jobs again; deploy what comes out only when the evidence says so."""
    with story(
        pipeline,
        "refit",
        doc=__doc__,
        description=f"Run the jobs that made {pipeline.name}'s champion again on new data",
        params=refit_params(pipeline),
    ) as dag:
        split = SplitOperator(
            task_id="split",
            pipeline=pipeline,
            source="{{ source_of(params, triggering_asset_events) }}",
            min_train_rows=MIN_TRAIN_ROWS,
        )
        champion, score_champion = champion_scored(pipeline)
        find_jobs = FindJobsOperator(
            task_id="find_jobs",
            pipeline=pipeline,
            split=split.output,
            champion=champion.output,
            branches={"processing": "preprocess", "autopilot": "fit_processor", "ensemble": "search_again"},
            always=("score_champion",),
        )
        lineage = XComArg(find_jobs, key="lineage")
        given: dict[str, Any] = {"pipeline": pipeline, "split": split.output, "lineage": lineage}
        preprocess = RefitPreprocessOperator(task_id="preprocess", **given)
        fit_processor = FitProcessorOperator(task_id="fit_processor", **given)
        features_model = ProcessorModelOperator(
            task_id="features_model", pipeline=pipeline, lineage=lineage, processor=fit_processor.output
        )
        make_features = MakeFeaturesOperator(
            task_id="make_features", processor=fit_processor.output, model=features_model.output, **given
        )
        train = RefitTrainOperator(
            task_id="train", preprocess="preprocess", make_features="make_features", trigger_rule=EITHER, **given
        )
        search_again = SearchAgainOperator(task_id="search_again", **given)
        search = FoundOperator(
            task_id="search", pipeline=pipeline, tasks=("train", "search_again"), trigger_rule=EITHER
        )
        ending(pipeline, search=search.output, score_champion=score_champion)

        # Data that the policy stops at and what cannot be refitted end the run here, before anything is paid for:
        # scoring the champion too.
        preflight = PreflightOperator(task_id="preflight", pipeline=pipeline, trainer="refit")
        check_data = CheckDataOperator(task_id="check_data", pipeline=pipeline)
        [preflight, split, champion] >> check_data >> find_jobs
        find_jobs >> [preprocess, fit_processor, search_again, score_champion]
        [preprocess, make_features] >> train
        [train, search_again] >> search
    return dag


for _pipeline in load_pipelines("refit"):
    globals()[f"refit_{_pipeline.name}"] = refit(_pipeline)
