"""CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs and DeleteEndpointConfig."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.sagemaker import lists, models, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record
from include.local_aws.wire.errors import ValidationException, not_implemented

_UNSUPPORTED = ("ShadowProductionVariants", "AsyncInferenceConfig", "ExplainerConfig", "MetricsConfig",
                "CrossRegionTrafficConfig")  # fmt: skip
_UNSUPPORTED_OF_VARIANT = ("ServerlessConfig", "ManagedInstanceScaling", "CoreDumpConfig", "InstancePools")


def create(call: Call) -> dict[str, Any]:
    """CreateEndpointConfig: every variant's model must exist."""
    given = call.input
    for option in _UNSUPPORTED:
        if given.get(option):
            raise not_implemented(f"{option} of CreateEndpointConfig")
    destination: str = given.get("DataCaptureConfig", {}).get("DestinationS3Uri", "s3://")
    if not destination.startswith("s3://"):
        raise ValidationException(f"Expected an S3 URI as DestinationS3Uri of DataCaptureConfig, found {destination}.")
    variants: list[Mapping[str, Any]] = given["ProductionVariants"]
    found = [variant["VariantName"] for variant in variants]
    if len(set(found)) != len(found):
        raise ValidationException("Variant names must be unique within an endpoint configuration.")
    for variant in variants:
        _check(call, variant)
    if sum(variant.get("InitialVariantWeight", 1.0) for variant in variants) <= 0:
        raise ValidationException("At least one production variant must have an InitialVariantWeight above 0.")
    name = given["EndpointConfigName"]
    arn = names.arn("endpoint-config", call.region, name)
    body = {key: value for key, value in given.items() if key != "Tags"}
    try:
        call.store.insert("endpoint-config", call.region, name, "", body, tags=(arn, tags.checked(call.tags())))
    except AlreadyExists as error:
        raise names.already_existing("endpoint-config", call.region, name) from error
    return {"EndpointConfigArn": arn}


def _check(call: Call, variant: Mapping[str, Any]) -> None:
    for option in _UNSUPPORTED_OF_VARIANT:
        if option in variant:
            raise not_implemented(f"{option} of a production variant of CreateEndpointConfig")
    if "ModelName" not in variant:
        raise not_implemented("a production variant without ModelName (inference components) of CreateEndpointConfig")
    for member in ("InstanceType", "InitialInstanceCount"):
        if member not in variant:
            raise ValidationException(f"Production variant {variant['VariantName']} must have {member}.")
    models.get(call, variant["ModelName"])


def get(call: Call, name: str) -> Record:
    """The configuration, for other operations too; raises AWS's ValidationException where there is none."""
    found = call.store.find("endpoint-config", call.region, name)
    if found is None:
        raise names.could_not_find("endpoint-config", call.region, name)
    return found


def describe(call: Call) -> dict[str, Any]:
    """DescribeEndpointConfig."""
    record = get(call, call.input["EndpointConfigName"])
    variants = [{"InitialVariantWeight": 1.0, **variant} for variant in record.body["ProductionVariants"]]
    return {
        **record.body,
        "ProductionVariants": variants,
        "EndpointConfigArn": names.arn("endpoint-config", record.region, record.name),
        "CreationTime": record.created,
    }


def list_(call: Call) -> dict[str, Any]:
    """ListEndpointConfigs."""
    return lists.page(
        call,
        "endpoint-config",
        "EndpointConfigs",
        lambda each: {
            "EndpointConfigName": each.name,
            "EndpointConfigArn": names.arn("endpoint-config", each.region, each.name),
            "CreationTime": each.created,
        },
    )


def delete(call: Call) -> None:
    """DeleteEndpointConfig."""
    name = call.input["EndpointConfigName"]
    try:
        call.store.delete("endpoint-config", call.region, name, names.arn("endpoint-config", call.region, name))
    except DoesNotExist as error:
        raise names.could_not_find("endpoint-config", call.region, name) from error


OPERATIONS = {
    "CreateEndpointConfig": create,
    "DescribeEndpointConfig": describe,
    "ListEndpointConfigs": list_,
    "DeleteEndpointConfig": delete,
}
