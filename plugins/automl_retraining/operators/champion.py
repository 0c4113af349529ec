"""Which model serves now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import EndpointError
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import endpoint

if TYPE_CHECKING:
    from airflow.sdk import Context

    from automl_retraining.core.records import ModelRef


def champion_of(operator: SageMakerOperator) -> ModelRef | None:
    """What the pipeline's endpoint serves; errors as ``ReadChampionOperator``'s."""
    pipeline = operator.pipeline
    return endpoint.read_champion(
        operator.sm, pipeline.endpoint_name, adopt=pipeline.endpoint.adopt, pipeline=pipeline.name
    )


def champion_if_known(operator: SageMakerOperator) -> tuple[ModelRef | None, str | None]:
    """What the pipeline's endpoint serves, or why that cannot be told: a record is written either way."""
    try:
        return champion_of(operator), None
    except EndpointError as error:
        operator.log.warning("%s", error)
        return None, str(error)


class ReadChampionOperator(SageMakerOperator):
    """Read the model that the pipeline's endpoint serves in the variant ``champion``.

    XCom: the ModelRef, and under the key ``model_name`` its name; nothing where there is no champion.

    Raises:
        NotOurs: the endpoint is somebody else's by its tags, and the pipeline does not say ``adopt: true``.
        EndpointBusy: it is being created or deleted (retried).
    """

    @fail_for_good("read the champion")
    def execute(self, context: Context) -> dict[str, Any] | None:
        """Ask the endpoint."""
        name = self.pipeline.endpoint_name
        champion = champion_of(self)
        if champion is None:
            self.log.info("endpoint %s serves nothing yet: the challenger has no champion to beat", name)
            return None
        self.log.info(
            "endpoint %s serves model %s (of run %s) since %s",
            name, champion.model_name, champion.run_id or "unknown", champion.since,
        )  # fmt: skip
        context["ti"].xcom_push("model_name", champion.model_name)
        return champion.model_dump(mode="json")
