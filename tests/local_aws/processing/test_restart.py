"""A processing job that was cut off says so after the restart, and leaves nothing behind."""

import time
from pathlib import Path

import pytest

from tests.support.local_aws import descendants, start
from tests.support.local_aws_requests import BUCKET
from tests.support.processing import create, ended, objects, run
from tests.support.processing import target as to

pytestmark = pytest.mark.local_aws


def test_a_job_that_ran_when_the_server_was_killed_has_failed_and_its_processes_are_gone(tmp_path: Path) -> None:
    script = """
import subprocess, time
open("/opt/ml/processing/output/seen/a", "w").write("begun")
subprocess.run(["sleep", "600"])
"""
    first = start(tmp_path)
    try:
        first.client("s3").create_bucket(Bucket=BUCKET)
        seen = to("seen", f"s3://{BUCKET}/seen", "Continuous")
        name = create(first, script, outputs=[seen])
        stopping = create(first, script, outputs=[to("seen", f"s3://{BUCKET}/other", "Continuous")])
        deadline = time.monotonic() + 30
        while len(objects(first, "")) < 4:  # two scripts, two outputs
            assert time.monotonic() < deadline
            time.sleep(0.05)
        processes = descendants(first.process.pid)
    finally:
        first.kill()
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    second = start(tmp_path)
    try:
        for each in (name, stopping):
            answer = ended(second, each)
            assert answer["ProcessingJobStatus"] == "Failed"
            assert "the embedded AWS ended while the job was running" in answer["FailureReason"]
            assert sorted(each.name for each in (tmp_path / "jobs/us-east-1/processing" / each).iterdir()) == [
                "input",
                "job.json",
                "log.txt",
                "output",
            ]
        assert run(second, "print(1)")["ProcessingJobStatus"] == "Completed"
    finally:
        second.stop()
