"""CreateEndpoint, UpdateEndpoint and the other operations on endpoints."""

import time
from collections.abc import Mapping
from typing import Any

from include.local_aws.hosting import configs, stages
from include.local_aws.hosting.plan import alarms, check, plan
from include.local_aws.sagemaker import lists, models, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, Record
from include.local_aws.wire.errors import ValidationException, not_implemented

_BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def create(call: Call) -> dict[str, Any]:
    """CreateEndpoint."""
    name = call.input["EndpointName"]
    arn = names.arn("endpoint", call.region, name)
    if call.store.find("endpoint", call.region, name) is not None:
        raise names.already_existing("endpoint", call.region, name)
    check(call.input.get("DeploymentConfig"))
    _check_alarms(call, call.input.get("DeploymentConfig"))
    body = {"config": call.input["EndpointConfigName"], "pending": _pending(call, {})}
    try:
        call.store.insert("endpoint", call.region, name, "Creating", body, tags=(arn, tags.checked(call.tags())))
    except AlreadyExists as error:
        raise names.already_existing("endpoint", call.region, name) from error
    call.endpoints.in_background(call.endpoints.deploy, call.region, name)
    return {"EndpointArn": arn}


def _pending(call: Call, retained: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The deployment of the configuration that the request names; models are read now, as AWS does."""
    config = configs.get(call, call.input["EndpointConfigName"])
    variants = []
    for variant in config.body["ProductionVariants"]:
        model = models.get(call, variant["ModelName"])
        variants.append(
            {
                "VariantName": variant["VariantName"],
                "ContainerStartupHealthCheckTimeoutInSeconds": variant.get(
                    "ContainerStartupHealthCheckTimeoutInSeconds", 600
                ),
                "weight": variant.get("InitialVariantWeight", 1.0),
                "count": variant["InitialInstanceCount"],
                **retained.get(variant["VariantName"], {}),
                "containers": models.containers_of(model),
                **({"capture": config.body["DataCaptureConfig"]} if "DataCaptureConfig" in config.body else {}),
            }
        )
    deployment = call.input.get("DeploymentConfig")
    return {"config": config.name, "variants": variants, "deployment": deployment, "started": time.time()}


def _check_alarms(call: Call, deployment: Mapping[str, Any] | None) -> None:
    """Alarms that are to be watched must exist."""
    named = alarms(deployment)
    states = call.services.monitoring.alarm_states(call.region, named) if named else {}
    if missing := [name for name in named if name not in states]:
        raise ValidationException(
            f"The following alarms of AutoRollbackConfiguration do not exist in this account: {', '.join(missing)}."
        )


def _get(call: Call) -> Record:
    name = call.input["EndpointName"]
    found = call.store.find("endpoint", call.region, name)
    if found is None:
        raise names.could_not_find("endpoint", call.region, name)
    return found


def _settled(call: Call, record: Record) -> None:
    if record.status in _BUSY:
        raise ValidationException(
            f'Cannot update in-progress endpoint "{names.arn("endpoint", call.region, record.name)}".'
        )


def update(call: Call) -> dict[str, Any]:
    """UpdateEndpoint: the new fleet is started beside the old one, which serves until the new one is healthy."""
    record = _get(call)
    _settled(call, record)
    if record.status != "InService":
        raise ValidationException(f"Cannot update endpoint {record.name} in status {record.status}: delete it instead.")
    deployment = call.input.get("DeploymentConfig")
    if call.input.get("RetainDeploymentConfig") and deployment is not None:
        raise ValidationException("RetainDeploymentConfig and DeploymentConfig can't be given together.")
    check(deployment)
    pending = _pending(call, _retained(call, record))
    if call.input.get("RetainDeploymentConfig"):
        pending["deployment"] = record.body.get("deployment")
    _check_alarms(call, pending["deployment"])
    plan(pending["deployment"], pending["variants"])  # what these variants can't do is refused now

    def change(now: Record) -> Record:
        _settled(call, now)
        return now.having(status="Updating", pending=pending, failure=None)

    call.store.update("endpoint", call.region, record.name, change)
    call.endpoints.in_background(call.endpoints.deploy, call.region, record.name)
    return {"EndpointArn": names.arn("endpoint", call.region, record.name)}


def _retained(call: Call, record: Record) -> dict[str, dict[str, Any]]:
    """What the running variants keep under RetainAllVariantProperties: their weight and their number of instances."""
    if not call.input.get("RetainAllVariantProperties"):
        if call.input.get("ExcludeRetainedVariantProperties"):
            raise ValidationException("ExcludeRetainedVariantProperties needs RetainAllVariantProperties.")
        return {}
    excluded = {each["VariantPropertyType"] for each in call.input.get("ExcludeRetainedVariantProperties", ())}
    members = {"DesiredWeight": "weight", "DesiredInstanceCount": "count"}
    kept = [member for type_, member in members.items() if type_ not in excluded]
    return {each["VariantName"]: {member: each[member] for member in kept} for each in record.body["variants"]}


def update_weights(call: Call) -> dict[str, Any]:
    """UpdateEndpointWeightsAndCapacities, of the variants that serve now."""
    record = _get(call)
    _settled(call, record)
    if record.status != "InService":
        raise ValidationException(f"Cannot update endpoint {record.name} in status {record.status}.")
    wanted = {each["VariantName"]: each for each in call.input["DesiredWeightsAndCapacities"]}
    serving = [variant["VariantName"] for variant in record.body["variants"]]
    for name, each in wanted.items():
        if "ServerlessUpdateConfig" in each:
            raise not_implemented("ServerlessUpdateConfig of UpdateEndpointWeightsAndCapacities")
        if name not in serving:
            raise ValidationException(
                f"Could not find variant {name!r} of endpoint {record.name}; it has {', '.join(serving)}."
            )
        if each.get("DesiredInstanceCount", 1) < 1:
            raise ValidationException(f"DesiredInstanceCount of variant {name} must be at least 1, found 0.")

    def change(now: Record) -> Record:
        _settled(call, now)
        variants = []
        for variant in now.body["variants"]:
            each = wanted.get(variant["VariantName"], {})
            desired = {
                "weight": each.get("DesiredWeight", variant["weight"]),
                "count": each.get("DesiredInstanceCount", variant["count"]),
            }
            variants.append({**variant, "desired": desired})
        if sum(variant["desired"]["weight"] for variant in variants) <= 0:
            raise ValidationException("At least one variant must have a weight above 0.")
        return now.having(status="Updating", variants=variants)

    call.store.update("endpoint", call.region, record.name, change)
    call.endpoints.in_background(call.endpoints.reweigh, call.region, record.name)
    return {"EndpointArn": names.arn("endpoint", call.region, record.name)}


def describe(call: Call) -> dict[str, Any]:
    """DescribeEndpoint."""
    return stages.description(_get(call))


def list_(call: Call) -> dict[str, Any]:
    """ListEndpoints."""
    return lists.page(
        call,
        "endpoint",
        "Endpoints",
        lambda each: {
            "EndpointName": each.name,
            "EndpointArn": names.arn("endpoint", each.region, each.name),
            "CreationTime": each.created,
            "LastModifiedTime": each.modified,
            "EndpointStatus": each.status,
        },
    )


def delete(call: Call) -> None:
    """DeleteEndpoint: refused while a deployment is under way, as AWS refuses it."""
    record = _get(call)
    _settled(call, record)

    def change(now: Record) -> Record:
        _settled(call, now)
        return now.having(status="Deleting")

    call.store.update("endpoint", call.region, record.name, change)
    call.endpoints.in_background(call.endpoints.remove, call.region, record.name)


OPERATIONS = {
    "CreateEndpoint": create,
    "DescribeEndpoint": describe,
    "ListEndpoints": list_,
    "UpdateEndpoint": update,
    "UpdateEndpointWeightsAndCapacities": update_weights,
    "DeleteEndpoint": delete,
}
