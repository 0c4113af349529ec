"""The file that Airflow scans."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "fastapi",
    "starlette",
    "numpy",
    "pandas",
    "boto3",
    "botocore",
    "sklearn",
    "matplotlib",
    "automl_retraining.ui",
)

_PROBE = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
import automl_retraining_plugin as plugin
added = set(sys.modules) - before
print(",".join(sorted(added)))
print([view["destination"] for view in plugin.AutomlRetrainingPlugin.external_views])
print([view["href"] for view in plugin.AutomlRetrainingPlugin.external_views])
"""


def test_loading_the_plugin_costs_a_task_nothing(tmp_path: Path) -> None:
    """Every task loads it: nothing but itself is imported."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE], env=env, capture_output=True, text=True, check=True
    )
    added, destinations, addresses = done.stdout.splitlines()[-3:]
    assert added == "automl_retraining_plugin"
    assert not [name for name in HEAVY if name in added.split(",")]
    assert destinations == "['nav', 'dag', 'dag_run', 'task_instance', 'task']"
    assert "'automl/run?dag_id={DAG_ID}&run_id={RUN_ID}'" in addresses
    assert "'/" not in addresses  # relative: Airflow may live below a path


def test_the_app_is_built_at_the_first_request() -> None:
    """Once, and then asked."""
    from automl_retraining_plugin import AutomlRetrainingPlugin

    lazy: Any = AutomlRetrainingPlugin.fastapi_apps[0]["app"]
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/openapi.json", "raw_path": b"/openapi.json", "root_path": "",
             "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http", "server": ("a", 80),
             "client": ("b", 1)}  # fmt: skip
    asyncio.run(lazy(scope, receive, send))
    assert sent[0]["status"] == 401
    from automl_retraining.ui.app import app

    assert lazy._app is app
