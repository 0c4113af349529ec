"""Transform jobs really run."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, Trained, until

pytestmark = pytest.mark.local_aws


def run(
    aws: Running, name: str, model: str, uri: str, *, source: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """Create a job, wait for it, and answer its description."""
    sagemaker = aws.client("sagemaker")
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
            "ContentType": "text/csv",
            "SplitType": "Line",
            **(source or {}),
        },
        **{
            "TransformOutput": {
                "S3OutputPath": f"s3://{BUCKET}/out/{name}",
                "AssembleWith": "Line",
                "Accept": "text/csv",
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **more,
        },
    )
    return until(
        lambda: sagemaker.describe_transform_job(TransformJobName=name),
        "TransformJobStatus",
        ("InProgress", "Stopping"),
    )


def output(aws: Running, name: str, file: str) -> str:
    body: bytes = aws.client("s3").get_object(Bucket=BUCKET, Key=f"out/{name}/{file}.out")["Body"].read()
    return body.decode()


JOINED = {"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"}


def test_predictions_come_back_with_the_id_that_the_model_never_saw(aws: Running, trained: Trained, rows: str) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="score/rows.csv", Body=rows)
    answer = run(aws, "joined", trained.model, f"s3://{BUCKET}/score/rows.csv", DataProcessing=JOINED)
    assert answer["TransformJobStatus"] == "Completed", answer.get("FailureReason")
    assert answer["CreationTime"] <= answer["TransformStartTime"] <= answer["TransformEndTime"]
    predictions = [line.split(",") for line in output(aws, "joined", "rows.csv").splitlines()]
    assert [row for row, _ in predictions] == [str(number) for number in range(20)]
    assert {label for _, label in predictions} == {"yes", "no"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("single", {"BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 4}),
        ("multi", {"BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1}),
        ("gzip", {"source": {"CompressionType": "Gzip"}}),
    ],
)
def test_batching_and_compression_do_not_change_the_answers(
    aws: Running, trained: Trained, rows: str, name: str, more: dict[str, Any]
) -> None:
    bare = "".join(line.split(",", 1)[1] + "\n" for line in rows.splitlines())
    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="bare/a.csv", Body=bare)
    s3.put_object(Bucket=BUCKET, Key="packed/a.csv", Body=gzip.compress(bare.encode()))
    folder = "packed" if name == "gzip" else "bare"
    answer = run(aws, name, trained.model, f"s3://{BUCKET}/{folder}/", **more)
    assert answer["TransformJobStatus"] == "Completed", answer.get("FailureReason")
    run(aws, f"{name}-plain", trained.model, f"s3://{BUCKET}/bare/")
    assert output(aws, name, "a.csv") == output(aws, f"{name}-plain", "a.csv")
    assert len(output(aws, name, "a.csv").splitlines()) == 20


def test_the_environment_of_the_job_reaches_the_container(aws: Running, trained: Trained, rows: str) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="environment/rows.csv", Body=rows)
    wanted = {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probability"}
    run(
        aws,
        "environment",
        trained.model,
        f"s3://{BUCKET}/environment/",
        DataProcessing={"InputFilter": "$[1:]"},
        Environment=wanted,
    )
    for line in output(aws, "environment", "rows.csv").splitlines():
        label, probability = line.split(",")
        assert label in ("yes", "no")
        assert 0.5 <= float(probability) <= 1


@pytest.mark.parametrize(
    ("name", "body", "processing", "reason"),
    [
        ("wrong-columns", "1,2\n", {}, "400 from the container: Row 1 has 2 columns"),
        ("wrong-record", "1,0.5,0.5,x\n2,0.5\n", JOINED, "Row 2 has 1 columns"),
        ("no-column", "1,0.5,0.5,x\n", {"OutputFilter": "$[9]", "JoinSource": "Input"}, "asks for column 9"),
        ("not-text", b"\xff\n", JOINED, "a.csv: Expected UTF-8 text, found an undecodable byte at offset 0"),
    ],
)
def test_data_that_can_not_be_transformed_fail_the_job_with_a_reason(
    aws: Running, trained: Trained, name: str, body: Any, processing: dict[str, str], reason: str
) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/a.csv", Body=body)
    filters = {"InputFilter": "$[1:]", **processing} if name == "no-column" else processing
    answer = run(aws, name, trained.model, f"s3://{BUCKET}/{name}/", **({"DataProcessing": filters} if filters else {}))
    assert answer["TransformJobStatus"] == "Failed"
    assert reason in answer["FailureReason"]
    assert f"s3://{BUCKET}/{name}/a.csv" in answer["FailureReason"]
    found = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"out/{name}/")
    assert found["KeyCount"] == 0


def test_a_record_of_a_single_record_job_is_told_by_its_number_in_the_file(aws: Running, trained: Trained) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="third/a.csv", Body="0.5,0.5,x\n0.5,0.5,y\n0.5\n")
    answer = run(aws, "third", trained.model, f"s3://{BUCKET}/third/", BatchStrategy="SingleRecord")
    assert answer["FailureReason"].endswith("(input object s3://tests/third/a.csv, record 3)")


@pytest.mark.parametrize("form", ["absolute", "upwards", "long"])
def test_keys_in_a_manifest_are_never_paths_of_this_machine(
    aws: Running, trained: Trained, rows: str, tmp_path: Path, form: str
) -> None:
    here = tmp_path / "written.csv"
    key = {"absolute": str(here), "upwards": f"../../../../../../../..{here}", "long": "k" * 250}[form]
    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key=key.lstrip("./"), Body=rows)
    s3.put_object(Bucket=BUCKET, Key="manifest.json", Body=json.dumps([{"prefix": f"s3://{BUCKET}/"}, key]))
    manifest = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": f"s3://{BUCKET}/manifest.json"}}
    answer = run(aws, f"key-{form}", trained.model, "", source={"DataSource": manifest}, DataProcessing=JOINED)
    assert not here.exists()
    if form == "upwards":
        assert "Could not find an object at" in answer["FailureReason"]
    else:
        assert answer["TransformJobStatus"] == "Completed", answer.get("FailureReason")
        assert len(output(aws, f"key-{form}", key.lstrip("/")).splitlines()) == 20


def test_what_does_not_exist_is_refused_at_once(aws: Running, trained: Trained) -> None:
    with pytest.raises(ClientError, match=r'ValidationException.*Could not find model "'):
        run(aws, "refused", "no-model", f"s3://{BUCKET}/train/")
    with pytest.raises(ClientError, match=r"ValidationException.*No S3 objects found under S3 URL"):
        run(aws, "refused", trained.model, f"s3://{BUCKET}/nothing-here/")


def test_a_name_is_never_free_again(aws: Running, trained: Trained, rows: str) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="twice/rows.csv", Body=rows)
    run(aws, "twice", trained.model, f"s3://{BUCKET}/twice/", DataProcessing=JOINED)
    with pytest.raises(ClientError, match=r"ResourceInUse.*already exists"):
        run(aws, "twice", trained.model, f"s3://{BUCKET}/twice/")
    sagemaker = aws.client("sagemaker")
    with pytest.raises(ClientError, match="only a job that is InProgress can be stopped"):
        sagemaker.stop_transform_job(TransformJobName="twice")
    (summary,) = sagemaker.list_transform_jobs(NameContains="twice")["TransformJobSummaries"]
    assert summary["TransformJobStatus"] == "Completed"


def test_a_stop_right_after_the_creation_is_never_lost(aws: Running, trained: Trained, rows: str) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="brief/rows.csv", Body=rows)
    sagemaker = aws.client("sagemaker")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/brief/"}}
    names = [f"brief-{number}" for number in range(12)]
    for name in names:
        sagemaker.create_transform_job(
            TransformJobName=name,
            ModelName=trained.model,
            TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
            TransformOutput={"S3OutputPath": f"s3://{BUCKET}/out/{name}"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )
        sagemaker.stop_transform_job(TransformJobName=name)
    for name in names:
        ended = until(
            lambda name=name: sagemaker.describe_transform_job(TransformJobName=name),  # type: ignore[misc]
            "TransformJobStatus",
            ("InProgress", "Stopping"),
        )
        assert ended["TransformJobStatus"] == "Stopped"
