"""The task that looks at the data before anything is paid for: what it reads, writes, says and stops at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException
from moto import mock_aws

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import DataChecks, ModelRef
from automl_retraining.operators.check_data import CheckDataOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.sagemaker import run_folder, storage
from tests.support.splits import binary_rows, table
from tests.support.tasks import RUN_ID, context

BUCKET = "bucket-of-tests"
FOLDER = f"s3://{BUCKET}/shop/runs/{RUN_ID}"


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """An S3 client of moto."""
    with mock_aws():
        yield boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def s3(aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """An empty bucket, reached through Airflow's connection; local sources lie below ``tmp_path``."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "login": "local", "password": "x"}))
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)
    monkeypatch.setenv("AUTOML_RETRAINING_DATA_DIRS", str(tmp_path))
    aws.create_bucket(Bucket=BUCKET)
    for entry in aws.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        aws.delete_object(Bucket=BUCKET, Key=entry["Key"])
    return aws


def pipeline(**checks: Any) -> Pipeline:
    return Pipeline.model_validate(
        {"name": "shop", "source": "x.csv", "target": "y", "gate": {"metric": "roc_auc", "checks": checks}}
    )


def split(tmp_path: Path, rows: list[str], run_id: str = RUN_ID, header: str = "id,a,b,y") -> None:
    """The split task before it."""
    (tmp_path / "t.csv").write_bytes(table(header, rows))
    SplitOperator(task_id="split", pipeline=pipeline(), source=str(tmp_path / "t.csv"), min_train_rows=100).execute(
        {"run_id": run_id}
    )


def check(champion: ModelRef | None = None, **checks: Any) -> Any:
    """Execute the task."""
    ctx = context("check_data", split="success", champion="success")
    if champion is not None:
        ctx["ti"].xcoms["champion", "return_value"] = champion.model_dump(mode="json")
    return CheckDataOperator(task_id="check_data", pipeline=pipeline(**checks)).execute(ctx)


def written(s3: Any) -> DataChecks:
    """checks.json, as the record reads it."""
    folder = run_folder.read(s3, FOLDER, {"check_data": "success"})
    assert folder.checks is not None
    return folder.checks


def test_what_is_found_is_written_said_and_handed_on(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column of row names that pass as a feature; by default it is a warning and the run goes on."""
    split(tmp_path, binary_rows(900))
    assert check() == ["identifier"]
    checks = written(s3)
    assert (checks.pipeline, checks.run_id) == ("shop", RUN_ID)
    assert [result.name for result in checks.results] == [
        "single_feature", "identifier", "duplicates", "target_shift", "train_test",
    ]  # fmt: skip
    result = checks.results[1]
    assert (result.found, result.columns) == (True, ("id",))
    assert f"identifier: {result.sentence}" in capsys.readouterr().out


def test_stop_fails_for_good_before_anything_is_paid_for(s3: Any, tmp_path: Path) -> None:
    """Naming the check and what it found; checks.json is there, and the report of the failed run has it."""
    split(tmp_path, [f"{row},{row.endswith('yes')}" for row in binary_rows(900)], header="id,a,b,y,late")
    with pytest.raises(AirflowFailException, match=r"gate\.checks\.single_feature is stop, and .*'late'") as raised:
        check(single_feature="stop", identifier="warn")
    assert "identifier is stop" not in str(raised.value)
    assert {result.name for result in written(s3).results if result.found} == {"single_feature", "identifier"}
    assert run_folder.read(s3, FOLDER, {"check_data": "failed"}).checks == written(s3)
    assert run_folder.read(s3, FOLDER, {"check_data": "upstream_failed"}).checks is None
    assert check(single_feature="doubt") == ["single_feature", "identifier"]


def test_with_every_check_off_nothing_is_read_and_nothing_old_stays(s3: Any, tmp_path: Path) -> None:
    """There is not even a manifest to read in the second run."""
    off: dict[str, Any] = dict.fromkeys(
        ("single_feature", "identifier", "duplicates", "target_shift", "train_test"), "off"
    )
    split(tmp_path, binary_rows(900))
    check()
    storage_keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    for key in storage_keys:
        if not key.endswith("checks.json"):
            s3.delete_object(Bucket=BUCKET, Key=key)
    assert check(**off) == []
    assert written(s3).results == ()


def test_the_champions_training_data_are_read_from_its_own_run(s3: Any, tmp_path: Path) -> None:
    """A target that shifted since is found; a run folder that is gone, or none, is said and stops nothing."""
    rows = binary_rows(900)
    split(tmp_path, [row for place, row in enumerate(rows) if place % 4 or row.endswith("no")], "before")
    split(tmp_path, [row for place, row in enumerate(rows) if place % 2 or row.endswith("yes")])
    champion = ModelRef(model_name="m1", run_folder=f"s3://{BUCKET}/shop/runs/before")
    assert "target_shift" in check(champion)
    assert "run before" in written(s3).results[3].sentence
    for folder, said in ((f"s3://{BUCKET}/shop/runs/gone", "found none"), (None, "no tag of a run folder")):
        assert "target_shift" not in check(ModelRef(model_name="m1", run_folder=folder))
        assert said in written(s3).results[3].sentence


def test_a_part_that_another_run_overwrote_is_worth_another_try(s3: Any, tmp_path: Path) -> None:
    """It is retried, and no old finding stays meanwhile."""
    split(tmp_path, binary_rows(900))
    check()
    storage.write_text(s3, f"{FOLDER}/data/train/train.csv", "id,a,b,y\nc1,2,3,no\n")
    with pytest.raises(StorageError, match="another run wrote here meanwhile"):
        check()
    assert written(s3).results == ()
