"""Training jobs really train."""

import gzip
import io
import json
import tarfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, until
from tests.support.trainings import (
    LINEAR_LEARNER,
    SKLEARN,
    XGBOOST,
    as_csv,
    channel,
    finished,
    numbers,
    put_numbers,
    trained,
    training_request,
)

pytestmark = pytest.mark.local_aws

SLOW = {"num_round": 1_000_000, "max_depth": 8}
"""Hours of training."""


@pytest.fixture(scope="module", autouse=True)
def data(aws: Running) -> None:
    put_numbers(aws)


def content(aws: Running, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def members(aws: Running, uri: str) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content(aws, uri))) as archive:
        found = {each.name: archive.extractfile(each) for each in archive.getmembers() if each.isfile()}
        return {name: file.read() for name, file in found.items() if file is not None}


def model_of(aws: Running, answer: dict[str, Any]) -> xgboost.Booster:
    files = members(aws, answer["ModelArtifacts"]["S3ModelArtifacts"])
    booster = xgboost.Booster()
    booster.load_model(bytearray(files["xgboost-model"]))
    return booster


def log_of(aws: Running, name: str, wanted: str) -> list[str]:
    """The job's lines in CloudWatch Logs, when `wanted` is among them."""
    logs = aws.client("logs")
    group = "/aws/sagemaker/TrainingJobs"
    deadline = time.monotonic() + 20
    lines: list[str] = []
    while time.monotonic() < deadline and not any(wanted in line for line in lines):
        time.sleep(0.05)
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            continue
        assert len(streams) <= 1
        for stream in streams:
            events = logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True, limit=10_000
            )
            lines = [event["message"] for event in events["events"]]
    return lines


def rounds_begun(aws: Running, name: str) -> None:
    """Wait until a job is in the middle of its training."""
    assert any("[1]" in line for line in log_of(aws, name, "[1]"))


def statuses(answer: dict[str, Any]) -> list[str]:
    return [each["Status"] for each in answer["SecondaryStatusTransitions"]]


