"""The one file of plugins/ that Airflow scans: the pages at ``/automl`` and where Airflow's UI shows them.

Every task loads plugins too, so nothing heavy is imported here: the app is built in the api-server, at the first
request to it.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from airflow.plugins_manager import AirflowPlugin

_Message = MutableMapping[str, Any]
_PREFIX = "automl"


class LazyApp:
    """An ASGI app that imports the real one when it is first called."""

    def __init__(self) -> None:
        self._app: Any = None
        self._lock = threading.Lock()

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Hand the request on."""
        await self._loaded()(scope, receive, send)

    def _loaded(self) -> Any:
        with self._lock:
            if self._app is None:
                from automl_retraining.ui.app import app

                self._app = app
            return self._app


class AutomlRetrainingPlugin(AirflowPlugin):
    """Pages about the models kept fresh. Addresses are relative: Airflow's UI resolves them below its own base."""

    name = "automl_retraining"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": f"/{_PREFIX}", "name": "Models kept fresh"}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        {
            "name": "Models",
            "href": f"{_PREFIX}/",
            "destination": "nav",
            "category": "browse",
            "url_route": "models",
            "icon": f"{_PREFIX}/static/icon.svg",
            "icon_dark_mode": f"{_PREFIX}/static/icon-dark.svg",
        },
        {
            "name": "Model",
            "href": f"{_PREFIX}/models/~?dag_id={{DAG_ID}}",
            "destination": "dag",
            "url_route": "model",
        },
        {
            "name": "Retraining",
            "href": f"{_PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "retraining",
        },
        {
            "name": "Retraining",
            "href": f"{_PREFIX}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}&task_id={{TASK_ID}}",
            "destination": "task_instance",
            "url_route": "retraining-task",
        },
        {
            "name": "Model",
            "href": f"{_PREFIX}/models/~?dag_id={{DAG_ID}}",
            "destination": "task",
            "url_route": "model-task",
        },
    ]
