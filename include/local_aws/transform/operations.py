"""CreateTransformJob and the operations on transform jobs."""

from typing import Any

from include.local_aws.experiments import catalogue
from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker import jobs, lists, models, names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record, Store
from include.local_aws.transform.job import TransformJob
from include.local_aws.transform.requests import check
from include.local_aws.wire.errors import ValidationException


def create(call: Call) -> dict[str, Any]:
    """CreateTransformJob: the model and at least one input object must exist."""
    name = call.input["TransformJobName"]
    jobs.refuse_taken(call, "transform", name)
    model = models.get(call, call.input["ModelName"])
    request = {key: value for key, value in call.input.items() if key != "Tags"}
    check(request)
    catalogue.check(call.store, call.region, request.get("ExperimentConfig"))
    source = request["TransformInput"]["DataSource"]["S3DataSource"]
    try:
        found = call.services.s3.any_below(source["S3Uri"])
    except S3InputError as error:
        raise ValidationException(str(error)) from error
    if not found:
        raise ValidationException(
            f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the '
            f"bucket exists in the selected region ({call.region}) and that objects exist under that S3 prefix."
        )
    body = {"request": request, "containers": models.containers_of(model)}
    record = jobs.insert(call, "transform", name, body)
    call.runner.start(TransformJob(call.services, record))
    return {"TransformJobArn": names.arn("transform", call.region, name)}


def _get(call: Call) -> Record:
    return jobs.get(call, "transform", call.input["TransformJobName"])


def describe(call: Call) -> dict[str, Any]:
    """DescribeTransformJob."""
    record = _get(call)
    return {
        **record.body["request"],
        "TransformJobArn": names.arn("transform", record.region, record.name),
        "TransformJobStatus": record.status,
        "FailureReason": record.body.get("failure"),
        "CreationTime": record.body.get("created", record.created),
        "TransformStartTime": record.body.get("started"),
        "TransformEndTime": record.body.get("ended"),
        "AutoMLJobArn": record.body.get("automl_job_arn"),
    }


def list_(call: Call) -> dict[str, Any]:
    """ListTransformJobs."""
    return lists.page(
        call,
        "transform",
        "TransformJobSummaries",
        lambda each: {
            "TransformJobName": each.name,
            "TransformJobArn": names.arn("transform", each.region, each.name),
            "CreationTime": each.created,
            "TransformEndTime": each.body.get("ended"),
            "LastModifiedTime": each.modified,
            "TransformJobStatus": each.status,
            "FailureReason": each.body.get("failure"),
        },
    )


def stop(call: Call) -> None:
    """StopTransformJob: a running job is Stopping until its process is gone."""
    record = _get(call)
    if record.status not in ("InProgress", "Stopping"):
        raise ValidationException(
            f"The request was rejected because the transform job is in status {record.status}: only a job that is "
            "InProgress can be stopped."
        )
    call.store.update(
        "transform",
        call.region,
        record.name,
        lambda now: now.having(status="Stopping") if now.status == "InProgress" else now,
    )
    call.runner.stop("transform", call.region, record.name)


def recover(store: Store) -> None:
    """After a restart: what ran has failed, what was being stopped is stopped."""
    for record in store.all("transform"):
        if record.status == "InProgress":
            ended = record.having(status="Failed", failure=CUT_OFF, ended=record.modified)
        elif record.status == "Stopping":
            ended = record.having(status="Stopped", ended=record.modified)
        else:
            continue
        store.replace(ended)


OPERATIONS = {
    "CreateTransformJob": create,
    "DescribeTransformJob": describe,
    "ListTransformJobs": list_,
    "StopTransformJob": stop,
}
