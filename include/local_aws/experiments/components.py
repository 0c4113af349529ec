"""Trial components: what is told of a stage of a trial. A job's component is read from the job, never stored.

A stored row holds what was said through the API: everything of a component that somebody created, what was changed of
a job's. Names and artifacts are as on AWS: ``<job>-aws-training-job``, ``SageMaker.ModelArtifact`` and so on.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, pstdev
from typing import Any

from include.local_aws.sagemaker import names
from include.local_aws.store import Record
from include.local_aws.training.metrics import Value

KIND = "trial-component"

SOURCES = {
    "training": ("-aws-training-job", "SageMakerTrainingJob"),
    "processing": ("-aws-processing-job", "SageMakerProcessingJob"),
    "transform": ("-aws-transform-job", "SageMakerTransformJob"),
}
"""Kinds of jobs that are components: how their component's name ends, and their SourceType."""

MAX_PARAMETERS = 300
MAX_ARTIFACTS = 60
_MEDIA_TYPE = re.compile(r"[-\w]+/[-\w+]+")

Artifacts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Component:
    """One trial component as it is now. Times are epoch seconds."""

    name: str
    region: str
    display: str
    created: float
    modified: float
    job: tuple[str, str] | None = None
    """Kind and name of the job that it stands for."""
    status: Mapping[str, str] | None = None
    started: float | None = None
    ended: float | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inputs: Artifacts = field(default_factory=dict)
    outputs: Artifacts = field(default_factory=dict)
    metadata: Mapping[str, str] | None = None

    @property
    def arn(self) -> str:
        """Its ARN, which is lower case as experiments' names are compared."""
        return names.arn(KIND, self.region, self.name.lower())

    @property
    def source(self) -> dict[str, str] | None:
        """The job that it stands for."""
        if self.job is None:
            return None
        kind, name = self.job
        return {"SourceArn": names.arn(kind, self.region, name), "SourceType": SOURCES[kind][1]}


def of_job(record: Record) -> Component:
    """The component of a training, processing or transform job."""
    request, body = record.body["request"], record.body
    suffix, _ = SOURCES[record.kind]
    name = f"{record.name}{suffix}"
    parameters, inputs, outputs = _CONTENTS[record.kind](body, request)
    return Component(
        name=name,
        region=record.region,
        display=request.get("ExperimentConfig", {}).get("TrialComponentDisplayName", name),
        created=body.get("created", record.created),
        modified=record.modified,
        job=(record.kind, record.name),
        status={"PrimaryStatus": record.status, "Message": _message(record)[:1024]},
        started=body.get("started"),
        ended=body.get("ended"),
        parameters=dict(list(parameters.items())[:MAX_PARAMETERS]),
        inputs=dict(list(inputs.items())[:MAX_ARTIFACTS]),
        outputs=dict(list(outputs.items())[:MAX_ARTIFACTS]),
    )


def created(record: Record) -> Component:
    """The component that a stored row stands for by itself."""
    return changed(
        Component(record.body["name"], record.region, record.body["name"], record.created, record.modified), record
    )


def changed(component: Component, record: Record) -> Component:
    """A component with what a stored row says differently."""
    body = record.body
    return replace(
        component,
        display=body.get("DisplayName", component.display),
        status=body.get("Status", component.status),
        started=body.get("StartTime", component.started),
        ended=body.get("EndTime", component.ended),
        parameters=_merged(component.parameters, body, "Parameters"),
        inputs=_merged(component.inputs, body, "InputArtifacts"),
        outputs=_merged(component.outputs, body, "OutputArtifacts"),
        metadata=body.get("MetadataProperties", component.metadata),
        modified=max(component.modified, record.modified),
    )


def _merged(known: Mapping[str, Any], body: Mapping[str, Any], member: str) -> dict[str, Any]:
    gone = set(body.get(f"{member}ToRemove", ()))
    return {key: value for key, value in {**known, **body.get(member, {})}.items() if key not in gone}


