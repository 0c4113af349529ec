"""The AWS command line, unmodified, on the embedded AWS."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import aws_command, client_environment
from tests.support.housing import BUCKET, ROLE, XGBOOST, Housing, as_csv, training_request, variant
from tests.support.local_aws import Running

pytestmark = pytest.mark.local_aws

Aws = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def cli(aws: Running, uploaded: Housing, folder: Path) -> Aws:
    """Runs a command and answers what it printed; it must succeed."""
    program = aws_command()
    environment = client_environment(aws.url, folder)

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    return run


def as_json(answer: str) -> Any:
    return json.loads(answer)


@pytest.fixture(scope="module")
def endpoint(cli: Aws, folder: Path) -> str:
    """A model trained and put behind an endpoint with nothing but commands; waiters tell when it is there."""
    (folder / "train.json").write_text(json.dumps(training_request("cli")))
    cli("sagemaker", "create-training-job", "--cli-input-json", "file://train.json")
    cli("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", "cli")
    artifact = as_json(cli("sagemaker", "describe-training-job", "--training-job-name", "cli"))["ModelArtifacts"]
    container = f"Image={XGBOOST},ModelDataUrl={artifact['S3ModelArtifacts']}"
    named = ("--model-name", "cli", "--execution-role-arn", ROLE)
    cli("sagemaker", "create-model", *named, "--primary-container", container)
    variants = json.dumps([variant("v", "cli")])
    cli("sagemaker", "create-endpoint-config", "--endpoint-config-name", "cli", "--production-variants", variants)
    cli("sagemaker", "create-endpoint", "--endpoint-name", "cli", "--endpoint-config-name", "cli")
    cli("sagemaker", "wait", "endpoint-in-service", "--endpoint-name", "cli")
    return "cli"


def test_s3_cp_brings_50_mb_up_and_down_unchanged(cli: Aws, folder: Path) -> None:
    body = os.urandom(1024 * 1024) * 50
    (folder / "large").write_bytes(body)
    cli("s3", "cp", "large", f"s3://{BUCKET}/cli/large", "--no-progress")
    cli("s3", "cp", f"s3://{BUCKET}/cli/large", "back", "--no-progress")
    assert hashlib.sha256((folder / "back").read_bytes()).digest() == hashlib.sha256(body).digest()
    assert cli("s3", "ls", f"s3://{BUCKET}/cli/").split()[2:] == [str(len(body)), "large"]


def test_s3_sync_copies_what_changed_and_deletes_what_is_gone(cli: Aws, folder: Path) -> None:
    (folder / "tree" / "deep").mkdir(parents=True)
    (folder / "tree" / "one.txt").write_text("1")
    (folder / "tree" / "deep" / "two.txt").write_text("22")
    # S3 tells whole seconds: a file of this very second would look newer than its copy.
    for path in (folder / "tree").rglob("*.txt"):
        os.utime(path, (time.time() - 60,) * 2)
    target = f"s3://{BUCKET}/cli/tree"
    assert cli("s3", "sync", "tree", target).count("upload:") == 2
    assert cli("s3", "sync", "tree", target) == ""
    (folder / "tree" / "one.txt").unlink()
    (folder / "tree" / "deep" / "two.txt").write_text("333")
    said = cli("s3", "sync", "tree", target, "--delete")
    assert (said.count("upload:"), said.count("delete:")) == (1, 1)
    cli("s3", "sync", target, "copy")
    assert {path.name: path.read_text() for path in (folder / "copy").rglob("*.txt")} == {"two.txt": "333"}


def test_s3api_versions_are_kept_and_read_back(cli: Aws, folder: Path) -> None:
    cli("s3", "mb", "s3://cli-versions")
    cli("s3api", "put-bucket-versioning", "--bucket", "cli-versions", "--versioning-configuration", "Status=Enabled")
    at = ("--bucket", "cli-versions", "--key", "k")
    versions = []
    for text in ("old", "new"):
        (folder / "body").write_text(text)
        versions.append(as_json(cli("s3api", "put-object", *at, "--body", "body"))["VersionId"])
    cli("s3api", "delete-object", *at)
    listed = as_json(cli("s3api", "list-object-versions", "--bucket", "cli-versions"))
    assert {each["VersionId"] for each in listed["Versions"]} == set(versions)
    assert len(listed["DeleteMarkers"]) == 1
    cli("s3api", "get-object", *at, "--version-id", versions[0], "read")
    assert (folder / "read").read_text() == "old"


def test_presigned_urls_are_served(cli: Aws, folder: Path) -> None:
    import urllib.request

    (folder / "signed").write_text("for whoever has the link")
    cli("s3", "cp", "signed", f"s3://{BUCKET}/cli/signed")
    url = cli("s3", "presign", f"s3://{BUCKET}/cli/signed").strip()
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - loopback
        assert answer.read() == b"for whoever has the link"


def test_autopilot_is_created_listed_described_and_stopped(cli: Aws, folder: Path) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/cli/automl/"}
    (folder / "automl.csv").write_text("price,size\n" + "".join(f"{n * 7},{n}\n" for n in range(600)))
    cli("s3", "cp", "automl.csv", f"s3://{BUCKET}/cli/automl/train.csv")
    request = {
        "AutoMLJobName": "cli-automl",
        "AutoMLJobInputDataConfig": [
            {
                "ChannelType": "training",
                "ContentType": "text/csv;header=present",
                "DataSource": {"S3DataSource": source},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/cli/automl-out"},
        "RoleArn": ROLE,
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "price", "Mode": "ENSEMBLING"}},
    }
    (folder / "automl.json").write_text(json.dumps(request))
    cli("sagemaker", "create-auto-ml-job-v2", "--cli-input-json", "file://automl.json")
    listed = cli(
        "sagemaker", "list-auto-ml-jobs", "--name-contains", "cli-", "--query", "AutoMLJobSummaries[].AutoMLJobName",
        "--output", "text",
    )  # fmt: skip
    assert listed.split() == ["cli-automl"]
    cli("sagemaker", "stop-auto-ml-job", "--auto-ml-job-name", "cli-automl")
    query = ("--query", "AutoMLJobStatus", "--output", "text")
    described = cli("sagemaker", "describe-auto-ml-job-v2", "--auto-ml-job-name", "cli-automl", *query)
    assert described.strip() in ("Stopping", "Stopped")


def test_the_endpoint_is_invoked_from_the_command_line(cli: Aws, endpoint: str, folder: Path, table: Housing) -> None:
    (folder / "row.csv").write_text(as_csv(table.test[:2], label=False))
    answer = cli(
        "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", endpoint, "--content-type", "text/csv",
        "--body", "fileb://row.csv", "prices",
    )  # fmt: skip
    assert as_json(answer)["InvokedProductionVariant"] == "v"
    prices = [float(each) for each in (folder / "prices").read_text().replace(",", "\n").split()]
    assert prices == pytest.approx(list(table.test[:2, 0]), rel=0.5)


def test_the_log_of_a_training_job_is_read(cli: Aws, endpoint: str) -> None:
    """By the command that ``logs tail`` of the command line's version 2 is built on; version 1 has no ``tail``."""
    group = ("--log-group-name", "/aws/sagemaker/TrainingJobs", "--log-stream-name-prefix", "cli/")
    said = cli("logs", "filter-log-events", *group, "--query", "events[].message", "--output", "text")
    assert "validation-rmse" in said


def test_what_is_not_here_is_an_error_that_the_command_line_shows(aws: Running, folder: Path) -> None:
    done = subprocess.run(
        [aws_command(), "sagemaker", "list-domains"],
        env=client_environment(aws.url, folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "(NotImplemented)" in done.stderr
    assert "does not implement the operation ListDomains" in done.stderr
