"""What serves in an account and region, or may serve again at once: never to be retired.

Every endpoint is looked at, whoever made it: a model of ours may stand behind somebody else's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from automl_retraining.sagemaker import failures, tags
from automl_retraining.sagemaker.endpoint import tags_of
from automl_retraining.sagemaker.pace import pages


@dataclass
class InUse:
    """By the name of an endpoint configuration or a model: what uses it, in words.

    ``endpoints`` has the tags of each endpoint that was looked at.
    """

    configs: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    endpoints: dict[str, dict[str, str]] = field(default_factory=dict)


def look(sm: Any, *, without: Collection[str] = (), only: Collection[str] | None = None) -> InUse:
    """Ask every endpoint for its configurations and every batch transform under way for its model.

    Counted are the configuration that serves, the one that an update is moving to, the one to go back to
    (tag ``art:previous-config``), and every variant of each, shadow variants and inference components included.

    Args:
        sm: a SageMaker client.
        without: endpoints that do not count.
        only: look at these endpoints alone.
    """
    found = InUse()
    listed = pages(sm, "list_endpoints", "Endpoints", MaxResults=100) if only is None else ()
    for name in only if only is not None else [each["EndpointName"] for each in listed]:
        if name not in without:
            _endpoint(sm, name, found)
    if only is None:
        jobs = pages(sm, "list_transform_jobs", "TransformJobSummaries", StatusEquals="InProgress", MaxResults=100)
        for job in jobs:
            running = described(sm, "describe_transform_job", TransformJobName=job["TransformJobName"])
            if running:
                found.models.setdefault(running["ModelName"], f"batch transform {job['TransformJobName']} uses it")
    return found


def _endpoint(sm: Any, name: str, found: InUse) -> None:
    current = described(sm, "describe_endpoint", EndpointName=name)
    if current is None:
        return  # deleted between the list and this
    own = tags_of(sm, current["EndpointArn"])
    found.endpoints[name] = own
    serving = current.get("EndpointConfigName")
    config = _config(sm, serving, f"endpoint {name} serves it", found) if serving else None
    pending = current.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
    if pending:
        _config(sm, pending, f"endpoint {name} is moving to it", found)
    before = [own.get(tags.PREVIOUS_CONFIG)]
    if config is not None:
        before.append(tags_of(sm, config["EndpointConfigArn"]).get(tags.PREVIOUS_CONFIG))
    for previous in before:
        if previous:
            _config(sm, previous, f"endpoint {name} can go back to it", found)
    if config is not None and any(not variant.get("ModelName") for variant in config.get("ProductionVariants", ())):
        _components(sm, name, found)


def _config(sm: Any, name: str, why: str, found: InUse) -> dict[str, Any] | None:
    found.configs.setdefault(name, why)
    config = described(sm, "describe_endpoint_config", EndpointConfigName=name)
    for model in models_of(config or {}):
        found.models.setdefault(model, why)
    return config


def _components(sm: Any, endpoint: str, found: InUse) -> None:
    """An endpoint of inference components has its models in those, not in its variants."""
    for each in pages(sm, "list_inference_components", "InferenceComponents", EndpointNameEquals=endpoint):
        name = each["InferenceComponentName"]
        component = described(sm, "describe_inference_component", InferenceComponentName=name) or {}
        if model := component.get("Specification", {}).get("ModelName"):
            found.models.setdefault(model, f"endpoint {endpoint} serves it")


def models_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The models of an endpoint configuration's variants, shadow variants included."""
    variants = [*config.get("ProductionVariants", ()), *config.get("ShadowProductionVariants", ())]
    return tuple(dict.fromkeys(variant["ModelName"] for variant in variants if variant.get("ModelName")))


def described(sm: Any, operation: str, **name: str) -> dict[str, Any] | None:
    """The operation's answer, or None where there is no such thing (any more)."""
    from botocore.exceptions import ClientError

    try:
        answer: dict[str, Any] = getattr(sm, operation)(**name)
    except ClientError as error:
        if says_gone(error):
            return None
        raise
    return answer


def says_gone(error: BaseException) -> bool:
    """Whether AWS's answer means that there is no such thing. ValidationException means other things too."""
    said = failures.message(error).lower()
    return failures.code(error) in {"ResourceNotFound", "ValidationException"} and any(
        words in said for words in ("could not find", "cannot find", "does not exist", "not found")
    )