def test_a_job_trains_a_model_that_any_xgboost_opens_and_passes_through_its_statuses(aws: Running) -> None:
    answer = trained(aws, "whole", {"num_round": 40, "max_depth": 4}, Tags=[{"Key": "k", "Value": "v"}])
    assert answer["TrainingJobStatus"] == answer["SecondaryStatus"] == "Completed", answer.get("FailureReason")
    assert answer["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/trained/whole/output/model.tar.gz"
    booster = model_of(aws, answer)
    features, labels = numbers(300, seed=2)
    error = booster.predict(xgboost.DMatrix(features)) - labels
    metrics = {each["MetricName"]: each["Value"] for each in answer["FinalMetricDataList"]}
    assert metrics["validation:rmse"] == pytest.approx(float(np.sqrt((error**2).mean())), abs=1e-4)
    assert metrics["validation:rmse"] < 0.5 * labels.std()
    transitions = answer["SecondaryStatusTransitions"]
    assert statuses(answer) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    for before, after in pairwise(transitions):
        assert before["StartTime"] <= before["EndTime"] == after["StartTime"]
    times = [answer[name] for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime")]
    assert times == sorted(times)
    assert transitions[0]["StartTime"] == answer["CreationTime"]
    assert answer["TrainingTimeInSeconds"] == answer["BillableTimeInSeconds"] == 1
    listed = aws.client("sagemaker").list_tags(ResourceArn=answer["TrainingJobArn"])["Tags"]
    assert listed == [{"Key": "k", "Value": "v"}]


def test_its_log_is_in_the_group_of_training_jobs(aws: Running) -> None:
    trained(aws, "logged", {"num_round": 2})
    lines = log_of(aws, "logged", "[1]")
    assert any(line.startswith("[1]#011train-rmse:") for line in lines)


def test_the_description_tells_the_algorithms_metric_definitions_which_a_request_may_not_give(aws: Running) -> None:
    given = trained(aws, "defined", {"num_round": 1})["AlgorithmSpecification"]["MetricDefinitions"]
    assert "validation:rmse" in {each["Name"] for each in given}
    specification = {"TrainingImage": XGBOOST, "TrainingInputMode": "File", "MetricDefinitions": given}
    with pytest.raises(ClientError, match="You can't override the metric definitions for Amazon SageMaker algorithms"):
        trained(aws, "overridden", {"num_round": 1}, AlgorithmSpecification=specification)


@pytest.mark.parametrize(
    ("name", "hyperparameters", "reason"),
    [
        ("bad-range", {"num_round": 3, "eta": 2}, "ClientError: Hyperparameter eta: value 2 not in range [0, 1]"),
        ("bad-name", {"num_round": 3, "maxdepth": 2}, "ClientError: Extraneous hyperparameter found: maxdepth"),
        ("bad-none", {}, "ClientError: Missing required hyperparameter: num_round"),
        (
            "bad-label",
            {"num_round": 3, "objective": "binary:logistic"},
            "ClientError: XGB train call failed with exception: ",
        ),
    ],
)
def test_what_the_algorithm_can_not_use_fails_the_job_by_name(
    aws: Running, name: str, hyperparameters: dict[str, object], reason: str
) -> None:
    answer = trained(aws, name, hyperparameters)
    assert answer["TrainingJobStatus"] == answer["SecondaryStatus"] == "Failed"
    assert answer["FailureReason"].startswith(reason)
    assert answer["FailureReason"].endswith("exit code: 1")
    assert statuses(answer) == ["Starting", "Downloading", "Training", "Failed"]
    key = f"trained/{name}/"
    assert aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=key)["KeyCount"] == 0


def test_a_stopped_job_keeps_the_model_so_far_and_checkpoints_let_another_go_on_from_it(aws: Running) -> None:
    sagemaker = aws.client("sagemaker")
    spot = {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/stopped"},
    }
    sagemaker.create_training_job(**training_request("stopped-training", SLOW, **spot))
    rounds_begun(aws, "stopped-training")
    sagemaker.stop_training_job(TrainingJobName="stopped-training")
    answer = finished(aws, "stopped-training")
    assert answer["TrainingJobStatus"] == answer["SecondaryStatus"] == "Stopped"
    assert statuses(answer) == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]
    done = model_of(aws, answer).num_boosted_rounds()
    assert 0 < done < SLOW["num_round"]
    assert answer["FinalMetricDataList"]
    with pytest.raises(ClientError, match="only a job that is InProgress can be stopped"):
        sagemaker.stop_training_job(TrainingJobName="stopped-training")
    again = trained(aws, "resumed", {**SLOW, "num_round": done + 3}, **spot)
    assert again["TrainingJobStatus"] == "Completed", again.get("FailureReason")
    assert model_of(aws, again).num_boosted_rounds() == done + 3
    resumed = log_of(aws, "resumed", f"[{done + 2}]")
    assert f"Resuming from iteration {done}" in resumed
    assert sum(line.startswith("[") for line in resumed) == 3


@pytest.mark.parametrize(
    ("name", "changes", "secondary"),
    [
        ("overrun", {"StoppingCondition": {"MaxRuntimeInSeconds": 1}}, "MaxRuntimeExceeded"),
        (
            "waited",
            {
                "StoppingCondition": {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1},
                "EnableManagedSpotTraining": True,
            },
            "MaxWaitTimeExceeded",
        ),
    ],
)
def test_a_job_that_runs_out_of_its_time_is_stopped_with_the_model_so_far(
    aws: Running, name: str, changes: dict[str, Any], secondary: str
) -> None:
    answer = trained(aws, name, SLOW, **changes)
    assert (answer["TrainingJobStatus"], answer["SecondaryStatus"]) == ("Stopped", secondary)
    assert statuses(answer)[-2:] == ["Stopping", secondary]
    assert model_of(aws, answer).num_boosted_rounds() > 0


