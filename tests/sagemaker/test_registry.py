"""The model registry: one version for each candidate that reached the gate, and its status obeyed."""

from __future__ import annotations

from typing import Any

import pytest

from automl_retraining.core.errors import NotApproved, RegistryBusy, RegistryError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision, Evaluation, Interval, MetricResult, ModelRef
from automl_retraining.sagemaker import registry, tags
from tests.support.fake_endpoints import refused
from tests.support.fake_registry import ACCOUNT, FakeAccount

GROUP, FOLDER = "art-churn", "s3://runs/churn/runs/r1"
OWN = tags.own_tags(pipeline="churn", run_id="r1", run_folder=FOLDER, deployment="default", extra={"team": "a"})
METRICS = (
    MetricResult(
        name="roc_auc", greater_is_better=True, challenger=Interval(value=0.9, low=0.88, high=0.92),
        champion=Interval(value=0.85, low=0.83, high=0.87), baseline=0.5,
    ),
)  # fmt: skip


def evaluation(*metrics: MetricResult) -> Evaluation:
    """An evaluation of these metrics."""
    return Evaluation(
        pipeline="churn", run_id="r1", problem_type="BinaryClassification", target="y", rows=100, units=100,
        confidence=0.95, resamples=200, seed=1, challenger=ModelRef(model_name="m1"), metrics=metrics,
    )  # fmt: skip


def decision(verdict: Any = "promote", sentence: str = "Better: 0.90, not 0.85.\nPromoted.") -> Decision:
    """What the gate says."""
    return Decision(
        pipeline="churn", run_id="r1", verdict=verdict, sentence=sentence, reasons=(), rules=(),
        policy=GatePolicy(metric="roc_auc"), challenger="m1",
    )  # fmt: skip


@pytest.fixture
def sm() -> FakeAccount:
    """An account with the challenger's model."""
    fake = FakeAccount()
    fake.put_model("m1", fake.now(), {"art:pipeline": "churn"})
    return fake


def registered(sm: FakeAccount, said: Decision | None = None, status: Any = "Approved", **more: Any) -> str:
    """Register m1."""
    return registry.register(
        sm, group=GROUP, model_name="m1", folder=FOLDER, evaluation=evaluation(*METRICS), decision=said or decision(),
        status=status, tags=OWN, **more,
    )  # fmt: skip


