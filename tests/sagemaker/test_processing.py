"""The processing job's request: what the pinned SageMaker SDK sends for the same thing, and what it refuses."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker.processing import ProcessingOptions, create_processing_job
from tests.support.botocore_check import accepted
from tests.support.clients import clients_python
from tests.support.local_aws import ROOT

SOURCE = ROOT / "include" / "containers" / "preprocessing"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
ROLE = "arn:aws:iam::123456789012:role/automl-retraining"


def options(**changes: Any) -> ProcessingOptions:
    """The preprocessing job's."""
    given: dict[str, Any] = {
        "image_uri": IMAGE,
        "role_arn": ROLE,
        "code_uri": "s3://bucket/job/source/",
        "entrypoint_uri": "s3://bucket/job/source/runproc.sh",
        "inputs": {"spec": "s3://bucket/spec.json", "train": "s3://bucket/train.csv"},
        "outputs": {"train": "s3://bucket/out/train", "model": "s3://bucket/out/model"},
        "arguments": ("--format", "csv"),
    }
    return ProcessingOptions(**{**given, **changes})


def test_the_request_is_the_one_that_framework_processor_sends(tmp_path: Path) -> None:
    """Member for member, with the source directory, the two inputs for it and the entrypoint."""
    facts = {
        "role": ROLE, "image": IMAGE, "instance_type": "ml.m5.large", "max_run_time": 3600,
        "inputs": options().inputs, "outputs": options().outputs, "arguments": options().arguments,
        "script": "preprocess.py", "source_dir": str(SOURCE),
    }  # fmt: skip
    done = subprocess.run(
        [clients_python(), Path(__file__).with_name("sdk_processing_request.py")],
        input=json.dumps(facts).encode(),
        capture_output=True,
        check=False,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    line = next((line for line in done.stdout.decode().splitlines() if line.startswith("REQUEST ")), None)
    assert line is not None, done.stderr.decode()[-2000:]
    assert create_processing_job("job", options()) == json.loads(line.removeprefix("REQUEST "))


def test_every_option_is_a_member_that_aws_knows() -> None:
    """Network, keys, environment and tags."""
    request = create_processing_job(
        "art-processing-x",
        options(
            environment={"A": "b"}, kms_key="key", volume_kms_key="key", subnets=("subnet-1",),
            security_group_ids=("sg-1",),
        ),
        [{"Key": "k", "Value": "v"}],
    )  # fmt: skip
    accepted("create_processing_job", request)
    assert request["NetworkConfig"] == {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == "key"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": {f"c{n}": "s3://b/k" for n in range(9)}}, "expected at most 8 inputs beside the code"),
        ({"outputs": {"train": "/tmp/x"}}, "channel train: expected an S3 URI, found '/tmp/x'"),
        ({"subnets": ("subnet-1",)}, "expected subnets and security groups together"),
    ],
)
def test_what_sagemaker_would_refuse_is_said_before(changes: dict[str, Any], words: str) -> None:
    """Too many channels, no S3 URI, half a VPC."""
    with pytest.raises(RequestError, match=words):
        create_processing_job("job", options(**changes))
