"""The split task: what it writes, in which order, and what it leaves behind when the table is bad."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from moto import mock_aws

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import StorageError
from automl_retraining.core.records import Manifest, Outcome, SplitResult
from automl_retraining.operators.split import SplitOperator
from automl_retraining.sagemaker import storage
from tests.support.splits import binary_rows, table
from tests.support.web import serving

BUCKET = "bucket-of-tests"
HEADER = "id,a,b,y"
NOW = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """An S3 client of moto."""
    with mock_aws():
        yield boto3.client("s3", region_name="us-east-1")


@pytest.fixture
def s3(aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An S3 with an empty bucket, reached through Airflow's connection; local sources lie below ``tmp_path``."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "login": "local", "password": "x"}))
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)
    monkeypatch.setenv("AUTOML_RETRAINING_DATA_DIRS", str(tmp_path))
    aws.create_bucket(Bucket=BUCKET)
    yield aws
    for key in keys(aws):
        aws.delete_object(Bucket=BUCKET, Key=key)
    aws.delete_bucket(Bucket=BUCKET)


def pipeline(**settings: Any) -> Pipeline:
    return Pipeline.model_validate(
        {"name": "shop", "source": "nowhere.csv", "target": "y", "gate": {"metric": "roc_auc"}, **settings}
    )


def run(location: str, run_id: str = "run-1", *, min_train_rows: int = 100, **settings: Any) -> SplitResult:
    """Execute the task on that table."""
    operator = SplitOperator(
        task_id="split",
        pipeline=pipeline(**{"drop": ["id"], **settings}),
        source=location,
        min_train_rows=min_train_rows,
    )
    context: Any = {"run_id": run_id}
    return SplitResult.model_validate(operator.execute(context))


def write(folder: Path, data: bytes, name: str = "table.csv") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def keys(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def end(s3: Any, run_folder: str, outcome: str) -> None:
    """What the last task of a run writes."""
    record = Outcome.model_validate(
        {"pipeline": "shop", "run_id": "x", "outcome": outcome, "sentence": "", "endpoint": "e", "finished": NOW}
    )
    storage.write_record(s3, f"{run_folder}/outcome.json", record)


def test_a_good_table_becomes_a_run_folder(s3: Any, tmp_path: Path) -> None:
    """Parts, transform input, truth, keys and a manifest that says where they are; XCom agrees with it."""
    result = run(write(tmp_path, table(HEADER, binary_rows(600))))
    manifest = storage.read_record(s3, result.manifest_uri, Manifest)
    assert result.run_folder == f"s3://{BUCKET}/shop/runs/run-1"
    assert (result.rows, result.n_features, result.labels) == (600, 2, ("no", "yes"))
    assert (result.train_uri, result.validation_uri) == (manifest.split.train.uri, manifest.split.validation.uri)
    assert manifest.features == ("a", "b")
    assert manifest.positive_class == "yes"
    assert manifest.previous_run is None
    assert not manifest.unchanged
    for part in (manifest.split.train, manifest.split.validation, manifest.split.test):
        assert len(storage.read_bytes(s3, part.uri)) == part.bytes
    assert storage.read_bytes(s3, result.transform_input_uri).count(b"\n") == manifest.split.test.rows
    assert len(storage.read_bytes(s3, manifest.split.keys_uri)) == 8 * (
        manifest.split.train.rows + manifest.split.validation.rows
    )
    assert storage.read_text(s3, manifest.truth_uri).startswith("row_id,key_hash,truth\n")
    assert sorted(keys(s3)) == sorted(
        [
            *(f"shop/runs/run-1/data/{name}" for name in ("keys.bin", "truth.csv", "transform/test.csv")),
            *(f"shop/runs/run-1/data/{part}/{part}.csv" for part in ("train", "validation", "test")),
            "shop/runs/run-1/manifest.json",
            "shop/state/last_run.json",
            "shop/state/split.json",
        ]
    )


@pytest.mark.parametrize(
    "data", [table(HEADER, [*binary_rows(600), "1,2"]), table(HEADER, binary_rows(60)), b"", table("a,b", ["1,2"])]
)
def test_a_bad_table_leaves_nothing_behind_and_is_not_retried(s3: Any, tmp_path: Path, data: bytes) -> None:
    """Neither objects nor unfinished uploads nor the pipeline's salt."""
    with pytest.raises(AirflowFailException, match=r"table\.csv"):
        run(write(tmp_path, data))
    assert keys(s3) == []
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_the_salt_is_fixed_by_the_first_run(s3: Any, tmp_path: Path) -> None:
    """The same row lands in the same part in the next run, of a longer table in another order."""
    first = run(write(tmp_path, table(HEADER, binary_rows(600))), "run-1")
    second = run(write(tmp_path, table(HEADER, binary_rows(900)[::-1])), "run-2")
    old = set(storage.read_text(s3, first.train_uri).splitlines())
    assert old <= set(storage.read_text(s3, second.train_uri).splitlines())
    manifest = storage.read_record(s3, second.manifest_uri, Manifest)
    assert manifest.previous_run == "run-1"
    assert "900 rows, 600 before" in manifest.changes
    assert manifest.split.salt == json.loads(storage.read_text(s3, f"s3://{BUCKET}/shop/state/split.json"))["salt"]


def test_two_first_runs_at_once_agree_on_one_salt(s3: Any) -> None:
    """The one that comes second is told to try again, leaves nothing, and takes the other's salt when it does."""
    state = f"s3://{BUCKET}/shop/state/split.json"

    requests = []

    def another_run_is_faster() -> None:
        requests.append("the table is first looked at, then read")
        if len(requests) == 2:
            storage.create_text(s3, state, json.dumps({"salt": "ab" * 16}))

    with serving(table(HEADER, binary_rows(600)), another_run_is_faster) as address:
        with pytest.raises(StorageError, match="try again"):
            run(address)
        assert keys(s3) == ["shop/state/split.json"]
        result = run(address)
    assert storage.read_record(s3, result.manifest_uri, Manifest).split.salt == "ab" * 16


