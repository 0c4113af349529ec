"""Registered, retired and removed on the embedded AWS: what a stand-in cannot know about answers and refusals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_retraining.core import model_quality
from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import NotApproved
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import (
    ContainerSpec,
    Decision,
    Evaluation,
    Interval,
    MetricResult,
    ModelRef,
    Outcome,
)
from automl_retraining.sagemaker import endpoint, registry, requests, retention, storage, tags, teardown
from automl_retraining.sagemaker.inventory import Scope
from tests.support.local_aws import Running
from tests.support.local_aws_requests import ROLE, until
from tests.support.trainings import XGBOOST, put_numbers, trained

pytestmark = pytest.mark.local_aws

BUCKET = "lifecycle"
SOON = datetime.now(UTC) + timedelta(days=400)
AUC = MetricResult(
    name="roc_auc", greater_is_better=True, challenger=Interval(value=0.9, low=0.8, high=0.95), baseline=0.5
)


@dataclass(frozen=True)
class Past:
    """Two pipelines with three runs each; the last model of `life_a` serves."""

    aws: Running
    a: Scope
    b: Scope
    versions: list[str]

    @property
    def sm(self) -> Any:
        return self.aws.client("sagemaker")

    @property
    def s3(self) -> Any:
        return self.aws.client("s3")

    def models(self, scope: Scope) -> set[str]:
        found = self.sm.list_models(NameContains=f"art-model-{scope.name.replace('_', '-')}-")["Models"]
        return {each["ModelName"] for each in found}


def pipeline(name: str) -> Pipeline:
    return Pipeline.model_validate(
        {
            "name": name, "source": "a.csv", "target": "y", "gate": {"metric": "roc_auc"},
            "retention": {"days": 30, "models": 1, "runs": 1, "packages": 1},
        }
    )  # fmt: skip


def run(aws: Running, scope: Scope, number: int, artifact: bytes) -> str:
    """What a run leaves: its folder, model, version and endpoint configuration. Its version's ARN."""
    sm, s3 = aws.client("sagemaker"), aws.client("s3")
    folder = f"{scope.below('runs')}manual__{number}"
    own = tags.own_tags(pipeline=scope.name, run_id=f"manual__{number}", run_folder=folder, deployment="default")
    model = f"art-model-{scope.name.replace('_', '-')}-{number}"
    storage.write_bytes(s3, f"{folder}/model.tar.gz", artifact)
    storage.write_record(
        s3,
        f"{folder}/outcome.json",
        Outcome(pipeline=scope.name, run_id="r", outcome="promoted", sentence="", endpoint="e", finished=SOON),
    )
    container = ContainerSpec(image=XGBOOST, model_data_url=f"{folder}/model.tar.gz")
    sm.create_model(**requests.create_model(model, [container], ROLE, own))
    evaluation = Evaluation(
        pipeline=scope.name, run_id="r", problem_type="BinaryClassification", target="y", rows=9, units=9,
        confidence=0.95, resamples=200, seed=1, challenger=ModelRef(model_name=model), metrics=(AUC,),
    )  # fmt: skip
    decision = Decision(
        pipeline=scope.name, run_id="r", verdict="promote", sentence="Besser als „vorher“: 0.9, nicht 0.8 — ✓.",
        reasons=(), rules=(), policy=GatePolicy(metric="roc_auc"), challenger=model,
    )  # fmt: skip
    storage.write_text(
        s3, f"{folder}/{registry.STATISTICS}", json.dumps(model_quality.statistics(evaluation, "challenger"))
    )
    arn = registry.register(
        sm, group=scope.pipeline.package_group, model_name=model, folder=folder, evaluation=evaluation,
        decision=decision, status="Approved", tags=own,
    )  # fmt: skip
    variant = {"VariantName": "champion", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sm.create_endpoint_config(
        EndpointConfigName=model.replace("model", "config"), ProductionVariants=[variant], Tags=own
    )
    return arn


@pytest.fixture(scope="module")
def past(aws: Running) -> Past:
    """One model trained, copied into each run."""
    sm, s3 = aws.client("sagemaker"), aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    put_numbers(aws)
    job = trained(aws, "lifecycle", {"num_round": 2, "objective": "reg:squarederror"})
    artifact = storage.read_bytes(s3, job["ModelArtifacts"]["S3ModelArtifacts"])
    a, b = (Scope(pipeline(name), BUCKET, "default") for name in ("life_a", "life_b"))
    versions = [run(aws, scope, number, artifact) for scope in (a, b) for number in range(3)]
    own = [{"Key": "art:pipeline", "Value": "life_a"}, {"Key": "art:deployment", "Value": "default"}]
    sm.create_endpoint(EndpointName="art-life-a", EndpointConfigName="art-config-life-a-2", Tags=own)
    until(lambda: sm.describe_endpoint(EndpointName="art-life-a"), "EndpointStatus", ("Creating",))
    storage.write_text(s3, a.below("state") + "split.json", "{}")
    return Past(aws, a, b, versions)


def test_a_candidate_is_registered_with_what_it_is_made_of_and_why(past: Past) -> None:
    """Every member passes the service's own model; the second time it is the same version."""
    version = registry.describe(past.sm, past.versions[2])
    assert version is not None
    assert version["ModelPackageArn"].endswith("model-package/art-life-a/3")
    assert version["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].endswith("manual__2/model.tar.gz")
    assert version["ApprovalDescription"].endswith("— ✓.")
    assert version["CustomerMetadataProperties"]["art:run-folder"] == f"s3://{BUCKET}/life_a/runs/manual__2"
    statistics = version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    found = json.loads(storage.read_bytes(past.s3, statistics))
    assert found["binary_classification_metrics"]["auc"]["value"] == 0.9
    model = endpoint.describe_model(past.sm, "art-model-life-a-2")
    assert model is not None
    assert endpoint.tags_of(past.sm, model["ModelArn"])[registry.PACKAGE_TAG] == past.versions[2]


def test_a_version_rejected_in_the_console_may_not_serve(past: Past) -> None:
    """Nor be made a model of."""
    arn = past.versions[5]
    registry.require_approved(past.sm, arn)
    past.sm.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="no")
    with pytest.raises(NotApproved, match=r"found Rejected \(no\)"):
        registry.require_approved(past.sm, arn)


def test_what_is_old_goes_in_all_pipelines_and_the_endpoint_answers_on(past: Past) -> None:
    """Looked at 400 days later; carried out, there is nothing more to do."""
    scopes = [past.a, past.b]
    found = retention.look(past.sm, past.s3, scopes, SOON)
    assert found.skipped == {}
    retention.carry_out(past.sm, past.s3, scopes, found, owner="test", say=lambda _: None)
    assert (found.done.failed, found.done.stopped) == ([], None)
    assert past.models(past.a) == {"art-model-life-a-2"}
    assert past.models(past.b) == {"art-model-life-b-2"}
    configs = past.sm.list_endpoint_configs(NameContains="art-config-life-a")["EndpointConfigs"]
    assert [each["EndpointConfigName"] for each in configs] == ["art-config-life-a-2"]
    assert registry.describe(past.sm, past.versions[0]) is None
    assert registry.describe(past.sm, past.versions[2]) is not None
    left = {uri.split("/")[5] for uri in storage.list_uris(past.s3, past.a.below("runs"))}
    assert left == {"manual__2"}
    answer = past.aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="art-life-a", Body=b"1.0,2.0,3.0,4.0\n", ContentType="text/csv"
    )
    assert float(answer["Body"].read()) == pytest.approx(0, abs=100)
    again = retention.look(past.sm, past.s3, scopes, SOON)
    assert [planned.retire for planned in again.plans.values()] == [(), ()]


def test_a_teardown_removes_one_pipeline_whole_and_leaves_the_other(past: Past) -> None:
    """Endpoint, configurations, models, versions and their group, run folders, state; then there is nothing."""
    clients = teardown.Clients(past.sm, past.s3, past.aws.client("cloudwatch"), sleep=lambda _: None)
    planned = teardown.look(clients, past.a)
    assert planned.left == ()
    assert {item.kind for item in planned.items} == {
        "endpoint", "version", "endpoint configuration", "model", "model package group", "run folder", "state"
    }  # fmt: skip
    done = teardown.carry_out(clients, past.a, planned, owner="test", say=lambda _: None)
    assert done.failed == []
    assert [item.name for item in done.items] == [item.name for item in planned.items]
    again = teardown.look(clients, past.a)
    assert (again.items, again.left) == ((), ())
    assert endpoint.describe(past.sm, "art-life-a") is None
    assert storage.list_uris(past.s3, f"s3://{BUCKET}/life_a/") == []
    assert "art-model-life-b-2" in past.models(past.b)
    assert registry.group_of(past.sm, "art-life-b") is not None