def with_update(body: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A row's body after an update: keys that are given come back, and keys that are removed go."""
    after = {**body, **{key: given[key] for key in ("DisplayName", "Status", "StartTime", "EndTime") if key in given}}
    for member in ("Parameters", "InputArtifacts", "OutputArtifacts"):
        removed = [*given.get(f"{member}ToRemove", ())]
        kept = {key: each for key, each in body.get(member, {}).items() if key not in removed}
        after[member] = {**kept, **given.get(member, {})}
        gone = {*body.get(f"{member}ToRemove", ()), *removed} - set(given.get(member, {}))
        after[f"{member}ToRemove"] = sorted(gone)
    return after


def summary(component: Component) -> dict[str, Any]:
    """TrialComponentSummary."""
    return {
        "TrialComponentName": component.name,
        "TrialComponentArn": component.arn,
        "DisplayName": component.display,
        "TrialComponentSource": component.source,
        "Status": component.status,
        "StartTime": component.started,
        "EndTime": component.ended,
        "CreationTime": component.created,
        "CreatedBy": {},
        "LastModifiedTime": component.modified,
        "LastModifiedBy": {},
    }


def description(component: Component, values: Sequence[Value]) -> dict[str, Any]:
    """DescribeTrialComponent's answer; `values` are all that its job has told of its metrics."""
    told = summary(component)
    source = told.pop("TrialComponentSource")
    return {
        **told,
        "Source": source,
        "Sources": [source] if source else None,
        "Parameters": dict(component.parameters),
        "InputArtifacts": dict(component.inputs),
        "OutputArtifacts": dict(component.outputs),
        "MetadataProperties": component.metadata,
        "Metrics": _metrics(component, values),
    }


def _metrics(component: Component, values: Sequence[Value]) -> list[dict[str, Any]]:
    by_name: dict[str, list[Value]] = {}
    for each in values:
        by_name.setdefault(each.name, []).append(each)
    summaries = []
    for name, found in by_name.items():
        numbers = [each.value for each in found]
        summaries.append(
            {
                "MetricName": name,
                "SourceArn": component.source["SourceArn"] if component.source else None,
                "TimeStamp": found[-1].at,
                "Max": max(numbers),
                "Min": min(numbers),
                "Last": numbers[-1],
                "Count": len(numbers),
                "Avg": fmean(numbers),
                "StdDev": pstdev(numbers),
            }
        )
    return summaries


def _message(record: Record) -> str:
    body = record.body
    failure = body.get("failure")
    match record.kind:
        case "training":
            return f"Status: {record.status}, secondary status: {body['secondary']}, failure reason: {failure or ''}."
        case "processing":
            said = body.get("message", "null")
            return f"Status: {record.status}, exit message: {said}, failure reason: {failure or 'null'}"
        case _:
            return f"Status: {record.status}, failure reason: {failure or 'null'}"


Contents = tuple[dict[str, dict[str, Any]], dict[str, dict[str, str]], dict[str, dict[str, str]]]
"""Parameters, input artifacts and output artifacts."""


def _text(value: Any) -> dict[str, Any]:
    return {"StringValue": str(value)[:2500]}


def _artifact(value: str, media_type: str | None = None) -> dict[str, str]:
    artifact = {"Value": value[:2048]}
    if media_type and len(media_type) <= 64 and _MEDIA_TYPE.fullmatch(media_type):
        artifact["MediaType"] = media_type
    return artifact


def _resources(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for member in ("InstanceCount", "VolumeSizeInGB"):
        if member in config:
            found[f"SageMaker.{member}"] = {"NumberValue": float(config[member])}
    if "InstanceType" in config:
        found["SageMaker.InstanceType"] = _text(config["InstanceType"])
    return found


def _hyperparameter(text: str) -> dict[str, Any]:
    try:
        number = float(text)
    except ValueError:
        return _text(text)
    return {"NumberValue": number} if number - number == 0 else _text(text)  # neither nan nor infinite


def _of_training(body: Mapping[str, Any], request: Mapping[str, Any]) -> Contents:
    parameters = {key: _hyperparameter(text) for key, text in request.get("HyperParameters", {}).items()}
    parameters.update(_resources(request.get("ResourceConfig", {})))
    parameters["SageMaker.ImageUri"] = _text(request["AlgorithmSpecification"].get("TrainingImage", ""))
    inputs = {}
    for channel in request.get("InputDataConfig", ()):
        source = channel["DataSource"].get("S3DataSource")
        if source:
            inputs[channel["ChannelName"]] = _artifact(source["S3Uri"], channel.get("ContentType"))
    return parameters, inputs, {"SageMaker.ModelArtifact": _artifact(body["model"])}


def _of_processing(_: Mapping[str, Any], request: Mapping[str, Any]) -> Contents:
    inputs = {"SageMaker.ImageUri": _artifact(request["AppSpecification"]["ImageUri"])}
    for each in request.get("ProcessingInputs", ()):
        if "S3Input" in each:
            inputs[each["InputName"]] = _artifact(each["S3Input"]["S3Uri"])
    outputs = {
        each["OutputName"]: _artifact(each["S3Output"]["S3Uri"])
        for each in request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        if "S3Output" in each
    }
    return _resources(request["ProcessingResources"].get("ClusterConfig", {})), inputs, outputs


def _of_transform(body: Mapping[str, Any], request: Mapping[str, Any]) -> Contents:
    parameters = _resources(request["TransformResources"])
    parameters["SageMaker.ModelName"] = _text(request["ModelName"])
    # An Autopilot step's transform has its model by name only.
    first: Mapping[str, Any] = next(iter(body.get("containers", ())), {})
    if "Image" in first:
        parameters["SageMaker.ModelPrimary.Image"] = _text(first["Image"])
    if "ModelDataUrl" in first:
        parameters["SageMaker.ModelPrimary.DataUrl"] = _text(first["ModelDataUrl"])
    source = request["TransformInput"]
    inputs = {
        "SageMaker.TransformInput": _artifact(source["DataSource"]["S3DataSource"]["S3Uri"], source.get("ContentType"))
    }
    return parameters, inputs, {"SageMaker.TransformOutput": _artifact(request["TransformOutput"]["S3OutputPath"])}


_CONTENTS = {"training": _of_training, "processing": _of_processing, "transform": _of_transform}
