"""CreateNotebookInstance and the operations on notebook instances."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.notebooks.instance import KIND, NotebookInstance, remove, url
from include.local_aws.sagemaker import lists, names, tags
from include.local_aws.sagemaker.call import Call, Services
from include.local_aws.store import AlreadyExists, DoesNotExist, Record, Store
from include.local_aws.wire.errors import ResourceLimitExceeded, ValidationException, not_implemented

MAX_RUNNING = 4
"""Notebook instances that are on at the same time: each is a Jupyter server with kernels that compute."""
ON = ("Pending", "InService", "Stopping")

_UNSUPPORTED = ("LifecycleConfigName", "AcceleratorTypes", "DefaultCodeRepository", "AdditionalCodeRepositories")
_DEFAULTS = {
    "DirectInternetAccess": "Enabled",
    "VolumeSizeInGB": 5,
    "RootAccess": "Enabled",
    "PlatformIdentifier": "notebook-al2023-v1",
}
"""Of CreateNotebookInstance, by the API reference."""
_UPDATED = ("InstanceType", "IpAddressType", "PlatformIdentifier", "RoleArn", "VolumeSizeInGB", "RootAccess",
            "InstanceMetadataServiceConfiguration")  # fmt: skip


def create(call: Call) -> dict[str, Any]:
    """CreateNotebookInstance: it is Pending until its Jupyter server answers."""
    given = call.input
    _refuse_unsupported(call)
    if given.get("DirectInternetAccess") == "Disabled" and "SubnetId" not in given:
        raise ValidationException("DirectInternetAccess can only be Disabled for a notebook instance with a SubnetId.")
    name = given["NotebookInstanceName"]
    arn = names.arn(KIND, call.region, name)
    if call.store.find(KIND, call.region, name) is None:
        _refuse_too_many(call)
    request = {**_DEFAULTS, **{key: value for key, value in given.items() if key != "Tags"}}
    try:
        record = call.store.insert(
            KIND, call.region, name, "Pending", {"request": request}, tags=(arn, tags.checked(call.tags()))
        )
    except AlreadyExists as error:
        raise ValidationException(f"Cannot create a duplicate Notebook Instance ({arn})") from error
    NotebookInstance(call.services, record).begin()
    return {"NotebookInstanceArn": arn}


def _refuse_unsupported(call: Call) -> None:
    for member in _UNSUPPORTED:
        if call.input.get(member):
            raise not_implemented(f"{member} of {call.operation}")


def _refuse_too_many(call: Call) -> None:
    running = sum(each.status in ON for each in call.store.all(KIND))
    if running >= MAX_RUNNING:
        raise ResourceLimitExceeded(
            f"The account-level service limit 'Total number of notebook instances' is {MAX_RUNNING} Instances, with "
            f"current utilization of {running} Instances and a request delta of 1 Instances. Please use AWS Service "
            "Quotas to request an increase for this quota."
        )


def _get(call: Call) -> Record:
    found = call.store.find(KIND, call.region, call.input["NotebookInstanceName"])
    if found is None:
        raise ValidationException("RecordNotFound")
    return found


def _changed(call: Call, allowed: tuple[str, ...], to: str, request: Mapping[str, Any] | None = None) -> Record:
    """The instance in its new status; raises AWS's ValidationException where its present one forbids the operation."""
    name = _get(call).name

    def change(now: Record) -> Record:
        if now.status not in allowed:
            raise ValidationException(f"Status ({now.status}) not in ([{', '.join(allowed)}]).")
        return now.having(status=to, request={**now.body["request"], **(request or {})})

    try:
        return call.store.update(KIND, call.region, name, change)
    except DoesNotExist as error:
        raise ValidationException("RecordNotFound") from error


def start(call: Call) -> None:
    """StartNotebookInstance: Pending until its Jupyter server answers."""
    if _get(call).status in ("Stopped", "Failed"):
        _refuse_too_many(call)
    record = _changed(call, ("Stopped", "Failed"), "Pending")
    NotebookInstance(call.services, record).begin()


