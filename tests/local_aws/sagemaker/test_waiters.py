"""Every waiter that botocore has for an operation that is here, on a real resource; none can be forgotten."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import WaiterError
from botocore.loaders import Loader

from include.local_aws.sagemaker.operations import OPERATIONS
from tests.support import processing
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, Trained
from tests.support.tuning_requests import XGBOOST, channel

pytestmark = pytest.mark.local_aws
WAITERS: dict[str, Any] = Loader().load_service_model("sagemaker", "waiters-2")["waiters"]
IMPLEMENTED = sorted(name for name, waiter in WAITERS.items() if waiter["operation"] in OPERATIONS)
QUICK = {"Delay": 0.1, "MaxAttempts": 900}


def _endpoint(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    sagemaker = aws.client("sagemaker")
    variant = {"VariantName": "v", "ModelName": trained.model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="waited-for", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="waited-for", EndpointConfigName="waited-for")
    return {"EndpointName": "waited-for"}


def _deleted_endpoint(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    name = _endpoint(aws, trained, rows)
    aws.client("sagemaker").get_waiter("endpoint_in_service").wait(**name, WaiterConfig=QUICK)
    aws.client("sagemaker").delete_endpoint(**name)
    return name


def _transform(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    lines = "".join(line.partition(",")[2] + "\n" for line in rows.splitlines())
    aws.client("s3").put_object(Bucket=BUCKET, Key="waited/rows.csv", Body=lines.encode())
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/waited/rows.csv"}}
    aws.client("sagemaker").create_transform_job(
        TransformJobName="waited-for",
        ModelName=trained.model,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/waited/out"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    return {"TransformJobName": "waited-for"}


def _processing(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    return {"ProcessingJobName": processing.create(aws, "print('done')")}


def _training(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    aws.client("s3").put_object(Bucket=BUCKET, Key="waited/train/t.csv", Body=b"1,2\n2,3\n3,4\n" * 5)
    aws.client("sagemaker").create_training_job(
        TrainingJobName="waited-for",
        AlgorithmSpecification={"TrainingImage": XGBOOST, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        InputDataConfig=[channel("train", f"s3://{BUCKET}/waited/train/")],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/waited/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
        HyperParameters={"objective": "reg:squarederror", "num_round": "1"},
    )
    return {"TrainingJobName": "waited-for"}


def _notebook(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    given = {"InstanceType": "ml.t3.medium", "RoleArn": ROLE}
    aws.client("sagemaker").create_notebook_instance(NotebookInstanceName="waited-for", **given)
    return {"NotebookInstanceName": "waited-for"}


def _stopped_notebook(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    name = _notebook(aws, trained, rows)
    aws.client("sagemaker").get_waiter("notebook_instance_in_service").wait(**name, WaiterConfig=QUICK)
    aws.client("sagemaker").stop_notebook_instance(**name)
    return name


def _deleted_notebook(aws: Running, trained: Trained, rows: str) -> dict[str, str]:
    name = _stopped_notebook(aws, trained, rows)
    aws.client("sagemaker").get_waiter("notebook_instance_stopped").wait(**name, WaiterConfig=QUICK)
    aws.client("sagemaker").delete_notebook_instance(**name)
    return name


BEGIN: dict[str, Callable[[Running, Trained, str], dict[str, str]]] = {
    "EndpointInService": _endpoint,
    "EndpointDeleted": _deleted_endpoint,
    "TransformJobCompletedOrStopped": _transform,
    "ProcessingJobCompletedOrStopped": _processing,
    "TrainingJobCompletedOrStopped": _training,
    "NotebookInstanceInService": _notebook,
    "NotebookInstanceStopped": _stopped_notebook,
    "NotebookInstanceDeleted": _deleted_notebook,
}
FAILS_FOR_NONE = [name for name in IMPLEMENTED if not name.endswith("Deleted")]


@pytest.fixture(autouse=True)
def _nothing_left(aws: Running) -> Iterator[None]:
    yield
    sagemaker = aws.client("sagemaker")
    for each in sagemaker.list_endpoints(NameContains="waited-for", StatusEquals="InService")["Endpoints"]:
        sagemaker.delete_endpoint(EndpointName=each["EndpointName"])
        sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=each["EndpointName"], WaiterConfig=QUICK)
    if sagemaker.list_endpoint_configs(NameContains="waited-for")["EndpointConfigs"]:
        sagemaker.delete_endpoint_config(EndpointConfigName="waited-for")
    for each in sagemaker.list_notebook_instances(NameContains="waited-for")["NotebookInstances"]:
        name = {"NotebookInstanceName": each["NotebookInstanceName"]}
        if each["NotebookInstanceStatus"] == "InService":
            sagemaker.stop_notebook_instance(**name)
            sagemaker.get_waiter("notebook_instance_stopped").wait(**name, WaiterConfig=QUICK)
        sagemaker.delete_notebook_instance(**name)
        sagemaker.get_waiter("notebook_instance_deleted").wait(**name, WaiterConfig=QUICK)


@pytest.mark.parametrize("name", IMPLEMENTED)
def test_every_waiter_returns_when_what_it_waits_for_has_come(
    aws: Running, trained: Trained, rows: str, name: str
) -> None:
    if name not in BEGIN:
        pytest.fail(f"botocore has the waiter {name} for an operation that is here: say in BEGIN how to begin it")
    wanted = BEGIN[name](aws, trained, rows)
    aws.client("sagemaker").get_waiter(xform_name(name)).wait(**wanted, WaiterConfig=QUICK)
    if not name.endswith("Deleted"):
        operation = WAITERS[name]["operation"]
        answer = getattr(aws.client("sagemaker"), xform_name(operation))(**wanted)
        assert answer[f"{operation.removeprefix('Describe')}Status"] == WAITERS[name]["acceptors"][0]["expected"]


@pytest.mark.parametrize("name", FAILS_FOR_NONE)
def test_every_waiter_for_something_to_come_fails_at_once_where_there_is_nothing(aws: Running, name: str) -> None:
    """Which is told by the code ValidationException, and so by no other."""
    member = f"{WAITERS[name]['operation'].removeprefix('Describe')}Name"
    waiter = aws.client("sagemaker").get_waiter(xform_name(name))
    with pytest.raises(WaiterError, match="ValidationException"):
        waiter.wait(**{member: "nobody"}, WaiterConfig=QUICK)
