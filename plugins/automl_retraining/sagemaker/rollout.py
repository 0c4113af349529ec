"""How an update moves the traffic: UpdateEndpoint's DeploymentConfig, and whether fleet and model allow it.

``deployment`` is pure. Limits are those of the service model (botocore, ``DeploymentConfig``) and of the developer
guide's "Deployment guardrails".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automl_retraining.core.endpoint_spec import EndpointSpec, too_small
from automl_retraining.core.errors import RolloutRefused, StorageError
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.endpoint import Endpoint

_MEGABYTE = 1_000_000


def deployment(spec: EndpointSpec, alarms: Sequence[str]) -> dict[str, Any] | None:
    """UpdateEndpoint's DeploymentConfig; None where the pipeline asks for nothing but SageMaker's default.

    Args:
        spec: the pipeline's endpoint.
        alarms: names of the alarms that roll back.
    """
    if not spec.guarded:
        return None
    rollout = spec.rollout
    limit = {} if rollout.max_time is None else {"MaximumExecutionTimeoutInSeconds": rollout.max_time}
    step = {"Type": "CAPACITY_PERCENT", "Value": rollout.step}
    policy: dict[str, Any]
    if rollout.strategy == "rolling":
        rolling = {"MaximumBatchSize": step, "WaitIntervalInSeconds": rollout.wait, **limit}
        policy = {"RollingUpdatePolicy": rolling}
    else:
        sizes = {"canary": {"CanarySize": step}, "linear": {"LinearStepSize": step}}
        policy = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {
                    "Type": rollout.strategy.upper(),
                    "WaitIntervalInSeconds": rollout.wait if rollout.gradual else 0,
                    **sizes.get(rollout.strategy, {}),
                },
                "TerminationWaitInSeconds": rollout.termination_wait,
                **limit,
            }
        }
    if alarms:
        policy["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return policy


def check_fleet(spec: EndpointSpec, current: Endpoint) -> None:
    """Hold the rollout against the fleet as it is now, autoscaling included: an update keeps its size.

    Raises:
        RolloutRefused: a variant has too few instances for one step, or no instances at all (serverless).
    """
    if not spec.rollout.gradual:
        return
    for variant in current.config.get("ProductionVariants", ()):
        name = variant["VariantName"]
        count = current.counts.get(name, variant.get("InitialInstanceCount"))
        where = f"endpoint {current.name}, variant {name!r}"
        if count is None:
            raise RolloutRefused(
                f"{where}: expected instances for the rollout {spec.rollout.strategy}, found a variant without any "
                "(serverless): choose strategy all_at_once; nothing was written"
            )
        if problem := too_small(spec.rollout, count):
            raise RolloutRefused(
                f"{where}: {problem}; an update keeps the fleet's size, so scale the endpoint itself "
                "(UpdateEndpointWeightsAndCapacities, or its autoscaling's minimum); nothing was written"
            )
        if problem := spec.lease_too_short(count):
            raise RolloutRefused(f"{where}, with {count} instances: endpoint.lease: {problem}; nothing was written")


def too_large(sm: Any, s3: Any, model_name: str, limit_mb: float) -> str | None:
    """Why the model's artifacts in S3 are larger than ``max_model_mb`` (10^6 bytes) allows; None where they are not.

    Raises:
        StorageError: an artifact cannot be found or looked at.
    """
    sizes = {uri: _bytes_at(s3, uri) for uri in artifacts(sm.describe_model(ModelName=model_name))}
    total = sum(sizes.values()) / _MEGABYTE
    if total <= limit_mb:
        return None
    largest = max(sizes, key=lambda uri: sizes[uri])
    return (
        f"The champion was kept: expected the challenger's artifacts to be at most {limit_mb:g} MB "
        f"(endpoint.max_model_mb), found {total:.3g} MB, the largest of them {largest} with "
        f"{sizes[largest] / _MEGABYTE:.3g} MB."
    )


def artifacts(model: Mapping[str, Any]) -> Iterator[str]:
    """The S3 URIs of a model's artifacts, each once; one that ends in ``/`` is a prefix.

    Args:
        model: DescribeModel's answer.
    """
    containers = model.get("Containers") or [model.get("PrimaryContainer") or {}]
    seen = set()
    for container in containers:
        source = container.get("ModelDataSource", {}).get("S3DataSource", {})
        uri = container.get("ModelDataUrl") or source.get("S3Uri")
        if uri and uri not in seen:
            seen.add(uri)
            yield uri


def _bytes_at(s3: Any, uri: str) -> int:
    bucket, key = storage.parse_uri(uri)
    if not uri.endswith("/"):
        with storage.words("look at", uri):
            return int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"])
    with storage.words("list", uri):
        pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key))
    sizes = [entry["Size"] for page in pages for entry in page.get("Contents", ())]
    if not sizes:
        raise StorageError(f"expected the model's artifacts below {uri}, found none")
    return sum(sizes)
