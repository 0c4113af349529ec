"""AutoML jobs really run, and end as they should."""

import gzip
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, Trained, automl_request, table, until

pytestmark = pytest.mark.local_aws


@pytest.fixture(scope="module")
def sagemaker(aws: Running) -> Any:
    return aws.client("sagemaker")


def ended(sagemaker: Any, name: str) -> dict[str, Any]:
    describe = lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName=name)  # noqa: E731
    return until(describe, "AutoMLJobStatus", ("InProgress", "Stopping"))


def test_a_completed_job_tells_what_it_found(aws: Running, sagemaker: Any, trained: Trained) -> None:
    answer = trained.description
    assert answer["AutoMLJobSecondaryStatus"] in ("Completed", "MaxCandidatesReached")
    assert answer["CreationTime"] <= answer["EndTime"] <= answer["LastModifiedTime"]
    resolved = answer["ResolvedAttributes"]
    assert resolved["AutoMLJobObjective"] == {"MetricName": "F1"}
    assert resolved["AutoMLProblemTypeResolvedAttributes"] == {
        "TabularResolvedAttributes": {"ProblemType": "BinaryClassification"}
    }
    best = answer["BestCandidate"]
    assert best["FinalAutoMLJobObjectiveMetric"]["Value"] > 0.7
    s3 = aws.client("s3")
    prefix = f"automl/{trained.job}/"
    keys = {each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]}
    locations = [container["ModelDataUrl"] for container in best["InferenceContainers"]]
    locations += answer["AutoMLJobArtifacts"].values()
    assert {location.removeprefix(f"s3://{BUCKET}/") for location in locations} <= keys


def test_its_candidates_are_listed_filtered_sorted_and_paged(sagemaker: Any, trained: Trained) -> None:
    listed = sagemaker.list_candidates_for_auto_ml_job
    every = listed(AutoMLJobName=trained.job, SortBy="FinalObjectiveMetricValue")["Candidates"]
    values = [candidate["FinalAutoMLJobObjectiveMetric"]["Value"] for candidate in every]
    assert len(values) >= 2
    assert values == sorted(values, reverse=True)
    pages = sagemaker.get_paginator("list_candidates_for_auto_ml_job").paginate(
        AutoMLJobName=trained.job,
        SortBy="FinalObjectiveMetricValue",
        SortOrder="Ascending",
        PaginationConfig={"PageSize": 1},
    )
    assert [page["Candidates"][0]["CandidateName"] for page in pages] == [each["CandidateName"] for each in every][::-1]
    name = every[-1]["CandidateName"]
    assert [
        each["CandidateName"] for each in listed(AutoMLJobName=trained.job, CandidateNameEquals=name)["Candidates"]
    ] == [name]
    assert listed(AutoMLJobName=trained.job, StatusEquals="Failed")["Candidates"] == []


def test_its_log_is_in_cloudwatch(aws: Running, trained: Trained) -> None:
    logs = aws.client("logs")
    deadline = time.monotonic() + 20
    messages: list[str] = []
    while not messages and time.monotonic() < deadline:
        streams = logs.describe_log_streams(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix=f"{trained.job}/algo-1-"
        )["logStreams"]
        for stream in streams:
            events = logs.get_log_events(
                logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream["logStreamName"]
            )
            messages += [event["message"] for event in events["events"]]
        time.sleep(0.1)
    assert any("600 rows" in message for message in messages)


def test_tags_given_at_creation_are_on_the_job(sagemaker: Any, trained: Trained) -> None:
    arn = trained.description["AutoMLJobArn"]
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "v"}]


def test_a_name_is_never_free_again_in_any_case(sagemaker: Any, trained: Trained) -> None:
    for name in (trained.job, trained.job.upper()):
        with pytest.raises(ClientError, match="already exists") as raised:
            sagemaker.create_auto_ml_job_v2(**automl_request(name, f"s3://{BUCKET}/train/"))
        assert raised.value.response["Error"]["Code"] == "ResourceInUse"


def test_version_1_jobs_can_be_read_by_both_versions_and_version_2_jobs_only_by_their_own(
    aws: Running, sagemaker: Any, trained: Trained
) -> None:
    aws.client("s3").put_object(
        Bucket=BUCKET, Key="v1/table.csv.gz", Body=gzip.compress(table(600).to_csv(index=False).encode())
    )
    channel = {
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/v1/"}},
        "TargetAttributeName": "y",
        "CompressionType": "Gzip",
    }
    sagemaker.create_auto_ml_job(
        AutoMLJobName="version-1",
        InputDataConfig=[channel],
        OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/automl"},
        RoleArn=ROLE,
        ProblemType="BinaryClassification",
        AutoMLJobObjective={"MetricName": "AUC"},
        AutoMLJobConfig={"CompletionCriteria": {"MaxCandidates": 1}, "Mode": "HYPERPARAMETER_TUNING"},
    )
    second = ended(sagemaker, "version-1")
    first = sagemaker.describe_auto_ml_job(AutoMLJobName="version-1")
    assert first["AutoMLJobStatus"] == "Completed", first.get("FailureReason")
    assert first["InputDataConfig"] == [channel]
    assert first["BestCandidate"] == second["BestCandidate"]
    assert second["AutoMLProblemTypeConfig"]["TabularJobConfig"]["Mode"] == "HYPERPARAMETER_TUNING"
    with pytest.raises(ClientError, match="created by CreateAutoMLJobV2"):
        sagemaker.describe_auto_ml_job(AutoMLJobName=trained.job)


