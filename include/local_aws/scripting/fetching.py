"""Fetching the user's source code for a training job, in the supervisor, which has S3 at hand."""

from collections.abc import Mapping
from pathlib import Path

from include.local_aws.jobs.runner import JobFailed
from include.local_aws.s3.client import S3Files, S3InputError, split_object_uri
from include.local_aws.scripting.source import ARCHIVE, DIRECTORY, decoded


def fetch(s3: S3Files, hyperparameters: Mapping[str, str], root: Path) -> None:
    """Download a training job's source archive, where its hyperparameters name one in S3; raises `JobFailed`."""
    uri = decoded(hyperparameters).get(DIRECTORY)
    if not isinstance(uri, str) or not uri.startswith("s3://"):
        return
    try:
        s3.download(*split_object_uri(uri), root / ARCHIVE)
    except S3InputError as error:
        raise JobFailed(f"AlgorithmError: framework error: the source code of {DIRECTORY}: {error}") from error