def test_files_of_a_channel_stand_where_their_keys_say(aws: Running) -> None:
    s3 = aws.client("s3")
    rows = as_csv(*reversed(numbers(30)))
    s3.put_object(Bucket=BUCKET, Key="nested/a/1.csv", Body=rows)
    s3.put_object(Bucket=BUCKET, Key="nested/a/deep/1.csv", Body=rows)
    s3.put_object(Bucket=BUCKET, Key="placed-packed/1.csv.gz", Body=gzip.compress(rows.encode()))
    manifest = [{"prefix": f"s3://{BUCKET}/nested/"}, "a/deep/1.csv"]
    s3.put_object(Bucket=BUCKET, Key="nested.manifest", Body=json.dumps(manifest))
    script = (
        "find /opt/ml/input/data -type f | sort; cat /opt/ml/input/config/inputdataconfig.json; "
        "cp -r /opt/ml/input/data/packed /opt/ml/model/; echo loss=0.5; echo loss=0.25; pwd >/opt/ml/output/data/where"
    )
    answer = trained(
        aws,
        "placed",
        {},
        AlgorithmSpecification={
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/bash", "-c"],
            "ContainerArguments": [script],
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}],
        },
        InputDataConfig=[
            channel("prefix", f"s3://{BUCKET}/nested/a/"),
            channel("packed", f"s3://{BUCKET}/placed-packed/", None, CompressionType="Gzip"),
            channel("listed", f"s3://{BUCKET}/nested.manifest", source={"S3DataType": "ManifestFile"}),
        ],
    )
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    lines = log_of(aws, "placed", "loss=0.25")
    assert lines[:4] == [
        "/opt/ml/input/data/listed/a/deep/1.csv",
        "/opt/ml/input/data/packed/1.csv",
        "/opt/ml/input/data/prefix/1.csv",
        "/opt/ml/input/data/prefix/deep/1.csv",
    ]
    assert members(aws, answer["ModelArtifacts"]["S3ModelArtifacts"]) == {"packed/1.csv": rows.encode()}
    assert members(aws, f"s3://{BUCKET}/trained/placed/output/output.tar.gz")["where"].strip()
    (metric,) = answer["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("loss", 0.25)


@pytest.mark.parametrize(
    ("name", "script", "reason"),
    [
        ("says-why", "echo 'my reason' >/opt/ml/output/failure; exit 3", "AlgorithmError: my reason"),
        ("says-nothing", "echo last words; exit 3", "AlgorithmError: the job's process ended with exit code 3"),
    ],
)
def test_an_entrypoint_that_fails_fails_the_job_with_its_own_reason(
    aws: Running, name: str, script: str, reason: str
) -> None:
    specification = {
        "TrainingImage": SKLEARN,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c", script],
    }
    answer = trained(aws, name, {}, AlgorithmSpecification=specification)
    assert answer["TrainingJobStatus"] == "Failed"
    assert answer["FailureReason"].startswith(reason)


def test_checkpoints_may_stand_anywhere_below_opt_ml_and_all_files_there_are_copied(aws: Running) -> None:
    places = {"S3Uri": f"s3://{BUCKET}/checkpoints/mine/", "LocalPath": "/opt/ml/mine"}

    def run(name: str, script: str) -> dict[str, Any]:
        specification = {
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-ec", script],
        }
        return trained(aws, name, {}, AlgorithmSpecification=specification, CheckpointConfig=places)

    first = run("keeps", "mkdir /opt/ml/mine/deep; echo one >/opt/ml/mine/deep/a; exit 9")
    assert first["TrainingJobStatus"] == "Failed"
    assert content(aws, f"s3://{BUCKET}/checkpoints/mine/deep/a") == b"one\n"
    second = run("finds", "cp /opt/ml/mine/deep/a /opt/ml/model/; echo two >/opt/ml/mine/deep/a")
    assert second["TrainingJobStatus"] == "Completed", second.get("FailureReason")
    assert members(aws, second["ModelArtifacts"]["S3ModelArtifacts"]) == {"a": b"one\n"}
    assert content(aws, f"s3://{BUCKET}/checkpoints/mine/deep/a") == b"two\n"


def test_the_environment_of_the_request_reaches_the_script_and_links_in_a_model_are_not_followed(aws: Running) -> None:
    specification = {
        "TrainingImage": SKLEARN,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-ec", "echo $WORD $TRAINING_JOB_NAME >/opt/ml/model/a; cd /opt/ml/model; "
                                                  "ln -s /etc/hostname b; ln -s a c"],
    }  # fmt: skip
    answer = trained(aws, "environment-of", {}, AlgorithmSpecification=specification, Environment={"WORD": "hello"})
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    with tarfile.open(fileobj=io.BytesIO(content(aws, answer["ModelArtifacts"]["S3ModelArtifacts"]))) as archive:
        assert {each.name: each.type for each in archive} == {
            "a": tarfile.REGTYPE,
            "b": tarfile.SYMTYPE,
            "c": tarfile.SYMTYPE,
        }
        file = archive.extractfile("a")
        assert file is not None
        assert file.read() == b"hello environment-of\n"


