"""CreateProcessingJob and the operations on processing jobs."""

from typing import Any

from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.processing import start
from include.local_aws.processing.job import KIND
from include.local_aws.sagemaker import jobs, lists, names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record, Store
from include.local_aws.wire.errors import ValidationException


def create(call: Call) -> dict[str, Any]:
    """CreateProcessingJob. Whether its inputs exist is found out when it runs, as on AWS."""
    request = {key: value for key, value in call.input.items() if key != "Tags"}
    record = start.start(call.services, call.runner, call.region, request, tags=call.tags())
    return {"ProcessingJobArn": names.arn(KIND, call.region, record.name)}


def _get(call: Call) -> Record:
    return jobs.get(call, KIND, call.input["ProcessingJobName"])


def describe(call: Call) -> dict[str, Any]:
    """DescribeProcessingJob."""
    return start.describe(_get(call))


def list_(call: Call) -> dict[str, Any]:
    """ListProcessingJobs."""
    return lists.page(
        call,
        KIND,
        "ProcessingJobSummaries",
        lambda each: {
            "ProcessingJobName": each.name,
            "ProcessingJobArn": names.arn(KIND, each.region, each.name),
            "CreationTime": each.body.get("created", each.created),
            "ProcessingEndTime": each.body.get("ended"),
            "LastModifiedTime": each.modified,
            "ProcessingJobStatus": each.status,
            "FailureReason": each.body.get("failure"),
            "ExitMessage": each.body.get("message"),
        },
    )


def stop(call: Call) -> None:
    """StopProcessingJob: a running job is Stopping until its processes are gone."""
    record = _get(call)
    if record.status not in ("InProgress", "Stopping"):
        raise ValidationException(
            f"The request was rejected because the processing job is in status {record.status}: only a job that is "
            "InProgress can be stopped."
        )
    start.stop(call.services, call.runner, call.region, record.name)


def recover(store: Store) -> None:
    """After a restart: what ran has failed, what was being stopped is stopped."""
    for record in store.all(KIND):
        if record.status == "InProgress":
            store.replace(record.having(status="Failed", failure=CUT_OFF, ended=record.modified))
        elif record.status == "Stopping":
            store.replace(record.having(status="Stopped", ended=record.modified))


OPERATIONS = {
    "CreateProcessingJob": create,
    "DescribeProcessingJob": describe,
    "ListProcessingJobs": list_,
    "StopProcessingJob": stop,
}
