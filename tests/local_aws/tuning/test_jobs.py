"""Tuning jobs on the embedded AWS, whose training jobs really train."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from include.local_aws.images.autopilot import recordio
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, until
from tests.support.tuning_requests import channel, definition, found, ranges, request, script_request

pytestmark = pytest.mark.local_aws

BUSY = ("InProgress", "Stopping")
Run = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def sagemaker(tuning_data: Running) -> Any:
    """A client."""
    return tuning_data.client("sagemaker")


@pytest.fixture
def run(sagemaker: Any) -> Run:
    """Start a tuning job, wait for its end and describe it."""

    def started_and_ended(given: dict[str, Any]) -> dict[str, Any]:
        sagemaker.create_hyper_parameter_tuning_job(**given)
        return _ended(sagemaker, given["HyperParameterTuningJobName"])

    return started_and_ended


def _describe(sagemaker: Any, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    return answer


def _ended(sagemaker: Any, name: str) -> dict[str, Any]:
    return until(lambda: _describe(sagemaker, name), "HyperParameterTuningJobStatus", BUSY)


def _children(sagemaker: Any, name: str, **given: Any) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    answers = pages.paginate(HyperParameterTuningJobName=name, **given)
    return [each for page in answers for each in page["TrainingJobSummaries"]]


def _code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def searched(tuning_data: Running) -> dict[str, Any]:
    """A tuning job that is over: four xgboost trainings, two at a time."""
    sagemaker = tuning_data.client("sagemaker")
    sagemaker.create_hyper_parameter_tuning_job(**request("Searched", Tags=[{"Key": "team", "Value": "a"}]))
    return _ended(sagemaker, "searched")


def test_a_tuning_job_completes_with_the_best_of_its_training_jobs(sagemaker: Any, searched: dict[str, Any]) -> None:
    """All four have a value, and the least is the best."""
    assert searched["HyperParameterTuningJobStatus"] == "Completed"
    assert searched["TrainingJobStatusCounters"]["Completed"] == 4
    assert searched["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    values = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in _children(sagemaker, "Searched")]
    best = searched["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]
    assert best == {"MetricName": "validation:rmse", "Type": "Minimize", "Value": min(values)}
    assert searched["ConsumedResources"]["RuntimeInSeconds"] >= 0


def test_its_name_is_found_in_any_case_and_told_as_given(sagemaker: Any, searched: dict[str, Any]) -> None:
    """And taken in any case."""
    assert searched["HyperParameterTuningJobName"] == "Searched"
    with pytest.raises(ClientError, match="with the name, sEarched, already exists") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**request("sEarched"))
    assert _code(caught) == "ResourceInUse"
    listed = sagemaker.list_hyper_parameter_tuning_jobs(NameContains="earche", StatusEquals="Completed")
    (summary,) = listed["HyperParameterTuningJobSummaries"]
    assert (summary["HyperParameterTuningJobName"], summary["Strategy"]) == ("Searched", "Random")


def test_its_training_jobs_are_training_jobs(tuning_data: Running, sagemaker: Any, searched: dict[str, Any]) -> None:
    """Described as such, with static and tuned hyperparameters, the tuning job's ARN and tags, and their own log."""
    child = sagemaker.describe_training_job(TrainingJobName=searched["BestTrainingJob"]["TrainingJobName"])
    tuned = searched["BestTrainingJob"]["TunedHyperParameters"]
    assert child["TuningJobArn"] == searched["HyperParameterTuningJobArn"]
    assert child["HyperParameters"] == {
        **tuned,
        "objective": "reg:squarederror",
        "num_round": "10",
        "_tuning_objective_metric": "validation:rmse",
    }
    assert 2 <= int(tuned["max_depth"]) <= 6
    assert 0.05 <= float(tuned["eta"]) <= 0.5
    assert child["ModelArtifacts"]["S3ModelArtifacts"].endswith(f"{child['TrainingJobName']}/output/model.tar.gz")
    tags = sagemaker.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}]
    streams = found(lambda: _streams(tuning_data, child["TrainingJobName"]))
    assert len(streams) == 1


def _streams(running: Running, training_job: str) -> list[Any]:
    logs = running.client("logs")
    try:
        answer = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=training_job)
    except logs.exceptions.ResourceNotFoundException:
        return []
    return list(answer["logStreams"])


