"""One DAG `candidates_<pipeline>` for each pipeline that names the trainer `candidates`.

```
preflight ─┐
split ─────┤              ┌─ definitions ─ pick ─ [fit_transformer ─ transformer_model ─ transform_rows] ─ search ─ create_model ─ score_challenger ─┐
champion ──┴─ check_data ─┤                        for each chosen candidate                                                                         ├─ evaluate ─ gate ─┬─ update_endpoint ─ smoke_test ─┬─ record
                          └─ score_champion ─────────────────────────────────────────────────────────────────────────────────────────────────────────┘                   └─ keep_champion ────────────────┘
```
"""  # noqa: E501

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task_group

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.candidate_features import (
    FitTransformerOperator,
    MakeFeaturesOperator,
    TransformerModelOperator,
)
from automl_retraining.operators.candidate_tuning import CandidateTuningOperator
from automl_retraining.operators.check_data import CheckDataOperator
from automl_retraining.operators.definitions import DefinitionsOperator
from automl_retraining.operators.ending import champion_scored, ending
from automl_retraining.operators.form import candidates_params
from automl_retraining.operators.pick import PickOperator
from automl_retraining.operators.preflight import PreflightOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.story import story


def candidates(pipeline: Pipeline) -> DAG:
    """Tune chosen candidate definitions of Autopilot's; deploy the best model only when the evidence says so."""
    with story(
        pipeline,
        "candidates",
        doc=__doc__,
        description=f"Retrain {pipeline.name} by tuning chosen candidate definitions of SageMaker Autopilot's",
        params=candidates_params(pipeline),
    ) as dag:
        split = SplitOperator(
            task_id="split", pipeline=pipeline, source="{{ source_of(params, triggering_asset_events) }}"
        )
        definitions = DefinitionsOperator(task_id="definitions", pipeline=pipeline, split=split.output)
        pick = PickOperator(task_id="pick", pipeline=pipeline, definitions=definitions.output, pick="{{ params.pick }}")

        @task_group(group_id="features", prefix_group_id=False, tooltip="Each chosen candidate's features")
        def features(candidate: Any) -> Any:
            fitted = FitTransformerOperator(
                task_id="fit_transformer", pipeline=pipeline, definitions=definitions.output, candidate=candidate
            ).output
            model = TransformerModelOperator(
                task_id="transformer_model", pipeline=pipeline, definitions=definitions.output, fitted=fitted
            ).output
            return MakeFeaturesOperator(
                task_id="transform_rows",
                pipeline=pipeline,
                definitions=definitions.output,
                fitted=fitted,
                model=model,
            ).output

        search = CandidateTuningOperator(
            task_id="search",
            pipeline=pipeline,
            split=split.output,
            definitions=definitions.output,
            featured=features.expand(candidate=pick.output),
            max_jobs="{{ params.max_jobs }}",
            max_parallel="{{ params.max_parallel }}",
            max_run_time="{{ params.max_run_time }}",
        )
        champion, score_champion = champion_scored(pipeline)
        ending(pipeline, search=search.output, score_champion=score_champion)

        # An endpoint that may not be written, or data that the policy stops at, end the run here, before anything is
        # paid for.
        preflight = PreflightOperator(task_id="preflight", pipeline=pipeline, trainer="candidates")
        check_data = CheckDataOperator(task_id="check_data", pipeline=pipeline)
        [preflight, split, champion] >> check_data >> [definitions, score_champion]
    return dag


for _pipeline in load_pipelines("candidates"):
    globals()[f"candidates_{_pipeline.name}"] = candidates(_pipeline)
