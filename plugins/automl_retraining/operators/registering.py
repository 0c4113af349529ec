"""What the tasks of a run do in the model registry: a candidate registered, a status obeyed, an ending written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from automl_retraining.core.errors import NotApproved
from automl_retraining.core.records import Decision, Evaluation, Outcome
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import registry, storage

if TYPE_CHECKING:
    from airflow.sdk import Context

PACKAGE = "package_arn"
"""XCom key of the task gate: the ARN of the challenger's version."""


def register_candidate(
    operator: SageMakerOperator, context: Context, evaluation: Evaluation, decision: Decision, status: registry.Status
) -> str | None:
    """Register the challenger with what the gate says of it; the version's ARN, None where the pipeline has none.

    ``decision.json`` is written before: where the registry cannot be reached, the task fails and its retry decides the
    same from the same evidence, and finds the version that was made, if one was.
    """
    from automl_retraining.core import model_quality

    pipeline = operator.pipeline
    if not pipeline.registry.enabled:
        return None
    folder = operator.run_folder(context)
    for name, document in (
        (registry.STATISTICS, model_quality.statistics(evaluation, "challenger")),
        (registry.CHAMPION_STATISTICS, model_quality.statistics(evaluation, "champion")),
        (registry.CONSTRAINTS, model_quality.constraints(evaluation)),
    ):
        if document is not None:
            text = json.dumps(document, indent=2) + "\n"
            storage.write_text(operator.s3, storage.join(folder, name), text, "application/json")
    arn = registry.register(
        operator.sm,
        group=pipeline.package_group,
        model_name=decision.challenger,
        folder=folder,
        evaluation=evaluation,
        decision=decision,
        status=status,
        tags=operator.run_tags(context),
        serving=registry.Serving(pipeline.endpoint.instance_type, pipeline.transform.instance_type),
        adopt=pipeline.registry.adopt,
    )
    operator.log.info("model registry: %s is %s", arn, registry.status_of(operator.sm, arn))
    return arn


def version_of_run(operator: SageMakerOperator, context: Context) -> str | None:
    """The version that this run's gate registered; None where the pipeline has no registry, or the gate did not run."""
    if not operator.pipeline.registry.enabled:
        return None
    found: str | None = context["ti"].xcom_pull(task_ids="gate", key=PACKAGE)
    return found


def require_approved(operator: SageMakerOperator, context: Context) -> None:
    """Refuse to put a challenger behind the endpoint whose version is not Approved now.

    Raises:
        NotApproved: it is not, or the run's gate registered none.
    """
    if not operator.pipeline.registry.enabled:
        return
    arn = version_of_run(operator, context)
    if arn is None:
        raise NotApproved(
            "expected the task gate to name the challenger's version in the model registry, found none: "
            "clear the task gate to register it, or set registry.enabled: false"
        )
    registry.require_approved(operator.sm, arn)


def settle(operator: SageMakerOperator, context: Context, outcome: Outcome) -> None:
    """A challenger that does not serve after all must not stay Approved: whoever deploys from the registry trusts it.

    The record matters more: what the registry refuses here is a warning.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from automl_retraining.core.errors import RegistryError

    arn = version_of_run(operator, context)
    if arn is None or outcome.outcome not in ("kept", "rolled_back"):
        return
    try:
        if registry.status_of(operator.sm, arn) in ("Approved", "PendingManualApproval"):
            registry.set_status(operator.sm, arn, "Rejected", f"{outcome.outcome}: {outcome.sentence}")
    except (ClientError, BotoCoreError, RegistryError) as error:
        operator.log.warning("version %s keeps its status in the model registry: %s", arn, error)
