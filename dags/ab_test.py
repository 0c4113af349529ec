"""One DAG `ab_<pipeline>` for each pipeline whose YAML has a section `ab`: the challenger beside the champion.

```
start_variant ─ watch ─ judge_ab ─ [shift_weights] ─ promote ─ withdraw ─ record
```

The challenger gets its share of the requests. It is watched without holding a worker; more errors than the champion, or
slower answers, end the test early. Then its share grows step by step and it becomes the champion, or it is withdrawn:
`withdraw` runs whatever happened, and leaves alone what was promoted. See docs/ab.md.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.ab import JudgeABOperator, StartVariantOperator, WatchOperator
from automl_retraining.operators.ab_base import JUDGE, PROMOTE, SHIFT, START, WATCH, WITHDRAW
from automl_retraining.operators.ab_finish import PromoteChallengerOperator, ShiftWeightsOperator, WithdrawOperator
from automl_retraining.operators.ab_record import RecordABOperator
from automl_retraining.operators.endpoint_writer import patience
from automl_retraining.operators.story import story


def ab_test(pipeline: Pipeline, spec: ABSpec) -> DAG:
    """Test a challenger on live requests."""
    with story(
        pipeline,
        "ab",
        doc=__doc__,
        description=f"Test a challenger beside {pipeline.name}'s champion on live requests",
        params={
            "challenger": Param(
                "",
                type="string",
                title="Challenger",
                description="A model's name or a run's id. Leave it empty for the newest approved version.",
            ),
            "share": Param(
                spec.share,
                type="integer",
                minimum=1,
                maximum=50,
                title="Share",
                description="Percent of the requests that the challenger gets.",
            ),
            "watch": Param(
                spec.watch,
                type="integer",
                minimum=5,
                maximum=30 * 86400,
                title="Watch",
                description="Seconds that it is watched at least.",
            ),
            "min_invocations": Param(
                spec.min_invocations,
                type="integer",
                minimum=1,
                title="Requests",
                description="That the challenger must have answered before it is judged.",
            ),
        },
    ) as dag:
        # A test lasts as long as it must; what it waits for has limits of its own.
        dag.dagrun_timeout = None
        patient = patience(pipeline)
        judge = JudgeABOperator(task_id=JUDGE, pipeline=pipeline)
        start = StartVariantOperator(task_id=START, pipeline=pipeline, challenger="{{ params.challenger }}", **patient)
        start >> WatchOperator(task_id=WATCH, pipeline=pipeline) >> judge
        promote = PromoteChallengerOperator(task_id=PROMOTE, pipeline=pipeline, **patient)
        if spec.shift:
            judge >> ShiftWeightsOperator(task_id=SHIFT, pipeline=pipeline, **patient) >> promote
        else:
            judge >> promote
        withdraw = WithdrawOperator(task_id=WITHDRAW, pipeline=pipeline, **patient)
        promote >> withdraw >> RecordABOperator(task_id="record", pipeline=pipeline)
    return dag


for _pipeline in load_pipelines():
    if _pipeline.ab is not None:
        globals()[f"ab_{_pipeline.name}"] = ab_test(_pipeline, _pipeline.ab)
