"""One pipeline removed whole, and nobody else's anything."""

from __future__ import annotations

from typing import Any

import pytest

from automl_retraining.core.errors import EndpointBusy, LeaseHeld
from automl_retraining.sagemaker import lease, storage, tags, teardown
from automl_retraining.sagemaker.delete import Deleted, delete_below
from tests.support.fake_endpoints import refused
from tests.support.fake_registry import ACCOUNT, FakeAccount
from tests.support.s3_server import client, running
from tests.support.tidying import BUCKET, NOW, FakeAlarms, past, run_tags, scope

OURS = {"art:pipeline": "churn", "art:deployment": "default"}
SCOPE = scope()


@pytest.fixture(scope="module")
def s3_url() -> Any:
    """An S3 on a port of its own: the lease needs its clock."""
    with running() as url:
        yield url


@pytest.fixture
def clients(s3_url: str) -> teardown.Clients:
    """Two pipelines of three runs, the last one of each promoted and serving; a table that is the user's own."""
    s3, sm = client(s3_url), FakeAccount()
    s3.create_bucket(Bucket=BUCKET)
    for name in ("churn", "cars"):
        past(sm, name, 3, promoted=(0, 2))
        own = {**OURS, "art:pipeline": name}
        sm.put_endpoint(f"art-{name}", f"art-config-{name}-2", {**own, tags.PREVIOUS_CONFIG: f"art-config-{name}-0"})
        for key in ("runs/r2/manifest.json", "state/split.json", "table.csv"):
            storage.write_text(s3, f"s3://{BUCKET}/{name}/{key}", "{}")
    storage.write_text(s3, f"s3://{BUCKET}/churn/runs/r0/model.tar.gz", "x")
    return teardown.Clients(sm, s3, FakeAlarms("art-alarm-art-churn.champion.errors", "theirs"), sleep=lambda _: None)


def removed(clients: teardown.Clients) -> Deleted:
    """Look and carry out."""
    return teardown.carry_out(clients, SCOPE, teardown.look(clients, SCOPE), owner="me", say=lambda _: None)


def keys(clients: teardown.Clients) -> set[str]:
    """Every object of the two."""
    return {uri for name in ("churn", "cars") for uri in storage.list_uris(clients.s3, f"s3://{BUCKET}/{name}/")}


def test_everything_of_the_pipeline_goes_and_nothing_of_the_other(clients: teardown.Clients) -> None:
    """In the bucket only runs and state: a table below the pipeline's name is the user's own."""
    listed = teardown.look(clients, SCOPE)
    assert not clients.sm.calls
    done = removed(clients)
    assert [item.name for item in done.items] == [item.name for item in listed.items]
    sm = clients.sm
    for left in (sm.models, sm.configs, sm.versions, sm.groups, sm.endpoints):
        assert left
        assert not any("churn" in name for name in left)
    assert clients.cloudwatch.names == {"theirs"}
    below = f"s3://{BUCKET}"
    assert keys(clients) == {
        f"{below}/churn/table.csv",
        *(f"{below}/cars/{key}" for key in ("runs/r2/manifest.json", "state/split.json", "table.csv")),
    }
    held = lease.read(clients.s3, BUCKET, "art-churn")
    assert held is not None
    assert held.free


def test_killed_in_the_middle_the_next_one_goes_on(clients: teardown.Clients) -> None:
    """Wherever AWS stopped answering."""
    for operation in ("delete_model_package", "delete_endpoint_config", "delete_model"):
        clients.sm.breaking[operation] = [refused("Delete", "slow down", "ThrottlingException")]
        assert "slow down" in str(removed(clients).stopped)
    assert removed(clients).stopped is None
    assert teardown.look(clients, SCOPE).items == ()


def test_a_model_that_another_endpoint_serves_is_left_with_its_folder(clients: teardown.Clients) -> None:
    """Somebody put it there; the group's versions go all the same."""
    clients.sm.put_config("theirs", NOW, {}, "art-model-churn-0")
    clients.sm.put_endpoint("theirs", "theirs", {})
    left = {item.name: item.why for item in teardown.look(clients, SCOPE).left}
    assert left["art-model-churn-0"] == "endpoint theirs serves it"
    removed(clients)
    assert "art-model-churn-0" in clients.sm.models
    assert "art-model-churn-1" not in clients.sm.models
    assert f"s3://{BUCKET}/churn/runs/r0/model.tar.gz" in keys(clients)


