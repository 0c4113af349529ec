"""Starting a step: its arguments resolved, its operation called."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.local_aws.pipelines import conditions
from include.local_aws.pipelines.definition import Step
from include.local_aws.pipelines.expressions import ExpressionError, Scope, resolve, text_of
from include.local_aws.pipelines.kinds import JOBS, job_name
from include.local_aws.pipelines.performing import perform, shape_of
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Call
from include.local_aws.wire.errors import AwsError

Json = Any

_LONGEST_SENTENCE = 3072
"""Characters of a Fail step's message (API reference, FailStepMetadata)."""


class StepFailed(Exception):
    """The step fails for this reason; `metadata` is what is told of it."""

    def __init__(self, reason: str, metadata: Mapping[str, Json] | None = None) -> None:
        super().__init__(reason)
        self.metadata = metadata or {}


@dataclass(frozen=True)
class Started:
    """What a step has started, or its outcome where it is over at once."""

    resource: str | None
    metadata: Mapping[str, Json]
    outcome: bool | None = None


@dataclass(frozen=True)
class Asker:
    """For whom steps are started."""

    call: Call
    execution: str
    execution_arn: str
    role: str
    experiment: Mapping[str, str]
    scope: Scope


def start(asker: Asker, step: Step) -> Started:
    """Start a step; raises `StepFailed`. A job goes on by itself, everything else is over when this returns."""
    try:
        match step.type:
            case "Condition":
                outcome = all(conditions.holds(each, asker.scope) for each in step.arguments["Conditions"])
                return Started(None, {"Condition": {"Outcome": "True" if outcome else "False"}}, outcome)
            case "Fail":
                said = text_of(resolve(step.arguments.get("ErrorMessage", ""), asker.scope))[:_LONGEST_SENTENCE]
                raise StepFailed(said, {"Fail": {"ErrorMessage": said}})
            case "Model":
                return _model(asker, step)
            case "RegisterModel":
                return _package(asker, step)
        return _job(asker, step)
    except ExpressionError as error:
        raise StepFailed(f"ClientError: Failed to resolve the arguments of the step {step.name}. {error}") from error


def _perform(asker: Asker, operation: str, document: Mapping[str, Json]) -> dict[str, Json]:
    try:
        return perform(asker.call, operation, document)
    except AwsError as error:
        raise StepFailed(
            f"ClientError: Failed to invoke sagemaker:{operation}. Error Details: {error.message}"
        ) from error


def _arguments(asker: Asker, step: Step, operation: str) -> dict[str, Json]:
    resolved = resolve(step.arguments, asker.scope, shape_of(operation))
    return {key: value for key, value in resolved.items() if value is not None}


def _tagged(asker: Asker, step: Step, given: Mapping[str, Json]) -> list[Json]:
    own = [
        {"Key": "sagemaker:pipeline-execution-arn", "Value": asker.execution_arn},
        {"Key": "sagemaker:pipeline-step-name", "Value": step.name},
    ]
    return [*given.get("Tags", []), *own]


def _job(asker: Asker, step: Step) -> Started:
    kind = JOBS[step.type]
    arguments = _arguments(asker, step, kind.create)
    members = shape_of(kind.create).members
    name = job_name(asker.execution, step.name, kind.longest, arguments.get(kind.name))
    arguments[kind.name] = name
    arguments["Tags"] = _tagged(asker, step, arguments)
    if "RoleArn" in members:
        arguments.setdefault("RoleArn", asker.role)
    if "ExperimentConfig" in members and asker.experiment:
        arguments.setdefault("ExperimentConfig", {**asker.experiment, "TrialComponentDisplayName": name})
    answer = _perform(asker, kind.create, arguments)
    return Started(name, {kind.metadata: {"Arn": answer[kind.arn]}})


def _model(asker: Asker, step: Step) -> Started:
    arguments = _arguments(asker, step, "CreateModel")
    name = job_name(asker.execution, step.name, 63, arguments.get("ModelName"))
    arguments["ModelName"] = name
    arguments["Tags"] = _tagged(asker, step, arguments)
    answer = _perform(asker, "CreateModel", arguments)
    return Started(name, {"Model": {"Arn": answer["ModelArn"]}})


def _package(asker: Asker, step: Step) -> Started:
    """A version of its group, which is created where there is none, with the step's tags."""
    arguments = _arguments(asker, step, "CreateModelPackage")
    tags = arguments.pop("Tags", [])
    group = arguments.get("ModelPackageGroupName")
    if group is None:
        arguments["Tags"] = tags
    elif not group.startswith("arn:"):
        _ensure_group(asker, group, tags)
    answer = _perform(asker, "CreateModelPackage", arguments)
    arn = answer["ModelPackageArn"]
    return Started(names.of_arn(arn)[2], {"RegisterModel": {"Arn": arn}})


def _ensure_group(asker: Asker, group: str, tags: list[Json]) -> None:
    if asker.call.store.find("model-package-group", asker.call.region, group) is not None:
        return
    try:
        perform(asker.call, "CreateModelPackageGroup", {"ModelPackageGroupName": group, "Tags": tags})
    except AwsError as error:
        if asker.call.store.find("model-package-group", asker.call.region, group) is None:
            raise StepFailed(
                f"ClientError: Failed to invoke sagemaker:CreateModelPackageGroup. Error Details: {error.message}"
            ) from error
