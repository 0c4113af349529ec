"""Models of the scikit-learn image: the user's handlers and the framework's own."""

import io
import json
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pytest
from botocore.exceptions import ClientError
from sklearn.linear_model import LinearRegression

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until
from tests.support.processing import SKLEARN
from tests.support.script_mode import archive, invoke, put_source, serve

pytestmark = pytest.mark.local_aws

LOADS = """
import joblib, os
def model_fn(model_dir):
    print("model in", model_dir, sorted(os.listdir("/opt/ml/model")))
    return joblib.load(os.path.join(model_dir, "model.joblib"))
"""
IN_ARCHIVE = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}


def weights() -> bytes:
    """A fitted y = a + 2 b."""
    rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    out = io.BytesIO()
    joblib.dump(LinearRegression().fit(rows, rows @ [1.0, 2.0]), out)
    return out.getvalue()


def container(
    aws: Running, name: str, files: dict[str, Any], environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """A container definition of the model with these files in its archive."""
    key = f"models/{name}/model.tar.gz"
    aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=archive({"model.joblib": weights(), **files}))
    return {
        "Image": SKLEARN,
        "ModelDataUrl": f"s3://{BUCKET}/{key}",
        "Environment": IN_ARCHIVE if environment is None else environment,
    }


def test_the_frameworks_handlers_read_and_write_csv_json_and_npy(aws: Running) -> None:
    answer = serve(aws, "defaults", container(aws, "defaults", {"code/inference.py": LOADS}))
    assert answer["EndpointStatus"] == "InService", answer.get("FailureReason")
    body, kind = invoke(aws, "defaults", "1,1\n2,3\n")
    assert kind == "application/json"
    assert json.loads(body) == pytest.approx([3, 8])
    body, kind = invoke(aws, "defaults", "[[1, 1], [2, 3]]", "application/json", Accept="text/csv")
    assert kind == "text/csv"
    assert [float(line) for line in body.decode().split()] == pytest.approx([3, 8])
    out = io.BytesIO()
    np.save(out, np.array([[1.0, 1.0]]))
    body, kind = invoke(aws, "defaults", out.getvalue(), "application/x-npy", Accept="application/x-npy")
    assert np.load(io.BytesIO(body)) == pytest.approx([3])
    with pytest.raises(ClientError, match="Content type text/xml is not supported by this framework") as caught:
        invoke(aws, "defaults", "<x/>", "text/xml")
    assert caught.value.response["OriginalStatusCode"] == 400
    with pytest.raises(ClientError, match="X has 3 features") as caught:
        invoke(aws, "defaults", "1,1,1\n1,1,1\n")
    assert caught.value.response["OriginalStatusCode"] == 500


def test_the_users_handlers_replace_them_and_the_code_may_stand_in_s3(aws: Running) -> None:
    script = (
        LOADS
        + """
import json
from shapes import describe
def input_fn(body, content_type):
    assert isinstance(body, str), type(body)
    return [[float(cell) for cell in line.split(";")] for line in body.split()]
def output_fn(prediction, accept):
    answer = {"first": round(float(prediction[0]), 6), "accept": accept, "note": describe()}
    return json.dumps(answer), "application/note"
"""
    )
    uri = put_source(aws, {"serve.py": script, "shapes.py": "def describe(): return 'from a module beside it'"})
    environment = {
        "SAGEMAKER_PROGRAM": "serve.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": uri,
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/plain",
    }
    answer = serve(aws, "own", container(aws, "own", {}, environment))
    assert answer["EndpointStatus"] == "InService", answer.get("FailureReason")
    body, kind = invoke(aws, "own", "1;1 2;3", "text/csv")
    assert kind == "application/note"
    assert json.loads(body) == {"first": 3.0, "accept": "text/plain", "note": "from a module beside it"}


def test_one_transform_function_answers_alone(aws: Running) -> None:
    script = LOADS + "def transform_fn(model, body, kind, accept):\n    return body.upper(), kind\n"
    serve(aws, "whole", container(aws, "whole", {"code/inference.py": script}))
    assert invoke(aws, "whole", "a,b") == (b"A,B", "text/csv")


def test_two_script_containers_of_a_pipeline_keep_their_modules_apart(aws: Running) -> None:
    """Both scripts are called inference.py and have a module of the same name beside them."""

    def one(name: str, word: str) -> dict[str, Any]:
        script = """
from words import WORD
def model_fn(model_dir): return model_dir
def input_fn(body, kind): return body if isinstance(body, str) else body.decode()
def predict_fn(data, model): return data + "," + WORD
def output_fn(answer, accept): return answer, "text/csv"
"""
        return container(aws, name, {"code/inference.py": script, "code/words.py": f"WORD = {word!r}"})

    answer = serve(aws, "two", one("first", "one"), one("second", "two"))
    assert answer["EndpointStatus"] == "InService", answer.get("FailureReason")
    assert invoke(aws, "two", "zero") == (b"zero,one,two", "text/csv")


@pytest.mark.parametrize(
    ("name", "files", "environment", "said"),
    [
        ("no-program", {}, {}, "SAGEMAKER_PROGRAM is not set"),
        (
            "no-script",
            {"code/other.py": ""},
            IN_ARCHIVE,
            "Expected the script inference.py in the source code, found: oth",
        ),
        ("no-loader", {"code/inference.py": ""}, IN_ARCHIVE, "must define model_fn"),
        ("raises", {"code/inference.py": "import no_such_module"}, IN_ARCHIVE, "No module named 'no_such_module'"),
        (
            "requirement",
            {"code/inference.py": LOADS, "code/requirements.txt": "no-such-thing==1.0"},
            IN_ARCHIVE,
            "not installed here: no-such-thing==1.0",
        ),
    ],
)
def test_a_model_that_can_not_be_loaded_fails_the_endpoint_and_says_why(
    aws: Running, name: str, files: dict[str, str], environment: dict[str, str], said: str
) -> None:
    answer = serve(aws, f"bad-{name}", container(aws, f"bad-{name}", files, environment))
    assert answer["EndpointStatus"] == "Failed"
    assert said in answer["FailureReason"]


def test_a_batch_transform_runs_through_the_same_handlers(aws: Running) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(
        ModelName="batch", PrimaryContainer=container(aws, "batch", {"code/inference.py": LOADS}), ExecutionRoleArn=ROLE
    )
    aws.client("s3").put_object(Bucket=BUCKET, Key="batch/in/rows.csv", Body=b"1,1\n2,3\n")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/batch/in/"}}
    sagemaker.create_transform_job(
        TransformJobName="sklearn",
        ModelName="batch",
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{BUCKET}/batch/out", "Accept": "text/csv", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    answer = until(
        lambda: sagemaker.describe_transform_job(TransformJobName="sklearn"), "TransformJobStatus", ("InProgress",)
    )
    assert answer["TransformJobStatus"] == "Completed", answer.get("FailureReason")
    written = aws.client("s3").get_object(Bucket=BUCKET, Key="batch/out/rows.csv.out")["Body"].read().decode()
    assert [float(line) for line in written.split()] == pytest.approx([3, 8])
