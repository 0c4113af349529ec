"""The command ``python -m automl_retraining.replay``: what it prints, its exit status, and what it does without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from automl_retraining.replay import main
from tests.core.test_replay import folder

ROOT = Path(__file__).resolve().parents[1]
ABSENT = ("airflow", "boto3", "botocore", "sagemaker", "sklearn", "matplotlib", "requests")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run's folder."""
    where = tmp_path / "r1"
    (where / "scores").mkdir(parents=True)
    for name, data in folder().items():
        (where / name).write_bytes(data)
    return where


def test_a_run_is_replayed_without_airflow_boto3_or_a_network(run: Path) -> None:
    """In a process where importing them fails and so does opening a connection."""
    code = (
        "import sys, socket, runpy\n"
        f"for name in {ABSENT!r}: sys.modules[name] = None\n"
        "def refuse(*_, **__): raise OSError('no network')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        f"sys.argv = ['replay', {str(run)!r}]\n"
        "runpy.run_module('automl_retraining.replay', run_name='__main__')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=run)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("Equal to the recorded decision, to the last digit.\n")


def test_a_folder_whose_scores_were_changed_is_told_with_what_differs(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1. Here the champion's file is the challenger's."""
    (run / "scores" / "champion.csv").write_bytes((run / "scores" / "challenger.csv").read_bytes())
    assert main([str(run)]) == 1
    printed = capsys.readouterr().out
    assert "The recorded decision was keep; from its own files it is keep. What differs:" in printed
    assert "the same as the champion's" in printed.partition("rule non_inferiority: recorded pass")[2]


def test_another_policy_may_be_a_gate_section_or_a_whole_pipeline(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 0: nothing is wrong with another answer."""
    section, whole = tmp_path / "gate.yaml", tmp_path / "pipeline.yaml"
    section.write_text("metric: roc_auc\nresamples: 200\nfloors: {roc_auc: 0.999}\n")
    whole.write_text("source: a.csv\ntarget: left\ngate:\n  metric: roc_auc\n  resamples: 200\n")
    assert main([str(run), "--policy", str(section), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["equal"], found["recorded"]["run_id"]) == ("keep", False, "manual__2026-01-05")
    assert any("floor:roc_auc" in line for line in found["differences"])
    assert main([str(run), "--policy", str(whole)]) == 0
    assert f"under {whole} it is" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metrc: rmse\n", "key metrc: no such key; did you mean metric?"),
        ("gate: {metric: roc_auc, margin: -1}\n", "gate: key margin: expected at least 0"),
        ("gate: {metric: roc_auc}\nproblem_type: binary\n", "key problem_type: expected one of BinaryClassification"),
        ("- a\n", "expected a mapping of keys such as metric and margin, found ['a']"),
        ("a: [\n", "expected YAML, found"),
        (None, "expected a readable YAML file in UTF-8"),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused_in_words(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, words: str
) -> None:
    """Exit status 2, nothing on standard output."""
    path = tmp_path / "gate.yaml"
    if text is not None:
        path.write_text(text)
    assert main([str(run), "--policy", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(path) in printed.err
    assert words in printed.err


def test_what_is_no_run_folder_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path that is not there, and one that holds something else."""
    assert main([str(tmp_path / "gone")]) == 2
    assert "gone: expected a run folder, found no such folder" in capsys.readouterr().err
    assert main([str(tmp_path)]) == 2
    assert "expected the file scores/challenger.csv below it, found none" in capsys.readouterr().err


def test_a_run_in_s3_is_replayed_with_the_environments_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that the run does not have are none that are missing."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="runs")
        for name, data in folder().items():
            s3.put_object(Bucket="runs", Key=f"churn/runs/r1/{name}", Body=data)
        assert main(["s3://runs/churn/runs/r1/"]) == 0
        assert "to the last digit" in capsys.readouterr().out
        assert main(["s3://runs/churn/runs/r2"]) == 2
        assert "expected the object scores/challenger.csv below it" in capsys.readouterr().err
        assert main(["s3://no-such-bucket-here/r"]) == 2
        assert "NoSuchBucket" in capsys.readouterr().err
