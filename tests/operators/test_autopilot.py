"""The Autopilot operator: its request, its result, and which ends are good ones."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from automl_retraining.core.errors import JobFailed
from automl_retraining.core.records import Leaderboard, SearchResult
from automl_retraining.operators.autopilot import AutopilotOperator
from automl_retraining.sagemaker.jobs import AUTOML
from tests.sagemaker.test_candidates import raw
from tests.support.sagemaker_tasks import RUN_FOLDER, World, pipeline, run, split
from tests.support.tasks import context


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """An account with nothing in it."""
    return World(monkeypatch)


def search(**kwargs: Any) -> AutopilotOperator:
    """The task under test."""
    return AutopilotOperator(**{"task_id": "search", "pipeline": pipeline(), "split": split(), **kwargs})


def sent(world: World, **kwargs: Any) -> dict[str, Any]:
    """The request that the task sends."""
    with pytest.raises(TaskDeferred):
        run(search(**kwargs), context("search"))
    return next(arguments for method, arguments in world.sm.calls if method == "create_auto_ml_job_v2")


def tabular(request: dict[str, Any]) -> Any:
    """The request's inner part."""
    return request["AutoMLProblemTypeConfig"]["TabularJobConfig"]


def ended(world: World, status: str, secondary: str, *, best: bool = True, seen: bool = True, **kwargs: Any) -> Any:
    """Run the search to that end, with three candidates; what the task returns. Its states were seen, or not."""
    ctx = context("search")
    with pytest.raises(TaskDeferred):
        run(search(**kwargs), ctx)
    name = ctx["ti"].xcoms["search", "job_name"]
    rows = [raw("first", 0.7), raw("best", 0.9), raw("failed", None)]
    world.sm.candidates[name] = rows
    world.sm.set(
        AUTOML,
        name,
        AutoMLJobStatus=status,
        AutoMLJobSecondaryStatus=secondary,
        **({"BestCandidate": rows[1]} if best else {}),
        AutoMLJobArtifacts={"DataExplorationNotebookLocation": "s3://bucket/out/exploration.ipynb"},
    )
    world.s3.objects["s3://bucket/out/exploration.ipynb"] = b"{}"
    transitions = [["Starting", "2026-11-21T05:00:00+00:00"], [secondary, "2026-11-21T05:00:09+00:00"]]
    event = {"job_name": name, "transitions": transitions if seen else []}
    return run(search(**kwargs), ctx, "resume", event=event)


def test_what_is_not_said_comes_from_the_pipeline_and_the_split(world: World) -> None:
    """Data, target and problem type from the split; options from the YAML; limits are always set."""
    request = sent(world, pipeline=pipeline(search={"mode": "ENSEMBLING", "max_candidates": 7, "max_run_time": "5m"}))
    assert tabular(request)["Mode"] == "ENSEMBLING"
    assert tabular(request)["ProblemType"] == "BinaryClassification"
    assert tabular(request)["CompletionCriteria"] == {
        "MaxCandidates": 7,
        "MaxRuntimePerTrainingJobInSeconds": 300,
        "MaxAutoMLJobRuntimeInSeconds": 300,
    }
    assert request["AutoMLJobObjective"] == {"MetricName": "F1"}
    assert request["OutputDataConfig"] == {"S3OutputPath": f"{RUN_FOLDER}/autopilot"}
    assert [channel["ChannelType"] for channel in request["AutoMLJobInputDataConfig"]] == ["training", "validation"]


def test_the_forms_texts_are_cast(world: World) -> None:
    """Templates render to text; those that render to nothing leave the pipeline's value."""
    request = sent(
        world, mode="ENSEMBLING", max_candidates="3", max_run_time="90", metric=" ", algorithms="xgboost, lightgbm"
    )
    assert tabular(request)["CompletionCriteria"]["MaxCandidates"] == 3
    assert tabular(request)["CandidateGenerationConfig"] == {
        "AlgorithmsConfig": [{"AutoMLAlgorithms": ["xgboost", "lightgbm"]}]
    }
    assert request["AutoMLJobObjective"] == {"MetricName": "F1"}


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ({"max_candidates": "many"}, "expected a whole number, found 'many'"),
        ({"max_run_time": "1.5"}, "expected a whole number"),
        ({"mode": "FAST"}, "expected AUTO, ENSEMBLING or HYPERPARAMETER_TUNING, found 'FAST'"),
        ({"metric": "RMSE"}, "found 'RMSE'"),
        ({"model_deploy_config": {"EndpointName": "e"}}, "through the gate"),
    ],
)
def test_options_that_are_wrong_fail_for_good_before_the_call(
    world: World, argument: dict[str, Any], sentence: str
) -> None:
    """Nothing is created."""
    with pytest.raises(AirflowFailException, match=sentence):
        run(search(**argument), context("search"))
    assert not world.sm.jobs


