"""The steps that make an Autopilot candidate: their requests and containers."""

from __future__ import annotations

import pytest

from automl_retraining.core.errors import JobFailed
from automl_retraining.core.records import CLASSIFICATION_OUTPUT
from automl_retraining.sagemaker import inference, steps
from tests.support.botocore_check import accepted


def test_the_features_of_all_rows_are_one_transform_job_that_aws_takes() -> None:
    """A folder in, the same folders out, in the algorithm's format."""
    request = steps.create_feature_transform(
        "art-transform-x", model_name="m", rows_uri="s3://bucket/rows", output_uri="s3://bucket/features",
        content_type=steps.RECORDIO, instance_type="ml.m5.large", kms_key="key",
    )  # fmt: skip
    accepted("create_transform_job", request)
    assert request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://bucket/rows/"
    assert request["TransformOutput"]["Accept"] == steps.RECORDIO


def test_a_regression_has_two_containers_and_a_classification_a_third_for_its_labels() -> None:
    """The chain can be told to answer what every model of ours answers."""
    given = ("features-image", "s3://b/t.tar.gz", "linear-learner", "algorithm-image", "s3://b/a.tar.gz")
    assert len(steps.containers(*given, "Regression")) == 2
    chain = steps.containers(*given, "BinaryClassification")
    answering = inference.answering(chain, "BinaryClassification")
    assert [each.model_data_url for each in chain] == ["s3://b/t.tar.gz", "s3://b/a.tar.gz", "s3://b/t.tar.gz"]
    assert chain[1].environment["ML_APPLICATION"] == "linear_learner"
    assert answering[2].environment["SAGEMAKER_INFERENCE_OUTPUT"] == ",".join(CLASSIFICATION_OUTPUT)
    assert answering[2].environment["SAGEMAKER_INFERENCE_INPUT"] == "predicted_label,probabilities"


def test_only_a_sparse_definition_asks_for_sparse_features() -> None:
    """As its literal says."""
    dense = steps.feature_making("image", "s3://b/t", content_type=steps.RECORDIO, sparse=False).environment
    sparse = steps.feature_making("image", "s3://b/t", content_type=steps.RECORDIO, sparse=True).environment
    assert {**dense, "AUTOML_SPARSE_ENCODE_RECORDIO_PROTOBUF": "1"} == sparse


def test_what_is_missing_of_the_parts_is_named() -> None:
    """A folder whose name only begins alike does not count."""
    assert steps.missing_parts(["s3://b/f/train/a.csv"], "s3://b/f") == ["validation"]
    assert steps.missing_parts(["s3://b/f/train2/a", "s3://b/f/validation/b"], "s3://b/f/") == ["train"]


def test_a_training_job_without_an_artifact_is_said_by_its_name() -> None:
    """Rather than a key that is missing."""
    with pytest.raises(JobFailed, match="training job t: expected a model artifact"):
        steps.artifact({"TrainingJobName": "t"})
