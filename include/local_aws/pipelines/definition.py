"""A pipeline's definition: read, checked, and its steps in one flat list with what each waits for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.local_aws.pipelines import conditions, parameters
from include.local_aws.pipelines.expressions import ExpressionError, references
from include.local_aws.pipelines.parameters import Parameter
from include.local_aws.wire.errors import ValidationException, not_implemented

Json = Any

VERSIONS = ("2020-12-01",)
STEP_TYPES = ("Processing", "Training", "Tuning", "Transform", "Model", "RegisterModel", "AutoML", "Condition", "Fail")
OF_AWS = ("Callback", "Lambda", "EMR", "EMRServerless", "QualityCheck", "ClarifyCheck", "NotebookJob", "DataQuality",
          "Endpoint", "EndpointConfig", "InferenceComponent", "BedrockCustomModel", "BedrockCustomModelDeployment",
          "BedrockProvisionedModelThroughput", "BedrockModelImport", "Lineage", "Job", "Athena", "Cleanup", "ForEach",
          "HubContent", "MonitorBatchTransform")  # fmt: skip
"""Types of steps that AWS has and that are not here."""
VARIABLES = ("StartDateTime", "CurrentDateTime", "PipelineName", "PipelineArn", "PipelineExecutionId",
             "PipelineExecutionArn", "TrainingJobName", "ProcessingJobName")  # fmt: skip

_STEP_NAME = re.compile(r"[A-Za-z0-9\-_]{1,64}")


@dataclass(frozen=True)
class Step:
    """One step. `waits_for` are names of steps; `branch` is the Condition step and the outcome that it hangs on."""

    name: str
    type: str
    arguments: Mapping[str, Json]
    waits_for: frozenset[str]
    branch: tuple[str, bool] | None
    display: str | None
    description: str | None
    files: Mapping[str, tuple[str, str]]
    """Property files: output and path in it, by name."""


@dataclass(frozen=True)
class Definition:
    """A whole pipeline."""

    parameters: Mapping[str, Parameter]
    steps: Mapping[str, Step]
    experiment: Mapping[str, Json]
    """ExperimentName and TrialName as they stand there, which may be expressions."""


def read(text: str) -> Definition:
    """The definition in its JSON text; raises `ValidationException`, or not implemented for what is not here."""
    try:
        return _read(text)
    except ExpressionError as error:
        raise ValidationException(f"Invalid pipeline definition: {error}") from error
    except RecursionError as error:
        raise ValidationException("Invalid pipeline definition: it is nested too deeply.") from error


def _read(text: str) -> Definition:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"it is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ExpressionError(f"expected a JSON object, found {type(document).__name__}.")
    if document.get("Version") not in VERSIONS:
        raise ExpressionError(f"expected Version {VERSIONS[0]!r}, found {document.get('Version')!r}.")
    if not isinstance(document.get("Steps"), list) or not document["Steps"]:
        raise ExpressionError("expected a list of at least one step at Steps.")
    if document.get("MlflowConfig"):
        raise not_implemented("MlflowConfig of pipelines")
    declared = parameters.read(_optional(document, "Parameters", list, "the definition") or [])
    steps: dict[str, Step] = {}
    for step in _flat(document["Steps"], None):
        if step.name in steps:
            raise ExpressionError(f"step names must be unique, found {step.name!r} more than once.")
        steps[step.name] = step
    experiment = _optional(document, "PipelineExperimentConfig", dict, "the definition") or {}
    _check_references("PipelineExperimentConfig", experiment, declared, {})
    for step in steps.values():
        _check_references(f"the step {step.name!r}", step.arguments, declared, steps)
        for name in sorted(step.waits_for - set(steps)):
            raise ExpressionError(f"the step {step.name!r} depends on {name!r}, which is no step.")
    _check_order(steps)
    return Definition(declared, steps, experiment)


def _flat(given: Json, branch: tuple[str, bool] | None) -> Iterator[Step]:
    if not isinstance(given, list):
        raise ExpressionError(f"expected a list of steps, found {given!r}.")
    for each in given:
        step = _step(each, branch)
        yield step
        if step.type == "Condition":
            yield from _flat(step.arguments.get("IfSteps", []), (step.name, True))
            yield from _flat(step.arguments.get("ElseSteps", []), (step.name, False))


def _step(given: Json, branch: tuple[str, bool] | None) -> Step:
    if not isinstance(given, dict) or not isinstance(given.get("Name"), str):
        raise ExpressionError(f"expected a step with a Name and a Type, found {given!r}.")
    name, kind = given["Name"], given.get("Type")
    if not _STEP_NAME.fullmatch(name):
        raise ExpressionError(f"expected a step name of 1 to 64 letters, digits, - and _, found {name!r}.")
    if isinstance(kind, str) and kind in OF_AWS:
        raise not_implemented(f"the step type {kind} of pipelines, which the step {name!r} has")
    if kind not in STEP_TYPES:
        raise ExpressionError(f"the step {name!r} has the unknown Type {kind!r}. There are {', '.join(STEP_TYPES)}.")
    where = f"the step {name!r}"
    if (_optional(given, "CacheConfig", dict, where) or {}).get("Enabled"):
        raise not_implemented(f"CacheConfig.Enabled, which the step {name!r} of the pipeline has")
    if given.get("RetryPolicies"):
        raise not_implemented(f"RetryPolicies, which the step {name!r} of the pipeline has")
    arguments = _optional(given, "Arguments", dict, where) or {}
    own: Json = arguments
    if kind == "Condition":
        if not isinstance(arguments.get("Conditions"), list) or not arguments["Conditions"]:
            raise ExpressionError(f"expected a list of Conditions in the step {name!r}.")
        for each in arguments["Conditions"]:
            conditions.check(each)
        own = arguments["Conditions"]
    depends = _optional(given, "DependsOn", list, where) or []
    if not all(isinstance(each, str) for each in depends):
        raise ExpressionError(f"expected a list of step names at DependsOn of the step {name!r}, found {depends!r}.")
    used = {each.name for each in references(own) if each.kind == "Steps"}
    before = {branch[0]} if branch else set()
    return Step(
        name,
        kind,
        arguments,
        frozenset(used | before | {each.removeprefix("Steps.") for each in depends}),
        branch,
        _optional(given, "DisplayName", str, where),
        _optional(given, "Description", str, where),
        _files(name, _optional(given, "PropertyFiles", list, where) or []),
    )


def _optional(given: Mapping[str, Json], member: str, kind: type, where: str) -> Json:
    value = given.get(member)
    if value is not None and not isinstance(value, kind):
        words: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
        raise ExpressionError(f"expected {words[kind]} at {member} of {where}, found {value!r}.")
    return value


def _files(step: str, given: Json) -> dict[str, tuple[str, str]]:
    members = ("PropertyFileName", "OutputName", "FilePath")
    found = {}
    for each in given:
        if not isinstance(each, dict) or not all(isinstance(each.get(member), str) for member in members):
            raise ExpressionError(
                f"expected {', '.join(members)} in the PropertyFiles of the step {step!r}, found {each!r}."
            )
        found[each["PropertyFileName"]] = (each["OutputName"], each["FilePath"])
    return found


def _check_references(where: str, value: Json, declared: Mapping[str, Parameter], steps: Mapping[str, Step]) -> None:
    for each in references(value):
        if each.kind == "Parameters" and each.name not in declared:
            raise ExpressionError(f"{where} refers to the parameter {each.name!r}, which is not among Parameters.")
        if each.kind == "Execution" and each.name not in VARIABLES:
            raise ExpressionError(f"{where} refers to Execution.{each.name}. There are {', '.join(VARIABLES)}.")
        if each.kind == "Steps" and each.name not in steps:
            raise ExpressionError(f"{where} refers to the step {each.name!r}, which is no step.")
        if (
            each.kind == "Steps"
            and each.path[:1] == ("PropertyFiles",)
            and (len(each.path) != 2 or each.path[1] not in steps[each.name].files)
        ):
            raise ExpressionError(f"{where} refers to a property file that the step {each.name!r} does not have.")


def _check_order(steps: Mapping[str, Step]) -> None:
    left = dict(steps)
    while left:
        free = [name for name, step in left.items() if not step.waits_for & set(left)]
        if not free:
            raise ExpressionError(f"the steps {', '.join(sorted(left))} wait for each other.")
        for name in free:
            del left[name]
