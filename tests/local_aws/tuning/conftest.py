"""Data and a script for tuning jobs."""

import pytest

from tests.support.local_aws import Running
from tests.support.tuning_requests import upload


@pytest.fixture(scope="session")
def tuning_data(aws: Running) -> Running:
    """The embedded AWS with a small regression table, and the script that tells what it is told."""
    upload(aws.client("s3"))
    return aws
