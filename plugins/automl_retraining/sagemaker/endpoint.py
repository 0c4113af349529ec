"""The endpoint that serves the champion: reading it, writing it, and telling whether it serves what was asked for.

The champion is what the endpoint serves now, in the variant named ``champion``: it is read from the endpoint, never
from a side table that can disagree. Every function takes a boto3 SageMaker client; none waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from automl_retraining.core.errors import EndpointBusy, EndpointError, NotOurs, RolledBack
from automl_retraining.core.records import ModelRef
from automl_retraining.sagemaker.answers import member

CHAMPION_VARIANT = "champion"

CHANGING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
"""Statuses that pass by themselves."""
_SERVING = frozenset({"InService", "Updating", "SystemUpdating", "RollingBack"})


@dataclass(frozen=True)
class Endpoint:
    """An endpoint with the configuration that serves.

    ``config`` is the answer of DescribeEndpointConfig; empty where the endpoint serves nothing. ``pending_config`` is
    the name of the configuration that an update in progress is moving to, where SageMaker says it. ``counts`` has the
    number of instances that each variant is to have now, which autoscaling may have changed since the configuration.
    """

    name: str
    arn: str
    status: str
    config_name: str | None
    pending_config: str | None
    failure_reason: str | None
    changed: datetime
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def champion_variant(self) -> Mapping[str, Any]:
        """The production variant that holds the champion: the one named so, else the only one.

        Raises:
            EndpointError: several variants, none of them named ``champion``.
        """
        variants: list[Mapping[str, Any]] = list(self.config.get("ProductionVariants", ()))
        for variant in variants:
            if variant.get("VariantName") == CHAMPION_VARIANT:
                return variant
        if len(variants) == 1:
            return variants[0]
        names = ", ".join(repr(variant.get("VariantName")) for variant in variants) or "none"
        raise EndpointError(
            f"endpoint {self.name}: expected a production variant named {CHAMPION_VARIANT!r} or a single variant, "
            f"found {names}: rename the variant that is the champion in a new endpoint configuration"
        )


def describe(sm: Any, name: str) -> Endpoint | None:
    """The endpoint as it stands, with its configuration and tags; None where there is none of that name."""
    answer = _describe(sm, "describe_endpoint", EndpointName=name)
    if answer is None:
        return None
    config_name = answer.get("EndpointConfigName")
    config = describe_config(sm, config_name) if config_name else None
    arn = member(answer, "EndpointArn", f"endpoint {name}")
    tags = _found(lambda: tags_of(sm, arn))
    if tags is None:
        return None  # deleted since the call before
    return Endpoint(
        name=name,
        arn=arn,
        status=member(answer, "EndpointStatus", f"endpoint {name}"),
        config_name=config_name,
        pending_config=(answer.get("PendingDeploymentSummary") or {}).get("EndpointConfigName"),
        failure_reason=answer.get("FailureReason"),
        changed=member(answer, "LastModifiedTime", f"endpoint {name}"),
        config=config or {},
        tags=tags,
        counts={
            variant["VariantName"]: variant["DesiredInstanceCount"]
            for variant in answer.get("ProductionVariants", ())
            if variant.get("VariantName") and variant.get("DesiredInstanceCount") is not None
        },
    )


def check_ours(endpoint: Endpoint, *, adopt: bool, pipeline: str | None = None) -> None:
    """Refuse an endpoint that this project, or this pipeline, did not make.

    Raises:
        NotOurs: by its tags it is somebody else's, and the pipeline does not say ``adopt: true``.
    """
    owner = endpoint.tags.get("art:pipeline")
    if adopt or (owner is not None and pipeline in (None, owner)):
        return
    found = "no such tag" if owner is None else f"that of pipeline {owner!r}"
    raise NotOurs(
        f"endpoint {endpoint.name}: expected the tag art:pipeline of this pipeline, found {found}: give the pipeline "
        "another endpoint.name, or set endpoint.adopt: true to let it take this endpoint over"
    )


def read_champion(sm: Any, endpoint_name: str, *, adopt: bool, pipeline: str | None = None) -> ModelRef | None:
    """The model that the endpoint serves as champion; None where the endpoint does not exist or serves nothing yet.

    Raises:
        NotOurs: see ``check_ours``.
        EndpointBusy: the endpoint is being created or deleted: what it will serve cannot be known yet.
        EndpointError: it is out of service, or serves a mix of two configurations.
    """
    endpoint = describe(sm, endpoint_name)
    if endpoint is None:
        return None
    check_ours(endpoint, adopt=adopt, pipeline=pipeline)
    return champion_of(sm, endpoint)


def champion_of(sm: Any, endpoint: Endpoint) -> ModelRef | None:
    """The champion of an endpoint that was described: see ``read_champion``."""
    if endpoint.status == "Failed":
        return None  # a failed endpoint serves nothing; DeleteEndpoint is the only operation left on it
    if endpoint.status in {"Creating", "Deleting"}:
        raise EndpointBusy(
            f"endpoint {endpoint.name}: expected it to be InService, found {endpoint.status}: "
            "wait until that has ended, then run this task again"
        )
    if endpoint.status not in _SERVING or not endpoint.config:
        reason = f" ({endpoint.failure_reason})" if endpoint.failure_reason else ""
        what = endpoint.status if endpoint.status not in _SERVING else f"no configuration {endpoint.config_name}"
        raise EndpointError(
            f"endpoint {endpoint.name}: expected it to serve one configuration, found {what}{reason}: "
            "bring it back to InService, or delete it to let the next run create it anew"
        )
    model_name = endpoint.champion_variant.get("ModelName")
    if not model_name:
        raise EndpointError(
            f"endpoint {endpoint.name}: expected variant {endpoint.champion_variant.get('VariantName')!r} to name its "
            "model, found none (an endpoint of inference components): give the pipeline another endpoint.name"
        )
    tags = model_tags(sm, model_name)
    return ModelRef(
        model_name=model_name,
        run_id=tags.get("art:run-id"),
        run_folder=tags.get("art:run-folder"),
        endpoint_config=endpoint.config_name,
        since=endpoint.config.get("CreationTime"),
    )


def put(
    sm: Any,
    current: Endpoint | None,
    *,
    endpoint_name: str,
    config_name: str,
    tags: list[dict[str, str]],
    deployment: Mapping[str, Any] | None = None,
) -> str:
    """Make the endpoint move to the configuration, unless it is there or on its way.

    Returns ``created``, ``updated``, ``deleting`` (a failed endpoint of ours has to go first: wait until it has, then
    call again), ``moving`` (already on its way) or ``serving`` (already there). An update keeps each variant's count
    and weight (``RetainAllVariantProperties``), so an autoscaled fleet keeps its size.

    Args:
        deployment: how an update moves the traffic (``sagemaker.rollout``); None for all of it at once.

    Raises:
        EndpointBusy: the endpoint is changing for another reason.
    """
    if current is None:
        sm.create_endpoint(EndpointName=endpoint_name, EndpointConfigName=config_name, Tags=tags)
        return "created"
    if current.status == "InService" and current.config_name == config_name:
        return "serving"
    if current.status in {"Creating", "Updating"} and config_name in (current.config_name, current.pending_config):
        return "moving"
    if current.status == "Failed":
        sm.delete_endpoint(EndpointName=endpoint_name)
        return "deleting"
    if current.status != "InService":
        raise EndpointBusy(
            f"endpoint {endpoint_name}: expected it to be InService before an update, found {current.status}: "
            "something else is changing it; wait until that has ended, then run this task again"
        )
    how = {"DeploymentConfig": deployment} if deployment else {}
    sm.update_endpoint(
        EndpointName=endpoint_name, EndpointConfigName=config_name, RetainAllVariantProperties=True, **how
    )
    return "updated"


def verify(
    endpoint: Endpoint | None, *, endpoint_name: str, config_name: str, fired: Callable[[], Sequence[str]] = tuple
) -> None:
    """Hold what the settled endpoint serves against what was asked for.

    Args:
        fired: asked after a rollback: what the alarms said that may have caused it, in sentences.

    Raises:
        RolledBack: it serves another configuration: SageMaker went back, and the champion still serves.
        EndpointError: it failed, serves a mix, or is gone.
    """
    if endpoint is None:
        raise EndpointError(
            f"endpoint {endpoint_name}: expected it to serve {config_name}, found no endpoint of that name: "
            "somebody deleted it while it was being written"
        )
    reason = f": {endpoint.failure_reason}" if endpoint.failure_reason else ""
    if endpoint.status == "InService":
        if endpoint.config_name == config_name:
            return
        alarms = "; ".join(fired())
        found = reason.rstrip(". ") or (": it gave no reason" if not alarms else "")
        advice = "" if alarms else ". See the endpoint's log for why the new container did not come up"
        raise RolledBack(
            f"endpoint {endpoint_name}: expected it to serve the configuration {config_name}, found that SageMaker "
            f"went back to {endpoint.config_name}{found}{': ' if alarms else ''}{alarms}; the champion still "
            f"serves{advice}"
        )
    if endpoint.status == "UpdateRollbackFailed":
        raise EndpointError(
            f"endpoint {endpoint_name}: expected it to serve the configuration {config_name}, found "
            f"UpdateRollbackFailed, a mix of the old and the new configuration{reason}: "
            "update it by hand to one of the two"
        )
    raise EndpointError(
        f"endpoint {endpoint_name}: expected it to be InService with the configuration {config_name}, "
        f"found {endpoint.status}{reason}"
    )


def describe_config(sm: Any, name: str) -> dict[str, Any] | None:
    """DescribeEndpointConfig's answer; None where there is no configuration of that name."""
    return _describe(sm, "describe_endpoint_config", EndpointConfigName=name)


