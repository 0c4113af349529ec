"""Make a SageMaker model of a search's best candidate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import JobConflict
from automl_retraining.core.records import ModelRef, SearchResult
from automl_retraining.links.console import ConsoleLink
from automl_retraining.links.report import ReportLink
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import STATE_KEY, SageMakerOperator
from automl_retraining.sagemaker import inference, logs, requests
from automl_retraining.sagemaker.submit import create_once

if TYPE_CHECKING:
    from airflow.sdk import Context


class CreateModelOperator(SageMakerOperator):
    """Creates the model once, tagged, with the containers told to answer labels and probabilities.

    Args:
        pipeline: The model kept fresh.
        search: The search task's XCom (``search.output``), a ``SearchResult``.
        network_isolation: The containers get no network.
        kwargs: BaseOperator's.

    Returns (XCom) a ``ModelRef``.
    """

    template_fields: Sequence[str] = ("search",)
    operator_extra_links = (ConsoleLink(), ReportLink())

    def __init__(self, *, pipeline: Pipeline, search: Any, network_isolation: bool = False, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.search = search
        self.network_isolation = network_isolation
        self.console_url = ""

    @fail_for_good("creating the model")
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the model, or find the one that an earlier try of this task created."""
        store = context["task_state_store"]
        written: Any = store.get(STATE_KEY)
        cleared = bool(written) and written.get("max_tries") != context["ti"].max_tries
        name = written["name"] if written and not cleared else self.resource_name(context, "model")
        store.set(STATE_KEY, {"name": name, "max_tries": context["ti"].max_tries})
        request = self.tagged(context, self.request(context, name), name_member="ModelName")
        arn = create_once(
            self.sm,
            request,
            what="model",
            create="create_model",
            describe_operation="describe_model",
            name_member="ModelName",
            arn_member="ModelArn",
            say=self.log.info,
        )
        if not arn:
            raise JobConflict(f"model {name}: expected an ARN, AWS answered none")
        self.log.info("model %s (%d containers)", name, len(request.get("Containers", ("one",))))
        store.delete(STATE_KEY)
        if logs.has_console(self.sm):
            self.console_url = logs.model_url(name, str(self.sm.meta.region_name))
        return ModelRef(model_name=name, run_id=context["run_id"], run_folder=self.run_folder(context)).model_dump(
            mode="json"
        )

    def request(self, context: Context, name: str) -> dict[str, Any]:  # noqa: ARG002 - as the jobs'
        """CreateModel's arguments under that name, without tags."""
        search = SearchResult.model_validate(self.search)
        aws = self.pipeline.aws
        return requests.create_model(
            name,
            inference.answering(search.candidate.containers, search.problem_type),
            self.deployment.role_of(self.pipeline),
            subnets=aws.subnets,
            security_group_ids=aws.security_group_ids,
            network_isolation=self.network_isolation,
        )
