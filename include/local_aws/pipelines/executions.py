"""StartPipelineExecution and the operations on executions and their steps."""

import time
from collections.abc import Mapping
from typing import Any

from include.local_aws.pipelines import definition, parameters, records
from include.local_aws.pipelines.execution import PipelineExecution
from include.local_aws.pipelines.expressions import text_of
from include.local_aws.pipelines.records import EXECUTION, PIPELINE, STEP
from include.local_aws.sagemaker import lists
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, DoesNotExist, Record
from include.local_aws.wire.errors import Conflict, ResourceNotFound, ValidationException, not_implemented

_UNSUPPORTED = ("SelectiveExecutionConfig", "MlflowExperimentName")


def check_version(call: Call, pipeline: Record) -> None:
    """Raise for another version than the newest, which is the only one that is kept, and for any alias."""
    if "PipelineVersionAlias" in call.input:
        alias = call.input["PipelineVersionAlias"]
        raise ResourceNotFound(f"Pipeline '{records.arn(call.region, pipeline.name)}' has no version named {alias}.")
    wanted, newest = call.input.get("PipelineVersionId"), pipeline.body["version"]
    if wanted is None or wanted == newest:
        return
    if 0 < wanted < newest:
        raise not_implemented(f"PipelineVersionId {wanted} of {call.operation}: the newest version only ({newest})")
    raise ResourceNotFound(f"Pipeline '{records.arn(call.region, pipeline.name)}' has no version {wanted}.")


def start(call: Call) -> dict[str, Any]:
    """StartPipelineExecution. The same request sent twice is one execution."""
    given = call.input
    for member in _UNSUPPORTED:
        if member in given:
            raise not_implemented(f"{member} of StartPipelineExecution")
    pipeline = records.pipeline(call, given["PipelineName"])
    check_version(call, pipeline)
    if "RoleArn" in given:
        raise ValidationException("RoleArn can only be given for a pipeline that AWS manages.")
    given_parameters = _parameters(given)
    parameters.values(definition.read(pipeline.body["definition"]).parameters, given_parameters)
    name = records.execution_name(pipeline, given["ClientRequestToken"])
    arn = records.arn(call.region, name)
    body = {
        "request": {key: value for key, value in given.items() if key != "ClientRequestToken"},
        "definition": pipeline.body["definition"],
        "defined": pipeline.body.get("changed", pipeline.created),
        "version": pipeline.body["version"],
        "role": pipeline.body["role"],
        "parameters": given_parameters,
        "parallel": _parallel(given) or pipeline.body.get("parallel"),
        "display": given.get("PipelineExecutionDisplayName", f"execution-{int(time.time() * 1000)}"),
        "description": given.get("PipelineExecutionDescription"),
    }
    try:
        record = call.store.insert(
            EXECUTION, call.region, name, "Executing", records.present(body), parent=pipeline.name
        )
    except AlreadyExists as error:
        found = call.store.find(EXECUTION, call.region, name)
        if found is None or found.body["request"] != body["request"]:
            raise Conflict(f"The ClientRequestToken was used for another request, which started {arn}.") from error
        return {"PipelineExecutionArn": arn}
    try:
        call.store.update(PIPELINE, call.region, pipeline.name, lambda now: now.having(last_run=record.created))
    except DoesNotExist as error:
        call.store.delete(EXECUTION, call.region, name, "")
        raise ResourceNotFound(f"Pipeline '{records.arn(call.region, pipeline.name)}' does not exist.") from error
    PipelineExecution(call, record).begin()
    return {"PipelineExecutionArn": arn}


def _parameters(given: Mapping[str, Any]) -> dict[str, str]:
    pairs = given.get("PipelineParameters", ())
    found = {each["Name"]: each["Value"] for each in pairs}
    if len(found) != len(pairs):
        raise ValidationException("The names of PipelineParameters must be unique.")
    return found


def _parallel(given: Mapping[str, Any]) -> int | None:
    found: int | None = given.get("ParallelismConfiguration", {}).get("MaxParallelExecutionSteps")
    return found


def _get(call: Call) -> Record:
    return records.execution(call, call.input["PipelineExecutionArn"])


def _answer(record: Record) -> dict[str, Any]:
    return {"PipelineExecutionArn": records.arn(record.region, record.name)}


def describe(call: Call) -> dict[str, Any]:
    """DescribePipelineExecution."""
    record = _get(call)
    body = record.body
    return {
        **_answer(record),
        "PipelineArn": records.arn(record.region, str(record.parent)),
        "PipelineExecutionDisplayName": body["display"],
        "PipelineExecutionDescription": body.get("description"),
        "PipelineExecutionStatus": record.status,
        "PipelineExperimentConfig": body.get("experiment"),
        "FailureReason": body.get("failure"),
        "CreationTime": record.created,
        "LastModifiedTime": record.modified,
        "CreatedBy": {},
        "LastModifiedBy": {},
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": body["parallel"]} if "parallel" in body else None,
        "PipelineVersionId": body["version"],
    }


