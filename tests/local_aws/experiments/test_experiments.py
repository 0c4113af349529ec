"""Experiments, trials and components on the embedded AWS."""

import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, until
from tests.support.tuning_requests import definition, request, upload

pytestmark = pytest.mark.local_aws


@pytest.fixture(scope="module")
def sagemaker(aws: Running) -> Any:
    """A client, of an embedded AWS that has something to train on."""
    upload(aws.client("s3"))
    return aws.client("sagemaker")


def _code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def _all(sagemaker: Any, operation: str, **given: Any) -> list[dict[str, Any]]:
    pages = sagemaker.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}, **given)
    return [each for page in pages for value in page.values() if isinstance(value, list) for each in value]


def _train(sagemaker: Any, name: str, **more: Any) -> str:
    body = {key: value for key, value in definition().items() if key != "StaticHyperParameters"}
    static = definition()["StaticHyperParameters"]
    sagemaker.create_training_job(TrainingJobName=name, HyperParameters=static, **body, **more)
    answer = until(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", ("InProgress",))
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    return str(answer["TrainingJobArn"])


@pytest.fixture(scope="module")
def trained_in(sagemaker: Any) -> str:
    """The ARN of a training job in the trial ``in-trial`` of the experiment ``In-Experiment``."""
    sagemaker.create_experiment(ExperimentName="In-Experiment", Tags=[{"Key": "k", "Value": "v"}])
    sagemaker.create_trial(TrialName="in-trial", ExperimentName="in-experiment")
    config = {"ExperimentName": "In-Experiment", "TrialName": "in-trial", "TrialComponentDisplayName": "Training"}
    return _train(sagemaker, "in-job", ExperimentConfig=config)


def test_a_training_job_is_a_component_of_its_trial(sagemaker: Any, trained_in: str) -> None:
    """Found by trial, by experiment and by source; described with its metrics over all rounds."""
    for given in ({"TrialName": "in-trial"}, {"ExperimentName": "in-experiment"}, {"SourceArn": trained_in}):
        (component,) = _all(sagemaker, "list_trial_components", **given)
        assert component["TrialComponentName"] == "in-job-aws-training-job"
    told = sagemaker.describe_trial_component(TrialComponentName="in-job-aws-training-job")
    assert told["DisplayName"] == "Training"
    assert told["Source"] == {"SourceArn": trained_in, "SourceType": "SageMakerTrainingJob"}
    assert told["Status"]["PrimaryStatus"] == "Completed"
    assert told["Parameters"]["num_round"] == {"NumberValue": 10.0}
    assert told["InputArtifacts"]["train"] == {"MediaType": "text/csv", "Value": f"s3://{BUCKET}/tuning/train/"}
    rmse = next(each for each in told["Metrics"] if each["MetricName"] == "validation:rmse")
    final = {each["MetricName"]: each["Value"] for each in _described(sagemaker, "in-job")["FinalMetricDataList"]}
    assert rmse["Count"] == 10
    assert rmse["Last"] == pytest.approx(final["validation:rmse"], rel=1e-6)
    assert rmse["Min"] <= rmse["Avg"] <= rmse["Max"]
    assert (
        sagemaker.describe_trial_component(TrialComponentName=told["TrialComponentArn"])["Metrics"] == told["Metrics"]
    )


def _described(sagemaker: Any, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    return answer


def test_an_experiment_is_described_changed_and_tagged(sagemaker: Any, trained_in: str) -> None:
    """Its name is found in any case, and told as given."""
    assert trained_in
    sagemaker.update_experiment(ExperimentName="IN-experiment", Description="what for", DisplayName="shown")
    told = sagemaker.describe_experiment(ExperimentName="in-experiment")
    assert (told["ExperimentName"], told["Description"], told["DisplayName"]) == ("In-Experiment", "what for", "shown")
    assert told["CreationTime"] <= told["LastModifiedTime"] <= datetime.datetime.now(datetime.UTC)
    assert sagemaker.list_tags(ResourceArn=told["ExperimentArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    with pytest.raises(ClientError, match="already exists") as caught:
        sagemaker.create_experiment(ExperimentName="in-EXPERIMENT")
    assert _code(caught) == "ValidationException"


def test_a_job_that_names_no_trial_gets_one(sagemaker: Any) -> None:
    """In the experiment that it names."""
    sagemaker.create_experiment(ExperimentName="lonely")
    _train(sagemaker, "lonely-job", ExperimentConfig={"ExperimentName": "lonely"})
    (trial,) = _all(sagemaker, "list_trials", ExperimentName="lonely")
    (component,) = _all(sagemaker, "list_trial_components", TrialName=trial["TrialName"])
    assert component["TrialComponentName"] == "lonely-job-aws-training-job"


def test_a_tuning_job_is_an_experiment_with_a_trial(sagemaker: Any) -> None:
    """Its training jobs are the trial's components."""
    sagemaker.create_hyper_parameter_tuning_job(**request("explored"))
    answer = until(
        lambda: sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="explored"),
        "HyperParameterTuningJobStatus",
        ("InProgress",),
    )
    source = sagemaker.describe_experiment(ExperimentName="explored")["Source"]
    assert source == {
        "SourceArn": answer["HyperParameterTuningJobArn"],
        "SourceType": "SageMakerHyperParameterTuningJob",
    }
    (trial,) = _all(sagemaker, "list_trials", ExperimentName="explored")
    components = _all(sagemaker, "list_trial_components", TrialName=trial["TrialName"], SortBy="Name")
    names = [each["TrialComponentName"] for each in components]
    assert len(names) == 4
    assert names == sorted(names, reverse=True)
    best = answer["BestTrainingJob"]["TrainingJobName"]
    (of_best,) = _all(sagemaker, "list_trials", TrialComponentName=f"{best}-aws-training-job")
    assert of_best["TrialName"] == trial["TrialName"]


def test_components_of_ones_own_come_and_go(sagemaker: Any) -> None:
    """Created, changed, put into trials and taken out, deleted last."""
    sagemaker.create_experiment(ExperimentName="own")
    sagemaker.create_trial(TrialName="own-1", ExperimentName="own", MetadataProperties={"CommitId": "abc"})
    began = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    sagemaker.create_trial_component(
        TrialComponentName="step",
        StartTime=began,
        Status={"PrimaryStatus": "InProgress", "Message": "on it"},
        Parameters={"alpha": {"NumberValue": 0.5}, "kind": {"StringValue": "a"}},
        InputArtifacts={"data": {"MediaType": "text/csv", "Value": "s3://x/y"}},
    )
    sagemaker.associate_trial_component(TrialComponentName="step", TrialName="own-1")
    sagemaker.update_trial_component(
        TrialComponentName="STEP",
        Status={"PrimaryStatus": "Completed"},
        Parameters={"alpha": {"NumberValue": 0.7}},
        ParametersToRemove=["kind"],
        OutputArtifacts={"model": {"Value": "s3://x/z"}},
    )
    told = sagemaker.describe_trial_component(TrialComponentName="step")
    assert (told["StartTime"], told["Status"]) == (began, {"PrimaryStatus": "Completed"})
    assert (told["Parameters"], told["OutputArtifacts"]) == (
        {"alpha": {"NumberValue": 0.7}},
        {"model": {"Value": "s3://x/z"}},
    )
    assert sagemaker.describe_trial(TrialName="own-1")["MetadataProperties"] == {"CommitId": "abc"}
    for delete, given, sentence in (
        (sagemaker.delete_experiment, {"ExperimentName": "own"}, "has associated trials"),
        (sagemaker.delete_trial, {"TrialName": "own-1"}, "has associated trial components"),
        (sagemaker.delete_trial_component, {"TrialComponentName": "step"}, "is associated with trials"),
    ):
        with pytest.raises(ClientError, match=sentence) as caught:
            delete(**given)
        assert _code(caught) == "ValidationException"
    sagemaker.disassociate_trial_component(TrialComponentName="step", TrialName="own-1")
    sagemaker.delete_trial_component(TrialComponentName="step")
    sagemaker.delete_trial(TrialName="own-1")
    sagemaker.delete_experiment(ExperimentName="own")
    for ask, given in (
        (sagemaker.describe_experiment, {"ExperimentName": "own"}),
        (sagemaker.describe_trial, {"TrialName": "own-1"}),
        (sagemaker.describe_trial_component, {"TrialComponentName": "step"}),
        (sagemaker.list_trials, {"ExperimentName": "own"}),
    ):
        with pytest.raises(ClientError, match="does not exist") as caught:
            ask(**given)
        assert _code(caught) == "ResourceNotFound"
    sagemaker.create_experiment(ExperimentName="own")
    assert sagemaker.describe_experiment(ExperimentName="own")["ExperimentName"] == "own"


def test_a_jobs_component_can_be_changed_moved_and_deleted(sagemaker: Any) -> None:
    """Though its job stays as it is."""
    _train(sagemaker, "moved-job")
    name = "moved-job-aws-training-job"
    assert _all(sagemaker, "list_trials", TrialComponentName=name) == []
    sagemaker.create_experiment(ExperimentName="movers")
    sagemaker.create_trial(TrialName="movers-1", ExperimentName="movers")
    sagemaker.associate_trial_component(TrialComponentName=name, TrialName="movers-1")
    sagemaker.update_trial_component(TrialComponentName=name, DisplayName="mine", Parameters={"x": {"NumberValue": 1}})
    told = sagemaker.describe_trial_component(TrialComponentName=name)
    assert (told["DisplayName"], told["Parameters"]["x"]) == ("mine", {"NumberValue": 1.0})
    assert told["Parameters"]["num_round"] == {"NumberValue": 10.0}
    sagemaker.disassociate_trial_component(TrialComponentName=name, TrialName="movers-1")
    assert _all(sagemaker, "list_trial_components", TrialName="movers-1") == []
    sagemaker.delete_trial_component(TrialComponentName=name)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_trial_component(TrialComponentName=name)
    assert _described(sagemaker, "moved-job")["TrainingJobStatus"] == "Completed"


def test_lists_have_pages_orders_and_times(sagemaker: Any) -> None:
    """Newest first unless asked otherwise."""
    before = datetime.datetime.now(datetime.UTC)
    for number in range(5):
        sagemaker.create_experiment(ExperimentName=f"paged-{number}")
    names = [each["ExperimentName"] for each in _all(sagemaker, "list_experiments", CreatedAfter=before)]
    assert names == [f"paged-{number}" for number in range(4, -1, -1)]
    ascending = _all(sagemaker, "list_experiments", CreatedAfter=before, SortBy="Name", SortOrder="Ascending")
    assert [each["ExperimentName"] for each in ascending] == names[::-1]


def test_filters_that_exclude_each_other_are_refused(sagemaker: Any) -> None:
    """Components of an experiment, of a trial, or of a job."""
    with pytest.raises(ClientError, match="can't be given together") as caught:
        sagemaker.list_trial_components(ExperimentName="a", TrialName="b")
    assert _code(caught) == "ValidationException"


def test_a_trial_needs_its_experiment(sagemaker: Any) -> None:
    """And what is not associated can't be taken out."""
    with pytest.raises(ClientError, match="Experiment 'nobody' does not exist") as caught:
        sagemaker.create_trial(TrialName="t", ExperimentName="nobody")
    assert _code(caught) == "ResourceNotFound"
