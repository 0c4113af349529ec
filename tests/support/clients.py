"""The environment of the unmodified clients: the SageMaker SDK and the AWS command line (``make clients``)."""

import os
from pathlib import Path

import pytest

from tests.support.local_aws import ROOT

FOLDER = ROOT / ".venv-clients"


def clients_python() -> Path:
    """Its interpreter. Skips the test where it is not installed; under CI, where it must be, the test fails."""
    return _program("python")


def aws_command() -> Path:
    """Its ``aws`` command."""
    return _program("aws")


def aio_folder() -> Path:
    """What the stock Amazon provider's triggers need, to be laid over this project's environment."""
    return _there(FOLDER / "aio")


def _program(name: str) -> Path:
    return _there(FOLDER / "bin" / name)


def _there(path: Path) -> Path:
    if not (FOLDER / ".ready").exists() or not path.exists():
        said = f"{FOLDER.name} is not there: `make clients` installs the SageMaker SDK and the AWS command line"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return path
