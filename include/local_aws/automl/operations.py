"""CreateAutoMLJob, CreateAutoMLJobV2 and the operations on AutoML jobs and their candidates."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.automl.job import AutoMLJob
from include.local_aws.automl.requests import check, from_v1
from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.sagemaker import jobs, lists, names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record, Store
from include.local_aws.wire.errors import ValidationException


def create(call: Call) -> dict[str, Any]:
    """CreateAutoMLJob (version 1)."""
    return _create(call, 1, from_v1(call.input))


def create_v2(call: Call) -> dict[str, Any]:
    """CreateAutoMLJobV2."""
    return _create(call, 2, {key: value for key, value in call.input.items() if key != "Tags"})


def _create(call: Call, version: int, request: Mapping[str, Any]) -> dict[str, Any]:
    name = request["AutoMLJobName"]
    jobs.refuse_taken(call, "automl", name)
    check(request)
    original = {key: value for key, value in call.input.items() if key != "Tags"}
    body = {"version": version, "v1": original if version == 1 else None, "v2": request, "secondary": "Starting"}
    record = jobs.insert(call, "automl", name, body)
    call.runner.start(AutoMLJob(call.services, record))
    return {"AutoMLJobArn": names.arn("automl", call.region, name)}


def _get(call: Call) -> Record:
    return jobs.get(call, "automl", call.input["AutoMLJobName"])


def describe(call: Call) -> dict[str, Any]:
    """DescribeAutoMLJob, which can't read version 2 jobs."""
    record = _get(call)
    if record.body["version"] != 1:
        raise ValidationException(
            f"The AutoML job {record.name} was created by CreateAutoMLJobV2: DescribeAutoMLJob can't describe it. "
            "Use DescribeAutoMLJobV2."
        )
    request = record.body["v1"]
    resolved = record.body.get("resolved")
    return {
        **_common(call, record),
        "InputDataConfig": request["InputDataConfig"],
        "ProblemType": request.get("ProblemType"),
        "AutoMLJobConfig": request.get("AutoMLJobConfig"),
        "GenerateCandidateDefinitionsOnly": request.get("GenerateCandidateDefinitionsOnly"),
        "ResolvedAttributes": resolved,
    }


def describe_v2(call: Call) -> dict[str, Any]:
    """DescribeAutoMLJobV2, of jobs of both versions."""
    record = _get(call)
    request = record.body["v2"]
    resolved = record.body.get("resolved")
    return {
        **_common(call, record),
        "AutoMLJobInputDataConfig": request["AutoMLJobInputDataConfig"],
        "AutoMLProblemTypeConfig": request["AutoMLProblemTypeConfig"],
        "AutoMLProblemTypeConfigName": "Tabular",
        "DataSplitConfig": request.get("DataSplitConfig"),
        "SecurityConfig": request.get("SecurityConfig"),
        "ResolvedAttributes": resolved
        and {
            "AutoMLJobObjective": resolved["AutoMLJobObjective"],
            "CompletionCriteria": resolved.get("CompletionCriteria"),
            "AutoMLProblemTypeResolvedAttributes": {
                "TabularResolvedAttributes": {"ProblemType": resolved["ProblemType"]}
            },
        },
    }


def _common(call: Call, record: Record) -> dict[str, Any]:
    request = record.body["v2"]
    best = record.body.get("best")
    candidate = best and call.store.find("candidate", record.region, f"{record.name.lower()}/{best}")
    return {
        "AutoMLJobName": record.name,
        "AutoMLJobArn": names.arn("automl", record.region, record.name),
        "OutputDataConfig": request["OutputDataConfig"],
        "RoleArn": request["RoleArn"],
        "AutoMLJobObjective": request.get("AutoMLJobObjective"),
        "CreationTime": record.created,
        "EndTime": record.body.get("ended"),
        "LastModifiedTime": record.modified,
        "FailureReason": record.body.get("failure"),
        "PartialFailureReasons": record.body.get("partial"),
        "BestCandidate": dict(candidate.body) if candidate else None,
        "AutoMLJobStatus": record.status,
        "AutoMLJobSecondaryStatus": record.body["secondary"],
        "AutoMLJobArtifacts": record.body.get("artifacts"),
    }


def list_(call: Call) -> dict[str, Any]:
    """ListAutoMLJobs, by name unless asked otherwise."""
    return lists.page(
        call,
        "automl",
        "AutoMLJobSummaries",
        lambda each: {
            "AutoMLJobName": each.name,
            "AutoMLJobArn": names.arn("automl", each.region, each.name),
            "AutoMLJobStatus": each.status,
            "AutoMLJobSecondaryStatus": each.body["secondary"],
            "CreationTime": each.created,
            "EndTime": each.body.get("ended"),
            "LastModifiedTime": each.modified,
            "FailureReason": each.body.get("failure"),
            "PartialFailureReasons": each.body.get("partial"),
        },
        sort="Name",
    )


def stop(call: Call) -> None:
    """StopAutoMLJob: a running job is Stopping until its process is gone."""
    record = _get(call)

    def change(now: Record) -> Record:
        if now.status != "InProgress":
            return now
        return now.having(status="Stopping", secondary="Stopping")

    if record.status not in ("InProgress", "Stopping"):
        raise ValidationException(
            f"The request was rejected because the AutoML job {record.name} is in status {record.status}: only a job "
            "that is InProgress can be stopped."
        )
    call.store.update("automl", call.region, record.name, change)
    call.runner.stop("automl", call.region, record.name)


def list_candidates(call: Call) -> dict[str, Any]:
    """ListCandidatesForAutoMLJob, newest first unless asked otherwise."""
    record, given = _get(call), call.input
    found = [each.body for each in lists.visible(call, "candidate", parent=record.name.lower())]
    if "StatusEquals" in given:
        found = [each for each in found if each["CandidateStatus"] == given["StatusEquals"]]
    if "CandidateNameEquals" in given:
        found = [each for each in found if each["CandidateName"] == given["CandidateNameEquals"]]
    by = given.get("SortBy", "CreationTime")
    descending = given.get("SortOrder", "Descending") == "Descending"
    return lists.page_of(call, found, "Candidates", _ORDERS[by], descending=descending)


def _objective(candidate: Mapping[str, Any]) -> tuple[Any, ...]:
    metric = candidate.get("FinalAutoMLJobObjectiveMetric")
    return (metric is not None, metric["Value"] if metric else 0.0, candidate["CandidateName"])


_ORDERS = {
    "CreationTime": lambda each: (each["CreationTime"], each["CandidateName"]),
    "Status": lambda each: (each["CandidateStatus"], each["CandidateName"]),
    "FinalObjectiveMetricValue": _objective,
}


def recover(store: Store) -> None:
    """After a restart: what ran has failed, what was being stopped is stopped."""
    for record in store.all("automl"):
        if record.status == "InProgress":
            ended = record.having(status="Failed", secondary="Failed", failure=CUT_OFF, ended=record.modified)
        elif record.status == "Stopping":
            ended = record.having(status="Stopped", secondary="Stopped", ended=record.modified)
        else:
            continue
        store.replace(ended)


OPERATIONS = {
    "CreateAutoMLJob": create,
    "CreateAutoMLJobV2": create_v2,
    "DescribeAutoMLJob": describe,
    "DescribeAutoMLJobV2": describe_v2,
    "ListAutoMLJobs": list_,
    "StopAutoMLJob": stop,
    "ListCandidatesForAutoMLJob": list_candidates,
}
