"""CreateTrainingJob and the operations on training jobs."""

from typing import Any

from include.local_aws.sagemaker import jobs, lists, names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record
from include.local_aws.training import start, statuses
from include.local_aws.wire.errors import ValidationException


def create(call: Call) -> dict[str, Any]:
    """CreateTrainingJob."""
    request = {key: value for key, value in call.input.items() if key != "Tags"}
    record = start.start(call.services, call.runner, call.region, request, tags=call.tags())
    return {"TrainingJobArn": names.arn(start.KIND, call.region, record.name)}


def _get(call: Call) -> Record:
    return jobs.get(call, start.KIND, call.input["TrainingJobName"])


def describe(call: Call) -> dict[str, Any]:
    """DescribeTrainingJob."""
    return start.describe(_get(call))


def list_(call: Call) -> dict[str, Any]:
    """ListTrainingJobs. No job here has a warm pool or a training plan, so those filters find none."""
    if "WarmPoolStatusEquals" in call.input or "TrainingPlanArnEquals" in call.input:
        return {"TrainingJobSummaries": []}
    return lists.page(
        call,
        start.KIND,
        "TrainingJobSummaries",
        lambda each: {
            "TrainingJobName": each.name,
            "TrainingJobArn": names.arn(start.KIND, each.region, each.name),
            "CreationTime": each.body.get("created", each.created),
            "TrainingEndTime": each.body.get("ended"),
            "LastModifiedTime": each.modified,
            "TrainingJobStatus": each.status,
            "SecondaryStatus": each.body["secondary"],
        },
    )


def stop(call: Call) -> None:
    """StopTrainingJob: a running job is Stopping until its process is gone."""
    record = _get(call)
    if record.status not in ("InProgress", "Stopping"):
        raise ValidationException(
            f"The request was rejected because the training job is in status {record.status}: only a job that is "
            "InProgress can be stopped."
        )
    start.stop(call.services, call.runner, call.region, record.name)


recover = statuses.recover

OPERATIONS = {
    "CreateTrainingJob": create,
    "DescribeTrainingJob": describe,
    "ListTrainingJobs": list_,
    "StopTrainingJob": stop,
}
