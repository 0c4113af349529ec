"""From a run folder's predictions to its evaluation."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate import decide
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import CheckResult, DataChecks, Evaluation, ModelRef
from automl_retraining.core.replay import FILES, REFERENCE, replay
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.evidence import evaluate_run
from tests.support import runs
from tests.support.runs import HASHES, ROWS, keys, manifest, predictions

FOLDER, BEFORE = "s3://runs/p/runs/now", "s3://runs/p/runs/before"
POLICY = GatePolicy(metric="rmse", resamples=200)
CHALLENGER = ModelRef(model_name="m2", run_folder=FOLDER)
CHAMPION = ModelRef(model_name="m1", run_folder=BEFORE)


@pytest.fixture
def s3() -> Iterator[Any]:
    """Two runs: the champion's, and this one with both models' outputs."""
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="runs")
        runs.write(s3, FOLDER, BEFORE)
        storage.write_bytes(s3, f"{FOLDER}/transform/challenger/test.csv.out", predictions(1.0, seed=1))
        storage.write_bytes(s3, f"{FOLDER}/transform/champion/test.csv.out", predictions(5.0, seed=2))
        yield s3


def evaluate(s3: Any, **changes: Any) -> Evaluation:
    """Evaluate this run."""
    given = {"policy": POLICY, "challenger": CHALLENGER, "champion": CHAMPION, **changes}
    return evaluate_run(s3, FOLDER, **given)


def test_both_models_are_compared_on_the_same_rows_and_the_folder_explains_it(s3: Any) -> None:
    """evaluation.json is what is returned; scores/ hold every row."""
    evaluation = evaluate(s3)
    rmse = evaluation.metric("rmse")
    assert rmse is not None
    assert rmse.challenger is not None
    assert rmse.champion is not None
    assert rmse.challenger.value < 2 < rmse.champion.value
    assert storage.read_record(s3, f"{FOLDER}/evaluation.json", Evaluation) == evaluation
    for model in ("challenger", "champion"):
        scores = list(csv.DictReader(io.StringIO(storage.read_text(s3, f"{FOLDER}/scores/{model}.csv"))))
        assert len(scores) == ROWS
    assert storage.read_text(s3, f"{FOLDER}/scores/leaked.csv") == "row_id\n"


def test_test_rows_that_the_champion_was_trained_on_are_dropped_counted_and_listed(s3: Any) -> None:
    """Found by the hashes of their keys in the champion's own run folder."""
    storage.write_bytes(s3, f"{BEFORE}/data/keys.bin", keys(HASHES[2], HASHES[9], 99))
    evaluation = evaluate(s3)
    assert (evaluation.rows, evaluation.rows_dropped) == (ROWS - 2, 2)
    assert storage.read_text(s3, f"{FOLDER}/scores/leaked.csv") == "row_id\n3\n10\n"
    scores = storage.read_text(s3, f"{FOLDER}/scores/challenger.csv")
    assert len(scores.splitlines()) == ROWS + 1


@pytest.mark.parametrize(
    ("champion", "salt", "said"),
    [
        (CHAMPION, "ff", "another pipeline's"),
        (ModelRef(model_name="m1"), None, "carries no tag of a run folder"),
        (ModelRef(model_name="m1", run_folder="s3://runs/gone"), None, "s3://runs/gone/manifest.json"),
    ],
)
def test_what_cannot_be_told_about_leakage_is_said(s3: Any, champion: ModelRef, salt: str | None, said: str) -> None:
    """An adopted model, a folder that is gone, or keys hashed otherwise: never a silent zero."""
    if salt:
        other = manifest(BEFORE)
        other = other.model_copy(update={"split": other.split.model_copy(update={"salt": salt})})
        storage.write_record(s3, f"{BEFORE}/manifest.json", other)
    unknown = evaluate(s3, champion=champion).leakage_unknown
    assert unknown is not None
    assert "it cannot be told whether champion m1 was trained on some of these test rows" in unknown
    assert said in unknown


def test_without_a_champion_the_challenger_is_evaluated_alone(s3: Any) -> None:
    """The first model."""
    evaluation = evaluate(s3, champion=None)
    assert evaluation.champion is None
    assert evaluation.rows == ROWS


def test_a_champion_that_could_not_be_scored_is_an_error_in_the_evaluation_not_of_the_run(s3: Any) -> None:
    """Its task failed, or its outputs do not join."""
    assert evaluate(s3, champion_error="it broke").champion_error == "it broke"
    storage.write_bytes(s3, f"{FOLDER}/transform/champion/test.csv.out", b"1,2.0\n")
    error = evaluate(s3).champion_error
    assert error is not None
    assert "not answered" in error


def test_a_challenger_whose_outputs_do_not_join_stops_the_run(s3: Any) -> None:
    """Missing rows, or no output at all."""
    storage.write_bytes(s3, f"{FOLDER}/transform/challenger/test.csv.out", b"1,2.0\n")
    with pytest.raises(EvidenceError, match="not answered"):
        evaluate(s3)
    s3.delete_object(Bucket="runs", Key="p/runs/now/transform/challenger/test.csv.out")
    with pytest.raises(EvidenceError, match="found none"):
        evaluate(s3)


def test_what_the_checks_of_the_data_found_is_in_the_evaluation(s3: Any) -> None:
    """Where the run made them."""
    assert evaluate(s3).checks == ()
    found = CheckResult(name="identifier", found=True, sentence="Column id names the row.", columns=("id",))
    checks = DataChecks(pipeline="p", run_id="now", train_rows=9, test_rows=3, seed=1, results=(found,))
    storage.write_record(s3, f"{FOLDER}/checks.json", checks)
    assert evaluate(s3).checks == (found,)


def test_a_run_folder_replays_to_the_decision_that_the_gate_wrote(s3: Any) -> None:
    """From S3 or downloaded, byte for byte, leaked rows and notes included."""
    storage.write_bytes(s3, f"{BEFORE}/data/keys.bin", keys(HASHES[2]))
    evaluation = evaluate(s3, notes=("the champion changed meanwhile",))
    storage.write_record(s3, f"{FOLDER}/decision.json", decide(evaluation, POLICY))
    files = {name: storage.read_bytes(s3, f"{FOLDER}/{name}") for name in FILES if name != REFERENCE}
    found = replay(files)
    assert found.evaluation.to_json().encode() == files["evaluation.json"]
    assert found.equal