def test_a_version_says_what_the_model_is_made_of_how_good_it_is_and_why_it_is_there(sm: FakeAccount) -> None:
    """Containers of DescribeModel, metrics and baseline in the run folder, run and report as metadata, the sentence."""
    arn = registered(sm)
    version = sm.versions[arn]
    assert arn == f"{ACCOUNT}:model-package/{GROUP}/1"
    specification = version["InferenceSpecification"]
    assert specification["Containers"] == [
        {"Image": "image", "ModelDataUrl": "s3://runs/m.tar.gz", "Environment": {"A": "1"}}
    ]
    assert specification["SupportedContentTypes"] == ["text/csv"]
    quality = version["ModelMetrics"]["ModelQuality"]
    assert quality["Statistics"]["S3Uri"] == f"{FOLDER}/{registry.STATISTICS}"
    assert version["DriftCheckBaselines"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("champion_statistics.json")
    said = version["CustomerMetadataProperties"]
    assert (said["art:run-folder"], said["art:report"]) == (FOLDER, f"{FOLDER}/report.html")
    assert (said["art:model"], said["art:verdict"], said["team"]) == ("m1", "promote", "a")
    assert (version["ModelApprovalStatus"], version["ApprovalDescription"]) == (
        "Approved", "Better: 0.90, not 0.85. Promoted."
    )  # fmt: skip


def test_the_group_has_the_pipelines_tags_and_not_the_runs(sm: FakeAccount) -> None:
    """It outlives the run; its versions have its tags."""
    registered(sm)
    assert tags.as_mapping(sm.tags[sm.groups[GROUP]]) == {
        "art:pipeline": "churn", "art:deployment": "default", "team": "a"
    }  # fmt: skip


def test_without_a_champion_there_are_the_baselines_limits_alone(sm: FakeAccount) -> None:
    """The first model was held against the baseline; where there is not even that, there is no baseline."""
    model = sm.models["m1"]
    first = METRICS[0].model_copy(update={"champion": None})
    made: dict[str, Any] = {
        "group": GROUP, "folder": FOLDER, "decision": decision(), "status": "Approved", "metadata": {},
        "serving": registry.Serving(), "token": "t",
    }  # fmt: skip
    request = registry.version_request(model, evaluation=evaluation(first), **made)
    assert set(request["DriftCheckBaselines"]["ModelQuality"]) == {"Constraints"}
    bare = first.model_copy(update={"baseline": None})
    assert "DriftCheckBaselines" not in registry.version_request(model, evaluation=evaluation(bare), **made)


def test_however_often_the_gate_decides_a_model_has_one_version(sm: FakeAccount) -> None:
    """A retry, and a clear long after AWS has forgotten the request's token."""
    arn = registered(sm)
    assert registered(sm) == arn
    sm.tokens = {"forgotten": arn}
    assert registered(sm) == arn
    assert sm.calls.count("create_model_package") == 1


def test_a_try_that_ended_before_the_model_was_tagged_finds_its_version_by_the_token(sm: FakeAccount) -> None:
    """The answer was lost, or the task killed between the two calls."""
    sm.breaking["add_tags"] = [refused("AddTags", "slow down", "ThrottlingException")]
    with pytest.raises(Exception, match="slow down"):
        registered(sm)
    arn = registered(sm)
    assert (len(sm.versions), sm.versions[arn]["ApprovalDescription"][:6]) == (1, "Better")


def test_a_person_who_said_no_in_between_is_not_overruled_by_a_retry(sm: FakeAccount) -> None:
    """The same verdict leaves the status alone; another verdict sets it anew."""
    arn = registered(sm)
    registry.set_status(sm, arn, "Rejected", "not on a Friday")
    registered(sm)
    assert registry.status_of(sm, arn) == "Rejected"
    with pytest.raises(NotApproved, match=r"found Rejected \(not on a Friday\)"):
        registry.require_approved(sm, arn)
    registered(sm, decision("keep"), "Rejected")
    assert sm.versions[arn]["CustomerMetadataProperties"]["art:verdict"] == "keep"


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_what_is_not_approved_may_not_serve(sm: FakeAccount, status: Any) -> None:
    """Also while a person is still asked."""
    arn = registered(sm, status=status)
    with pytest.raises(NotApproved, match=f"found {status}"):
        registry.require_approved(sm, arn)
    registry.set_status(sm, arn, "Approved", "looked at it")
    registry.require_approved(sm, arn)


def test_a_version_that_somebody_deleted_is_told(sm: FakeAccount) -> None:
    """Neither obeyed nor made up; registering again makes another one."""
    arn = registered(sm)
    sm.delete_model_package(ModelPackageName=arn)
    with pytest.raises(RegistryError, match="somebody deleted it"):
        registry.require_approved(sm, arn)
    with pytest.raises(RegistryError, match="somebody deleted it"):
        registry.set_status(sm, arn, "Approved", "")
    assert registered(sm) != arn


def test_a_group_of_somebody_elses_is_refused_unless_it_is_adopted(sm: FakeAccount) -> None:
    """By its tags; nothing is registered."""
    sm.create_model_package_group(ModelPackageGroupName=GROUP, ModelPackageGroupDescription="theirs", Tags=[])
    with pytest.raises(RegistryError, match=r"registry\.adopt: true"):
        registered(sm)
    assert not sm.versions
    assert registered(sm, adopt=True) in sm.versions


def test_a_group_that_another_run_creates_at_the_same_time_is_found(sm: FakeAccount) -> None:
    """Two DAGs of one pipeline."""
    ours = [tag for tag in OWN if tag["Key"] in ("art:pipeline", "art:deployment")]
    sm.create_model_package_group(ModelPackageGroupName=GROUP, ModelPackageGroupDescription="ours", Tags=ours)
    sm.breaking["describe_model_package_group"] = [refused("Describe", "ModelPackageGroup does not exist.")]
    assert registered(sm) in sm.versions


def test_a_conflict_is_worth_a_retry(sm: FakeAccount) -> None:
    """Somebody else writes the group."""
    sm.breaking["create_model_package"] = [refused("CreateModelPackage", "conflict", "ConflictException")]
    with pytest.raises(RegistryBusy) as caught:
        registered(sm)
    assert caught.value.retryable


def test_a_model_that_is_made_of_a_package_cannot_be_registered_again(sm: FakeAccount) -> None:
    """It has no image of its own."""
    sm.models["m1"]["PrimaryContainer"] = {"ModelPackageName": "p"}
    with pytest.raises(RegistryError, match="registered already"):
        registered(sm)
