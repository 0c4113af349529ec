"""The ending that every story shares: from the search's best candidate to what is written about it.

```
   create_model ─ score_challenger ─┐
                                    ├─ evaluate ─ gate ─┬─ [approve] ─ update_endpoint ─ smoke_test ─┬─ record
score_champion ─ [score_reference] ─┘                   └─ keep_champion ────────────────────────────┘
```

``approve`` is there only where the policy asks a person, always or in doubt; a refusal goes to ``keep_champion``.
``score_reference`` only where the mode is ``non_inferiority``: the last model promoted by superiority is scored too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup

from automl_retraining.core.config import Pipeline
from automl_retraining.operators.approve import ApproveOperator
from automl_retraining.operators.champion import ReadChampionOperator
from automl_retraining.operators.endpoint import UpdateEndpointOperator
from automl_retraining.operators.endpoint_writer import patience
from automl_retraining.operators.evaluate import EvaluateOperator
from automl_retraining.operators.gate import GateOperator
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.operators.record import KeepChampionOperator, RecordOperator
from automl_retraining.operators.reference import ScoreReferenceOperator
from automl_retraining.operators.smoke_test import SmokeTestOperator
from automl_retraining.operators.transform import TransformOperator

CHALLENGER = "{{ ti.xcom_pull(task_ids='create_model')['model_name'] }}"
CHAMPION = "{{ ti.xcom_pull(task_ids='champion', key='model_name') or '' }}"
PROBLEM_TYPE = "{{ ti.xcom_pull(task_ids='split')['problem_type'] }}"
TEST_ROWS = "{{ ti.xcom_pull(task_ids='split')['transform_input_uri'] }}"
SCORED = "{{ ti.xcom_pull(task_ids='split')['run_folder'] }}/transform/"


def score(pipeline: Pipeline, task_id: str, model_name: str, output: str, **kwargs: Any) -> TransformOperator:
    """Batch transform of the test rows with one model, into the run folder."""
    return TransformOperator(
        task_id=task_id,
        pipeline=pipeline,
        model_name=model_name,
        input_uri=TEST_ROWS,
        output_uri=SCORED + output,
        problem_type=PROBLEM_TYPE,
        **kwargs,
    )


def champion_scored(pipeline: Pipeline) -> tuple[ReadChampionOperator, TransformOperator]:
    """Read the champion, before anything is paid for, and score it while the search runs."""
    # An endpoint that is just being created can be read some minutes later.
    champion = ReadChampionOperator(
        task_id="champion", pipeline=pipeline, retries=8, max_retry_delay=timedelta(minutes=5)
    )
    scored = score(pipeline, "score_champion", CHAMPION, "champion", skip_without_model=True)
    champion >> scored
    return champion, scored


def ending(pipeline: Pipeline, *, search: Any, score_champion: TransformOperator) -> RecordOperator:
    """The tasks from the best candidate to the record, in one group.

    Args:
        pipeline: The model kept fresh.
        search: The search task's XCom, a ``SearchResult``.
        score_champion: The champion's predictions.

    Returns:
        The last task, which waits for everything else.
    """
    with TaskGroup(group_id="ending", prefix_group_id=False, tooltip="Compare, decide, deploy, record"):
        create_model = CreateModelOperator(task_id="create_model", pipeline=pipeline, search=search)
        score_challenger = score(pipeline, "score_challenger", CHALLENGER, "challenger")
        evaluate = EvaluateOperator(task_id="evaluate", pipeline=pipeline)
        approval = pipeline.gate.approval
        branches = {"promote": "update_endpoint", "keep": "keep_champion"}
        gate = GateOperator(
            task_id="gate", pipeline=pipeline, approve=None if approval == "never" else "approve", **branches
        )
        # Behind a second branch one of the two tasks before it is skipped, and that must not skip it.
        joined = {} if approval == "never" else {"trigger_rule": "none_failed_min_one_success"}
        # Another run may hold the endpoint for as long as an update takes, so this one tries again for longer.
        update_endpoint = UpdateEndpointOperator(
            task_id="update_endpoint",
            pipeline=pipeline,
            model_name=CHALLENGER,
            **patience(pipeline),
            **joined,
        )
        smoke_test = SmokeTestOperator(task_id="smoke_test", pipeline=pipeline, **patience(pipeline))
        keep_champion = KeepChampionOperator(task_id="keep_champion", pipeline=pipeline, **joined)
        record = RecordOperator(task_id="record", pipeline=pipeline)

        create_model >> score_challenger
        [score_challenger, score_champion] >> evaluate >> gate
        if pipeline.gate.mode == "non_inferiority":
            score_reference = ScoreReferenceOperator(
                task_id="score_reference",
                pipeline=pipeline,
                input_uri=TEST_ROWS,
                output_uri=SCORED + "reference",
                problem_type=PROBLEM_TYPE,
            )
            score_champion >> score_reference >> evaluate
        update_endpoint >> smoke_test >> record
        gate >> keep_champion >> record
        if approval != "always":
            gate >> update_endpoint
        if approval != "never":
            approve = ApproveOperator(task_id="approve", pipeline=pipeline, **branches)
            gate >> approve >> [update_endpoint, keep_champion]
    return record