def describe_model(sm: Any, name: str) -> dict[str, Any] | None:
    """DescribeModel's answer; None where there is no model of that name."""
    return _describe(sm, "describe_model", ModelName=name)


def model_tags(sm: Any, name: str) -> dict[str, str]:
    """The model's tags; none where it was deleted."""
    model = describe_model(sm, name)
    return {} if model is None else tags_of(sm, member(model, "ModelArn", f"model {name}"))


def tags_of(sm: Any, arn: str) -> dict[str, str]:
    """All tags of a resource, as a mapping."""
    tags: dict[str, str] = {}
    token: str | None = None
    while True:
        answer = sm.list_tags(ResourceArn=arn, **({"NextToken": token} if token else {}))
        for tag in member(answer, "Tags", f"tags of {arn}"):
            tags[member(tag, "Key", f"tag of {arn}")] = member(tag, "Value", f"tag of {arn}")
        token = answer.get("NextToken")
        if not token:
            return tags


def _describe(sm: Any, operation: str, **name: str) -> dict[str, Any] | None:
    """The answer, or None where SageMaker could not find it."""
    return _found(lambda: getattr(sm, operation)(**name))


def _found(ask: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What was asked for, or None where SageMaker could not find it (its error is a plain ValidationException)."""
    from botocore.exceptions import ClientError

    try:
        return ask()
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        if code == "ResourceNotFound" or (code == "ValidationException" and "could not find" in message.lower()):
            return None
        raise
