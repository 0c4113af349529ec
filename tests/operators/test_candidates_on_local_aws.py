"""Candidate definitions on the embedded AWS: written by a real job, read, chosen, prepared and tuned together."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import DataError, JobFailed
from automl_retraining.core.records import Leaderboard, SearchResult
from automl_retraining.operators.candidate_features import (
    FitTransformerOperator,
    MakeFeaturesOperator,
    TransformerModelOperator,
)
from automl_retraining.operators.candidate_tuning import CandidateTuningOperator
from automl_retraining.operators.definitions import DefinitionsOperator
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.operators.pick import PickOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.transform import TransformOperator
from automl_retraining.sagemaker import lineage, storage
from automl_retraining.sagemaker.candidate_definitions import CandidateDefinitions
from tests.support.local_aws import ROOT, Running, start
from tests.support.sagemaker_tasks import ROLE, run
from tests.support.tasks import context

pytestmark = pytest.mark.local_aws

PIPELINE = Pipeline.model_validate(
    {
        "name": "leaving", "source": "leaving.csv", "target": "churn", "positive_class": "yes",
        "problem_type": "BinaryClassification", "trainers": ["candidates"], "gate": {"metric": "roc_auc"},
        "search": {"mode": "ENSEMBLING", "algorithms": ["lightgbm"], "metric": "AUC"},
        "candidates": {"algorithms": ["xgboost", "linear-learner"], "max_picked": 2, "max_jobs": 3},
    }
)  # fmt: skip


class Made(NamedTuple):
    """What the first tasks of run ``made`` returned."""

    split: dict[str, Any]
    definitions: dict[str, Any]
    chosen: list[str]


def lines_of(table: str, rows: int) -> bytes:
    """The header and the first rows of one of the project's tables."""
    return b"".join((ROOT / "include" / "data" / table).read_bytes().splitlines(keepends=True)[: rows + 1])


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        running.client("s3").create_bucket(Bucket="bucket")
        yield running
    finally:
        running.stop()


