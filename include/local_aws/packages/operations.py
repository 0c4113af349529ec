"""Model packages: versions of a group, and packages with a name of their own.

A version's name in the store is ``group/1``, as in its ARN, and its parent is the group.
"""

from collections.abc import Mapping
from typing import Any

from include.local_aws.packages import groups
from include.local_aws.packages.groups import PACKAGE as KIND
from include.local_aws.sagemaker import lists, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record
from include.local_aws.wire.errors import ValidationException, not_implemented

MAX_ADDITIONAL = 15
"""Additional inference specifications of one package (API reference, UpdateModelPackage)."""
MAX_PROPERTIES = 50
"""Customer metadata properties of one package (API reference, CustomerMetadataMap)."""
PENDING = "PendingManualApproval"

_UNSUPPORTED = ("ValidationSpecification", "SourceAlgorithmSpecification", "ManagedStorageType")
_REPLACED = ("ModelApprovalStatus", "ApprovalDescription", "InferenceSpecification", "SourceUri", "ModelCard",
             "ModelLifeCycle", "ModelPackageRegistrationType")  # fmt: skip


def create(call: Call) -> dict[str, Any]:
    """CreateModelPackage: the next version of a group, or a package with a name."""
    given = call.input
    for member in _UNSUPPORTED:
        if member in given:
            raise not_implemented(f"{member} of CreateModelPackage")
    if given.get("CertifyForMarketplace"):
        raise not_implemented("CertifyForMarketplace of CreateModelPackage")
    if ("ModelPackageName" in given) == ("ModelPackageGroupName" in given):
        raise ValidationException("Exactly one of ModelPackageName and ModelPackageGroupName must be specified.")
    if "InferenceSpecification" not in given:
        if given.get("SourceUri", "").startswith("arn:"):
            raise not_implemented("CreateModelPackage from the SourceUri of a model or package")
        raise ValidationException("InferenceSpecification or SourceAlgorithmSpecification must be specified.")
    _check_containers(given["InferenceSpecification"])
    _check_additional(given.get("AdditionalInferenceSpecifications", ()))
    if "ModelPackageGroupName" in given:
        return {"ModelPackageArn": _create_version(call)}
    return {"ModelPackageArn": _create_named(call)}


def _check_containers(specification: Mapping[str, Any]) -> None:
    for container in specification["Containers"]:
        if "Image" not in container and "ModelDataSource" not in container and "BaseModel" not in container:
            raise ValidationException("Every container of an InferenceSpecification must have an Image.")
        if "ModelDataUrl" in container and "ModelDataSource" in container:
            raise ValidationException("A container can't have both ModelDataUrl and ModelDataSource.")


def _check_additional(specifications: Any) -> None:
    found = [each["Name"] for each in specifications]
    if len(set(found)) != len(found):
        raise ValidationException("The names of additional inference specifications must be unique.")
    if len(found) > MAX_ADDITIONAL:
        raise ValidationException(f"A model package has at most {MAX_ADDITIONAL} additional inference specifications.")
    for each in specifications:
        _check_containers(each)


def _body(call: Call) -> dict[str, Any]:
    request = {key: value for key, value in call.input.items() if key not in ("Tags", "ClientToken")}
    return {"request": request, "token": call.input.get("ClientToken")}


def _create_version(call: Call) -> str:
    if "Tags" in call.input:
        raise ValidationException("Tags can't be given for a model package version: it has those of its group.")
    group = groups.get(call, call.input["ModelPackageGroupName"])
    token = call.input.get("ClientToken")
    version = groups.take_version(call.store, group, token)
    name = f"{group.name}/{version}"
    body = _body(call)
    body["request"] = {
        "ModelApprovalStatus": PENDING,
        **body["request"],
        "ModelPackageGroupName": group.name,
        "ModelPackageVersion": version,
    }
    try:
        call.store.insert(KIND, call.region, name, "Completed", body, parent=group.name)
    except AlreadyExists:  # the same request was sent twice
        _same(call, name, body)
    return names.arn(KIND, call.region, name)


def _create_named(call: Call) -> str:
    if "ModelApprovalStatus" in call.input:
        raise ValidationException("ModelApprovalStatus does not apply to unversioned model packages.")
    name = call.input["ModelPackageName"]
    arn = names.arn(KIND, call.region, name)
    body = _body(call)
    try:
        call.store.insert(KIND, call.region, name, "Completed", body, tags=(arn, tags.checked(call.tags())))
    except AlreadyExists as error:
        if body["token"] is None:
            raise ValidationException(f"Model Package already exists: {arn}") from error
        _same(call, name, body)
    return arn


def _same(call: Call, name: str, body: Mapping[str, Any]) -> None:
    """Raise where the package of that name was not created by this very request."""
    found = call.store.find(KIND, call.region, name)
    if found is None or found.body.get("token") != body["token"]:
        raise ValidationException(f"Model Package already exists: {names.arn(KIND, call.region, name)}")


def get(call: Call, text: str) -> Record:
    """The package of a name (``name``, ``group/1``) or an ARN; raises AWS's ValidationException where there is none."""
    name = groups.plain_name(text, KIND)
    found = call.store.find(KIND, call.region, name)
    if found is None:
        raise ValidationException(f"ModelPackage {names.arn(KIND, call.region, name)} does not exist.")
    return found


