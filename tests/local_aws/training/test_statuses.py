"""A training job's statuses follow each other, also over the end of the server."""

from pathlib import Path
from typing import Any

import pytest

from include.local_aws.jobs.forkserver import ForkServer
from include.local_aws.jobs.logs import Logs
from include.local_aws.jobs.runner import CUT_OFF
from include.local_aws.monitoring import Monitoring
from include.local_aws.s3.client import S3Files
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record, Store
from include.local_aws.training import start, statuses
from include.local_aws.wire import model, outputs
from include.local_aws.wire.errors import ResourceInUse
from tests.support.trainings import training_request

REGION = "us-east-1"


@pytest.fixture
def services(tmp_path: Path) -> Services:
    store = Store(tmp_path / "state.sqlite")
    nowhere = "http://127.0.0.1:9"
    files, logs = S3Files(nowhere, signed=False), Logs(tmp_path, nowhere)
    return Services(tmp_path, store, files, logs, ForkServer(tmp_path), Monitoring(tmp_path, store, nowhere))


def inserted(services: Services, name: str, status: str = "InProgress") -> Record:
    body = {
        "request": training_request(name, {"num_round": 1}),
        "secondary": "Starting",
        "transitions": statuses.FIRST,
        "model": "s3://bucket/model.tar.gz",
    }
    return services.store.insert("training", REGION, name, status, body)


def described(record: Record) -> dict[str, Any]:
    operation = model.operation("DescribeTrainingJob")
    assert operation is not None
    return outputs.write(operation.output_shape, start.describe(record))


def test_a_status_ends_where_the_next_one_begins(services: Services) -> None:
    record = inserted(services, "a")
    record = statuses.moved(record, "Downloading", record.created + 1, started=record.created + 1)
    assert statuses.moved(record, "Downloading", record.created + 2) is record
    record = statuses.ended(record, "Failed", "Failed", record.created + 3, failure="AlgorithmError: no")
    answer = described(record)
    first, second, third = answer["SecondaryStatusTransitions"]
    assert (first["Status"], first["StartTime"], first["EndTime"]) == (
        "Starting",
        record.created,
        record.created + 1,
    )
    assert (second["Status"], second["EndTime"]) == ("Downloading", record.created + 3)
    assert (third["Status"], third["StatusMessage"]) == ("Failed", "Training job failed: AlgorithmError: no")
    assert answer["TrainingJobStatus"] == "Failed"
    assert answer["TrainingTimeInSeconds"] == 2


def test_a_job_that_never_began_has_no_training_time(services: Services) -> None:
    record = statuses.ended(inserted(services, "a"), "Stopped", "Stopped", 5.0)
    assert "TrainingTimeInSeconds" not in described(record)
    assert "TrainingStartTime" not in described(record)


def test_after_a_restart_what_ran_has_failed_and_what_was_being_stopped_is_stopped(services: Services) -> None:
    inserted(services, "ran")
    inserted(services, "stopping", "Stopping")
    inserted(services, "done", "Completed")
    statuses.recover(services.store)
    answers = {name: described(services.store.get("training", REGION, name)) for name in ("ran", "stopping", "done")}
    assert {name: each["TrainingJobStatus"] for name, each in answers.items()} == {
        "ran": "Failed",
        "stopping": "Stopped",
        "done": "Completed",
    }
    assert answers["ran"]["FailureReason"] == CUT_OFF
    assert answers["stopping"]["SecondaryStatus"] == "Stopped"
    assert answers["ran"]["SecondaryStatusTransitions"][-1]["Status"] == "Failed"


def test_a_training_that_another_job_did_is_described_as_one_of_its_own(services: Services) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:automl-job/search"
    given: dict[str, Any] = {
        "name": "step",
        "request": training_request("step", {"num_round": 1}),
        "tags": {"k": "v"},
        "started": 100.0,
        "ended": 130.0,
        "metrics": [("validation:rmse", 0.5)],
        "model_uri": "s3://bucket/step/model.tar.gz",
        "automl_job_arn": arn,
    }
    record = start.insert_finished(services, REGION, **given)
    answer = described(record)
    assert answer["AutoMLJobArn"] == arn
    assert answer["TrainingJobStatus"] == answer["SecondaryStatus"] == "Completed"
    assert answer["CreationTime"] == answer["TrainingStartTime"] == 100.0
    assert answer["TrainingTimeInSeconds"] == 30
    assert [(each["MetricName"], each["Value"]) for each in answer["FinalMetricDataList"]] == [("validation:rmse", 0.5)]
    assert [each["Status"] for each in answer["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert services.store.tags(answer["TrainingJobArn"]) == {"k": "v"}
    assert [each.name for each in services.store.all("training", region=REGION, parent=arn)] == ["step"]
    with pytest.raises(ResourceInUse):
        start.insert_finished(services, REGION, **given)


def test_a_job_of_an_image_that_is_no_longer_known_is_described_still(services: Services) -> None:
    request = training_request("old", {})
    request["AlgorithmSpecification"]["TrainingImage"] = "somewhere/forgotten:1"
    record = start.insert_finished(
        services,
        REGION,
        name="old",
        request=request,
        tags={},
        started=1.0,
        ended=2.0,
        metrics=[],
        model_uri="s3://bucket/m",
        status="Failed",
        failure="AlgorithmError: no",
    )
    answer = described(record)
    assert (answer["SecondaryStatus"], answer["FailureReason"]) == ("Failed", "AlgorithmError: no")