def test_column_types_are_sent_as_a_feature_specification(world: World) -> None:
    """Written into the run folder first."""
    request = sent(world, pipeline=pipeline(search={"feature_types": {"area_code": "categorical"}}))
    uri = f"{RUN_FOLDER}/data/feature_specification.json"
    assert tabular(request)["FeatureSpecificationS3Uri"] == uri
    assert json.loads(world.s3.objects[uri]) == {"FeatureDataTypes": {"area_code": "categorical"}}


def test_a_fraction_takes_the_validation_channels_place(world: World) -> None:
    """Either a channel or a fraction."""
    request = sent(world, validation_fraction="0.25")
    assert request["DataSplitConfig"] == {"ValidationFraction": 0.25}
    assert [channel["ChannelType"] for channel in request["AutoMLJobInputDataConfig"]] == ["training"]


def test_the_result_is_the_best_candidate_and_the_folder_has_all(world: World) -> None:
    """leaderboard.json with every candidate of every page, the transitions and the notebooks."""
    result = SearchResult.model_validate(ended(world, "Completed", "Completed"))
    assert (result.candidate.name, result.mode, result.kind) == ("best", "ENSEMBLING", "automl")
    board = Leaderboard.model_validate_json(world.s3.objects[f"{RUN_FOLDER}/leaderboard.json"])
    assert [row.name for row in board.candidates] == ["best", "first", "failed"]
    assert [word for word, _ in board.transitions] == ["Starting", "Completed"]
    assert board.notebooks == (f"{RUN_FOLDER}/notebooks/data_exploration.ipynb",)
    assert world.s3.objects[board.notebooks[0]] == b"{}"


def test_a_job_that_ended_unseen_has_its_end_among_its_states(world: World) -> None:
    """Its task was killed meanwhile, and the next try found the job over."""
    ended(world, "Completed", "MaxCandidatesReached", seen=False)
    board = Leaderboard.model_validate_json(world.s3.objects[f"{RUN_FOLDER}/leaderboard.json"])
    assert [word for word, _ in board.transitions] == ["MaxCandidatesReached"]


@pytest.mark.parametrize(
    ("status", "secondary"),
    [
        ("Completed", "MaxCandidatesReached"),
        ("Completed", "MaxAutoMLJobRuntimeReached"),
        ("Stopped", "MaxAutoMLJobRuntimeReached"),
        ("Completed", "ExplainabilityError"),
        ("Failed", "ModelInsightsError"),
    ],
)
def test_a_limit_or_a_failed_report_with_a_servable_candidate_is_success(
    world: World, capsys: pytest.CaptureFixture[str], status: str, secondary: str
) -> None:
    """With a warning that says so."""
    assert ended(world, status, secondary)["candidate"]["name"] == "best"
    assert re.search(f"ended as {status}/{secondary}: .*; going on with what it found", capsys.readouterr().out)


@pytest.mark.parametrize("secondary", ["MaxCandidatesReached", "MaxAutoMLJobRuntimeReached", "Completed"])
def test_a_limit_without_a_servable_candidate_is_failure(world: World, secondary: str) -> None:
    """There is nothing to deploy; what was searched is in the folder."""
    with pytest.raises(JobFailed, match="without a candidate that can serve"):
        ended(world, "Completed", secondary, best=False)
    assert f"{RUN_FOLDER}/leaderboard.json" in world.s3.objects


def test_a_search_that_somebody_stopped_is_failure_even_with_a_candidate(world: World) -> None:
    """Stopped is never success."""
    with pytest.raises(AirflowFailException, match="ended as Stopped/Stopped"):
        ended(world, "Stopped", "Stopped")


def test_candidate_definitions_alone_need_no_best_candidate(world: World) -> None:
    """The notebooks are the result."""
    result = ended(
        world, "Completed", "CandidateDefinitionsGenerated", best=False,
        candidate_definitions_only=True, mode="HYPERPARAMETER_TUNING",
    )  # fmt: skip
    assert result["notebooks"] == [f"{RUN_FOLDER}/notebooks/data_exploration.ipynb"]


def test_the_wait_is_limited_by_the_search_itself() -> None:
    """Its own limit and an hour for the reports."""
    assert search(max_run_time="600").longest_wait() == 600 + 3600
    assert search(max_run_time="600", max_wait=100).longest_wait() == 100
