"""The app that Airflow's api-server mounts at ``/automl``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp

from automl_retraining.core.errors import ConfigError, RetrainingError
from automl_retraining.sagemaker.storage import ObjectMissing
from automl_retraining.ui import api, shells
from automl_retraining.ui.assets import Assets
from automl_retraining.ui.aws import AwsError
from automl_retraining.ui.security import SecurityHeaders
from automl_retraining.ui.service import NotFound, NotYet, Service, TooMuch
from automl_retraining.ui.threads import Busy, Threads

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFound, 404),
    (ObjectMissing, 404),
    (NotYet, 409),
    (TooMuch, 413),
    (ConfigError, 422),
    (RetrainingError, 409),
    (AwsError, 502),
    (Busy, 503),
)
"""What each error means to a browser: the first that fits."""


class Pages(FastAPI):
    """FastAPI with the security headers around everything, its own answer to unforeseen errors included."""

    def build_middleware_stack(self) -> ASGIApp:
        """As FastAPI's, in the headers."""
        return SecurityHeaders(super().build_middleware_stack())


def create_app(service: Service | None = None, assets: Assets | None = None) -> FastAPI:
    """The app, with Airflow's login before every path: also before those that do not exist.

    Its own description of itself (``/docs``, ``/openapi.json``) is switched off.
    """
    made = Pages(title="Models kept fresh", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    made.state.service = service or Service()
    made.state.assets = assets or Assets()
    # Computing holds Python's lock for long, so one at a time, and few in the queue.
    made.state.reading = Threads("automl-page", 12, most=96)
    made.state.computing = Threads("automl-compute", 1, most=6)
    made.include_router(shells.router)
    made.include_router(api.router, prefix="/api")
    made.add_api_route("/{path:path}", _nothing, methods=[*_METHODS], response_model=None)
    for kind, status in _STATUS:
        made.add_exception_handler(kind, _in_words(status))
    return made


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


async def _nothing(request: Request, _user: GetUserDep) -> NoReturn:
    """Whatever no other route answers: nobody learns without a login what there is."""
    if request.method not in ("GET", "HEAD"):
        raise HTTPException(405, "These pages only show: expected the method GET.", {"allow": "GET"})
    raise HTTPException(404, "There is no such page.")


def _in_words(status: int) -> Callable[[Request, Any], Awaitable[Response]]:
    async def answer(_request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, status)

    return answer


app = create_app()
"""What the plugin mounts."""
