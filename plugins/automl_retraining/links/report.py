"""Link on a task's page: the report of its run."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk import BaseOperatorLink


class ReportLink(BaseOperatorLink):
    """The run's report, as the pages below ``/automl`` hand it out: behind Airflow's login."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The path on Airflow's own address; empty where the task's run is not known."""
        dag_id, run_id = getattr(ti_key, "dag_id", None), getattr(ti_key, "run_id", None)
        return report_path(dag_id, run_id) if dag_id and run_id else ""


def report_path(dag_id: str, run_id: str) -> str:
    """The report's path, below the path that Airflow lives at (``api.base_url``)."""
    from airflow.configuration import conf

    below = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
    return f"{below}/automl/api/runs/{quote(dag_id, safe='')}/{quote(run_id, safe='')}/download/report"
