"""The environment of the unmodified clients: the SageMaker SDK and the AWS command line (``make clients``)."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.support.local_aws import ROOT

FOLDER = ROOT / ".venv-clients"


def clients_python() -> Path:
    """Its interpreter. Skips the test where it is not installed; under CI, where it must be, the test fails."""
    return _program("python")


def aws_command() -> Path:
    """Its ``aws`` command."""
    return _program("aws")


def client_environment(url: str, folder: Path) -> dict[str, str]:
    """The environment of a client that speaks to the embedded AWS at `url`: a home of its own, and no other network."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": f"{FOLDER / 'bin'}:{os.defpath}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }


def aio_folder() -> Path:
    """What the stock Amazon provider's triggers need, to be laid over this project's environment."""
    return _there(FOLDER / "aio")


@dataclass
class Script:
    """A program that prints a line of JSON for each of its steps: how it failed, or null. It runs beside the tests."""

    process: subprocess.Popen[str]
    output: Path

    @classmethod
    def started(cls, command: Sequence[str | Path], environment: Mapping[str, str], output: Path) -> Self:
        """Start it with its output going to a file."""
        with output.open("w") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        return cls(process, output)

    def results(self, steps: Sequence[str]) -> dict[str, str | None]:
        """By step: None where it passed, how it failed otherwise; fails where there are other steps than `steps`."""
        status = self.process.wait(300)
        said = self.output.read_text(errors="replace")
        lines = [json.loads(line) for line in said.splitlines() if line.startswith('{"step"')]
        assert [line["step"] for line in lines] == list(steps), f"exit status {status}: {said[-6000:]}"
        return {line["step"]: line["failed"] for line in lines}

    def stop(self) -> None:
        """End it, should it still run."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _program(name: str) -> Path:
    return _there(FOLDER / "bin" / name)


def installed() -> bool:
    """Whether `make clients` was run."""
    return (FOLDER / ".ready").exists() and (FOLDER / "aio").exists()


def _there(path: Path) -> Path:
    if not installed():
        said = f"{FOLDER.name} is not there: `make clients` installs the SageMaker SDK and the AWS command line"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
    return path
