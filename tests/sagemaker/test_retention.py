"""Retiring what is old: by tags, in few calls, under the endpoint's lease, and again after a crash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_retraining.core.records import Decision, Outcome
from automl_retraining.sagemaker import lease, retention, storage, tags
from automl_retraining.sagemaker.delete import delete_below
from automl_retraining.sagemaker.pace import Paced
from tests.support.fake_endpoints import refused
from tests.support.fake_registry import FakeAccount
from tests.support.s3_server import client, empty, running
from tests.support.tidying import BUCKET, NOW, FakeFolders, past, run_tags, scope

OURS = {"art:pipeline": "churn", "art:deployment": "default"}


@pytest.fixture(scope="module")
def s3_url() -> Any:
    """An S3 on a port of its own: the lease needs its clock."""
    with running() as url:
        yield url


@pytest.fixture
def s3(s3_url: str) -> Any:
    """Its client, with an empty bucket."""
    empty(s3_url)
    s3 = client(s3_url)
    s3.create_bucket(Bucket=BUCKET)
    return s3


@pytest.fixture
def sm(s3: Any) -> FakeAccount:
    """Churn's six runs, a month apart, 0, 2 and 4 promoted; 4 serves, and 2 is what it can go back to."""
    fake = FakeAccount()
    past(fake, "churn", 6, promoted=(0, 2, 4), every=30)
    fake.put_endpoint("art-churn", "art-config-churn-4", {**OURS, tags.PREVIOUS_CONFIG: "art-config-churn-2"})
    for run in (0, 2, 4):
        promoted(s3, "churn", run)
    for run in (1, 3, 5):
        storage.write_text(s3, f"s3://{BUCKET}/churn/runs/r{run}/manifest.json", "{}")
    return fake


def promoted(s3: Any, name: str, run: int) -> None:
    """The outcome of a run that was."""
    outcome = Outcome(
        pipeline=name, run_id=f"r{run}", outcome="promoted", sentence="", endpoint="e", finished=datetime.now(UTC)
    )
    storage.write_record(s3, f"s3://{BUCKET}/{name}/runs/r{run}/outcome.json", outcome)


POLICY: dict[str, Any] = {"days": 45, "models": 1, "runs": 1, "packages": 2}
SOON = datetime.now(UTC) + timedelta(days=400)
"""Long after the objects in S3 were written, which have the server's time."""


def names(found: retention.Tidied, pipeline: str = "churn") -> set[str]:
    """What is planned to go."""
    return {item.name for item in found.plans[pipeline].retire}


def test_what_serves_and_what_it_can_go_back_to_stay(sm: FakeAccount, s3: Any) -> None:
    """Five months on, the policy alone would keep none of them."""
    found = retention.look(sm, s3, [scope(**POLICY)], SOON)
    assert {"art-model-churn-0", "art-model-churn-1", "art-model-churn-3", "art-config-churn-0"} <= names(found)
    assert not {"art-model-churn-2", "art-model-churn-4", "art-config-churn-2", "art-config-churn-4"} & names(found)
    for run in (2, 4):
        assert f"s3://{BUCKET}/churn/runs/r{run}" not in names(found)
    assert not sm.calls


def test_the_champions_reference_stays_with_its_folder(sm: FakeAccount, s3: Any) -> None:
    """A champion promoted as not inferior answers to the last model that was better."""
    policy = {"metric": "rmse", "mode": "non_inferiority", "margin": 0.1}
    decision = {
        "pipeline": "churn", "run_id": "r4", "verdict": "promote", "sentence": "", "reasons": (), "rules": (),
        "policy": policy, "challenger": "art-model-churn-4", "champion": "art-model-churn-2",
        "reference": {"model_name": "art-model-churn-0", "run_folder": f"s3://{BUCKET}/churn/runs/r0"},
    }  # fmt: skip
    storage.write_record(s3, f"s3://{BUCKET}/churn/runs/r4/decision.json", Decision.model_validate(decision))
    found = retention.look(sm, s3, [scope(**POLICY)], SOON)
    assert not {"art-model-churn-0", f"s3://{BUCKET}/churn/runs/r0"} & names(found)


def test_a_reference_that_cannot_be_told_leaves_a_pipeline_that_needs_it_alone(sm: FakeAccount, s3: Any) -> None:
    """Its champion's decision is gone: what it answers to may be anything."""
    needy = scope(gate={"metric": "rmse", "mode": "non_inferiority", "margin": 0.1}, **POLICY)
    found = retention.look(sm, s3, [needy], SOON)
    assert "decision.json" in found.skipped["churn"]
    assert not found.plans


