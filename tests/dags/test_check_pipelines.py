"""The DAG file that shows broken pipeline files."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from automl_retraining.core.errors import ConfigError

FILE = Path(__file__).resolve().parents[2] / "dags" / "check_pipelines.py"
GOOD = "source: a.csv\ntarget: y\ngate: {metric: rmse}\n"


def test_good_files_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No import error, no DAG."""
    (tmp_path / "good.yaml").write_text(GOOD)
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    runpy.run_path(str(FILE))


def test_every_broken_file_and_key_is_named_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow shows the message as the import error of this file."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "one.yaml").write_text("source: a.csv\ntarget: y\ngate: {metrc: rmse}\n")
    (tmp_path / "two.yaml").write_text("- not a mapping\n")
    monkeypatch.setenv("AUTOML_RETRAINING_PIPELINES", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        runpy.run_path(str(FILE))
    message = str(caught.value)
    assert "one.yaml" in message
    assert "metrc" in message
    assert "two.yaml" in message
    assert "good.yaml" not in message


def test_the_pipelines_of_this_repository_are_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shipped loads."""
    monkeypatch.delenv("AUTOML_RETRAINING_PIPELINES", raising=False)
    runpy.run_path(str(FILE))


@pytest.mark.parametrize("path", sorted(FILE.parent.glob("*.py")), ids=lambda path: path.name)
def test_airflow_parses_every_file_of_dags(path: Path) -> None:
    """Airflow passes over a file that does not speak of both, airflow and dag."""
    from airflow.utils.file import might_contain_dag

    assert might_contain_dag(str(path), safe_mode=True)
