"""One embedded AWS for all the clients, with a bucket and a housing table in it.

Two clients have interpreters of their own. They mostly wait for jobs: each runs beside the other tests, from the first
test on, if a test of the session asks for it.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.clients import Script, aio_folder, client_environment, clients_python, installed
from tests.support.housing import BUCKET, Housing, as_csv, housing, upload
from tests.support.local_aws import ROOT, Running, start
from tests.support.stock import World, connection, make_world


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS with an empty data directory and the bucket of the tests."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def table() -> Housing:
    """The housing table."""
    return housing()


@pytest.fixture(scope="session")
def uploaded(aws: Running, table: Housing) -> Housing:
    """The housing table, there in the bucket."""
    upload(aws.client("s3"), table)
    return table


@pytest.fixture(scope="session", autouse=True)
def scripts(
    request: pytest.FixtureRequest, aws: Running, uploaded: Housing, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Script]]:
    """The scripts that tests of this session ask for, by the names of their modules."""
    known = {"sdk_walk": (_sdk_walk, "sdk_results"), "stock_deferred": (_stock_deferred, "deferred_results")}
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    started: dict[str, Script] = {}
    try:
        for name, (begin, fixture) in known.items():
            if fixture in asked and installed():
                started[name] = begin(aws.url, tmp_path_factory.mktemp(name))
        yield started
    finally:
        for script in started.values():
            script.stop()


def _sdk_walk(url: str, folder: Path) -> Script:
    """The SageMaker SDK's walk, which tells nobody about itself."""
    config = folder / "config.yaml"
    config.write_text("SchemaVersion: '1.0'\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n")
    environment = {**client_environment(url, folder), "SAGEMAKER_USER_CONFIG_OVERRIDE": str(config)}
    command: list[str | Path] = [clients_python(), "-m", "tests.clients.sdk_walk", folder]
    return Script.started(command, environment, folder / "output")


def _stock_deferred(url: str, folder: Path) -> Script:
    """The stock provider's deferrable operators, with the botocore that their triggers can use."""
    environment = {**os.environ, "PYTHONPATH": f"{aio_folder()}:{ROOT}"}
    return Script.started([sys.executable, "-m", "tests.clients.stock_deferred", url], environment, folder / "output")


@pytest.fixture(scope="session")
def world(aws: Running, uploaded: Housing) -> World:
    """A model and what it was made of, for the stock provider's operators and sensors; a table for Autopilot."""
    header = ",".join(["price", *(f"f{number}" for number in range(30))])
    rows = as_csv(uploaded.train[:600, :31])
    aws.client("s3").put_object(Bucket=BUCKET, Key="stock/automl/train.csv", Body=f"{header}\n{rows}".encode())
    return make_world(aws.client, "stock-ready")


@pytest.fixture
def connected(aws: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's AWS connection leads to the embedded AWS."""
    for name, value in connection(aws.url).items():
        monkeypatch.setenv(name, value)