def test_a_model_without_compression_is_a_folder(aws: Running) -> None:
    output = {"S3OutputPath": f"s3://{BUCKET}/plain/", "CompressionType": "NONE"}
    answer = trained(aws, "folder", {"num_round": 2}, OutputDataConfig=output)
    assert answer["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/plain/folder/output/model/"
    booster = xgboost.Booster()
    booster.load_model(bytearray(content(aws, f"s3://{BUCKET}/plain/folder/output/model/xgboost-model")))
    assert booster.num_boosted_rounds() == 2


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("no-bucket", {"OutputDataConfig": {"S3OutputPath": "s3://nowhere/x"}}, "the bucket of the output location"),
        (
            "no-gzip",
            {"InputDataConfig": [channel("train", f"s3://{BUCKET}/numbers/train/", CompressionType="Gzip")]},
            "CompressionType of channel train is Gzip, but part.csv can't be read as gzip",
        ),
        (
            "no-member",
            {
                "InputDataConfig": [
                    channel("train", f"s3://{BUCKET}/missing.manifest", source={"S3DataType": "ManifestFile"})
                ]
            },
            "Data download failed:Could not find an object at s3://tests/numbers/absent.csv",
        ),
    ],
)
def test_places_in_s3_that_can_not_be_used_fail_the_job(
    aws: Running, name: str, changes: dict[str, Any], reason: str
) -> None:
    manifest = [{"prefix": f"s3://{BUCKET}/numbers/"}, "absent.csv"]
    aws.client("s3").put_object(Bucket=BUCKET, Key="missing.manifest", Body=json.dumps(manifest))
    answer = trained(aws, name, {"num_round": 1}, **changes)
    assert answer["FailureReason"].startswith("ClientError: ")
    assert reason in answer["FailureReason"]


def test_a_name_is_taken_for_ever_and_jobs_are_listed_by_their_status(aws: Running) -> None:
    sagemaker = aws.client("sagemaker")
    trained(aws, "listed-well", {"num_round": 1})
    trained(aws, "listed-badly", {})
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_training_job(**training_request("listed-well", {"num_round": 1}))
    found = sagemaker.list_training_jobs(NameContains="LISTED", StatusEquals="Failed")["TrainingJobSummaries"]
    assert [(each["TrainingJobName"], each["SecondaryStatus"]) for each in found] == [("listed-badly", "Failed")]
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains="listed-", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 1}
    )
    names = [each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"]]
    assert names == ["listed-badly", "listed-well"]
    assert sagemaker.list_training_jobs(WarmPoolStatusEquals="Available")["TrainingJobSummaries"] == []
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="absent")
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="listed-well")


