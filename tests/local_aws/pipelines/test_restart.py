"""Executions that a kill cut off have failed and go on by a retry; notebook instances come back with their files."""

import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.local_aws import descendants, start
from tests.support.local_aws_requests import BUCKET, ROLE
from tests.support.pipelines import create, ended, processing, statuses, step, steps
from tests.support.pipelines import start as begin

pytestmark = pytest.mark.local_aws


def test_a_killed_server_leaves_no_execution_running_and_no_process(tmp_path: Path) -> None:
    """What had succeeded is not run again."""
    wait = "import time; time.sleep(300)"
    first = start(tmp_path)
    try:
        first.client("s3").create_bucket(Bucket=BUCKET)
        sagemaker = first.client("sagemaker")
        sagemaker.create_notebook_instance(NotebookInstanceName="book", InstanceType="ml.t3.medium", RoleArn=ROLE)
        name = create(
            first,
            step("First", "Processing", processing(first, "print(1)")),
            step("Second", "Processing", processing(first, wait), DependsOn=["First"]),
        )
        arn = begin(first, name)
        deadline = time.monotonic() + 60
        while statuses(first, arn).get("Second") != "Executing":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        sagemaker.get_waiter("notebook_instance_in_service").wait(
            NotebookInstanceName="book", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
        )
        (tmp_path / "notebooks/us-east-1/book/SageMaker/kept").write_text("yes")
        url = sagemaker.create_presigned_notebook_instance_url(NotebookInstanceName="book")["AuthorizedUrl"]
        address, _, token = url.partition("/?token=")
        headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}/api/kernels", b"{}", headers, method="POST")  # noqa: S310 - loopback
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - loopback
        processes = descendants(first.process.pid)
        before = steps(first, arn)
    finally:
        first.kill()
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    second = start(tmp_path)
    try:
        sagemaker = second.client("sagemaker")
        answer = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        assert answer["PipelineExecutionStatus"] == "Failed"
        assert "the embedded AWS ended" in answer["FailureReason"]
        assert statuses(second, arn) == {"First": "Succeeded", "Second": "Failed"}
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)
        while True:
            after = steps(second, arn)
            if after["Second"]["StepStatus"] == "Executing" and "Metadata" in after["Second"]:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert after["First"] == before["First"]
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
        assert ended(second, arn)["PipelineExecutionStatus"] == "Stopped"
        sagemaker.get_waiter("notebook_instance_in_service").wait(
            NotebookInstanceName="book", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
        )
        assert (tmp_path / "notebooks/us-east-1/book/SageMaker/kept").read_text() == "yes"
    finally:
        second.stop()