@pytest.mark.parametrize(
    ("header", "rows", "sentence"),
    [
        ("id,a,b,c,y", [row.replace(",y", ",1,y").replace(",n", ",1,n") for row in binary_rows(600)], "'c' is new"),
        (
            "id,b,y",
            [re.sub(r",[0-9]+,", ",", row) for row in binary_rows(600)],
            "'a' is gone",
        ),
        (HEADER, [row.replace(",", ",x", 1) for row in binary_rows(600)], "'a' is now text, integer before"),
        ("id,b,a,y", binary_rows(600), "another order"),
    ],
)
def test_columns_that_changed_since_the_last_run_stop_it(
    s3: Any, tmp_path: Path, header: str, rows: list[str], sentence: str
) -> None:
    """Until the pipeline accepts them; then they are in the manifest's changes."""
    run(write(tmp_path, table(HEADER, binary_rows(600))), "run-1")
    source = write(tmp_path, table(header, rows))
    with pytest.raises(AirflowFailException, match=f"{sentence}.*on_schema_change: accept"):
        run(source, "run-2")
    accepted = run(source, "run-2", on_schema_change="accept")
    assert any(sentence in change for change in storage.read_record(s3, accepted.manifest_uri, Manifest).changes)


def test_unchanged_data_can_skip_the_run(s3: Any, tmp_path: Path) -> None:
    """Where the pipeline says so, the last run decided something, and the split is the same."""
    source = write(tmp_path, table(HEADER, binary_rows(600)))
    first = run(source, "run-1", skip_unchanged=True)
    second = run(source, "run-2", skip_unchanged=True)  # run-1 has no outcome, so it is not enough
    assert storage.read_record(s3, second.manifest_uri, Manifest).unchanged
    end(s3, second.run_folder, "failed")
    third = run(source, "run-3", skip_unchanged=True)
    end(s3, third.run_folder, "kept")
    with pytest.raises(AirflowSkipException, match=r"unchanged since run run-3 .* which ended kept"):
        run(source, "run-4", skip_unchanged=True)
    run(source, "run-5", skip_unchanged=False)
    assert first.run_folder != third.run_folder


def test_another_split_or_other_bytes_are_not_skipped(s3: Any, tmp_path: Path) -> None:
    """A changed share or a changed cell is worth a run."""
    source = write(tmp_path, table(HEADER, binary_rows(600)))
    tables: list[tuple[bytes, dict[str, Any]]] = [
        (table(HEADER, binary_rows(600)), {}),
        (table(HEADER, binary_rows(600)), {"split": {"test": 0.3}}),
        (table(HEADER, binary_rows(600)).replace(b"c599", b"c600"), {"split": {"test": 0.3}}),
    ]
    for number, (data, settings) in enumerate(tables):
        write(tmp_path, data)
        end(s3, run(source, f"run-{number}", skip_unchanged=True, **settings).run_folder, "promoted")


def test_a_retried_run_compares_with_the_run_before_it(s3: Any, tmp_path: Path) -> None:
    """Not with its own first attempt."""
    run(write(tmp_path, table(HEADER, binary_rows(600))), "run-1")
    source = write(tmp_path, table(HEADER, binary_rows(700)))
    run(source, "run-2")
    again = storage.read_record(s3, run(source, "run-2").manifest_uri, Manifest)
    assert again.previous_run == "run-1"
    assert not again.unchanged


def test_the_cutoff_only_moves_forward_from_run_to_run(s3: Any, tmp_path: Path) -> None:
    """Also when the next table ends earlier."""
    rows = [f"{i},{i % 9},{i}.5,{'yes' if i % 2 else 'no'}" for i in range(1000)]
    settings: dict[str, Any] = {"split": {"time": "id", "test": 0.2}, "drop": []}
    cutoffs = []
    for run_id, n in (("run-1", 800), ("run-2", 1000), ("run-3", 900)):
        result = run(write(tmp_path, table(HEADER, rows[:n])), run_id, **settings)
        cutoffs.append(storage.read_record(s3, result.manifest_uri, Manifest).split.cutoff)
    assert cutoffs == ["640.0", "800.0", "800.0"]


def test_a_table_in_s3_is_read_as_it_was_found(s3: Any) -> None:
    """An ``s3://`` source; a missing one fails in words."""
    s3.put_object(Bucket=BUCKET, Key="incoming/table.csv", Body=table(HEADER, binary_rows(600)))
    assert run(f"s3://{BUCKET}/incoming/table.csv").rows == 600
    with pytest.raises(AirflowFailException, match="expected an object, found none"):
        run(f"s3://{BUCKET}/incoming/other.csv")


def test_the_pipelines_own_source_is_read_where_none_is_given(s3: Any, tmp_path: Path) -> None:
    """An empty text means the YAML's."""
    settings: dict[str, Any] = {"source": write(tmp_path, table(HEADER, binary_rows(600)))}
    assert run("", **settings).rows == 600


def test_a_gate_metric_that_does_not_fit_the_inferred_problem_stops_the_run(s3: Any, tmp_path: Path) -> None:
    """Before anything is trained."""
    source = write(tmp_path, table("id,a,b,y", [f"c{i},{i},{i}.5,{i * 7 % 501}.25" for i in range(600)]))
    with pytest.raises(AirflowFailException, match=r"expected one of rmse.*found 'roc_auc'"):
        run(source)
    assert keys(s3) == []