def test_training_jobs_are_listed_by_name_status_or_value(sagemaker: Any, searched: dict[str, Any]) -> None:
    """Ascending unless asked otherwise, in pages of any size; names count up from 001."""
    names = [each["TrainingJobName"] for each in _children(sagemaker, "Searched", PaginationConfig={"PageSize": 3})]
    assert [name[:13] for name in names] == [f"Searched-{number:03d}-" for number in range(1, 5)]
    by_value = _children(sagemaker, "Searched", SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    values = [each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for each in by_value]
    assert values == sorted(values, reverse=True)
    assert _children(sagemaker, "Searched", StatusEquals="Failed") == []


def test_a_definition_is_described_with_its_objective(searched: dict[str, Any]) -> None:
    """Among the static hyperparameters, as AWS shows it."""
    static = searched["TrainingJobDefinition"]["StaticHyperParameters"]
    assert static["_tuning_objective_metric"] == "validation:rmse"
    assert searched["HyperParameterTuningJobConfig"]["RandomSeed"] == 1


def test_several_algorithms_are_tuned_together(tuning_data: Running, sagemaker: Any, run: Run) -> None:
    """xgboost and linear-learner on the same records; each training job says which definition it is of."""
    rng = np.random.default_rng(2)
    for part in ("train", "validation"):
        x = rng.normal(size=(300, 3)).astype(np.float32)
        body = recordio.encode(x, labels=(x[:, 0] ** 2 + x[:, 1]).astype(np.float32))
        tuning_data.client("s3").put_object(Bucket=BUCKET, Key=f"tuning/records/{part}/part", Body=body)
    channels = [
        channel(part, f"s3://{BUCKET}/tuning/records/{part}/", "application/x-recordio-protobuf")
        for part in ("train", "validation")
    ]
    linear = "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"
    common = {
        "TuningObjective": {"Type": "Minimize", "MetricName": "validation:rmse"},
        "InputDataConfig": channels,
    }
    bodies = [
        definition(
            **common,
            DefinitionName="trees",
            HyperParameterRanges=ranges(integer={"max_depth": (2, 6)}),
        ),
        definition(
            **common,
            DefinitionName="linear",
            HyperParameterRanges=ranges(continuous={"wd": (1e-4, 1e-1)}),
            AlgorithmSpecification={"TrainingImage": linear, "TrainingInputMode": "File"},
            StaticHyperParameters={"predictor_type": "regressor", "epochs": "5", "mini_batch_size": "50"},
        ),
    ]
    given = request(
        "algorithms",
        tuning={"Strategy": "Bayesian", "HyperParameterTuningJobObjective": None, "ParameterRanges": None},
        TrainingJobDefinition=None,
        TrainingJobDefinitions=bodies,
    )
    answer = run(given)
    assert answer["HyperParameterTuningJobStatus"] == "Completed", answer.get("FailureReason")
    children = _children(sagemaker, "algorithms")
    assert answer["ObjectiveStatusCounters"]["Succeeded"] == 4, [each.get("FailureReason") for each in children]
    tuned = {(each["TrainingJobDefinitionName"], *each["TunedHyperParameters"]) for each in children}
    assert tuned == {("trees", "max_depth"), ("linear", "wd")}
    assert answer["BestTrainingJob"]["TrainingJobDefinitionName"] == "trees"


def test_a_grid_trains_every_combination(sagemaker: Any, run: Run) -> None:
    """Without being told how many there are."""
    grid = ranges(categorical={"max_depth": ["2", "4"], "eta": ["0.1", "0.3"]})
    answer = run(
        request(
            "grid",
            tuning={"Strategy": "Grid", "ParameterRanges": grid, "ResourceLimits": {"MaxParallelTrainingJobs": 2}},
        )
    )
    assert answer["TrainingJobStatusCounters"]["Completed"] == 4
    assert len({tuple(each["TunedHyperParameters"].values()) for each in _children(sagemaker, "grid")}) == 4


def test_a_warm_start_goes_on_from_its_parent(sagemaker: Any, run: Run, searched: dict[str, Any]) -> None:
    """The overall best is the better of the two jobs' best, and says whose it is."""
    warm = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "searched"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    answer = run(request("warm", tuning={"Strategy": "Bayesian"}, WarmStartConfig=warm))
    overall = answer["OverallBestTrainingJob"]
    values = {
        each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
        for each in (searched["BestTrainingJob"], answer["BestTrainingJob"])
    }
    assert overall["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == min(values)
    assert overall["TuningJobName"] in ("Searched", "warm")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"HyperParameterTuningJobName": "nobody"}, "parent hyperparameter tuning job, nobody, can't be found"),
        ({"StaticHyperParameters": {"num_round": "10"}}, "Different from Searched: objective"),
        ({"OutputDataConfig": None, "InputDataConfig": "other"}, "Use TransferLearning for other data"),
    ],
)
def test_a_warm_start_that_does_not_fit_its_parent_is_refused(
    sagemaker: Any, searched: dict[str, Any], changed: dict[str, Any], sentence: str
) -> None:
    """It must have ended, and tune the same hyperparameters on the same data."""
    assert searched
    parent = changed.pop("HyperParameterTuningJobName", "Searched")
    if changed.get("InputDataConfig") == "other":
        changed = {"InputDataConfig": definition()["InputDataConfig"][::-1]}
    warm = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    with pytest.raises(ClientError, match=sentence) as caught:
        sagemaker.create_hyper_parameter_tuning_job(
            **request("unfit", TrainingJobDefinition=definition(**changed), WarmStartConfig=warm)
        )
    assert _code(caught) == "ValidationException"