def list_(call: Call) -> dict[str, Any]:
    """ListPipelineExecutions, newest first unless asked otherwise."""
    given = call.input
    pipeline = records.pipeline(call, given["PipelineName"])
    check_version(call, pipeline)
    lists.refuse_unknown_filters(call, ("PipelineName",))
    after, before = given.get("CreatedAfter"), given.get("CreatedBefore")
    rows = [
        {
            **_answer(each),
            "StartTime": each.created,
            "PipelineExecutionStatus": each.status,
            "PipelineExecutionDescription": each.body.get("description"),
            "PipelineExecutionDisplayName": each.body["display"],
            "PipelineExecutionFailureReason": each.body.get("failure"),
        }
        for each in lists.visible(call, EXECUTION, parent=pipeline.name)
        if (after is None or each.created > after.timestamp()) and (before is None or each.created < before.timestamp())
    ]
    by_arn = given.get("SortBy") == "PipelineExecutionArn"
    return lists.page_of(
        call,
        rows,
        "PipelineExecutionSummaries",
        lambda row: (row["PipelineExecutionArn"],) if by_arn else (row["StartTime"], row["PipelineExecutionArn"]),
        descending=given.get("SortOrder", "Descending") == "Descending",
    )


def list_steps(call: Call) -> dict[str, Any]:
    """ListPipelineExecutionSteps: those that have started, the last one first unless asked otherwise."""
    given = call.input
    if "PipelineExecutionArn" not in given:
        raise ValidationException("PipelineExecutionArn must be specified.")
    record = _get(call)
    rows = [_step(each) for each in lists.visible(call, STEP, parent=record.name)]
    return lists.page_of(
        call,
        rows,
        "PipelineExecutionSteps",
        lambda row: (row["StartTime"], row["StepName"]),
        descending=given.get("SortOrder", "Descending") == "Descending",
    )


def _step(row: Record) -> dict[str, Any]:
    body = row.body
    return {
        "StepName": body["step"],
        "StepDisplayName": body.get("display"),
        "StepDescription": body.get("description"),
        "StartTime": body["started"],
        "EndTime": body.get("ended"),
        "StepStatus": row.status,
        "FailureReason": body.get("failure"),
        "Metadata": body.get("metadata"),
        "AttemptCount": 1,
    }


def list_parameters(call: Call) -> dict[str, Any]:
    """ListPipelineParametersForExecution: all of them, those that were not given with their default."""
    record = _get(call)
    declared = definition.read(record.body["definition"]).parameters
    values = parameters.values(declared, record.body["parameters"])
    rows = [{"Name": name, "Value": text_of(value)} for name, value in values.items()]
    return lists.page_of(call, rows, "PipelineParameters", lambda row: (row["Name"],), descending=False)


def describe_definition(call: Call) -> dict[str, Any]:
    """DescribePipelineDefinitionForExecution: the definition that it was started with."""
    record = _get(call)
    return {"PipelineDefinition": record.body["definition"], "CreationTime": record.body["defined"]}


def stop(call: Call) -> dict[str, Any]:
    """StopPipelineExecution: Stopping until the jobs of its steps have stopped."""
    token = call.input["ClientRequestToken"]

    def change(now: Record) -> Record:
        if now.status == "Executing":
            return now.having(status="Stopping", stop_token=token)
        if now.body.get("stop_token") == token:
            return now
        raise ValidationException(
            f"Pipeline execution with ARN {records.arn(now.region, now.name)} status '{now.status}'. Only pipelines "
            "with 'Executing' status can be stopped"
        )

    return _answer(_updated(call, change))


def _updated(call: Call, change: Any) -> Record:
    record = _get(call)
    try:
        return call.store.update(EXECUTION, call.region, record.name, change)
    except DoesNotExist:
        return _get(call)  # deleted meanwhile: says so


def retry(call: Call) -> dict[str, Any]:
    """RetryPipelineExecution: what has succeeded stays, the rest runs again with the same parameters."""
    token = call.input["ClientRequestToken"]
    again = False

    def change(now: Record) -> Record:
        nonlocal again
        again = now.status in ("Failed", "Stopped")
        if again:
            changed = {"parallel": _parallel(call.input)} if "ParallelismConfiguration" in call.input else {}
            return now.having(
                status="Executing", retry_token=token, stop_token=None, failure=None, ended=None, **changed
            )
        if now.body.get("retry_token") == token:
            return now
        raise ValidationException(
            f"Pipeline execution with ARN {records.arn(now.region, now.name)} status '{now.status}'. Only pipelines "
            "with 'Failed' or 'Stopped' status can be retried"
        )

    record = _updated(call, change)
    if again:
        PipelineExecution(call, record).begin()
    return _answer(record)


def update(call: Call) -> dict[str, Any]:
    """UpdatePipelineExecution: its words. How many steps run at once is decided when it starts."""
    given = call.input
    if "ParallelismConfiguration" in given:
        raise not_implemented("ParallelismConfiguration of UpdatePipelineExecution")
    members = {"PipelineExecutionDisplayName": "display", "PipelineExecutionDescription": "description"}
    changed = {key: given[member] for member, key in members.items() if member in given}
    return _answer(_updated(call, lambda now: now.having(**changed)))


OPERATIONS = {
    "StartPipelineExecution": start,
    "DescribePipelineExecution": describe,
    "ListPipelineExecutions": list_,
    "ListPipelineExecutionSteps": list_steps,
    "ListPipelineParametersForExecution": list_parameters,
    "DescribePipelineDefinitionForExecution": describe_definition,
    "StopPipelineExecution": stop,
    "RetryPipelineExecution": retry,
    "UpdatePipelineExecution": update,
}
