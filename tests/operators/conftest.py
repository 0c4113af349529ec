"""AWS for the operators that write an endpoint: S3 over HTTP, for its clock and conditions, and a fake SageMaker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.endpoint_runs import BUCKET
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.s3_server import client, empty, running


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """An S3 on a port of its own."""
    with running() as url:
        yield url


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its client, with the bucket there and nothing in it."""
    empty(s3_url)
    s3 = client(s3_url)
    s3.create_bucket(Bucket=BUCKET)
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", BUCKET)
    return s3


@pytest.fixture
def sm() -> FakeSageMaker:
    """A SageMaker with two models and no endpoint."""
    fake = FakeSageMaker()
    fake.model("m1", art_run_id="r1")
    fake.model("m2", art_run_id="r2")
    return fake
