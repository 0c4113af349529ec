"""What every operation answers for a name that is taken, and for one that nobody has; none can be forgotten."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.wire.model import operation
from tests.support.listings import LISTINGS
from tests.support.model_cases import good
from tests.support.sagemaker_in_process import InProcess, Refused

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
VARIANT = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
JOB = "Job name must be unique within an AWS account and region, and a job with this name already exists (arn:aws:"
IN_USE, VALIDATION = "ResourceInUse", "ValidationException"


@dataclass(frozen=True)
class Taken:
    """How to take a name for a Create operation: by a List operation's entry, and what is answered then."""

    listing: str
    code: str
    said: str
    more: dict[str, Any] = field(default_factory=dict)


TAKEN = {
    "CreateAutoMLJob": Taken("ListAutoMLJobs", IN_USE, JOB),
    "CreateAutoMLJobV2": Taken("ListAutoMLJobs", IN_USE, JOB),
    "CreateTransformJob": Taken("ListTransformJobs", IN_USE, JOB),
    "CreateProcessingJob": Taken("ListProcessingJobs", IN_USE, JOB),
    "CreateTrainingJob": Taken(
        "ListTrainingJobs", IN_USE,
        "Training job names must be unique within an AWS account and region, and a training job with this name already",
    ),
    "CreateHyperParameterTuningJob": Taken(
        "ListHyperParameterTuningJobs", IN_USE, "A hyperparameter tuning job with the name, taken, already exists."
    ),
    "CreateModel": Taken(
        "ListModels", VALIDATION, "Cannot create already existing model", {"PrimaryContainer": {"Image": IMAGE}}
    ),
    "CreateEndpointConfig": Taken(
        "ListEndpointConfigs", VALIDATION, "Cannot create already existing endpoint configuration",
        {"ProductionVariants": [VARIANT]},
    ),
    "CreateEndpoint": Taken("ListEndpoints", VALIDATION, "Cannot create already existing endpoint"),
    "CreateExperiment": Taken("ListExperiments", VALIDATION, "names must be unique: taken already exists"),
    "CreateTrial": Taken("ListTrials", VALIDATION, "names must be unique: taken already exists",
                         {"ExperimentName": "full"}),
    "CreateTrialComponent": Taken("ListTrialComponents", VALIDATION, "names must be unique: taken already exists"),
    "CreateModelPackageGroup": Taken("ListModelPackageGroups", VALIDATION, "Model Package Group already exists: arn:"),
    "CreateModelPackage": Taken(
        "ListModelPackages", VALIDATION, "Model Package already exists: arn:",
        {"InferenceSpecification": {"Containers": [{"Image": IMAGE}]}},
    ),
    "CreatePipeline": Taken(
        "ListPipelines", VALIDATION, "Pipeline names must be unique within an AWS account and region",
        {"PipelineDefinition": '{"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Fail"}]}'},
    ),
    "CreateNotebookInstance": Taken("ListNotebookInstances", VALIDATION, "Cannot create a duplicate Notebook Instance"),
}  # fmt: skip
URLS = {"CreatePresignedNotebookInstanceUrl"}
"""Operations that are called Create and create nothing."""
CREATING = sorted(name for name in OPERATIONS if name.startswith("Create") and name not in URLS)
ON_ONE = sorted({name for name in OPERATIONS if not name.startswith(("Create", "List"))} | URLS)
UNDECLARED = {"DeleteHyperParameterTuningJob"}
"""Operations whose ResourceNotFound the service model does not name, though that of their kind is the same."""


def shape(name: str) -> Any:
    model = operation(name)
    assert model is not None
    return model.input_shape


@pytest.mark.parametrize("name", CREATING)
def test_a_name_that_is_taken_is_refused_as_on_aws(tmp_path: Path, name: str) -> None:
    if name not in TAKEN:
        pytest.fail(f"{name} creates something: say in TAKEN how to take its name, and what is answered then")
    taken, house = TAKEN[name], InProcess(tmp_path)
    LISTINGS["ListModels"].put(house, "m", "")
    listing = LISTINGS[taken.listing]
    listing.put(house, "taken", listing.statuses[-1])
    request = {**good(shape(name)), **taken.more}
    request[next(member for member in shape(name).members if member.endswith("Name"))] = "taken"
    with pytest.raises(Refused) as raised:
        house.call(name, **request)
    assert (raised.value.status, raised.value.code) == (400, taken.code)
    assert taken.said in raised.value.message


@pytest.mark.parametrize("name", ON_ONE)
def test_a_name_that_nobody_has_is_refused_as_on_aws(tmp_path: Path, name: str) -> None:
    model = operation(name)
    assert model is not None
    request = good(model.input_shape)
    if "ResourceArn" in request:
        request["ResourceArn"] = "arn:aws:sagemaker:us-east-1:123456789012:model/nobody"
    with pytest.raises(Refused) as raised:
        InProcess(tmp_path).call(name, **request)
    declared = {each.name for each in model.error_shapes}
    assert raised.value.status == 400
    assert raised.value.code in {VALIDATION} | ({"ResourceNotFound"} if name in UNDECLARED else declared)
    assert re.search("not found|[Cc]ould not find|can't find|does not exist|RecordNotFound", raised.value.message)
