"""One DAG `rollback_<pipeline>` for each pipeline: puts the model before back behind the endpoint.

```
rollback ─ record
```

Left as it is, the form goes back to what served before the model that serves now; a second rollback goes one further
back. It does not stop the schedule: pause the training DAGs, or the next run compares its model with this one.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from automl_retraining.core.config import Pipeline, load_pipelines
from automl_retraining.operators.endpoint_writer import patience
from automl_retraining.operators.rollback import RecordRollbackOperator, RollbackOperator
from automl_retraining.operators.story import story


def rollback(pipeline: Pipeline) -> DAG:
    """Go back by one trigger, under the endpoint's lease."""
    named = "Leave it empty for what served before the model that serves now."
    with story(
        pipeline,
        "rollback",
        doc=__doc__,
        description=f"Put the model before back behind {pipeline.name}'s endpoint",
        params={
            "to_config": Param("", type="string", title="Endpoint configuration", description=named),
            "to_model": Param("", type="string", title="Model", description=named),
            "reason": Param("", type="string", title="Reason", description="Kept in outcome.json."),
        },
    ) as dag:
        # Another run may hold the endpoint for as long as a rollout takes, so this one tries again for longer.
        back = RollbackOperator(
            task_id="rollback",
            pipeline=pipeline,
            to_config="{{ params.to_config }}",
            to_model="{{ params.to_model }}",
            **patience(pipeline),
        )
        back >> RecordRollbackOperator(task_id="record", pipeline=pipeline, reason="{{ params.reason }}")
    return dag


for _pipeline in load_pipelines():
    globals()[f"rollback_{_pipeline.name}"] = rollback(_pipeline)
