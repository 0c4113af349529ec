"""Which changes in the store are events, and what they say."""

from pathlib import Path
from typing import Any

import pytest

from include.local_aws.monitoring.state_changes import changes
from include.local_aws.store import Record, Store

REGION = "eu-west-1"


def record(kind: str, status: str, name: str = "n", **body: Any) -> Record:
    return Record(kind, REGION, name, status, body, created=1.5, modified=2.5)


@pytest.mark.parametrize(
    ("kind", "word", "detail_type"),
    [
        ("training", "TrainingJob", "SageMaker Training Job State Change"),
        ("processing", "ProcessingJob", "SageMaker Processing Job State Change"),
        ("transform", "TransformJob", "SageMaker Transform Job State Change"),
        ("tuning", "HyperParameterTuningJob", "SageMaker HyperParameter Tuning Job State Change"),
    ],
)
def test_a_job_tells_each_status_with_its_reason(kind: str, word: str, detail_type: str) -> None:
    before = record(kind, "InProgress", started=1.75)
    (event,) = changes(before, record(kind, "Failed", started=1.75, ended=2.25, failure="it broke"))
    assert (event.region, event.detail_type) == (REGION, detail_type)
    assert event.detail[f"{word}Status"] == "Failed"
    assert event.detail["FailureReason"] == "it broke"
    assert event.detail["CreationTime"] == 1500
    assert event.resources == (event.detail[f"{word}Arn"],)
    assert changes(before, record(kind, "InProgress", started=1.75, more=1)) == []
    assert len(changes(None, before)) == 1


def test_a_training_job_tells_its_secondary_status() -> None:
    before, after = (record("training", "InProgress", secondary=each) for each in ("Starting", "Training"))
    (event,) = changes(before, after)
    assert event.detail["SecondaryStatus"] == "Training"


def test_a_model_package_tells_its_approval() -> None:
    def version(status: str, **more: Any) -> Record:
        request = {"ModelPackageGroupName": "g", "ModelPackageVersion": 3, "ModelApprovalStatus": status, **more}
        return record("model-package", "Completed", "g/3", request=request)

    (event,) = changes(version("PendingManualApproval"), version("Approved", ApprovalDescription="fine"))
    assert event.detail_type == "SageMaker Model Package State Change"
    told = {
        name: event.detail[name] for name in ("ModelPackageGroupName", "ModelPackageVersion", "ModelApprovalStatus")
    }
    assert told == {"ModelPackageGroupName": "g", "ModelPackageVersion": 3, "ModelApprovalStatus": "Approved"}
    assert event.detail["ApprovalDescription"] == "fine"
    assert changes(version("Approved"), version("Approved", ModelPackageDescription="d")) == []


def test_other_kinds_tell_nothing() -> None:
    assert changes(None, record("model", "")) == []
    assert changes(None, record("alarm", "OK")) == []


def test_the_store_tells_its_listeners_what_was_and_what_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.sqlite")
    told: list[tuple[str | None, str]] = []
    store.listen(lambda before, after: told.append((before.status if before else None, after.status)))
    store.insert("training", REGION, "n", "InProgress", {})
    store.update("training", REGION, "n", lambda now: now)
    store.update("training", REGION, "n", lambda now: now.having(status="Completed"))
    with pytest.raises(ZeroDivisionError):
        store.update("training", REGION, "n", lambda now: now.having(status=str(1 // 0)))
    assert told == [(None, "InProgress"), ("InProgress", "Completed")]
