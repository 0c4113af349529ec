"""CreatePipeline and the operations on pipelines."""

import time
from collections.abc import Mapping
from typing import Any

from include.local_aws.pipelines import definition, executions, records
from include.local_aws.pipelines.records import EXECUTION, PIPELINE, RUNNING, STEP
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker import lists, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record
from include.local_aws.wire.errors import Conflict, ResourceNotFound, ValidationException, not_implemented

recover = records.recover


def create(call: Call) -> dict[str, Any]:
    """CreatePipeline: its definition is read and checked; the arguments of its steps are when they run."""
    given = call.input
    _refuse_aliases(call)
    name = given["PipelineName"]
    arn = records.arn(call.region, name)
    body = {
        "definition": _definition(call),
        "display": given.get("PipelineDisplayName", name),
        "description": given.get("PipelineDescription"),
        "role": given["RoleArn"],
        "parallel": _parallel(given),
        "token": given["ClientRequestToken"],
        "version": 1,
    }
    definition.read(body["definition"])
    try:
        call.store.insert(
            PIPELINE, call.region, name, "Active", records.present(body), tags=(arn, tags.checked(call.tags()))
        )
    except AlreadyExists as error:
        found = call.store.find(PIPELINE, call.region, name)
        if found is not None and found.body["token"] == body["token"]:
            return {"PipelineArn": arn}  # the same request was sent twice
        raise ValidationException(
            "Pipeline names must be unique within an AWS account and region. Pipeline with name "
            f"({name}) already exists."
        ) from error
    return {"PipelineArn": arn}


def _refuse_aliases(call: Call) -> None:
    if "PipelineVersionAliases" in call.input:
        raise not_implemented(f"PipelineVersionAliases of {call.operation}")


def _parallel(given: Mapping[str, Any]) -> int | None:
    found: int | None = given.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
    return found


def _definition(call: Call) -> str:
    given = call.input
    if ("PipelineDefinition" in given) == ("PipelineDefinitionS3Location" in given):
        raise ValidationException(
            "Exactly one of PipelineDefinition and PipelineDefinitionS3Location must be specified."
        )
    if "PipelineDefinition" in given:
        return str(given["PipelineDefinition"])
    place = given["PipelineDefinitionS3Location"]
    if "VersionId" in place:
        raise not_implemented(f"PipelineDefinitionS3Location.VersionId of {call.operation}")
    try:
        return call.services.s3.read(f"s3://{place['Bucket']}/{place['ObjectKey']}").decode()
    except (S3InputError, UnicodeDecodeError) as error:
        raise ValidationException(f"The pipeline definition can't be read. {error}") from error


def update(call: Call) -> dict[str, Any]:
    """UpdatePipeline: executions that run go on with the definition that they were started with."""
    given = call.input
    _refuse_aliases(call)
    name = records.pipeline(call, given["PipelineName"]).name
    text = None
    if "PipelineDefinition" in given or "PipelineDefinitionS3Location" in given:
        text = _definition(call)
        definition.read(text)
    members = {"PipelineDisplayName": "display", "PipelineDescription": "description", "RoleArn": "role"}

    def change(now: Record) -> Record:
        changed = {key: given[member] for member, key in members.items() if member in given}
        if text is not None:
            changed |= {"definition": text, "version": now.body["version"] + 1}
        if "ParallelismConfiguration" in given:
            changed["parallel"] = _parallel(given)
        return now.having(changed=time.time(), **changed)

    after = _updated(call, name, change)
    return {"PipelineArn": records.arn(call.region, name), "PipelineVersionId": after.body["version"]}


def _updated(call: Call, name: str, change: Any) -> Record:
    try:
        return call.store.update(PIPELINE, call.region, name, change)
    except DoesNotExist as error:
        raise ResourceNotFound(f"Pipeline '{records.arn(call.region, name)}' does not exist.") from error


def describe(call: Call) -> dict[str, Any]:
    """DescribePipeline: the newest version."""
    _refuse_aliases(call)
    record = records.pipeline(call, call.input["PipelineName"])
    executions.check_version(call, record)
    body = record.body
    return {
        **_summary(record),
        "PipelineDefinition": body["definition"],
        "PipelineStatus": record.status,
        "LastRunTime": body.get("last_run"),
        "CreatedBy": {},
        "LastModifiedBy": {},
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": body["parallel"]} if "parallel" in body else None,
    }


def _summary(record: Record) -> dict[str, Any]:
    body = record.body
    return {
        "PipelineArn": records.arn(record.region, record.name),
        "PipelineName": record.name,
        "PipelineDisplayName": body["display"],
        "PipelineDescription": body.get("description"),
        "RoleArn": body["role"],
        "CreationTime": record.created,
        "LastModifiedTime": body.get("changed", record.created),
    }


def list_(call: Call) -> dict[str, Any]:
    """ListPipelines, newest first unless asked otherwise. AWS manages none of them here."""
    given = call.input
    lists.refuse_unknown_filters(call, ("PipelineNamePrefix", "ManagedBy"))
    prefix, after, before = given.get("PipelineNamePrefix", ""), given.get("CreatedAfter"), given.get("CreatedBefore")
    rows = [
        {**_summary(each), "LastExecutionTime": each.body.get("last_run")}
        for each in lists.visible(call, PIPELINE)
        if each.name.startswith(prefix)
        and given.get("ManagedBy") != "AWS"
        and (after is None or each.created > after.timestamp())
        and (before is None or each.created < before.timestamp())
    ]
    by_name = given.get("SortBy") == "Name"
    return lists.page_of(
        call,
        rows,
        "PipelineSummaries",
        lambda row: (row["PipelineName"],) if by_name else (row["CreationTime"], row["PipelineName"]),
        descending=given.get("SortOrder", "Descending") == "Descending",
    )


def delete(call: Call) -> dict[str, Any]:
    """DeletePipeline, with its executions, none of which may be running."""
    record = records.pipeline(call, call.input["PipelineName"])
    arn = records.arn(call.region, record.name)
    known = call.store.all(EXECUTION, region=call.region, parent=record.name)
    running = [each for each in known if each.status in RUNNING]
    if running:
        raise Conflict(
            f"Pipeline '{arn}' can't be deleted: its execution {records.arn(call.region, running[0].name)} is "
            f"{running[0].status}. Stop it first."
        )
    try:
        call.store.delete(PIPELINE, call.region, record.name, arn)
        for execution in call.store.all(EXECUTION, region=call.region, parent=record.name):
            for step in call.store.all(STEP, region=call.region, parent=execution.name):
                call.store.delete(STEP, call.region, step.name, "")
            call.store.delete(EXECUTION, call.region, execution.name, "")
    except DoesNotExist:
        return {"PipelineArn": arn}  # another call was first, which is what was wanted
    return {"PipelineArn": arn}


OPERATIONS = {
    "CreatePipeline": create,
    "UpdatePipeline": update,
    "DescribePipeline": describe,
    "ListPipelines": list_,
    "DeletePipeline": delete,
    **executions.OPERATIONS,
}
