"""Model package groups: what they are called, the versions that they number, their operations."""

from typing import Any

from include.local_aws.sagemaker import lists, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record, Store
from include.local_aws.wire.errors import Conflict, ValidationException, not_implemented

KIND = "model-package-group"
PACKAGE = "model-package"
REMEMBERED_TOKENS = 100
"""How many of the last requests of a group are known again when they are sent twice."""


def create(call: Call) -> dict[str, Any]:
    """CreateModelPackageGroup."""
    given = call.input
    if "ManagedConfiguration" in given:
        raise not_implemented("ManagedConfiguration of CreateModelPackageGroup")
    name = given["ModelPackageGroupName"]
    arn = names.arn(KIND, call.region, name)
    body: dict[str, Any] = {"description": given.get("ModelPackageGroupDescription"), "last": 0, "tokens": {}}
    try:
        call.store.insert(KIND, call.region, name, "Completed", body, tags=(arn, tags.checked(call.tags())))
    except AlreadyExists as error:
        raise ValidationException(f"Model Package Group already exists: {arn}") from error
    return {"ModelPackageGroupArn": arn}


def get(call: Call, text: str) -> Record:
    """The group of a name or an ARN; raises AWS's ValidationException where there is none."""
    name = plain_name(text, KIND)
    found = call.store.find(KIND, call.region, name)
    if found is None:
        raise ValidationException(f"ModelPackageGroup {names.arn(KIND, call.region, name)} does not exist.")
    return found


def plain_name(text: str, kind: str) -> str:
    """The name in an ARN of this kind, or the text itself where it is none; raises for another kind's ARN."""
    if not text.startswith("arn:"):
        return text
    found, _, name = names.of_arn(text)
    if found != kind:
        raise ValidationException(f"Expected the ARN of a {names.RESOURCES[kind]}, found {text!r}.")
    return name


def take_version(store: Store, group: Record, token: str | None) -> int:
    """The group's next version number; the same again for a request of the same token. Numbers are never reused."""

    def change(now: Record) -> Record:
        if token is not None and token in now.body["tokens"]:
            return now
        last = now.body["last"] + 1
        known = {**now.body["tokens"], **({token: last} if token is not None else {})}
        return now.having(last=last, tokens=dict(list(known.items())[-REMEMBERED_TOKENS:]))

    after = store.update(KIND, group.region, group.name, change)
    number: int = after.body["tokens"].get(token, after.body["last"]) if token is not None else after.body["last"]
    return number


def _summary(record: Record) -> dict[str, Any]:
    return {
        "ModelPackageGroupName": record.name,
        "ModelPackageGroupArn": names.arn(KIND, record.region, record.name),
        "ModelPackageGroupDescription": record.body.get("description"),
        "CreationTime": record.created,
        "ModelPackageGroupStatus": record.status,
    }


def describe(call: Call) -> dict[str, Any]:
    """DescribeModelPackageGroup."""
    return {**_summary(get(call, call.input["ModelPackageGroupName"])), "CreatedBy": {}}


def list_(call: Call) -> dict[str, Any]:
    """ListModelPackageGroups, oldest first unless asked otherwise. Nothing is shared by other accounts here."""
    if call.input.get("CrossAccountFilterOption") == "CrossAccount":
        return {"ModelPackageGroupSummaryList": []}
    return lists.page(call, KIND, "ModelPackageGroupSummaryList", _summary, handled=("CrossAccountFilterOption",))


def delete(call: Call) -> None:
    """DeleteModelPackageGroup: an empty one only."""
    record = get(call, call.input["ModelPackageGroupName"])
    left = call.store.all(PACKAGE, region=call.region, parent=record.name)
    if left:
        raise Conflict(
            f"Model Package Group {names.arn(KIND, call.region, record.name)} can't be deleted: it contains "
            f"{len(left)} model package{'s' if len(left) > 1 else ''}. Delete them first."
        )
    try:
        call.store.delete(KIND, call.region, record.name, names.arn(KIND, call.region, record.name))
    except DoesNotExist:
        return  # another call was first, which is what was wanted


OPERATIONS = {
    "CreateModelPackageGroup": create,
    "DescribeModelPackageGroup": describe,
    "ListModelPackageGroups": list_,
    "DeleteModelPackageGroup": delete,
}
