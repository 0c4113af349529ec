"""The tail of a job's log in CloudWatch."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from automl_retraining.sagemaker import failures
from automl_retraining.sagemaker.jobs import JobKind


def tail(logs: Any, kind: JobKind, job_name: str, lines: int = 20) -> list[str]:
    """The last lines that the job logged, over all its streams, oldest first; empty where there are none.

    Args:
        logs: A boto3 CloudWatch Logs client.
        kind: Which kind of job; says in which log groups to look.
        job_name: Streams are named ``<job name>/...``.
        lines: How many lines at most.
    """
    from botocore.exceptions import ClientError

    events: list[tuple[int, str]] = []
    for group in log_groups(kind, job_name):
        prefix = "" if "{name}" in "".join(kind.log_groups) else job_name
        try:
            streams = _streams(logs, group, prefix)
            for stream in streams[-5:]:
                answer = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=lines, startFromHead=False)
                events.extend((event["timestamp"], event["message"].rstrip()) for event in answer["events"])
        except ClientError as error:
            if failures.code(error) != "ResourceNotFoundException":
                raise
    events.sort(key=lambda event: event[0])
    return [message for _, message in events[-lines:]]


def log_groups(kind: JobKind, job_name: str) -> tuple[str, ...]:
    """The groups that a job of that kind logs to."""
    return tuple(group.format(name=job_name) for group in kind.log_groups)


def console_url(kind: JobKind, job_name: str, region: str) -> str:
    """The job's page in the AWS console."""
    return f"{_console(region)}/sagemaker/home?region={region}#/{kind.console_path.format(name=job_name)}"


def log_url(kind: JobKind, job_name: str, region: str) -> str:
    """The job's log streams in the CloudWatch console."""
    groups = log_groups(kind, job_name)
    if not groups:
        return ""
    # The console decodes twice: % is written as $25.
    group = quote(quote(groups[0], safe=""), safe="").replace("%", "$")
    base = f"{_console(region)}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}"
    return base if "{name}" in kind.log_groups[0] else f"{base}$3FlogStreamNameFilter$3D{job_name}"


def model_url(model_name: str, region: str) -> str:
    """The model's page in the AWS console."""
    return f"{_console(region)}/sagemaker/home?region={region}#/models/{model_name}"


def has_console(client: Any) -> bool:
    """Whether the AWS that this client talks to has a console: the embedded one has none."""
    return ".amazonaws.com" in str(client.meta.endpoint_url)


def _streams(logs: Any, group: str, prefix: str) -> list[str]:
    arguments = {"logGroupName": group, **({"logStreamNamePrefix": prefix} if prefix else {})}
    return [stream["logStreamName"] for stream in logs.describe_log_streams(**arguments)["logStreams"]]


def _console(region: str) -> str:
    if region.startswith("cn-"):
        return "https://console.amazonaws.cn"
    if region.startswith("us-gov-"):
        return "https://console.amazonaws-us-gov.com"
    return "https://console.aws.amazon.com"