def describe(call: Call) -> dict[str, Any]:
    """DescribeModelPackage. A version is answered with its group's name, as the member may not be absent."""
    record = get(call, call.input["ModelPackageName"])
    request = record.body["request"]
    return {
        "ModelPackageName": request.get("ModelPackageGroupName"),
        **request,
        "ModelPackageArn": names.arn(KIND, record.region, record.name),
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "ModelPackageStatus": record.status,
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }


def list_(call: Call) -> dict[str, Any]:
    """ListModelPackages: the unversioned ones, unless a group or a type is given; oldest first by default."""
    given = call.input
    lists.refuse_unknown_filters(call, ("ModelApprovalStatus", "ModelPackageGroupName", "ModelPackageType"))
    group = None
    if "ModelPackageGroupName" in given:
        group = groups.get(call, given["ModelPackageGroupName"]).name
    found = [each for each in lists.visible(call, KIND, parent=group) if _asked(given, each)]
    by_name = given.get("SortBy") == "Name"
    return lists.page_of(
        call,
        [_summary(each) for each in found],
        "ModelPackageSummaryList",
        _by_name if by_name else _by_time,
        descending=given.get("SortOrder", "Ascending") == "Descending",
    )


def _by_name(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (row["ModelPackageName"] or row["ModelPackageGroupName"], row["ModelPackageVersion"] or 0)


def _by_time(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (row["CreationTime"], row["ModelPackageArn"])


def _asked(given: Mapping[str, Any], record: Record) -> bool:
    request = record.body["request"]
    versioned = "ModelPackageGroupName" in request
    wanted = given.get("ModelPackageType", "Both" if "ModelPackageGroupName" in given else "Unversioned")
    name = request.get("ModelPackageName") or request["ModelPackageGroupName"]
    after, before = given.get("CreationTimeAfter"), given.get("CreationTimeBefore")
    return (
        wanted in ("Both", "Versioned" if versioned else "Unversioned")
        and given.get("ModelApprovalStatus") in (None, request.get("ModelApprovalStatus"))
        and given.get("NameContains", "").lower() in name.lower()
        and (after is None or record.created > after.timestamp())
        and (before is None or record.created < before.timestamp())
    )


def _summary(record: Record) -> dict[str, Any]:
    request = record.body["request"]
    told = ("ModelPackageName", "ModelPackageGroupName", "ModelPackageVersion", "ModelPackageDescription",
            "ModelApprovalStatus", "ModelLifeCycle", "ModelPackageRegistrationType")  # fmt: skip
    return {
        **{member: request.get(member) for member in told},
        "ModelPackageArn": names.arn(KIND, record.region, record.name),
        "CreationTime": record.created,
        "ModelPackageStatus": record.status,
    }


def update(call: Call) -> dict[str, Any]:
    """UpdateModelPackage: approval, metadata, specifications."""
    given = call.input
    record = get(call, given["ModelPackageArn"])
    if record.parent is None and "ModelApprovalStatus" in given:
        raise ValidationException("ModelApprovalStatus does not apply to unversioned model packages.")
    if "InferenceSpecification" in given:
        _check_containers(given["InferenceSpecification"])

    def change(now: Record) -> Record:
        request = dict(now.body["request"])
        request.update({member: given[member] for member in _REPLACED if member in given})
        removed = given.get("CustomerMetadataPropertiesToRemove", ())
        kept = {
            key: value for key, value in request.get("CustomerMetadataProperties", {}).items() if key not in removed
        }
        properties = {**kept, **given.get("CustomerMetadataProperties", {})}
        if len(properties) > MAX_PROPERTIES:
            raise ValidationException(f"A model package has at most {MAX_PROPERTIES} CustomerMetadataProperties.")
        request["CustomerMetadataProperties"] = properties
        added = given.get("AdditionalInferenceSpecificationsToAdd", [])
        if added:
            request["AdditionalInferenceSpecifications"] = [
                *request.get("AdditionalInferenceSpecifications", ()),
                *added,
            ]
            _check_additional(request["AdditionalInferenceSpecifications"])
        if not properties:
            del request["CustomerMetadataProperties"]
        return now.having(request=request)

    try:
        call.store.update(KIND, call.region, record.name, change)
    except DoesNotExist:
        get(call, given["ModelPackageArn"])  # deleted meanwhile: says so
    return {"ModelPackageArn": names.arn(KIND, call.region, record.name)}


def delete(call: Call) -> None:
    """DeleteModelPackage: models that were made of it stay."""
    record = get(call, call.input["ModelPackageName"])
    try:
        call.store.delete(KIND, call.region, record.name, names.arn(KIND, call.region, record.name))
    except DoesNotExist:
        return  # another call was first, which is what was wanted


OPERATIONS = {
    **groups.OPERATIONS,
    "CreateModelPackage": create,
    "DescribeModelPackage": describe,
    "ListModelPackages": list_,
    "UpdateModelPackage": update,
    "DeleteModelPackage": delete,
}
