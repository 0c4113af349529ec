"""A tuning job that the end of the server cuts off."""

from pathlib import Path

import pytest

from tests.support.local_aws import start
from tests.support.local_aws_requests import BUCKET
from tests.support.tuning_requests import found, script_request, upload

pytestmark = pytest.mark.local_aws


def test_a_tuning_job_that_was_cut_off_has_failed_and_so_have_its_training_jobs(tmp_path: Path) -> None:
    """After a kill and after an orderly end, without a traceback; one that was being stopped is stopped."""
    running = start(tmp_path)
    sagemaker = running.client("sagemaker")
    running.client("s3").create_bucket(Bucket=BUCKET)
    upload(running.client("s3"))
    slow = {"steps": "1000", "delay": "0.05"}
    for name in ("killed", "left"):
        sagemaker.create_hyper_parameter_tuning_job(**script_request(name, slow, ["1", "2"]))
    found(
        lambda: sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName="left")[
            "TrainingJobSummaries"
        ]
    )
    running.kill()
    running = start(tmp_path)
    try:
        sagemaker = running.client("sagemaker")
        for name in ("killed", "left"):
            told = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
            assert told["HyperParameterTuningJobStatus"] == "Failed"
            assert "the embedded AWS ended while the job was running" in told["FailureReason"]
        assert told["TrainingJobStatusCounters"]["RetryableError"] == 1
        sagemaker.create_hyper_parameter_tuning_job(**script_request("ended", slow, ["1", "2"]))
    finally:
        running.stop()
    assert "Traceback" not in (tmp_path / "server.log").read_text()
