"""Endpoints live, are updated without a gap, roll back, and go."""

import io
import os
import signal
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.hosted import config, invoke, removed, settled
from tests.support.local_aws import Running, descendants
from tests.support.local_aws_requests import BUCKET, ROLE, Trained

pytestmark = pytest.mark.local_aws


def fleet(description: dict[str, Any]) -> dict[str, tuple[float, int]]:
    """Weight and number of instances of each variant."""
    variants = description["ProductionVariants"]
    return {each["VariantName"]: (each["CurrentWeight"], each["CurrentInstanceCount"]) for each in variants}


@pytest.fixture(scope="module")
def broken(aws: Running, trained: Trained) -> str:
    """A model whose container does not come up: its model data are those of nobody."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    aws.client("s3").put_object(Bucket=BUCKET, Key="broken.tar.gz", Body=archive.getvalue())
    (container,) = trained.description["BestCandidate"]["InferenceContainers"]
    container = {**container, "ModelDataUrl": f"s3://{BUCKET}/broken.tar.gz"}
    aws.client("sagemaker").create_model(ModelName="broken", PrimaryContainer=container, ExecutionRoleArn=ROLE)
    return "broken"


@pytest.fixture(scope="module")
def endpoint(aws: Running, trained: Trained) -> Iterator[str]:
    """An endpoint with one variant, in service."""
    first = config(aws, "first", ("champion", trained.model, 1.0))
    aws.client("sagemaker").create_endpoint(EndpointName="live", EndpointConfigName=first)
    answer = settled(aws, "live")
    assert (answer["EndpointStatus"], answer["EndpointConfigName"]) == ("InService", "first")
    yield "live"
    removed(aws, "live")


def test_an_endpoint_in_service_answers_and_says_which_variant_did(aws: Running, endpoint: str) -> None:
    answer = invoke(aws, endpoint, CustomAttributes="trace=1")
    assert answer["Body"].read() == b"yes\n"
    assert (answer["InvokedProductionVariant"], answer["ContentType"]) == ("champion", "text/csv")
    assert answer["CustomAttributes"] == "trace=1"


@pytest.mark.parametrize(
    ("more", "code", "status", "said"),
    [
        ({"EndpointName": "none"}, "ValidationError", 400, "Endpoint none of account 123456789012 not found."),
        ({"TargetVariant": "none"}, "ValidationError", 400, "it has these: champion"),
        ({"Body": b"1\n"}, "ModelError", 424, "Received client error (400) from primary"),
        ({"Body": b"x" * (6 * 1024 * 1024 + 1)}, "ValidationError", 413, "at most 6291456 bytes"),
        ({"TargetModel": "a.tar.gz"}, "NotImplemented", 501, "TargetModel of InvokeEndpoint"),
    ],
)
def test_what_can_not_be_answered_is_refused_with_its_code(
    aws: Running, endpoint: str, more: dict[str, Any], code: str, status: int, said: str
) -> None:
    with pytest.raises(ClientError) as raised:
        invoke(aws, more.pop("EndpointName", endpoint), **more)
    answer = raised.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    assert said in answer["Error"]["Message"]


def test_the_name_of_an_endpoint_is_taken_while_it_lives(aws: Running, endpoint: str) -> None:
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        aws.client("sagemaker").create_endpoint(EndpointName=endpoint, EndpointConfigName="first")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        aws.client("sagemaker").create_endpoint(EndpointName="other", EndpointConfigName="none")


def test_an_update_leaves_no_request_without_an_answer(aws: Running, endpoint: str, trained: Trained) -> None:
    second = config(aws, "second", ("champion", trained.model, 1.0), ("challenger", trained.model, 3.0))
    done = threading.Event()
    answers: list[str] = []

    def ask() -> None:
        while not done.is_set():
            answers.append(invoke(aws, endpoint)["InvokedProductionVariant"])

    asking = threading.Thread(target=ask)
    asking.start()
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=second)
    answer = settled(aws, endpoint)
    count = len(answers)
    deadline = time.monotonic() + 30
    while len(answers) < count + 20 and asking.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    done.set()
    asking.join()
    assert len(answers) >= count + 20, "a request failed in the middle of the update"
    assert answer["EndpointConfigName"] == "second"
    weights = {each["VariantName"]: each["CurrentWeight"] for each in answer["ProductionVariants"]}
    assert weights == {"champion": 1.0, "challenger": 3.0}


def test_weights_share_requests_out_and_a_target_variant_overrides_them(
    aws: Running, endpoint: str, trained: Trained
) -> None:
    third = config(aws, "third", ("champion", trained.model, 1.0), ("challenger", trained.model, 1.0))
    sagemaker = aws.client("sagemaker")
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=third)
    settled(aws, endpoint)
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "challenger", "DesiredWeight": 0.0, "DesiredInstanceCount": 2}],
    )
    shown = fleet(settled(aws, endpoint))
    assert shown == {"champion": (1.0, 1), "challenger": (0.0, 2)}
    assert Counter(invoke(aws, endpoint)["InvokedProductionVariant"] for _ in range(10)) == {"champion": 10}
    assert invoke(aws, endpoint, TargetVariant="challenger")["InvokedProductionVariant"] == "challenger"
    with pytest.raises(ClientError, match="Could not find variant 'none'"):
        sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "none", "DesiredWeight": 1.0}]
        )
    fourth = config(aws, "fourth", ("champion", trained.model, 1.0), ("challenger", trained.model, 1.0))
    sagemaker.update_endpoint(
        EndpointName=endpoint,
        EndpointConfigName=fourth,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
    )
    shown = fleet(settled(aws, endpoint))
    assert shown == {"champion": (1.0, 1), "challenger": (1.0, 2)}


def test_an_update_to_a_model_that_does_not_come_up_is_rolled_back_and_the_old_one_serves(
    aws: Running, endpoint: str, broken: str
) -> None:
    sagemaker = aws.client("sagemaker")
    before = settled(aws, endpoint)["EndpointConfigName"]
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config(aws, "bad", ("champion", broken, 1.0)))
    during = sagemaker.describe_endpoint(EndpointName=endpoint)
    assert during["EndpointConfigName"] == before
    assert invoke(aws, endpoint, TargetVariant="champion")["Body"].read() == b"yes\n"
    after = settled(aws, endpoint)
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", before)
    assert "production variant champion did not pass the ping health check" in after["FailureReason"]
    assert invoke(aws, endpoint, TargetVariant="champion")["Body"].read() == b"yes\n"


def test_model_data_that_are_gone_fail_an_update_before_anything_changes_and_leave_no_files(
    aws: Running, endpoint: str, trained: Trained
) -> None:
    sagemaker, s3 = aws.client("sagemaker"), aws.client("s3")
    before = settled(aws, endpoint)["EndpointConfigName"]
    (container,) = trained.description["BestCandidate"]["InferenceContainers"]
    source = container["ModelDataUrl"].removeprefix(f"s3://{BUCKET}/")
    s3.copy_object(Bucket=BUCKET, Key="gone.tar.gz", CopySource={"Bucket": BUCKET, "Key": source})
    containers = [container, {**container, "ModelDataUrl": f"s3://{BUCKET}/gone.tar.gz"}]
    sagemaker.create_model(ModelName="gone", Containers=containers, ExecutionRoleArn=ROLE)
    s3.delete_object(Bucket=BUCKET, Key="gone.tar.gz")
    files = sorted((aws.data / "endpoints" / "us-east-1" / endpoint).iterdir())
    sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config(aws, "gone", ("champion", "gone", 1.0)))
    after = settled(aws, endpoint)
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", before)
    assert f"Could not find an object at s3://{BUCKET}/gone.tar.gz." in after["FailureReason"]
    assert sorted((aws.data / "endpoints" / "us-east-1" / endpoint).iterdir()) == files


def test_an_endpoint_that_never_came_up_is_failed_and_can_be_deleted(aws: Running, broken: str) -> None:
    aws.client("sagemaker").create_endpoint(
        EndpointName="dead", EndpointConfigName=config(aws, "dead", ("champion", broken, 1.0))
    )
    answer = settled(aws, "dead")
    assert answer["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in answer["FailureReason"]
    with pytest.raises(ClientError, match="Endpoint dead of account"):
        invoke(aws, "dead")
    with pytest.raises(ClientError, match="Cannot update endpoint dead in status Failed"):
        aws.client("sagemaker").update_endpoint(EndpointName="dead", EndpointConfigName="first")
    removed(aws, "dead")


def test_an_endpoint_that_is_being_changed_can_neither_be_updated_nor_deleted(aws: Running, trained: Trained) -> None:
    sagemaker = aws.client("sagemaker")
    name = config(aws, "busy", ("champion", trained.model, 1.0))
    sagemaker.create_endpoint(EndpointName="busy", EndpointConfigName=name)
    try:
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            sagemaker.delete_endpoint(EndpointName="busy")
        with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
            sagemaker.update_endpoint(EndpointName="busy", EndpointConfigName=name)
    finally:
        settled(aws, "busy")
        removed(aws, "busy")


def test_a_model_and_a_configuration_in_use_can_be_deleted_and_the_endpoint_serves_on(
    aws: Running, trained: Trained
) -> None:
    sagemaker = aws.client("sagemaker")
    containers = trained.description["BestCandidate"]["InferenceContainers"]
    sagemaker.create_model(ModelName="short-lived", Containers=containers, ExecutionRoleArn=ROLE)
    name = config(aws, "short-lived", ("champion", "short-lived", 1.0))
    sagemaker.create_endpoint(EndpointName="lasting", EndpointConfigName=name, Tags=[{"Key": "owner", "Value": "us"}])
    arn = settled(aws, "lasting")["EndpointArn"]
    sagemaker.delete_model(ModelName="short-lived")
    sagemaker.delete_endpoint_config(EndpointConfigName="short-lived")
    assert invoke(aws, "lasting")["Body"].read() == b"yes\n"
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "owner", "Value": "us"}]
    (listed,) = sagemaker.list_endpoints(NameContains="LAST", StatusEquals="InService")["Endpoints"]
    assert listed["EndpointArn"] == arn
    removed(aws, "lasting")


def test_a_serving_process_that_dies_is_started_again(aws: Running, endpoint: str) -> None:
    logs = aws.client("logs")
    group = f"/aws/sagemaker/Endpoints/{endpoint}"

    def serving() -> list[int]:
        events = logs.filter_log_events(logGroupName=group, filterPattern="serving on process")["events"]
        return [int(event["message"].rsplit(" ", 1)[1]) for event in events if "serving on process" in event["message"]]

    deadline = time.monotonic() + 20
    while not (alive := descendants(aws.process.pid) & set(serving())):
        assert time.monotonic() < deadline, "the log does not tell which processes serve"
        time.sleep(0.05)
    for process in alive:
        os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + 30
    runtime = aws.client("sagemaker-runtime")
    while True:
        try:
            assert invoke(aws, endpoint)["Body"].read() == b"yes\n"
            break
        except runtime.exceptions.ServiceUnavailable:
            assert time.monotonic() < deadline, "the endpoint did not come back"