def test_an_endpoint_of_another_pipeline_is_left_with_all_that_it_serves(clients: teardown.Clients) -> None:
    """Shared by name: it carries the other's tag, and serves this one's model."""
    theirs = {**OURS, "art:pipeline": "cars", tags.PREVIOUS_CONFIG: "art-config-churn-0"}
    clients.sm.tagged(f"{ACCOUNT}:endpoint/art-churn", theirs)
    listed = teardown.look(clients, SCOPE)
    assert listed.endpoint is None
    assert {item.name: item.why for item in listed.left}["art-churn"].startswith("it is pipeline cars's")
    removed(clients)
    assert {"art-model-churn-0", "art-model-churn-2"} <= set(clients.sm.models)
    assert "art-churn" in clients.sm.endpoints
    assert len(clients.cloudwatch.names) == 2


def test_an_endpoint_of_ours_that_serves_another_pipelines_model_is_left(clients: teardown.Clients) -> None:
    """The other pipeline adopted it."""
    clients.sm.put_config("next", NOW, run_tags("cars", "r2"), "art-model-cars-2")
    clients.sm.endpoints["art-churn"]["EndpointConfigName"] = "next"
    listed = teardown.look(clients, SCOPE)
    assert {item.name: item.why for item in listed.left}["art-churn"] == (
        "it serves model art-model-cars-2 of pipeline cars"
    )
    removed(clients)
    assert "art-churn" in clients.sm.endpoints


def test_what_carries_other_tags_is_left(clients: teardown.Clients) -> None:
    """A group made by hand, a version registered by hand, another deployment's model."""
    sm = clients.sm
    sm.versions[f"{ACCOUNT}:model-package/art-churn/1"]["CustomerMetadataProperties"] = {}
    sm.tagged(sm.models["art-model-churn-1"]["ModelArn"], {**OURS, "art:deployment": "other"})
    left = {item.name: item.why for item in teardown.look(clients, SCOPE).left}
    assert left["art-churn"] == "it holds versions that are not this pipeline's"
    removed(clients)
    assert "art-model-churn-1" in sm.models
    assert set(sm.versions) & {f"{ACCOUNT}:model-package/art-churn/{n}" for n in (1, 2, 3)} == {
        f"{ACCOUNT}:model-package/art-churn/1"
    }
    sm.tagged(sm.groups["art-churn"], {})
    assert {item.name: item.why for item in teardown.look(clients, SCOPE).left}["art-churn"].startswith("by its tags")


def test_running_jobs_of_the_pipeline_are_stopped_whatever_their_run(clients: teardown.Clients) -> None:
    """And nobody else's."""
    data = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/k"}}}
    for name, pipeline in (("art-transform-a", "churn"), ("art-transform-b", "cars")):
        own = tags.own_tags(pipeline=pipeline, run_id="r9", run_folder="s3://x", deployment="default")
        clients.sm.create_transform_job(
            TransformJobName=name, ModelName="m", Tags=own, TransformInput=data,
            TransformOutput={"S3OutputPath": "s3://b/o"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )  # fmt: skip
    removed(clients)
    states = {name: job["TransformJobStatus"] for name, job in clients.sm.transforms.items()}
    assert states == {"art-transform-a": "Stopping", "art-transform-b": "InProgress"}


def test_an_endpoint_that_somebody_writes_now_is_waited_for(clients: teardown.Clients) -> None:
    """By its lease, and by its status; nothing is removed."""
    lease.acquire(clients.s3, BUCKET, "art-churn", owner="a run", seconds=60, about="task update_endpoint")
    with pytest.raises(LeaseHeld):
        removed(clients)
    lease.release(clients.s3, BUCKET, "art-churn", owner="a run")
    clients.sm.endpoints["art-churn"]["EndpointStatus"] = "Updating"
    with pytest.raises(EndpointBusy, match="found Updating"):
        removed(clients)
    assert "art-churn" in clients.sm.endpoints
    assert "art-model-churn-0" in clients.sm.models


def test_the_whole_bucket_is_never_a_folder(clients: teardown.Clients) -> None:
    """Whatever a name may have been made of."""
    with pytest.raises(storage.StorageRefused, match="the whole bucket"):
        delete_below(clients.s3, f"s3://{BUCKET}/")