def _with(member: str, **changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda request: {**request, member: {**request[member], **changes}}


def _without(member: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda request: {key: value for key, value in request.items() if key != member}


def _channel(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda request: {**request, "InputDataConfig": [{**request["InputDataConfig"][0], **changes}]}


def _source(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/numbers/train/", **changes}
    return _channel(DataSource={"S3DataSource": source})


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (_without("AlgorithmSpecification"), "ValidationException", "AlgorithmSpecification is required"),
        (_without("ResourceConfig"), "ValidationException", "ResourceConfig is required"),
        (_with("AlgorithmSpecification", AlgorithmName="mine"), "ValidationException", "either TrainingImage or"),
        (_with("AlgorithmSpecification", TrainingImage="x/unknown:1"), "ValidationException", "image x/unknown:1 not"),
        (
            _with("AlgorithmSpecification", TrainingImage="811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"),
            "NotImplemented",
            "the image 811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1",
        ),
        (_with("AlgorithmSpecification", TrainingInputMode="Pipe"), "NotImplemented", "TrainingInputMode Pipe"),
        (
            _with("AlgorithmSpecification", TrainingImage=SKLEARN, MetricDefinitions=[{"Name": "a", "Regex": "("}]),
            "ValidationException",
            "Invalid metric definition regex for 'a'",
        ),
        (_with("ResourceConfig", InstanceCount=0), "ValidationException", "an InstanceCount of 1 or more"),
        (_with("StoppingCondition", MaxRuntimeInSeconds=10**8), "ValidationException", "at most 2419200 (28 days)"),
        (_with("StoppingCondition", MaxWaitTimeInSeconds=700), "ValidationException", "only valid for managed spot"),
        (lambda request: {**request, "EnableManagedSpotTraining": True}, "ValidationException", "Invalid MaxWaitTime"),
        (
            lambda request: {**request, "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/c", "LocalPath": "/tmp/x"}},
            "NotImplemented",
            "CheckpointConfig.LocalPath '/tmp/x'",
        ),
        (
            lambda request: {**request, "InputDataConfig": request["InputDataConfig"] * 2},
            "ValidationException",
            "Channel names must be unique",
        ),
        (_channel(RecordWrapperType="RecordIO"), "NotImplemented", "RecordWrapperType of channel train"),
        (_channel(DataSource={}), "ValidationException", "Channel train must have exactly one data source"),
        (_source(S3Uri=f"s3://{BUCKET}/nothing/"), "ValidationException", "No S3 objects found under S3 URL"),
        (_source(S3DataType="AugmentedManifestFile"), "NotImplemented", "S3DataType AugmentedManifestFile"),
        (_source(InstanceGroupNames=["g"]), "ValidationException", "names the instance group g, which ResourceConfig"),
        (
            lambda request: {**request, "TensorBoardOutputConfig": {"S3OutputPath": f"s3://{BUCKET}/t"}},
            "NotImplemented",
            "TensorBoardOutputConfig of CreateTrainingJob",
        ),
    ],
)
def test_requests_that_break_a_rule_are_refused_and_start_nothing(
    aws: Running, change: Callable[[dict[str, Any]], dict[str, Any]], code: str, said: str
) -> None:
    sagemaker = aws.client("sagemaker")
    with pytest.raises(ClientError) as caught:
        sagemaker.create_training_job(**change(training_request("refused", {"num_round": 1})))
    assert caught.value.response["Error"]["Code"] == code
    assert said in caught.value.response["Error"]["Message"]
    assert not sagemaker.list_training_jobs(NameContains="refused")["TrainingJobSummaries"]


def test_a_linear_learner_and_a_model_of_it_serve_in_a_transform_job(aws: Running) -> None:
    answer = trained(
        aws,
        "linear",
        {"predictor_type": "regressor"},
        AlgorithmSpecification={"TrainingImage": LINEAR_LEARNER, "TrainingInputMode": "File"},
    )
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    metrics = {each["MetricName"]: each["Value"] for each in answer["FinalMetricDataList"]}
    assert metrics["validation:rmse"] < numbers(300, 2)[1].std()
    lines = transformed(aws, "linear", [container(LINEAR_LEARNER, answer)], as_csv(numbers(20)[0]), "text/csv")
    assert len([float(line) for line in lines]) == 20


def container(image: str, answer: dict[str, Any], **environment: str) -> dict[str, Any]:
    url = answer["ModelArtifacts"]["S3ModelArtifacts"]
    return {"Image": image, "ModelDataUrl": url, "Environment": environment}


def transformed(aws: Running, name: str, containers: list[dict[str, Any]], rows: str, accept: str) -> list[str]:
    """Rows through a model of these containers, a line each."""
    sagemaker = aws.client("sagemaker")
    role = training_request(name, {})["RoleArn"]
    sagemaker.create_model(ModelName=name, Containers=containers, ExecutionRoleArn=role)
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"rows/{name}.csv", Body=rows)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/rows/{name}.csv"}}
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=name,
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/scored/{name}", "AssembleWith": "Line", "Accept": accept},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    answer = until(
        lambda: sagemaker.describe_transform_job(TransformJobName=name), "TransformJobStatus", ("InProgress",)
    )
    assert answer["TransformJobStatus"] == "Completed", answer.get("FailureReason")
    return content(aws, f"s3://{BUCKET}/scored/{name}/{name}.csv.out").decode().splitlines()


