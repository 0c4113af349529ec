"""What a pipeline's endpoint serves now, as SageMaker describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from automl_retraining.sagemaker import watching
from automl_retraining.sagemaker.endpoint import CHAMPION_VARIANT
from automl_retraining.sagemaker.jobs import ENDPOINT


@dataclass(frozen=True)
class Variant:
    """One production variant. Weights and counts are those of now; the desired ones those of an update going on."""

    name: str
    model: str | None
    weight: float | None
    desired_weight: float | None
    instances: int | None
    desired_instances: int | None
    instance_type: str | None


@dataclass(frozen=True)
class Serving:
    """An endpoint; status ``none`` where there is no endpoint of that name (yet)."""

    status: str
    asked: datetime
    config: str | None = None
    changed: datetime | None = None
    failure_reason: str | None = None
    variants: tuple[Variant, ...] = ()
    error: str | None = None

    @property
    def champion(self) -> str | None:
        """The champion's model name: of the variant named so, else of the only one."""
        named = [one for one in self.variants if one.name == CHAMPION_VARIANT]
        found = named or (list(self.variants) if len(self.variants) == 1 else [])
        return found[0].model if found else None


def read(sm: Any, name: str) -> Serving:
    """Describe the endpoint and its configuration: two calls."""
    asked = datetime.now(UTC)
    answer = watching.describe(sm, ENDPOINT, name)
    if answer is None:
        return Serving("none", asked)
    config = answer.get("EndpointConfigName")
    configured: dict[str, Mapping[str, Any]] = {}
    if config:
        described = sm.describe_endpoint_config(EndpointConfigName=config)
        configured = {one["VariantName"]: one for one in described.get("ProductionVariants", ())}
    live = {one["VariantName"]: one for one in answer.get("ProductionVariants", ())}
    return Serving(
        status=str(answer.get("EndpointStatus") or "Unknown"),
        asked=asked,
        config=config,
        changed=answer.get("LastModifiedTime"),
        failure_reason=answer.get("FailureReason") or None,
        variants=tuple(_variant(name, live.get(name, {}), configured.get(name, {})) for name in live or configured),
    )


def _variant(name: str, live: Mapping[str, Any], configured: Mapping[str, Any]) -> Variant:
    return Variant(
        name=name,
        model=configured.get("ModelName"),
        weight=live.get("CurrentWeight", configured.get("InitialVariantWeight")),
        desired_weight=live.get("DesiredWeight"),
        instances=live.get("CurrentInstanceCount", configured.get("InitialInstanceCount")),
        desired_instances=live.get("DesiredInstanceCount"),
        instance_type=configured.get("InstanceType"),
    )