def test_an_objective_that_the_algorithm_does_not_emit_is_refused(sagemaker: Any) -> None:
    """The sentence names those that it does."""
    objective = {"Type": "Minimize", "MetricName": "validation:beauty"}
    with pytest.raises(ClientError, match=r"\[validation:beauty\], isn't valid .*validation:rmse") as caught:
        sagemaker.create_hyper_parameter_tuning_job(
            **request("refused", tuning={"HyperParameterTuningJobObjective": objective})
        )
    assert _code(caught) == "ValidationException"


def test_an_objective_in_the_wrong_direction_is_refused(sagemaker: Any) -> None:
    """An algorithm's own metric has one; a script's may have any."""
    objective = {"Type": "Maximize", "MetricName": "validation:rmse"}
    with pytest.raises(ClientError, match=r"type, \[Maximize\], .*Choose a valid .* type: Minimize") as caught:
        sagemaker.create_hyper_parameter_tuning_job(
            **request("refused", tuning={"HyperParameterTuningJobObjective": objective})
        )
    assert _code(caught) == "ValidationException"


def test_an_objective_of_a_script_must_be_defined(sagemaker: Any) -> None:
    """Among its metric definitions."""
    given = script_request("refused", {}, ["1"])
    given["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"][0]["Name"] = "other"
    with pytest.raises(ClientError, match=r"expected \[score\] there, found \[other\]") as caught:
        sagemaker.create_hyper_parameter_tuning_job(**given)
    assert _code(caught) == "ValidationException"


def test_what_create_training_job_refuses_is_refused_at_once(sagemaker: Any) -> None:
    """Such as a channel without an object, and an image that nobody knows."""
    channels = definition()["InputDataConfig"]
    channels[0]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/nothing/here/"
    with pytest.raises(ClientError, match="No S3 objects found"):
        sagemaker.create_hyper_parameter_tuning_job(
            **request("refused", TrainingJobDefinition=definition(InputDataConfig=channels))
        )
    assert sagemaker.list_hyper_parameter_tuning_jobs(NameContains="refused")["HyperParameterTuningJobSummaries"] == []


def test_no_such_tuning_job(sagemaker: Any) -> None:
    """The code that AWS answers, for all operations on one."""
    for ask in (
        sagemaker.describe_hyper_parameter_tuning_job,
        sagemaker.stop_hyper_parameter_tuning_job,
        sagemaker.list_training_jobs_for_hyper_parameter_tuning_job,
        sagemaker.delete_hyper_parameter_tuning_job,
    ):
        with pytest.raises(ClientError, match="can't find a tuning job called nobody") as caught:
            ask(HyperParameterTuningJobName="nobody")
        assert _code(caught) == "ResourceNotFound"


def test_all_training_jobs_failing_fails_the_tuning_job(sagemaker: Any, run: Run) -> None:
    """Each keeps its own reason."""
    answer = run(script_request("failing", {"fail": "yes"}, ["1", "2"]))
    assert answer["HyperParameterTuningJobStatus"] == "Failed"
    assert answer["FailureReason"].startswith("All training jobs failed.")
    assert answer["TrainingJobStatusCounters"]["NonRetryableError"] == 2
    assert answer["ObjectiveStatusCounters"]["Failed"] == 2
    assert "BestTrainingJob" not in answer
    assert all("this script was told to fail" in each["FailureReason"] for each in _children(sagemaker, "failing"))


def test_five_failures_from_the_start_are_enough(run: Run) -> None:
    """The others are not begun."""
    answer = run(script_request("hopeless", {"fail": "yes"}, [str(number) for number in range(1, 9)]))
    assert answer["FailureReason"].startswith("No training job succeeded after 5 attempts.")
    assert sum(answer["TrainingJobStatusCounters"].values()) == 5


def test_a_metric_that_never_shows_up_fails_the_tuning_job(run: Run) -> None:
    """Though its training jobs complete."""
    answer = run(script_request("silent", {"fail": "silent"}, ["1", "2"]))
    assert answer["FailureReason"].startswith("No objective metrics found after running 2 training jobs.")
    assert (answer["TrainingJobStatusCounters"]["Completed"], answer["ObjectiveStatusCounters"]["Failed"]) == (2, 2)


