"""CreateHyperParameterTuningJob and the operations on tuning jobs."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from include.local_aws.sagemaker import lists, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, Record
from include.local_aws.training.requests import check as check_training
from include.local_aws.training.start import KIND as TRAINING
from include.local_aws.tuning import children, early, objectives, warm
from include.local_aws.tuning.children import CHILD, KIND, Child
from include.local_aws.tuning.job import TuningJob
from include.local_aws.tuning.requests import OBJECTIVE, Definition, plan_of
from include.local_aws.wire.errors import ValidationException


def create(call: Call) -> dict[str, Any]:
    """CreateHyperParameterTuningJob. A first training job is checked as CreateTrainingJob would."""
    request = {key: value for key, value in call.input.items() if key != "Tags"}
    name = request["HyperParameterTuningJobName"]
    key = name.lower()  # names of tuning jobs are not case sensitive
    if call.store.find(KIND, call.region, key) is not None:
        raise names.job_in_use(KIND, call.region, name)
    plan = plan_of(request)
    for definition in plan.definitions:
        _check_definition(call, name, definition)
    warm.parents(call.store, call.region, request, plan.definitions[0])
    given = tags.checked(call.tags())
    arn = names.arn(KIND, call.region, key)
    try:
        record = call.store.insert(KIND, call.region, key, "InProgress", {"request": request}, tags=(arn, given))
    except AlreadyExists as error:
        raise names.job_in_use(KIND, call.region, name) from error
    TuningJob(call, record, plan, given).begin()
    return {"HyperParameterTuningJobArn": arn}


def _check_definition(call: Call, name: str, definition: Definition) -> None:
    first = {each.name: each.text(next(iter(each.values), each.low)) for each in definition.ranges}
    check_training(children.training_request(name, definition, 1, first), call.region, call.services.s3)
    objectives.check(definition)


def _get(call: Call) -> Record:
    name: str = call.input["HyperParameterTuningJobName"]
    found = call.store.find(KIND, call.region, name.lower())
    if found is None:
        raise names.job_not_found(KIND, name)
    return found


def describe(call: Call) -> dict[str, Any]:
    """DescribeHyperParameterTuningJob."""
    record = _get(call)
    request, body = record.body["request"], record.body
    found = children.of_job(call.store, record)
    best = children.best_of(found)
    return {
        **{key: value for key, value in request.items() if not key.startswith("TrainingJobDefinition")},
        **_definitions(request),
        "HyperParameterTuningJobArn": names.arn(KIND, record.region, record.name),
        "HyperParameterTuningJobStatus": record.status,
        "CreationTime": record.created,
        "HyperParameterTuningEndTime": body.get("ended"),
        "LastModifiedTime": record.modified,
        "TrainingJobStatusCounters": children.status_counters(found),
        "ObjectiveStatusCounters": children.objective_counters(found),
        "BestTrainingJob": children.summary(best) if best else None,
        "OverallBestTrainingJob": _overall_best(call, record, best),
        "FailureReason": body.get("failure"),
        "TuningJobCompletionDetails": {
            "NumberOfTrainingJobsObjectiveNotImproving": early.not_improving(children.goodness_by_end(found)),
            "ConvergenceDetectedTime": body.get("converged"),
        },
        "ConsumedResources": {"RuntimeInSeconds": round(body.get("ended", time.time()) - record.created)},
    }


def _definitions(request: Mapping[str, Any]) -> dict[str, Any]:
    """The training job definitions as AWS tells them: with the objective among the static hyperparameters."""
    if "TrainingJobDefinitions" in request:
        return {
            "TrainingJobDefinitions": [
                _with_objective(each, each["TuningObjective"]["MetricName"])
                for each in request["TrainingJobDefinitions"]
            ]
        }
    only, config = request["TrainingJobDefinition"], request["HyperParameterTuningJobConfig"]
    objective = only.get("TuningObjective") or config["HyperParameterTuningJobObjective"]
    return {"TrainingJobDefinition": _with_objective(only, objective["MetricName"])}


def _with_objective(body: Mapping[str, Any], metric: str) -> dict[str, Any]:
    return {**body, "StaticHyperParameters": {OBJECTIVE: metric, **body.get("StaticHyperParameters", {})}}


def _overall_best(call: Call, record: Record, best: Child | None) -> dict[str, Any] | None:
    """The best training job of this tuning job and its parents, for IdenticalDataAndAlgorithm."""
    config = record.body["request"].get("WarmStartConfig", {})
    if config.get("WarmStartType") != warm.IDENTICAL:
        return None
    candidates = [(best, record)] if best else []
    for each in config["ParentHyperParameterTuningJobs"]:
        parent = call.store.find(KIND, call.region, each["HyperParameterTuningJobName"].lower())
        theirs = children.best_of(children.of_job(call.store, parent)) if parent else None
        if parent and theirs:
            candidates.append((theirs, parent))
    overall = children.best_of(child for child, _ in candidates)
    for child, owner in candidates:
        if child is overall:
            return children.summary(child, owner.body["request"]["HyperParameterTuningJobName"])
    return None


def list_(call: Call) -> dict[str, Any]:
    """ListHyperParameterTuningJobs, by name and ascending unless asked otherwise."""
    return lists.page(call, KIND, "HyperParameterTuningJobSummaries", lambda each: _summary(call, each))


def _summary(call: Call, record: Record) -> dict[str, Any]:
    config = record.body["request"]["HyperParameterTuningJobConfig"]
    found = children.of_job(call.store, record)
    return {
        "HyperParameterTuningJobName": record.body["request"]["HyperParameterTuningJobName"],
        "HyperParameterTuningJobArn": names.arn(KIND, record.region, record.name),
        "HyperParameterTuningJobStatus": record.status,
        "Strategy": config["Strategy"],
        "CreationTime": record.created,
        "HyperParameterTuningEndTime": record.body.get("ended"),
        "LastModifiedTime": record.modified,
        "TrainingJobStatusCounters": children.status_counters(found),
        "ObjectiveStatusCounters": children.objective_counters(found),
        "ResourceLimits": config["ResourceLimits"],
    }


def stop(call: Call) -> None:
    """StopHyperParameterTuningJob: it is Stopping until its training jobs have stopped."""
    record = _get(call)
    if record.status not in ("InProgress", "Stopping"):
        raise ValidationException(
            f"The request was rejected because the hyperparameter tuning job is in status {record.status}: only a job "
            "that is InProgress can be stopped."
        )
    call.store.update(
        KIND,
        call.region,
        record.name,
        lambda now: now.having(status="Stopping") if now.status == "InProgress" else now,
    )


def delete(call: Call) -> None:
    """DeleteHyperParameterTuningJob: its entry only; its training jobs and their artifacts stay."""
    record = _get(call)
    if record.status not in warm.ENDED:
        raise ValidationException(
            f"The hyperparameter tuning job is in status {record.status}: only a job that has ended can be deleted."
        )
    for row in call.store.all(CHILD, region=call.region, parent=record.name):
        call.store.delete(CHILD, call.region, row.name, "")
    call.store.delete(KIND, call.region, record.name, names.arn(KIND, call.region, record.name))


def list_training_jobs(call: Call) -> dict[str, Any]:
    """ListTrainingJobsForHyperParameterTuningJob, by name and ascending unless asked otherwise."""
    given, record = call.input, _get(call)
    arn = names.arn(KIND, record.region, record.name)
    found = children.of_job(call.store, record, lists.visible(call, TRAINING, parent=arn))
    by = given.get("SortBy", "Name")
    if "StatusEquals" in given:
        found = [each for each in found if each.record.status == given["StatusEquals"]]
    if by == "FinalObjectiveMetricValue":
        found = [each for each in found if each.value is not None]
    return lists.page_of(
        call,
        [children.summary(each) for each in found],
        "TrainingJobSummaries",
        _ORDERS[by],
        descending=given.get("SortOrder", "Ascending") == "Descending",
    )


_ORDERS: Mapping[str, Callable[[Mapping[str, Any]], tuple[Any, ...]]] = {
    "Name": lambda each: (each["TrainingJobName"],),
    "CreationTime": lambda each: (each["CreationTime"], each["TrainingJobName"]),
    "Status": lambda each: (each["TrainingJobStatus"], each["TrainingJobName"]),
    "FinalObjectiveMetricValue": lambda each: (
        each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
        each["TrainingJobName"],
    ),
}

OPERATIONS = {
    "CreateHyperParameterTuningJob": create,
    "DescribeHyperParameterTuningJob": describe,
    "ListHyperParameterTuningJobs": list_,
    "StopHyperParameterTuningJob": stop,
    "DeleteHyperParameterTuningJob": delete,
    "ListTrainingJobsForHyperParameterTuningJob": list_training_jobs,
}
