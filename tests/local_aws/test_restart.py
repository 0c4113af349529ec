"""What stays when the embedded AWS ends, and that nothing of it stays running."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED

from tests.support.local_aws import Running, descendants, start
from tests.support.local_aws_requests import ROLE, automl_request, table, until
from tests.support.processes import gone

pytestmark = pytest.mark.local_aws
BUCKET = "tests"


def long_job(aws: Running, name: str) -> None:
    """A search that takes minutes, in the middle of it."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="long/t.csv", Body=table(6000).to_csv(index=False))
    criteria = {"MaxCandidates": 250, "MaxAutoMLJobRuntimeInSeconds": 600}
    sagemaker = aws.client("sagemaker")
    sagemaker.create_auto_ml_job_v2(
        **automl_request(name, f"s3://{BUCKET}/long/", Mode="HYPERPARAMETER_TUNING", CompletionCriteria=criteria)
    )
    until(
        lambda: {"found": str(len(sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=name)["Candidates"]))},
        "found",
        ("0",),
    )


def endpoint(aws: Running) -> bytes:
    """A trained model behind the endpoint ``kept``, and what it answers."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="train/t.csv", Body=table(600).to_csv(index=False))
    sagemaker = aws.client("sagemaker")
    sagemaker.create_auto_ml_job_v2(**automl_request("kept", f"s3://{BUCKET}/train/"))
    job = until(lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName="kept"), "AutoMLJobStatus", ("InProgress",))
    sagemaker.create_model(
        ModelName="kept", Containers=job["BestCandidate"]["InferenceContainers"], ExecutionRoleArn=ROLE
    )
    variant = {"VariantName": "v", "ModelName": "kept", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="kept", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="kept", EndpointConfigName="kept")
    until(lambda: sagemaker.describe_endpoint(EndpointName="kept"), "EndpointStatus", ("Creating",))
    return answer(aws)


def answer(aws: Running) -> bytes:
    """What ``kept`` answers, as soon as it does."""
    runtime = aws.client("sagemaker-runtime")
    deadline = time.monotonic() + 30
    while True:
        try:
            body: Any = runtime.invoke_endpoint(EndpointName="kept", Body=b"2,2,x\n-2,-2,x\n", ContentType="text/csv")
            return bytes(body["Body"].read())
        except runtime.exceptions.ServiceUnavailable:
            assert time.monotonic() < deadline


def test_after_a_kill_everything_acknowledged_is_there_jobs_say_that_they_were_cut_off_and_endpoints_serve(
    tmp_path: Path,
) -> None:
    first = start(tmp_path)
    try:
        s3 = first.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        before = endpoint(first)
        long_job(first, "cut-off")
        for number in range(50):
            s3.put_object(Bucket=BUCKET, Key=f"kept/{number}", Body=os.urandom(3000))
        processes = descendants(first.process.pid)
        assert len(processes) >= 4  # S3, the fork server, the search, the endpoint's container
    finally:
        first.kill()
    assert gone(processes)

    second = start(tmp_path)
    try:
        listed = second.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="kept/")
        assert listed["KeyCount"] == 50
        assert len(second.client("s3").get_object(Bucket=BUCKET, Key="kept/49")["Body"].read()) == 3000
        job = second.client("sagemaker").describe_auto_ml_job_v2(AutoMLJobName="cut-off")
        assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Failed", "Failed")
        assert "the embedded AWS ended while the job was running" in job["FailureReason"]
        assert second.client("sagemaker").list_candidates_for_auto_ml_job(AutoMLJobName="cut-off")["Candidates"]
        assert answer(second) == before == b"yes\nno\n"
        logs = second.client("logs")
        deadline = time.monotonic() + 20
        streams: list[Any] = []
        while not streams and time.monotonic() < deadline:
            groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
            if "/aws/sagemaker/TrainingJobs" in groups:
                found = logs.describe_log_streams(
                    logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="cut-off/"
                )
                streams = found["logStreams"]
        assert streams
        processes = descendants(second.process.pid)
    finally:
        second.stop()
    assert second.process.returncode == 0
    assert gone(processes)


def test_the_end_of_the_fork_server_costs_its_jobs_and_nothing_else(tmp_path: Path) -> None:
    running = start(tmp_path)
    try:
        running.client("s3").create_bucket(Bucket=BUCKET)
        before = endpoint(running)
        long_job(running, "lost")
        processes = descendants(running.process.pid)
        zygotes = [pid for pid in processes if b"jobs.zygote" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        forker = max(zygotes, key=lambda pid: len(descendants(pid)))  # what it forked has its command line
        below = descendants(forker)
        os.kill(forker, signal.SIGKILL)
        assert gone(below)
        sagemaker = running.client("sagemaker")
        job = until(lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName="lost"), "AutoMLJobStatus", ("InProgress",))
        assert job["AutoMLJobStatus"] == "Failed"
        assert "was lost" in job["FailureReason"]
        assert answer(running) == before
        sagemaker.create_auto_ml_job_v2(**automl_request("again", f"s3://{BUCKET}/train/"))
        job = until(
            lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName="again"), "AutoMLJobStatus", ("InProgress",)
        )
        assert job["AutoMLJobStatus"] == "Completed"
    finally:
        running.stop()


def test_a_second_server_on_the_same_data_and_a_taken_port_are_refused_in_words(tmp_path: Path) -> None:
    running = start(tmp_path)
    try:
        with pytest.raises(RuntimeError, match=r"Another embedded AWS \(process \d+\) uses the data directory"):
            start(tmp_path)
        with pytest.raises(RuntimeError, match=f"Port {running.port} on 127.0.0.1 can't be used"):
            start(tmp_path / "other", running.port)
    finally:
        running.stop()


def test_a_state_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(
        RuntimeError, match=r"Expected SageMaker's state in .*state\.sqlite, found a file that can't be"
    ):
        start(tmp_path)


def test_a_port_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="expected a port from 0 to 65535, found '70000'"):
        start(tmp_path, 70000)


def test_a_job_memory_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="expected a whole number of megabytes, 64 or more, found 'much'"):
        start(tmp_path, None, "--job-memory", "much")


def test_another_s3_server_can_stand_in(aws: Running, tmp_path: Path) -> None:
    running = start(tmp_path, None, "--s3-url", aws.health()["services"]["s3"])
    try:
        ours = running.client("s3", signature_version=UNSIGNED)
        ours.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"x")
        assert aws.client("s3").get_object(Bucket=BUCKET, Key="elsewhere")["Body"].read() == b"x"
        assert not (tmp_path / "s3").exists()
    finally:
        running.stop()


@pytest.mark.parametrize("asking", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_it_and_all_that_it_started_even_with_a_job_and_an_open_connection(
    tmp_path: Path, asking: signal.Signals
) -> None:
    running = start(tmp_path)
    connection = socket.create_connection(("127.0.0.1", running.port))
    try:
        running.client("s3").create_bucket(Bucket=BUCKET)
        long_job(running, "running")
        connection.sendall(b"PUT /tests/half HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        processes = descendants(running.process.pid)
        running.process.send_signal(asking)
        assert running.process.wait(10) == 0
        assert gone(processes)
    finally:
        connection.close()
        running.kill()