def test_one_failure_of_several_does_not_fail_the_tuning_job(run: Run) -> None:
    """The best is one of those that succeeded."""
    given = script_request("partly", {}, ["1"], limits={"MaxNumberOfTrainingJobs": 2})
    given["HyperParameterTuningJobConfig"]["ParameterRanges"] = ranges(categorical={"fail": ["yes", "no"]})
    answer = run(given)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert answer["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert answer["BestTrainingJob"]["TunedHyperParameters"] == {"fail": "no"}


def test_a_stopped_tuning_job_stops_its_training_jobs(sagemaker: Any) -> None:
    """And begins no other."""
    limits = {"MaxParallelTrainingJobs": 2}
    given = script_request("stopping", {"steps": "1000", "delay": "0.05"}, ["1", "2", "3", "4"], limits=limits)
    sagemaker.create_hyper_parameter_tuning_job(**given)
    found(lambda: _children(sagemaker, "stopping", StatusEquals="InProgress")[1:])
    assert _describe(sagemaker, "stopping")["ObjectiveStatusCounters"]["Pending"] == 2
    sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopping")
    answer = _ended(sagemaker, "stopping")
    assert answer["HyperParameterTuningJobStatus"] == "Stopped"
    assert {each["TrainingJobStatus"] for each in _children(sagemaker, "stopping")} == {"Stopped"}
    assert sum(answer["TrainingJobStatusCounters"].values()) == 2
    with pytest.raises(ClientError, match="in status Stopped") as caught:
        sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName="stopping")
    assert _code(caught) == "ValidationException"


def test_early_stopping_stops_a_training_job_below_the_median(sagemaker: Any, run: Run) -> None:
    """Three set the measure, one after the other; the fourth, lower, is stopped and keeps its last value."""
    given = script_request("early", {"steps": "9", "delay": "0.05"}, ["6", "5", "4", "1"])
    given["HyperParameterTuningJobConfig"] |= {"Strategy": "Grid", "TrainingJobEarlyStoppingType": "Auto"}
    answer = run(given)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    stopped = _children(sagemaker, "early", StatusEquals="Stopped")
    assert {each["TunedHyperParameters"]["level"] for each in stopped} == {"1"}
    assert answer["TrainingJobStatusCounters"]["Stopped"] == 1
    assert stopped[0]["ObjectiveStatus"] == "Succeeded"
    assert answer["BestTrainingJob"]["TunedHyperParameters"]["level"] == "6"


def test_a_target_that_is_reached_ends_the_tuning_job(run: Run) -> None:
    """The rest is not begun."""
    criteria = {"TargetObjectiveMetricValue": 1.0}
    answer = run(script_request("target", {}, ["1", "2", "3"], TuningJobCompletionCriteria=criteria))
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert sum(answer["TrainingJobStatusCounters"].values()) == 1


def test_a_tuning_job_that_no_longer_improves_ends(run: Run) -> None:
    """After as many training jobs without 1 % more as the request says."""
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    levels = [f"1.00{number}" for number in range(1, 9)]
    answer = run(script_request("idle", {}, levels, TuningJobCompletionCriteria=criteria))
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert answer["TuningJobCompletionDetails"]["NumberOfTrainingJobsObjectiveNotImproving"] == 3
    assert sum(answer["TrainingJobStatusCounters"].values()) == 4


def test_hyperband_stops_what_has_had_its_resource(sagemaker: Any, run: Run) -> None:
    """No training job goes on much beyond MaxResource values, and slow ones are dropped before."""
    given = script_request(
        "band",
        {"steps": "100", "delay": "0.03"},
        ["1", "2", "3", "4", "5", "6"],
        limits={"MaxParallelTrainingJobs": 2},
        Strategy="Hyperband",
        StrategyConfig={"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}},
    )
    answer = run(given)
    assert answer["HyperParameterTuningJobStatus"] == "Completed"
    assert answer["TrainingJobStatusCounters"]["Stopped"] == 6
    children = _children(sagemaker, "band")
    steps = [
        each["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] / float(each["TunedHyperParameters"]["level"])
        for each in children
    ]
    assert max(steps) < 90


def test_a_deleted_tuning_job_leaves_its_training_jobs(sagemaker: Any, run: Run) -> None:
    """And its name can be used again."""
    run(script_request("fleeting", {}, ["1"]))
    (child,) = _children(sagemaker, "fleeting")
    sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName="fleeting")
    with pytest.raises(ClientError) as caught:
        _describe(sagemaker, "fleeting")
    assert _code(caught) == "ResourceNotFound"
    kept = sagemaker.describe_training_job(TrainingJobName=child["TrainingJobName"])
    assert kept["TrainingJobStatus"] == "Completed"
    answer = run(script_request("fleeting", {}, ["2"]))
    assert answer["TrainingJobStatusCounters"]["Completed"] == 1