@pytest.mark.parametrize("text", ["not json", "[]", '{"word": "promoted"}'])
def test_an_outcome_of_another_version_counts_as_a_promotion(sm: FakeAccount, s3: Any, text: str) -> None:
    """Rather kept than lost; and no single file stops the tidying."""
    for run in (0, 2):
        storage.write_text(s3, f"s3://{BUCKET}/churn/runs/r{run}/outcome.json", text)
    found = retention.look(sm, s3, [scope(**{**POLICY, "models": 3})], SOON)
    assert "art-model-churn-0" not in names(found)
    storage.write_text(s3, f"s3://{BUCKET}/churn/state/last_run.json", text)
    assert "LastRun" in retention.look(sm, s3, [scope(**POLICY)], SOON).skipped["churn"]


def test_a_run_folder_of_many_objects_goes_page_by_page(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing goes on where it was, though what it listed is gone."""
    monkeypatch.setattr("automl_retraining.sagemaker.delete._BATCH", 2)
    for number in range(5):
        storage.write_text(s3, f"s3://{BUCKET}/many/{number}", "x")
    storage.write_text(s3, f"s3://{BUCKET}/many-others", "x")
    assert delete_below(s3, f"s3://{BUCKET}/many/") == 5
    assert storage.list_uris(s3, f"s3://{BUCKET}/many") == [f"s3://{BUCKET}/many-others"]


def test_a_model_that_somebody_elses_endpoint_serves_stays_whichever_variant(sm: FakeAccount, s3: Any) -> None:
    """Shadow variants, an update that is still under way, inference components, a running batch transform."""
    sm.put_config("theirs", NOW, {}, "their-model")
    sm.configs["theirs"]["ShadowProductionVariants"] = [{"VariantName": "s", "ModelName": "art-model-churn-0"}]
    sm.put_config("next", NOW, {}, "art-model-churn-1")
    sm.put_endpoint("theirs", "theirs", {}, PendingDeploymentSummary={"EndpointConfigName": "next"})
    sm.create_transform_job(
        TransformJobName="t", ModelName="art-model-churn-3", Tags=[],
        TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/k"}}},
        TransformOutput={"S3OutputPath": "s3://b/o"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )  # fmt: skip
    found = retention.look(sm, s3, [scope(**POLICY)], SOON)
    assert not {f"art-model-churn-{run}" for run in range(5)} & names(found)


def test_what_is_not_ours_by_its_tags_stays(sm: FakeAccount, s3: Any) -> None:
    """A name is not enough: no tags, another deployment's, another pipeline's."""
    for run, own in ((0, {}), (1, {**OURS, "art:deployment": "other"}), (3, {**OURS, "art:pipeline": "else"})):
        sm.tagged(sm.models[f"art-model-churn-{run}"]["ModelArn"], own)
    found = retention.look(sm, s3, [scope(**POLICY)], SOON)
    assert not {f"art-model-churn-{run}" for run in (0, 1, 3)} & names(found)
    assert found.others == 3


def test_carried_out_it_deletes_exactly_the_plan_and_is_done_the_second_time(sm: FakeAccount, s3: Any) -> None:
    """Versions, configurations, models, run folders; the split's state is not touched, and the lease is free."""
    storage.write_text(s3, f"s3://{BUCKET}/churn/state/split.json", "{}")
    scopes = [scope(**POLICY)]
    found = retention.look(sm, s3, scopes, SOON)
    retention.carry_out(sm, s3, scopes, found, owner="me", say=lambda _: None)
    assert {item.name for item in found.done.items} == names(found)
    assert set(sm.models) == {f"art-model-churn-{run}" for run in (2, 4)}
    left = {uri.split("/")[5] for uri in storage.list_uris(s3, f"s3://{BUCKET}/churn/runs/")}
    assert left == {"r2", "r4", "r5"}  # 5 is the newest, as the test wrote them
    assert storage.exists(s3, f"s3://{BUCKET}/churn/state/split.json")
    held = lease.read(s3, BUCKET, "art-churn")
    assert held is not None
    assert held.free
    assert retention.look(sm, s3, scopes, SOON).plans["churn"].retire == ()


def test_what_came_into_use_since_the_plan_is_left(sm: FakeAccount, s3: Any) -> None:
    """Somebody went back two models while the list was made."""
    scopes = [scope(**POLICY)]
    found = retention.look(sm, s3, scopes, SOON)
    sm.endpoints["art-churn"]["EndpointConfigName"] = "art-config-churn-0"
    retention.carry_out(sm, s3, scopes, found, owner="me", say=lambda _: None)
    assert {"art-model-churn-0"} <= set(sm.models)
    assert {"art-config-churn-0"} <= set(sm.configs)
    assert storage.exists(s3, f"s3://{BUCKET}/churn/runs/r0/outcome.json")
    left = {"art-model-churn-0", "art-config-churn-0", f"s3://{BUCKET}/churn/runs/r0"}
    assert {item.name for item, _ in found.left} >= left


def test_an_endpoint_that_is_being_written_is_left_for_the_next_time(sm: FakeAccount, s3: Any) -> None:
    """Its lease is somebody else's."""
    scopes = [scope(**POLICY)]
    lease.acquire(s3, BUCKET, "art-churn", owner="a run", seconds=60, about="task update_endpoint")
    found = retention.look(sm, s3, scopes, SOON)
    retention.carry_out(sm, s3, scopes, found, owner="me", say=lambda _: None)
    assert found.done.items == []
    assert "task update_endpoint" in found.skipped["churn"]


def test_throttled_it_stops_and_a_refusal_is_told_while_the_rest_goes_on(sm: FakeAccount, s3: Any) -> None:
    """The next try does the rest; what AWS refuses is named."""
    scopes = [scope(**POLICY)]
    found = retention.look(sm, s3, scopes, SOON)
    sm.breaking["delete_model_package"] = [refused("Delete", "may not", "AccessDeniedException")]
    sm.breaking["delete_model"] = [refused("Delete", "slower", "ThrottlingException")]
    retention.carry_out(sm, s3, scopes, found, owner="me", say=lambda _: None)
    assert "slower" in str(found.done.stopped)
    assert "may not" in found.done.failed[0][1]
    again = retention.look(sm, s3, scopes, SOON)
    retention.carry_out(sm, s3, scopes, again, owner="me", say=lambda _: None)
    assert again.done.stopped is None
    assert retention.look(sm, s3, scopes, SOON).plans["churn"].retire == ()


def test_what_somebody_else_has_deleted_meanwhile_counts_as_done(sm: FakeAccount, s3: Any) -> None:
    """Two retentions at once."""
    scopes = [scope(**POLICY)]
    found = retention.look(sm, s3, scopes, SOON)
    del sm.models["art-model-churn-0"]
    retention.carry_out(sm, s3, scopes, found, owner="me", say=lambda _: None)
    assert (found.done.failed, found.done.stopped) == ([], None)


def test_an_endpoint_that_is_being_made_or_is_not_ours_leaves_the_pipeline_alone(sm: FakeAccount, s3: Any) -> None:
    """What it will serve cannot be known."""
    sm.endpoints["art-churn"]["EndpointStatus"] = "Creating"
    found = retention.look(sm, s3, [scope(**POLICY)], SOON)
    assert "found Creating" in found.skipped["churn"]
    assert not found.plans


def test_thirty_pipelines_of_five_hundred_runs_take_pages_and_the_tags_of_what_is_old() -> None:
    """15,000 models: those of the last months are neither listed nor asked for their tags."""
    sm, count = FakeAccount(), 30
    sm.validated = False
    objects: dict[str, datetime] = {}
    for number in range(count):
        past(sm, f"p{number}", 500, promoted=range(0, 500, 50), every=1)
        sm.put_endpoint(f"art-p{number}", f"art-config-p{number}-450", {**OURS, "art:pipeline": f"p{number}"})
        for run in range(500):
            key = f"p{number}/runs/r{run}/manifest.json"
            objects[key] = NOW - timedelta(days=499 - run)
    s3 = FakeFolders(objects)
    found = retention.look(sm, s3, [scope(f"p{number}", days=480) for number in range(count)], NOW)
    old = 20 * count
    configs = 10 * count
    assert all(len(planned.retire) > 19 for planned in found.plans.values())
    assert sm.counted["list_models"] == old // 100
    assert sm.counted["list_endpoint_configs"] == configs // 100
    assert sm.counted["list_model_packages"] == 5 * count
    assert sm.counted["list_tags"] <= old + configs + 6 * count
    assert sm.counted["describe_model_package"] == old
    assert s3.pages == count
    assert sum(sm.counted.values()) < 4 * old + 12 * count


def test_calls_come_no_faster_than_they_may() -> None:
    """Ten a second: the hundredth call comes after ten seconds; time spent otherwise counts."""
    time = [0.0]

    def sleep(seconds: float) -> None:
        time[0] += seconds

    sm = FakeAccount()
    paced = Paced(sm, 10, sleep=sleep, clock=lambda: time[0])
    for _ in range(101):
        paced.list_models(MaxResults=10)
    assert time[0] == pytest.approx(10)
    assert paced.calls == {"list_models": 101}
    time[0] += 100
    paced.list_models(MaxResults=10)
    assert time[0] == pytest.approx(110)


def test_the_tags_of_a_run_are_those_that_are_looked_for() -> None:
    """The support stands for what the operators write."""
    assert scope().owns(run_tags("churn", "r1"))