@pytest.fixture
def sm(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """SageMaker; the operators' clients go there."""
    monkeypatch.setattr(
        "automl_retraining.operators.base.client", lambda service, *, conn_id, region=None: aws.client(service)
    )
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", "bucket")
    monkeypatch.setenv("AUTOML_RETRAINING_ROLE_ARN", ROLE)
    return aws.client("sagemaker")


def ran(kind: type[Any], task_id: str, *, run_id: str = "made", map_index: int = -1, **arguments: Any) -> Any:
    """The result of one task of that run, waited for in the worker."""
    ctx = context(task_id)
    ctx["run_id"] = ctx["ti"].run_id = run_id
    ctx["ti"].map_index = map_index
    if kind not in (SplitOperator, PickOperator, TransformerModelOperator, CreateModelOperator):
        arguments = {"deferrable": False, **arguments}
    return run(kind(task_id=task_id, pipeline=PIPELINE, **arguments), ctx)


@pytest.fixture(scope="module")
def made(aws: Running, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One table, its definitions and the rule's choice for all tests."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "leaving.csv").write_bytes(lines_of("churn.csv", 1200))
    with pytest.MonkeyPatch.context() as patch:
        sm.__wrapped__(aws, patch)  # type: ignore[attr-defined]
        patch.setenv("AUTOML_RETRAINING_DATA_DIRS", str(folder))
        split = ran(SplitOperator, "split", source=str(folder / "leaving.csv"))
        definitions = ran(DefinitionsOperator, "definitions", split=split)
        chosen = ran(PickOperator, "pick", definitions=definitions, pick="rule")
    return Made(split, definitions, chosen)


def featured(made: Made, number: int) -> dict[str, Any]:
    """What the mapped tasks of one chosen candidate return."""
    given: dict[str, Any] = {"definitions": made.definitions, "map_index": number}
    fitted = ran(FitTransformerOperator, "fit_transformer", candidate=made.chosen[number], **given)
    model = ran(TransformerModelOperator, "transformer_model", fitted=fitted, **given)
    found: dict[str, Any] = ran(MakeFeaturesOperator, "transform_rows", fitted=fitted, model=model, **given)
    return found


def test_the_definitions_are_read_from_the_notebook_that_the_job_wrote(sm: Any, aws: Running, made: Made) -> None:
    """No candidate was trained; the definitions are in the run folder; ensembling in the YAML does not matter here."""
    found = CandidateDefinitions.model_validate(made.definitions)
    described = sm.describe_auto_ml_job_v2(AutoMLJobName=found.job_name)
    assert described["AutoMLProblemTypeConfig"]["TabularJobConfig"]["Mode"] == "HYPERPARAMETER_TUNING"
    assert "BestCandidate" not in described
    assert set(found.algorithms) == {"xgboost", "linear-learner"}
    assert found.maximize
    assert found.algorithms["xgboost"].objective == "validation:auc"
    assert all(each.ranges for each in found.algorithms.values())
    kept = storage.read_record(
        aws.client("s3"), f"{made.split['run_folder']}/candidate_definitions.json", CandidateDefinitions
    )
    assert kept == found
    assert len(made.chosen) == 2
    assert {found.named(name)[0].algorithm for name in made.chosen} == {"xgboost", "linear-learner"}


def test_the_chosen_candidates_are_tuned_together_and_the_best_one_answers_with_labels(
    sm: Any, aws: Running, made: Made
) -> None:
    """A definition each in one job; the winner's chain scores the test rows like any other model."""
    given: dict[str, Any] = {"split": made.split, "definitions": made.definitions}
    found = SearchResult.model_validate(
        ran(CandidateTuningOperator, "search", featured=[featured(made, 0), featured(made, 1)], **given)
    )
    job = sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=found.job_name)
    assert [each["DefinitionName"] for each in job["TrainingJobDefinitions"]] == made.chosen
    board = storage.read_record(aws.client("s3"), found.leaderboard_uri, Leaderboard)
    values = [row.objective_value for row in board.candidates if row.objective_value is not None]
    assert (board.kind, board.greater_is_better, len(board.candidates)) == ("tuning", True, 3)
    assert {row.algorithm for row in board.candidates} == set(made.chosen)
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.7
    assert board.candidates[0].containers == found.candidate.containers

    model = ran(CreateModelOperator, "create_model", search=found.model_dump(mode="json"))
    assert lineage.find(sm, aws.client("s3"), model["model_name"]).way == "autopilot"
    output = f"{made.split['run_folder']}/transform/challenger/"
    ran(
        TransformOperator, "score_challenger", model_name=model["model_name"], output_uri=output,
        input_uri=made.split["transform_input_uri"], problem_type="BinaryClassification",
    )  # fmt: skip
    (uri,) = storage.list_uris(aws.client("s3"), output)
    rows = list(csv.reader(storage.read_text(aws.client("s3"), uri).splitlines()))
    assert {row[1] for row in rows} == {"no", "yes"}
    assert rows[0][3] == "['no', 'yes']"


def test_a_budget_below_the_number_of_candidates_is_said(
    sm: Any, made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is allowed, and somebody should know that not all of them are tried."""
    operator = CandidateTuningOperator(
        task_id="search", pipeline=PIPELINE, split=made.split, definitions=made.definitions, max_jobs="1",
        featured=[
            {"candidate": name, "transformer_uri": "s3://b/t", "train_uri": "s3://b/a/", "validation_uri": "s3://b/v/"}
            for name in made.chosen
        ],
    )  # fmt: skip
    assert operator.options(context("search"), "art-tuning-x").max_jobs == 1
    assert "1 training jobs for 2 candidates: some will not be tried" in capsys.readouterr().out


def test_one_chosen_candidate_is_a_tuning_job_of_one_definition(sm: Any, aws: Running, made: Made) -> None:
    """The single form names no definition; the leaderboard still says which candidate it was."""
    one = ran(
        CandidateTuningOperator, "search", run_id="one", split=made.split, definitions=made.definitions,
        featured=[featured(made, 0)], max_jobs="1", max_run_time="300",
    )  # fmt: skip
    found = SearchResult.model_validate(one)
    job = sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=found.job_name)
    assert "TrainingJobDefinition" in job
    assert job["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxRuntimeInSeconds"] == 300
    assert found.candidate.algorithm == made.chosen[0]


def test_a_data_transformer_that_raises_fails_its_task_with_the_last_line(sm: Any, aws: Running, made: Made) -> None:
    """The generated code may be edited; what it raises is the error."""
    definitions = CandidateDefinitions.model_validate(made.definitions)
    s3 = aws.client("s3")
    for uri in storage.list_uris(s3, definitions.modules_uri):
        storage.copy(s3, uri, uri.replace(definitions.modules_uri, "s3://bucket/edited/generated_module"))
    name = definitions.named(made.chosen[0])[0].transformer
    broken = f"s3://bucket/edited/generated_module/candidate_data_processors/{name}.py"
    text = storage.read_text(s3, broken)
    storage.write_text(
        s3, broken, text.replace("    return features.fit", "    raise ValueError('a riddle')\n    return")
    )
    edited = definitions.model_copy(update={"modules_uri": "s3://bucket/edited/generated_module"})
    with pytest.raises(JobFailed, match=f"candidate_data_processors.{name}: ValueError: a riddle"):
        ran(
            FitTransformerOperator, "fit_transformer", run_id="broken", candidate=made.chosen[0],
            definitions=edited.model_dump(mode="json"),
        )  # fmt: skip


def test_rows_that_were_deleted_are_missed_before_anything_is_paid(sm: Any, made: Made) -> None:
    """The sentence says where they were expected and which task makes them again."""
    gone = {**made.definitions, "rows_uri": "s3://bucket/nowhere"}
    with pytest.raises(AirflowFailException, match="expected Autopilot's rows at s3://bucket/nowhere"):
        ran(FitTransformerOperator, "fit_transformer", run_id="gone", definitions=gone, candidate=made.chosen[0])
    with pytest.raises(DataError, match=r"candidate: expected one of dpp0-.*, found 'dpp99-xgboost'"):
        CandidateDefinitions.model_validate(made.definitions).named("dpp99-xgboost")
