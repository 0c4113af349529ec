"""Training jobs of the scikit-learn image, in script mode."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET
from tests.support.processing import SKLEARN, log
from tests.support.script_mode import channel, put_source, request, train, unpacked

pytestmark = pytest.mark.local_aws
GROUP = "/aws/sagemaker/TrainingJobs"

SCRIPT = """
import argparse, json, os
from helper import NAME
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--train", default=os.environ["SM_CHANNEL_TRAIN"])
given = parser.parse_args()
rows = open(os.path.join(given.train, "t.csv")).read().split()
print("rmse=0.25 of", len(rows), NAME)
json.dump({"alpha": given.alpha, "job": os.environ["TRAINING_JOB_NAME"], "own": os.environ.get("OWN")},
          open(os.path.join(given.model_dir, "model.json"), "w"))
open("/opt/ml/output/data/note.txt", "w").write("noted")
"""


def source(aws: Running, script: str = SCRIPT, **files: str) -> dict[str, str]:
    """The hyperparameters of a script, as the SDK sends them."""
    named = {name.replace("__", "."): text for name, text in files.items()}
    uri = put_source(aws, {"train.py": script, "helper.py": "NAME = 'rows'", **named})
    return {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(uri)}


@pytest.fixture(scope="module")
def data(aws: Running) -> dict[str, Any]:
    aws.client("s3").put_object(Bucket=BUCKET, Key="scripts/train/t.csv", Body=b"3,1\n5,2\n")
    return {"InputDataConfig": [channel("train", f"s3://{BUCKET}/scripts/train")]}


def test_a_script_trains_with_its_channels_and_hyperparameters_and_leaves_its_model(
    aws: Running, data: dict[str, Any]
) -> None:
    hyperparameters = {**source(aws, requirements__txt="numpy\n"), "alpha": "0.5"}
    definitions = [{"Name": "rmse", "Regex": "rmse=([0-9.]+)"}]
    body = request("script", hyperparameters, **data, Environment={"OWN": "x"})
    body["AlgorithmSpecification"]["MetricDefinitions"] = definitions
    answer = train(aws, body)
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    assert [(each["MetricName"], each["Value"]) for each in answer["FinalMetricDataList"]] == [("rmse", 0.25)]
    files = unpacked(aws, answer["ModelArtifacts"]["S3ModelArtifacts"])
    assert json.loads(files["model.json"]) == {"alpha": 0.5, "job": "script", "own": "x"}
    assert unpacked(aws, f"s3://{BUCKET}/trained/script/output/output.tar.gz") == {"note.txt": b"noted"}
    lines = log(aws, "script", "rmse=0.25 of 2 rows", GROUP)
    assert any("every requirement is met by what is installed" in line for each in lines.values() for line in each)


def test_a_script_that_raises_has_the_last_lines_of_its_traceback_in_the_reason(
    aws: Running, data: dict[str, Any]
) -> None:
    script = "def work():\n    raise KeyError('no such column: price')\nwork()"
    answer = train(aws, request("raises", {**source(aws, script), "alpha": "0.5"}, **data))
    assert answer["TrainingJobStatus"] == "Failed"
    reason = answer["FailureReason"]
    assert reason.startswith('AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "')
    assert "KeyError: 'no such column: price'" in reason
    assert reason.endswith('Command "python train.py --alpha 0.5", exit code: 1')
    script = "import sys\nsys.exit('x' * 3000 + 'the end')"
    reason = train(aws, request("long", source(aws, script), **data))["FailureReason"]
    assert 'the end"' in reason
    assert len(reason) <= 1024


def test_a_shell_script_trains_too_and_its_error_is_told(aws: Running, data: dict[str, Any]) -> None:
    script = """
