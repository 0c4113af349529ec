"""A model registered, looked at by retention, and removed with its pipeline: real Airflow, the embedded AWS."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.conftest import World
from tests.acceptance.test_main_job import read

PIPELINE = "accept_lifecycle"
ENDPOINT = GROUP = "art-accept-lifecycle"


def tidied(world: World, dag_id: str, task: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Run a DAG of one task to success; what its task returned."""
    run_id = world.begin(dag_id, conf)
    assert world.wait(dag_id, run_id, 120) == "success", world.explain(dag_id, run_id)
    return dict(world.api.xcom(dag_id, run_id, task) or {})


def test_a_promoted_model_is_registered_kept_and_removed_with_its_pipeline(world: World) -> None:
    """Approved in the registry; what is young stays; a teardown leaves nothing of it."""
    train, teardown = f"tuned_{PIPELINE}", f"teardown_{PIPELINE}"
    outcome = world.finished(train, world.begin(train, {}))
    assert outcome["outcome"] == "promoted"
    sagemaker = world.stack.aws_client("sagemaker")
    version = sagemaker.describe_model_package(ModelPackageName=outcome["facts"]["model_package"])
    assert (version["ModelPackageGroupName"], version["ModelApprovalStatus"]) == (GROUP, "Approved")
    assert version["CustomerMetadataProperties"]["art:model"] == outcome["champion"]
    quality = json.loads(read(world, version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
    assert quality["regression_metrics"]["rmse"]["value"] > 0

    looked = tidied(world, "retention", "retire", {"dry_run": True})
    assert looked["dry_run"]
    report = json.loads(read(world, looked["report"]))
    assert report["pipelines"][PIPELINE]["retire"] == []
    assert report["deleted"] == []

    others = world.jobs()
    assert {outcome["champion"], ENDPOINT} <= others
    removed = tidied(world, teardown, "remove", {"confirm": PIPELINE})
    assert removed["deleted"] == removed["planned"]
    assert removed["planned"]["endpoint"] == removed["planned"]["model"] == removed["planned"]["version"] == 1
    assert removed["left"] == []
    gone = others - world.jobs()
    assert {outcome["champion"], ENDPOINT} <= gone
    bucket = str(outcome["report_uri"]).removeprefix("s3://").partition("/")[0]
    objects = world.stack.aws_client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{PIPELINE}/")
    assert objects["KeyCount"] == 0
    groups = sagemaker.list_model_package_groups(NameContains=GROUP)["ModelPackageGroupSummaryList"]
    assert groups == []
