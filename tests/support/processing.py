"""CreateProcessingJob requests for tests, and running them."""

import itertools
import time
from typing import Any

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, until

SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
INPUT = "/opt/ml/processing/input"
OUTPUT = "/opt/ml/processing/output"
_numbers = itertools.count()


def source(name: str, uri: str, **more: Any) -> dict[str, Any]:
    """A processing input at ``/opt/ml/processing/input/<name>``."""
    given = {"S3Uri": uri, "LocalPath": f"{INPUT}/{name}", "S3DataType": "S3Prefix", "S3InputMode": "File", **more}
    return {"InputName": name, "S3Input": given}


def target(name: str, uri: str, mode: str = "EndOfJob") -> dict[str, Any]:
    """A processing output of ``/opt/ml/processing/output/<name>``."""
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": mode}}


def request(name: str, **changed: Any) -> dict[str, Any]:
    """A request that runs ``code.py`` of the input ``code``; None leaves a member out."""
    body = {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "ProcessingResources": cluster(1),
        "AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["python3", f"{INPUT}/code/code.py"]},
        "ProcessingInputs": [source("code", f"s3://{BUCKET}/processing/{name}/code.py")],
        **changed,
    }
    return {key: value for key, value in body.items() if value is not None}


def cluster(instances: int) -> dict[str, Any]:
    """ProcessingResources of so many instances."""
    return {"ClusterConfig": {"InstanceCount": instances, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}}


def create(aws: Running, script: str, *, inputs: Any = (), outputs: Any = (), **changed: Any) -> str:
    """Upload a script and create a job that runs it, beside more inputs and outputs; the answer is the job's name."""
    name = f"job-{next(_numbers)}"
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"processing/{name}/code.py", Body=script.encode())
    body = request(name, **changed)
    body["ProcessingInputs"] = [*body["ProcessingInputs"], *inputs]
    if outputs:
        body["ProcessingOutputConfig"] = {"Outputs": list(outputs)}
    aws.client("sagemaker").create_processing_job(**body)
    return name


def ended(aws: Running, name: str) -> dict[str, Any]:
    """The description of a job that is over, after waiting for it."""
    sagemaker = aws.client("sagemaker")
    return until(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=name),
        "ProcessingJobStatus",
        ("InProgress", "Stopping"),
    )


def run(aws: Running, script: str, **changed: Any) -> dict[str, Any]:
    """`create` and `ended`."""
    return ended(aws, create(aws, script, **changed))


def objects(aws: Running, prefix: str) -> dict[str, str]:
    """Text by key, below a prefix of the tests' bucket, whose name is left out of the keys."""
    s3 = aws.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", ())
    keys = [each["Key"] for each in found]
    return {key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys}


def log(aws: Running, name: str, expecting: str, group: str = "/aws/sagemaker/ProcessingJobs") -> dict[str, list[str]]:
    """A job's lines by stream, once there is one with `expecting` in it: lines reach CloudWatch a moment later."""
    logs = aws.client("logs")
    deadline = time.monotonic() + 20
    while True:
        lines = {}
        groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
        if group in groups:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")["logStreams"]
            for each in streams:
                events = logs.get_log_events(logGroupName=group, logStreamName=each["logStreamName"])["events"]
                lines[each["logStreamName"]] = [event["message"] for event in events]
        if any(expecting in line for each in lines.values() for line in each):
            return lines
        assert time.monotonic() < deadline, f"no {expecting!r} in {lines}"
        time.sleep(0.1)