SCALER = """
import argparse, os
import joblib, numpy as np
from sklearn.preprocessing import StandardScaler

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "scaler.joblib"))

def input_fn(body, content_type):
    return np.array([line.split(",") for line in body.splitlines()], dtype=float)

def predict_fn(data, model):
    return model.transform(data)

def output_fn(prediction, accept):
    assert os.environ["FACTOR"] == "2"
    return "\\n".join(",".join(map(repr, row)) for row in (prediction * 2).tolist()), "text/csv"

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--with-mean", type=int)
    given = parser.parse_args()
    table = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "part.csv"), delimiter=",")
    scaler = StandardScaler(with_mean=bool(given.with_mean)).fit(table[:, 1:])
    joblib.dump(scaler, os.path.join(os.environ["SM_MODEL_DIR"], "scaler.joblib"))
    code = os.path.join(os.environ["SM_MODEL_DIR"], "code")
    os.makedirs(code)
    import shutil
    shutil.copy(__file__, code)
    print("columns=%d;" % (table.shape[1] - 1))
"""


def put_source(aws: Running, name: str, script: str, tmp_path: Path) -> str:
    """A source archive in S3, and its URI."""
    (tmp_path / "script.py").write_text(script)
    packed = tmp_path / "sourcedir.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(tmp_path / "script.py", "script.py")
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"source/{name}.tar.gz", Body=packed.read_bytes())
    return f"s3://{BUCKET}/source/{name}.tar.gz"


def test_a_pipeline_of_a_script_and_xgboost_predicts_what_the_two_predict_alone(aws: Running, tmp_path: Path) -> None:
    uri = put_source(aws, "scaler", SCALER, tmp_path)
    scaler = trained(
        aws,
        "scaler",
        {"sagemaker_program": '"script.py"', "sagemaker_submit_directory": json.dumps(uri), "with-mean": 1},
        AlgorithmSpecification={
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "columns", "Regex": "columns=([0-9]+);"}],
        },
    )
    assert scaler["TrainingJobStatus"] == "Completed", scaler.get("FailureReason")
    assert [each["Value"] for each in scaler["FinalMetricDataList"]] == [4.0]
    features, labels = numbers(300)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0) * 2
    aws.client("s3").put_object(Bucket=BUCKET, Key="scaled/part.csv", Body=as_csv(labels, scaled))
    boosted = trained(
        aws, "boosted", {"num_round": 10}, InputDataConfig=[channel("train", f"s3://{BUCKET}/scaled/part.csv")]
    )
    environment = {
        "SAGEMAKER_PROGRAM": "script.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        "FACTOR": "2",
    }
    containers = [container(SKLEARN, scaler, **environment), container(XGBOOST, boosted)]
    lines = transformed(aws, "pipeline", containers, as_csv(features[:20]), "text/csv")
    expected = model_of(aws, boosted).predict(xgboost.DMatrix(scaled[:20]))
    np.testing.assert_allclose([float(line) for line in lines], expected, rtol=1e-5)


BOOSTER = """
import json, os
import numpy as np, xgboost

def model_fn(model_dir):
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "mine.json"))
    return booster

if __name__ == "__main__":
    given = json.loads(os.environ["SM_HPS"])
    table = np.loadtxt(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "part.csv"), delimiter=",")
    told = {}
    train = xgboost.DMatrix(table[:, 1:], label=table[:, 0])
    booster = xgboost.train({"max_depth": given["max_depth"]}, train, 5, evals=[(train, "train")], evals_result=told)
    booster.save_model(os.path.join(os.environ["SM_MODEL_DIR"], "mine.json"))
    print("error:", told["train"]["rmse"][-1])
"""


def test_a_script_in_the_xgboost_image_trains_and_the_images_handlers_serve_its_model(
    aws: Running, tmp_path: Path
) -> None:
    uri = put_source(aws, "booster", BOOSTER, tmp_path)
    answer = trained(
        aws,
        "scripted",
        {"sagemaker_program": "script.py", "sagemaker_submit_directory": uri, "max_depth": 2},
        AlgorithmSpecification={
            "TrainingImage": XGBOOST,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "error", "Regex": "error: (.*)"}],
        },
    )
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    assert [each["MetricName"] for each in answer["FinalMetricDataList"]] == ["error"]
    served = container(XGBOOST, answer, SAGEMAKER_PROGRAM="script.py", SAGEMAKER_SUBMIT_DIRECTORY=uri)
    lines = transformed(aws, "scripted", [served], as_csv(numbers(10)[0]), "text/csv")
    assert len([float(line) for line in lines]) == 10
