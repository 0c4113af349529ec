"""The links on the tasks' pages."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from automl_retraining.core.config import load_pipeline
from automl_retraining.links.report import ReportLink, report_path
from automl_retraining.operators.approve import ApproveOperator
from automl_retraining.operators.base import SageMakerJobOperator, SageMakerOperator
from automl_retraining.operators.endpoint import UpdateEndpointOperator
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.sensors.secondary_status import SecondaryStatusSensor
from tests.support.fake_sagemaker import FakeSageMaker
from tests.support.run_folders import pipeline_yaml

KEY = SimpleNamespace(dag_id="autopilot_a/b", run_id="manual__2026-01-01T00:00:00+00:00")


def test_every_task_links_to_the_report_of_its_run() -> None:
    """Jobs to their console page and log too."""
    names = {kind: {link.name for link in kind.operator_extra_links} for kind in (
        SageMakerOperator, SageMakerJobOperator, UpdateEndpointOperator, CreateModelOperator, SecondaryStatusSensor,
        ApproveOperator,
    )}  # fmt: skip
    assert names == {
        SageMakerOperator: {"Report"},
        SageMakerJobOperator: {"SageMaker console", "CloudWatch log", "Report"},
        UpdateEndpointOperator: {"SageMaker console", "CloudWatch log", "Report"},
        CreateModelOperator: {"SageMaker console", "Report"},
        SecondaryStatusSensor: {"SageMaker console", "CloudWatch log", "Report"},
        ApproveOperator: {"Report"},
    }


@pytest.mark.parametrize(("base", "below"), [("", ""), ("http://a:8080", ""), ("https://a/airflow/", "/airflow")])
def test_the_report_is_found_wherever_airflow_lives(monkeypatch: pytest.MonkeyPatch, base: str, below: str) -> None:
    """A path on Airflow's own address; ids cannot change where it leads."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    link = ReportLink().get_link(None, ti_key=KEY)
    assert link == (
        f"{below}/automl/api/runs/autopilot_a%2Fb/manual__2026-01-01T00%3A00%3A00%2B00%3A00/download/report"
    )
    assert "//" not in report_path("..", "../..")
    assert ReportLink().get_link(None, ti_key=None) == ""


def test_a_task_that_writes_the_endpoint_links_to_it(tmp_path: Path) -> None:
    """Its console page and its log; nothing for an AWS without a console."""
    path = tmp_path / "churn.yaml"
    path.write_text(pipeline_yaml())
    task = UpdateEndpointOperator(task_id="update_endpoint", pipeline=load_pipeline(path), model_name="m")
    task.sm = FakeSageMaker()
    assert task.console_url.endswith("#/endpoints/art-churn")
    assert "Endpoints$252Fart-churn" in task.log_url
    task.sm.meta.endpoint_url = "http://127.0.0.1:4566"
    assert (task.console_url, task.log_url) == ("", "")
