"""botocore's own description of SageMaker: its operations, and the shapes of what goes in and comes out."""

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

TARGET_PREFIX = "SageMaker"


@cache
def service() -> ServiceModel:
    """The SageMaker service model that this machine's botocore carries."""
    description: dict[str, Any] = Loader().load_service_model("sagemaker", "service-2")
    return ServiceModel(description, "sagemaker")


@cache
def operation(name: str) -> OperationModel | None:
    """One operation's model, or None where SageMaker has no such operation."""
    model = service()
    return model.operation_model(name) if name in model.operation_names else None
