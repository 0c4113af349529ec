"""Runs that put a model behind an endpoint: the task's context, its decision, and a whole promotion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from automl_retraining.core.config import Pipeline
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision
from automl_retraining.operators.endpoint import UpdateEndpointOperator
from automl_retraining.sagemaker import lease, storage
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.tasks import RUN_ID, context

BUCKET, ENDPOINT = "runs", "art-churn"


def pipeline(metric: str = "roc_auc", *, registry: bool = False, endpoint: Mapping[str, Any] | None = None) -> Pipeline:
    """A pipeline, without a model registry unless it is asked for."""
    return Pipeline.model_validate(
        {
            "name": "churn", "source": "churn.csv", "target": "churn", "gate": {"metric": metric, "resamples": 200},
            "registry": {"enabled": registry}, "endpoint": dict(endpoint or {}),
        }
    )  # fmt: skip


def decided(s3: Any, ctx: dict[str, Any], challenger: str, champion: str | None) -> None:
    """Write the decision that the task finds."""
    decision = Decision(
        pipeline="churn", run_id=ctx["run_id"], verdict="promote", sentence="Promoted.", reasons=(), rules=(),
        policy=GatePolicy(metric="roc_auc"), challenger=challenger, champion=champion,
    )  # fmt: skip
    storage.write_record(s3, folder("decision.json"), decision)


def folder(name: str) -> str:
    """An object of the run folder."""
    return f"s3://{BUCKET}/churn/runs/{RUN_ID}/{name}"


def with_clients(operator: Any, sm: Any, s3: Any) -> Any:
    """The operator with clients that stand where AWS would."""
    operator.__dict__.update(sm=sm, s3=s3)
    return operator


def update(sm: FakeSageMaker, s3: Any, model: str, metric: str = "roc_auc") -> Any:
    """The operator under test."""
    operator = UpdateEndpointOperator(task_id="update_endpoint", pipeline=pipeline(metric), model_name=model)
    return with_clients(operator, sm, s3)


def promote(sm: FakeSageMaker, s3: Any, model: str, champion: str | None) -> dict[str, Any]:
    """One whole promotion."""
    ctx = context("update_endpoint")
    decided(s3, ctx, model, champion)
    ctx["dag_run"].clear_number = len(sm.configs)
    with pytest.raises(TaskDeferred):
        update(sm, s3, model).execute(ctx)
    sm.settle(ENDPOINT)
    return dict(update(sm, s3, model).settled(ctx, {}))


def holder(s3: Any) -> str | None:
    """Who holds the lease now."""
    held = lease.read(s3, BUCKET, ENDPOINT)
    return None if held is None or held.free else held.owner