def stop(call: Call) -> None:
    """StopNotebookInstance: Stopping until its Jupyter server and kernels are gone. Its files stay."""
    _changed(call, ("InService",), "Stopping")


def delete(call: Call) -> None:
    """DeleteNotebookInstance: one that is off, with its files."""
    remove(call.services, _changed(call, ("Stopped", "Failed"), "Deleting"))


def update(call: Call) -> dict[str, Any]:
    """UpdateNotebookInstance: one that is off; its size only grows."""
    _refuse_unsupported(call)
    given = call.input
    before = _get(call).body["request"]["VolumeSizeInGB"]
    if given.get("VolumeSizeInGB", before) < before:
        raise ValidationException(f"VolumeSizeInGB can only be increased: it is {before}.")
    _changed(call, ("Stopped", "Failed"), "Stopped", {key: given[key] for key in _UPDATED if key in given})
    return {}


def presigned_url(call: Call) -> dict[str, Any]:
    """CreatePresignedNotebookInstanceUrl. The token in it is good until the instance stops, however short a session."""
    record = _get(call)
    if record.status != "InService":
        raise ValidationException(f"Status ({record.status}) not in ([InService]).")
    return {"AuthorizedUrl": f"http://{url(record.body)}/?token={record.body['token']}"}


def describe(call: Call) -> dict[str, Any]:
    """DescribeNotebookInstance."""
    record = _get(call)
    request = {key: value for key, value in record.body["request"].items() if key != "SecurityGroupIds"}
    return {
        **request,
        "SecurityGroups": record.body["request"].get("SecurityGroupIds"),
        "NotebookInstanceArn": names.arn(KIND, record.region, record.name),
        "NotebookInstanceStatus": record.status,
        "FailureReason": record.body.get("failure"),
        "Url": url(record.body),
        "LastModifiedTime": record.modified,
        "CreationTime": record.created,
    }


def list_(call: Call) -> dict[str, Any]:
    """ListNotebookInstances, by name unless asked otherwise. None has a lifecycle configuration or a repository."""
    never = ("NotebookInstanceLifecycleConfigNameContains", "DefaultCodeRepositoryContains",
             "AdditionalCodeRepositoryEquals")  # fmt: skip
    if any(each in call.input for each in never):
        return {"NotebookInstances": []}
    return lists.page(
        call,
        KIND,
        "NotebookInstances",
        lambda each: {
            "NotebookInstanceName": each.name,
            "NotebookInstanceArn": names.arn(KIND, each.region, each.name),
            "NotebookInstanceStatus": each.status,
            "Url": url(each.body),
            "InstanceType": each.body["request"]["InstanceType"],
            "CreationTime": each.created,
            "LastModifiedTime": each.modified,
        },
    )


def recover(store: Store) -> None:
    """After a restart: what was on is Pending until it answers again, what was being stopped is stopped."""
    for record in store.all(KIND):
        if record.status == "InService":
            store.replace(record.having(status="Pending", port=None, token=None))
        elif record.status == "Stopping":
            store.replace(record.having(status="Stopped", port=None, token=None))


def begin(services: Services) -> None:
    """The server is up: start the Jupyter servers of what is Pending, go on with deletions."""
    for record in services.store.all(KIND):
        if record.status == "Pending":
            NotebookInstance(services, record).begin()
        elif record.status == "Deleting":
            remove(services, record)


OPERATIONS = {
    "CreateNotebookInstance": create,
    "DescribeNotebookInstance": describe,
    "ListNotebookInstances": list_,
    "StartNotebookInstance": start,
    "StopNotebookInstance": stop,
    "UpdateNotebookInstance": update,
    "DeleteNotebookInstance": delete,
    "CreatePresignedNotebookInstanceUrl": presigned_url,
}
