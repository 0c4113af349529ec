"""For every List operation, how to put something there that it lists; a test fails for an operation without one."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.local_aws.sagemaker import names
from include.local_aws.store import Record
from tests.support.sagemaker_in_process import REGION, InProcess

ROLE = "arn:aws:iam::123456789012:role/service"


@dataclass(frozen=True)
class Listing:
    """`put` adds a resource of this name and status; `name` is the member of a summary that holds it.

    `others` are the operation's own filters, each with a value that lets everything through and one that lets nothing;
    `refused` those that refuse what isn't there. `key` is the name in the store.
    """

    put: Callable[[InProcess, str, str], Any]
    name: str
    statuses: tuple[str, ...] = ("",)
    kind: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    refused: Mapping[str, Any] = field(default_factory=dict)
    key: str = "{}"


JOB = ("InProgress", "Completed", "Failed", "Stopped")
PLAN = "arn:aws:sagemaker:us-east-1:123456789012:training-plan/plan"
EXECUTION_ARN = names.arn("pipeline", REGION, "p/execution/e")
TUNING_ARN = names.arn("tuning", REGION, "search")


def _kind(kind: str, body: Mapping[str, Any]) -> Callable[[InProcess, str, str], Any]:
    return lambda house, name, status: house.put(kind, name, status, dict(body))


def _model(house: InProcess, name: str, _: str) -> Any:
    return house.put("model", name, "", {"PrimaryContainer": {"Image": "i"}, "ModelName": name})


def _tuning(house: InProcess, name: str, status: str) -> Any:
    config = {"Strategy": "Random", "ResourceLimits": {"MaxParallelTrainingJobs": 1}}
    request = {"HyperParameterTuningJobName": name, "HyperParameterTuningJobConfig": config}
    return house.put("tuning", name.lower(), status, {"request": request})


def _child(house: InProcess, name: str, status: str) -> Any:
    if house.store.find("tuning", REGION, "search") is None:
        _tuning(house, "search", "InProgress")
    body = {"definition": None, "tuned": {"eta": "0.1"}, "metric": "m", "maximize": True}
    house.put("tuning-child", name, "", body, parent="search")
    metrics = [{"MetricName": "m", "Value": 1.0, "Timestamp": 1.0}]
    return house.put("training", name, status, {"secondary": status, "metrics": metrics}, parent=TUNING_ARN)


def _candidate(house: InProcess, name: str, status: str) -> Any:
    if house.store.find("automl", REGION, "search") is None:
        house.put("automl", "search", "InProgress", {"secondary": "Starting"})
    number = len(house.store.all("candidate", region=REGION))
    body = {
        "CandidateName": name, "CandidateStatus": status, "ObjectiveStatus": "Succeeded", "CandidateSteps": [],
        "CreationTime": 1000.0 + number, "LastModifiedTime": 2000.0,
    }  # fmt: skip
    return house.put("candidate", f"search/{name}", status, body, parent="search")


def _experiment(house: InProcess, name: str, _: str) -> Any:
    return house.call("CreateExperiment", ExperimentName=name)


def _trial(house: InProcess, name: str, _: str) -> Any:
    if not house.store.all("experiment"):
        for each in ("full", "void"):
            _experiment(house, each, "")
        house.call("CreateTrialComponent", TrialComponentName="void")
    return house.call("CreateTrial", TrialName=name, ExperimentName="full")


def _component(house: InProcess, name: str, _: str) -> Any:
    if not house.store.all("experiment"):
        _experiment(house, "void", "")
        house.call("CreateTrial", TrialName="void", ExperimentName="void")
    return house.call("CreateTrialComponent", TrialComponentName=name)


def _package(house: InProcess, name: str, status: str) -> Any:
    if house.store.find("model-package-group", REGION, "void") is None:
        house.put("model-package-group", "void", "Completed", {"last": 0, "tokens": {}})
    return house.put("model-package", name, status, {"request": {"ModelPackageName": name}})


def _pipeline(house: InProcess, name: str, status: str) -> Any:
    return house.put("pipeline", name, status, {"display": name, "role": ROLE, "token": "another", "version": 1})


def _execution(house: InProcess, name: str, status: str) -> Any:
    if house.store.find("pipeline", REGION, "p") is None:
        _pipeline(house, "p", "Active")
    text = json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Fail"}]})
    body = {"display": name, "definition": text, "parameters": {}}
    return house.put("pipeline-execution", f"p/execution/{name}", status, body, parent="p")


def _step(house: InProcess, name: str, status: str) -> Any:
    if house.store.find("pipeline-execution", REGION, "p/execution/e") is None:
        _execution(house, "e", "Executing")
    body = {"step": name, "started": 1000.0 + len(house.store.all("pipeline-step"))}
    return house.put("pipeline-step", f"p/execution/e/{name}", status, body, parent="p/execution/e")


def _parameter(house: InProcess, name: str, _: str) -> Any:
    if house.store.find("pipeline-execution", REGION, "p/execution/e") is None:
        _execution(house, "e", "Executing")

    def change(record: Record) -> Record:
        definition = json.loads(record.body["definition"])
        definition.setdefault("Parameters", []).append({"Name": name, "Type": "String", "DefaultValue": "v"})
        return record.having(definition=json.dumps(definition))

    return house.store.update("pipeline-execution", REGION, "p/execution/e", change)


LISTINGS: Mapping[str, Listing] = {
    "ListModels": Listing(_model, "ModelName", kind="model"),
    "ListEndpointConfigs": Listing(_kind("endpoint-config", {}), "EndpointConfigName", kind="endpoint-config"),
    "ListEndpoints": Listing(
        _kind("endpoint", {"config": "c"}), "EndpointName", ("Creating", "InService", "Failed"), "endpoint"
    ),
    "ListAutoMLJobs": Listing(_kind("automl", {"secondary": "Starting"}), "AutoMLJobName", JOB, "automl"),
    "ListTransformJobs": Listing(_kind("transform", {"request": {}}), "TransformJobName", JOB, "transform"),
    "ListProcessingJobs": Listing(_kind("processing", {"request": {}}), "ProcessingJobName", JOB, "processing"),
    "ListTrainingJobs": Listing(
        _kind("training", {"secondary": "Starting", "request": {}}),
        "TrainingJobName",
        JOB,
        "training",
        others={"WarmPoolStatusEquals": (None, "Available"), "TrainingPlanArnEquals": (None, PLAN)},
    ),
    "ListHyperParameterTuningJobs": Listing(_tuning, "HyperParameterTuningJobName", JOB, "tuning"),
    "ListTrainingJobsForHyperParameterTuningJob": Listing(
        _child, "TrainingJobName", JOB, fixed={"HyperParameterTuningJobName": "search"}
    ),
    "ListCandidatesForAutoMLJob": Listing(
        _candidate,
        "CandidateName",
        JOB,
        "candidate",
        fixed={"AutoMLJobName": "search"},
        others={"CandidateNameEquals": (None, "nobody")},
    ),
    "ListExperiments": Listing(_experiment, "ExperimentName", kind="experiment"),
    "ListTrials": Listing(
        _trial,
        "TrialName",
        kind="trial",
        others={"ExperimentName": ("full", "void"), "TrialComponentName": (None, "void")},
    ),
    "ListTrialComponents": Listing(
        _component,
        "TrialComponentName",
        kind="trial-component",
        others={"ExperimentName": (None, "void"), "TrialName": (None, "void"), "SourceArn": (None, PLAN)},
    ),
    "ListModelPackageGroups": Listing(
        _kind("model-package-group", {"last": 0, "tokens": {}}),
        "ModelPackageGroupName",
        ("Completed",),
        "model-package-group",
        others={"CrossAccountFilterOption": ("SameAccount", "CrossAccount")},
    ),
    "ListModelPackages": Listing(
        _package,
        "ModelPackageName",
        ("Completed",),
        "model-package",
        others={
            "ModelApprovalStatus": (None, "Approved"),
            "ModelPackageGroupName": (None, "void"),
            "ModelPackageType": ("Unversioned", "Versioned"),
        },
    ),
    "ListPipelines": Listing(
        _pipeline,
        "PipelineName",
        ("Active",),
        "pipeline",
        others={"PipelineNamePrefix": (None, "nobody"), "ManagedBy": ("CUSTOMER", "AWS")},
    ),
    "ListPipelineExecutions": Listing(
        _execution,
        "PipelineExecutionDisplayName",
        ("Executing", "Failed", "Succeeded"),
        "pipeline-execution",
        fixed={"PipelineName": "p"},
        refused={"PipelineVersionAlias": "nobody"},
        key="p/execution/{}",
    ),
    "ListPipelineExecutionSteps": Listing(
        _step,
        "StepName",
        ("Executing", "Failed", "Succeeded"),
        "pipeline-step",
        fixed={"PipelineExecutionArn": EXECUTION_ARN},
        key="p/execution/e/{}",
    ),
    "ListPipelineParametersForExecution": Listing(_parameter, "Name", fixed={"PipelineExecutionArn": EXECUTION_ARN}),
    "ListNotebookInstances": Listing(
        _kind("notebook", {"request": {"InstanceType": "ml.t3.medium"}}),
        "NotebookInstanceName",
        ("Pending", "InService", "Stopped"),
        "notebook",
        others={
            "NotebookInstanceLifecycleConfigNameContains": (None, "a"),
            "DefaultCodeRepositoryContains": (None, "a"),
            "AdditionalCodeRepositoryEquals": (None, "https://example.com/a"),
        },
    ),
}