@pytest.mark.parametrize(
    ("name", "key", "rows", "changes", "reason"),
    [
        ("few-rows", "few/t.csv", 499, {}, "500"),
        ("no-target", "no-target/t.csv", 600, {"TargetAttributeName": "z"}, "z"),
        ("no-data", "elsewhere/t.csv", 0, {}, 'No S3 objects found under S3 URL "s3://tests/no-data/"'),
    ],
)
def test_data_that_can_not_be_trained_on_fail_the_job_with_a_reason(
    aws: Running, sagemaker: Any, name: str, key: str, rows: int, changes: dict[str, Any], reason: str
) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=table(rows).to_csv(index=False))
    folder = key.split("/")[0] if rows else name
    sagemaker.create_auto_ml_job_v2(**automl_request(name, f"s3://{BUCKET}/{folder}/", **changes))
    answer = ended(sagemaker, name)
    assert (answer["AutoMLJobStatus"], answer["AutoMLJobSecondaryStatus"]) == ("Failed", "Failed")
    assert reason in answer["FailureReason"]
    assert "EndTime" in answer


def test_a_job_that_could_not_write_its_output_fails_before_it_trains(sagemaker: Any, trained: Trained) -> None:
    request = automl_request("no-output", f"s3://{BUCKET}/train/")
    sagemaker.create_auto_ml_job_v2(**{**request, "OutputDataConfig": {"S3OutputPath": "s3://no-such-bucket/x"}})
    assert "bucket of the output location" in ended(sagemaker, "no-output")["FailureReason"]


def test_a_stopped_job_ends_as_stopped_and_keeps_its_candidates(aws: Running, sagemaker: Any) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="long/t.csv", Body=table(6000).to_csv(index=False))
    criteria = {"MaxCandidates": 250, "MaxAutoMLJobRuntimeInSeconds": 600}
    request = automl_request(
        "stopped", f"s3://{BUCKET}/long/", Mode="HYPERPARAMETER_TUNING", CompletionCriteria=criteria
    )
    sagemaker.create_auto_ml_job_v2(**request)
    until(
        lambda: {"found": str(len(sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName="stopped")["Candidates"]))},
        "found",
        ("0",),
    )
    sagemaker.stop_auto_ml_job(AutoMLJobName="stopped")
    assert sagemaker.describe_auto_ml_job_v2(AutoMLJobName="stopped")["AutoMLJobStatus"] in ("Stopping", "Stopped")
    answer = ended(sagemaker, "stopped")
    assert (answer["AutoMLJobStatus"], answer["AutoMLJobSecondaryStatus"]) == ("Stopped", "Stopped")
    assert sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName="stopped")["Candidates"]
    with pytest.raises(ClientError, match="only a job that is InProgress can be stopped"):
        sagemaker.stop_auto_ml_job(AutoMLJobName="stopped")


def test_jobs_are_listed_by_status_name_and_last_change(sagemaker: Any, trained: Trained) -> None:
    def listed(**asked: Any) -> list[str]:
        return [each["AutoMLJobName"] for each in sagemaker.list_auto_ml_jobs(**asked)["AutoMLJobSummaries"]]

    assert listed(NameContains="TRAIN", StatusEquals="Completed") == [trained.job]
    assert listed(NameContains="train", StatusEquals="Failed") == []
    changed = trained.description["LastModifiedTime"]
    assert trained.job not in listed(NameContains="train", LastModifiedTimeAfter=changed)
    assert trained.job in listed(NameContains="train", LastModifiedTimeBefore=changed.replace(year=changed.year + 1))


def test_the_manifest_form_of_input_data_is_read(aws: Running, sagemaker: Any, trained: Trained) -> None:
    manifest = [{"prefix": f"s3://{BUCKET}/train/"}, "table.csv"]
    aws.client("s3").put_object(Bucket=BUCKET, Key="train.manifest", Body=json.dumps(manifest))
    request = automl_request("manifest", f"s3://{BUCKET}/train.manifest")
    request["AutoMLJobInputDataConfig"][0]["DataSource"]["S3DataSource"]["S3DataType"] = "ManifestFile"
    sagemaker.create_auto_ml_job_v2(**request)
    assert ended(sagemaker, "manifest")["AutoMLJobStatus"] == "Completed"
