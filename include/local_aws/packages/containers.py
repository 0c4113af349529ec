"""The containers of a model that is made of a model package."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.packages import operations as packages
from include.local_aws.packages.groups import PACKAGE
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Call
from include.local_aws.wire.errors import ValidationException

_CARRIED = ("ContainerHostname", "Image", "ModelDataUrl", "ModelDataSource", "AdditionalModelDataSources",
            "Environment")  # fmt: skip


def resolved(call: Call, container: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a container with a ModelPackageName stands for; its own Environment goes before the package's.

    A version must be Approved to be deployed (API reference, CreateModelPackage).
    """
    for member in ("Image", "ModelDataUrl", "ModelDataSource"):
        if member in container:
            raise ValidationException(f"A container can't have both ModelPackageName and {member}.")
    record = packages.get(call, container["ModelPackageName"])
    request = record.body["request"]
    approval = request.get("ModelApprovalStatus", "Approved")
    if approval != "Approved":
        raise ValidationException(
            f"Model package {names.arn(PACKAGE, call.region, record.name)} is {approval}: a version must be "
            "Approved to be deployed. Approve it with UpdateModelPackage."
        )
    own = container.get("Environment", {})
    wanted = container.get("InferenceSpecificationName")
    found = []
    for each in _specification(request, wanted)["Containers"]:
        one = {member: each[member] for member in _CARRIED if member in each}
        one["Environment"] = {**one.get("Environment", {}), **own}
        found.append(one)
    return found


def _specification(request: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    if name is None:
        main: Mapping[str, Any] = request["InferenceSpecification"]
        return main
    for each in request.get("AdditionalInferenceSpecifications", ()):
        if each["Name"] == name:
            additional: Mapping[str, Any] = each
            return additional
    raise ValidationException(f"The model package has no inference specification named {name!r}.")
