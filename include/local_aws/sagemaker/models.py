"""CreateModel, DescribeModel, ListModels and DeleteModel."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.images import UnknownImage, find
from include.local_aws.packages import containers as packages
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker import lists, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record
from include.local_aws.wire.errors import ValidationException, not_implemented

MAX_CONTAINERS = 15
_RESOLVED = "resolved"
"""The containers of a model that was made of a package, which may be changed or deleted since."""
_UNSUPPORTED = ("ModelDataSource", "ImageConfig", "MultiModelConfig", "AdditionalModelDataSources")


def create(call: Call) -> dict[str, Any]:
    """CreateModel: the containers' images must be known and their model data must exist."""
    given = call.input
    containers = _containers(given)
    if given.get("InferenceExecutionConfig", {}).get("Mode", "Serial") != "Serial":
        raise not_implemented("InferenceExecutionConfig.Mode Direct of CreateModel")
    resolved = _resolved(call, containers)
    for container in resolved:
        _check(call, container, several=len(resolved) > 1)
    name = given["ModelName"]
    arn = names.arn("model", call.region, name)
    body = {key: value for key, value in given.items() if key != "Tags"}
    if resolved != containers:
        body[_RESOLVED] = resolved
    try:
        call.store.insert("model", call.region, name, "", body, tags=(arn, tags.checked(call.tags())))
    except AlreadyExists as error:
        raise names.already_existing("model", call.region, name) from error
    return {"ModelArn": arn}


def _containers(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if ("PrimaryContainer" in given) == ("Containers" in given):
        raise ValidationException("Exactly one of PrimaryContainer and Containers must be specified to create a model.")
    containers: list[Mapping[str, Any]] = given.get("Containers") or [given["PrimaryContainer"]]
    hosts = [each["ContainerHostname"] for each in containers if "ContainerHostname" in each]
    if hosts and (len(hosts) != len(containers) or len(set(hosts)) != len(hosts)):
        raise ValidationException("Every container of a pipeline or none must have a ContainerHostname, all different.")
    return containers


def _resolved(call: Call, containers: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The containers, with those of its package in the place of each that names one."""
    found: list[Mapping[str, Any]] = []
    for container in containers:
        if "ModelPackageName" in container:
            found.extend(packages.resolved(call, container))
        elif "InferenceSpecificationName" in container:
            raise ValidationException("InferenceSpecificationName can only be given with a ModelPackageName.")
        else:
            found.append(container)
    if len(found) > MAX_CONTAINERS:
        raise ValidationException(f"A model has at most {MAX_CONTAINERS} containers, found {len(found)}.")
    return found


def _check(call: Call, container: Mapping[str, Any], *, several: bool) -> None:
    for member in _UNSUPPORTED:
        if member in container:
            raise not_implemented(f"the container member {member} of CreateModel")
    if container.get("Mode", "SingleModel") == "MultiModel":
        if several:
            raise ValidationException("More than one container in MultiModel mode")
        raise not_implemented("the container Mode MultiModel of CreateModel")
    if "Image" not in container:
        raise ValidationException("Container definition must have an Image or a ModelPackageName.")
    try:
        find(container["Image"])
    except UnknownImage as error:
        raise names.image_refused(container["Image"], "of CreateModel", error) from error
    if "ModelDataUrl" in container:
        url = container["ModelDataUrl"]
        try:
            exists = call.services.s3.exists(url)
        except S3InputError as error:
            raise ValidationException(f"Could not access model data at {url}. {error}") from error
        if not exists:
            raise ValidationException(
                f"Could not access model data at {url}. Please ensure that the role exists and that its policies allow "
                "s3:GetObject, and that the object is located in this region."
            )


def get(call: Call, name: str) -> Record:
    """The model, for other operations too; raises AWS's ValidationException where there is none."""
    found = call.store.find("model", call.region, name)
    if found is None:
        raise names.could_not_find("model", call.region, name)
    return found


def containers_of(record: Record) -> list[Mapping[str, Any]]:
    """A model's containers in the order in which requests pass through them."""
    return list(record.body.get(_RESOLVED) or record.body.get("Containers") or [record.body["PrimaryContainer"]])


def describe(call: Call) -> dict[str, Any]:
    """DescribeModel."""
    record = get(call, call.input["ModelName"])
    return {
        "EnableNetworkIsolation": False,
        **{key: value for key, value in record.body.items() if key != _RESOLVED},
        "ModelArn": names.arn("model", call.region, record.name),
        "CreationTime": record.created,
    }


def list_(call: Call) -> dict[str, Any]:
    """ListModels."""
    return lists.page(
        call,
        "model",
        "Models",
        lambda each: {
            "ModelName": each.name,
            "ModelArn": names.arn("model", each.region, each.name),
            "CreationTime": each.created,
        },
    )


def delete(call: Call) -> None:
    """DeleteModel: what serves already goes on serving, as on AWS."""
    name = call.input["ModelName"]
    try:
        call.store.delete("model", call.region, name, names.arn("model", call.region, name))
    except DoesNotExist as error:
        raise names.could_not_find("model", call.region, name) from error


OPERATIONS = {"CreateModel": create, "DescribeModel": describe, "ListModels": list_, "DeleteModel": delete}
