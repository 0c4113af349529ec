"""Trial components as they follow from jobs, and what is said of them differently."""

from typing import Any

import pytest

from include.local_aws.experiments.components import (
    MAX_PARAMETERS,
    Component,
    changed,
    description,
    of_job,
    with_update,
)
from include.local_aws.store import Record
from include.local_aws.training.metrics import Value
from tests.support.job_bodies import PROCESSING, TRAINING, TRANSFORM


def _of(kind: str, body: dict[str, Any], status: str = "Completed") -> Component:
    return of_job(Record(kind, "us-east-1", "job", status, body, created=1.0, modified=4.0))


def test_a_training_job_is_a_component() -> None:
    """Numbers are numbers, what is no finite number is text; its channels come in and its model goes out."""
    component = _of("training", TRAINING)
    assert (component.name, component.display) == ("job-aws-training-job", "shown")
    assert component.source == {
        "SourceArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/job",
        "SourceType": "SageMakerTrainingJob",
    }
    assert component.parameters == {
        "eta": {"NumberValue": 0.3},
        "objective": {"StringValue": "reg:squarederror"},
        "odd": {"StringValue": "nan"},
        "SageMaker.InstanceCount": {"NumberValue": 2.0},
        "SageMaker.VolumeSizeInGB": {"NumberValue": 5.0},
        "SageMaker.InstanceType": {"StringValue": "ml.m5.large"},
        "SageMaker.ImageUri": {"StringValue": "registry/xgboost:1"},
    }
    assert component.inputs == {
        "train": {"Value": "s3://tests/train/", "MediaType": "text/csv"},
        "odd": {"Value": "s3://tests/odd/"},
    }
    assert component.outputs == {"SageMaker.ModelArtifact": {"Value": "s3://tests/out/model.tar.gz"}}
    assert component.status == {
        "PrimaryStatus": "Completed",
        "Message": "Status: Completed, secondary status: Completed, failure reason: .",
    }
    assert (component.created, component.started, component.ended, component.modified) == (1.0, 2.0, 3.0, 4.0)


def test_a_processing_job_is_a_component() -> None:
    """With its image and inputs, and its outputs."""
    component = _of("processing", PROCESSING)
    assert component.name == "job-aws-processing-job"
    assert component.inputs == {
        "SageMaker.ImageUri": {"Value": "registry/sklearn:1"},
        "raw": {"Value": "s3://tests/raw/"},
    }
    assert component.outputs == {"ready": {"Value": "s3://tests/ready"}}
    assert component.status is not None
    assert component.status["Message"] == "Status: Completed, exit message: done, failure reason: null"


def test_a_transform_job_is_a_component() -> None:
    """With its model, input and output; a failure says why."""
    component = _of("transform", TRANSFORM, "Failed")
    assert component.name == "job-aws-transform-job"
    assert component.parameters["SageMaker.ModelPrimary.DataUrl"] == {"StringValue": "s3://tests/model.tar.gz"}
    assert component.inputs == {"SageMaker.TransformInput": {"Value": "s3://tests/in/", "MediaType": "text/csv"}}
    assert component.outputs == {"SageMaker.TransformOutput": {"Value": "s3://tests/out"}}
    assert component.status == {"PrimaryStatus": "Failed", "Message": "Status: Failed, failure reason: ClientError: no"}


def test_a_transform_that_another_job_did_itself_is_one_without_its_model_data() -> None:
    """Of an Autopilot step the job knows its model by name only."""
    without = {key: value for key, value in TRANSFORM.items() if key != "containers"}
    component = _of("transform", without, "Completed")
    assert "SageMaker.ModelName" in component.parameters
    assert "SageMaker.ModelPrimary.DataUrl" not in component.parameters


def test_no_more_parameters_than_a_component_takes() -> None:
    """A job may have more hyperparameters than that."""
    many = {f"p{number}": "1" for number in range(MAX_PARAMETERS + 5)}
    request = {**TRAINING["request"], "HyperParameters": many}
    assert len(_of("training", {**TRAINING, "request": request}).parameters) == MAX_PARAMETERS


def test_metrics_are_summed_up() -> None:
    """Least, greatest, last, how many, mean and population standard deviation of each."""
    values = [Value("rmse", value, at) for at, value in enumerate((3.0, 1.0, 2.0))]
    (metric,) = description(_of("training", TRAINING), values)["Metrics"]
    assert {key: metric[key] for key in ("MetricName", "Min", "Max", "Last", "Count", "Avg", "TimeStamp")} == {
        "MetricName": "rmse",
        "Min": 1.0,
        "Max": 3.0,
        "Last": 2.0,
        "Count": 3,
        "Avg": 2.0,
        "TimeStamp": 2,
    }
    assert metric["StdDev"] == pytest.approx((2 / 3) ** 0.5)


def test_what_was_said_of_a_component_stands_before_what_its_job_says() -> None:
    """Keys are added, replaced and removed; a removed key that is given again is back."""
    body = with_update(
        {}, {"DisplayName": "new", "Parameters": {"eta": {"NumberValue": 1.0}, "x": {"StringValue": "y"}}}
    )
    body = with_update(body, {"ParametersToRemove": ["objective", "x"], "InputArtifactsToRemove": ["train"]})
    row = Record("trial-component", "us-east-1", "job-aws-training-job", "", body, created=5.0, modified=6.0)
    component = changed(_of("training", TRAINING), row)
    assert component.display == "new"
    assert component.parameters["eta"] == {"NumberValue": 1.0}
    assert not {"objective", "x"} & set(component.parameters)
    assert list(component.inputs) == ["odd"]
    assert (component.created, component.modified) == (1.0, 6.0)
    again = with_update(body, {"Parameters": {"objective": {"StringValue": "back"}}})
    assert "objective" not in again["ParametersToRemove"]