echo "$@" $SM_CHANNEL_TRAIN > $SM_MODEL_DIR/words
[ "$2" = good ] || { echo bad >&2; exit 3; }
"""
    uri = put_source(aws, {"run.sh": f"#!/bin/sh{script}"})
    given = {"sagemaker_program": "run.sh", "sagemaker_submit_directory": uri}
    answer = train(aws, request("shell", {**given, "how": "good"}, **data))
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    words = unpacked(aws, answer["ModelArtifacts"]["S3ModelArtifacts"])["words"]
    assert words == b"--how good /opt/ml/input/data/train\n"
    reason = train(aws, request("shell-bad", {**given, "how": "bad"}, **data))["FailureReason"]
    assert 'ExitCode 3\nErrorMessage "bad"' in reason


@pytest.mark.parametrize(
    ("name", "hyperparameters", "said"),
    [
        ("no-script", {}, "expected the hyperparameter sagemaker_program, found none"),
        (
            "wrong-name",
            {"sagemaker_program": "other.py"},
            "expected the script other.py in the source code, found: helper",
        ),
        ("not-there", {"sagemaker_submit_directory": f"s3://{BUCKET}/no/sourcedir.tar.gz"}, "Could not find an object"),
    ],
)
def test_source_code_that_is_missing_fails_the_job_by_name(
    aws: Running, data: dict[str, Any], name: str, hyperparameters: dict[str, str], said: str
) -> None:
    given = {**source(aws), **hyperparameters} if hyperparameters else {}
    answer = train(aws, request(name, given, **data))
    assert answer["TrainingJobStatus"] == "Failed"
    assert answer["FailureReason"].startswith("AlgorithmError: framework error: ")
    assert said in answer["FailureReason"]


def test_a_requirement_that_is_not_installed_fails_the_job_and_is_named(aws: Running, data: dict[str, Any]) -> None:
    given = source(aws, requirements__txt="numpy\nno-such-thing==1.0\n")
    reason = train(aws, request("requirement", given, **data))["FailureReason"]
    assert "InstallRequirementsError" in reason
    assert "not installed: no-such-thing==1.0. The embedded AWS gives jobs no package index" in reason


def test_a_code_channel_with_a_container_entrypoint_runs_as_the_sdks_trainer_sends_it(
    aws: Running, data: dict[str, Any]
) -> None:
    """A driver script in a channel of its own sources its environment and runs the script of the channel ``code``."""
    driver = """
#!/bin/bash
set -e
trap 'echo "failed with $?" > /opt/ml/output/failure' ERR
python=$(command -v python3 || command -v python)
cat /opt/ml/input/config/resourceconfig.json
echo "export SM_MODEL_DIR='/opt/ml/model'" > /opt/ml/input/sm_training.env
source /opt/ml/input/sm_training.env
cd /opt/ml/input/data/code
$python main.py "$TRAINING_JOB_NAME"
"""
    main = """
import os, sys
open(os.environ["SM_MODEL_DIR"] + "/x", "w").write(sys.argv[1])
sys.exit(sys.argv[1] == "sdk-bad")
"""
    s3 = aws.client("s3")
    s3.put_object(Bucket=BUCKET, Key="sdk/code/main.py", Body=main.encode())
    s3.put_object(Bucket=BUCKET, Key="sdk/drivers/sm_train.sh", Body=driver.encode())
    channels = [channel("code", f"s3://{BUCKET}/sdk/code/"), channel("sm_drivers", f"s3://{BUCKET}/sdk/drivers/")]
    path = "/opt/ml/input/data/sm_drivers/sm_train.sh"
    specification = {
        "TrainingImage": SKLEARN,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/bash"],
        "ContainerArguments": ["-c", f"chmod +x {path} && {path}"],
    }
    changed: dict[str, Any] = {"AlgorithmSpecification": specification, "InputDataConfig": channels}
    answer = train(aws, request("sdk-good", **changed))
    assert answer["TrainingJobStatus"] == "Completed", answer.get("FailureReason")
    assert unpacked(aws, answer["ModelArtifacts"]["S3ModelArtifacts"]) == {"x": b"sdk-good"}
    answer = train(aws, request("sdk-bad", **changed))
    assert (answer["TrainingJobStatus"], answer["FailureReason"]) == ("Failed", "AlgorithmError: failed with 1")


def test_a_tag_that_aws_never_published_is_refused_by_name(aws: Running, data: dict[str, Any]) -> None:
    body = request("tag", source(aws), **data)
    body["AlgorithmSpecification"]["TrainingImage"] = SKLEARN.replace("1.2-1", "9.9-9")
    with pytest.raises(ClientError, match="sagemaker-scikit-learn:9"):
        aws.client("sagemaker").create_training_job(**body)
