"""Who may see what, and the headers of every answer.

Every route asks Airflow: who nobody knows gets 401, who may not read the DAG gets 403.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from automl_retraining.ui.catalog import dags_of
from automl_retraining.ui.service import NotFound, Service

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
"""Content-Security-Policy of everything but the report: nothing inline, nothing from elsewhere."""

REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
"""Of the report, a page that comes out of S3 and brings its own style: no script, and an origin of its own."""

_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer that does not say otherwise itself."""

READS_THE_DAG = Depends(requires_access_dag("GET"))
"""The right to read the DAG that the parameter ``dag_id`` names."""
READS_THE_RUN = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
"""The same for its runs."""

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def service_of(request: Request) -> Service:
    """The service of the app that got the request."""
    found: Service = request.app.state.service
    return found


ServiceDep = Annotated[Service, Depends(service_of)]


def readable_among(user: BaseUser, dag_ids: Collection[str]) -> frozenset[str]:
    """Those of the DAGs that the user may read."""
    if not dag_ids:
        return frozenset()
    manager = get_auth_manager()
    teams = DagModel.get_dag_id_to_team_name_mapping(sorted(dag_ids))
    by_team: dict[str | None, set[str]] = {}
    for dag_id in dag_ids:
        by_team.setdefault(teams.get(dag_id), set()).add(dag_id)
    return frozenset().union(
        *(
            manager.filter_authorized_dag_ids(dag_ids=ids, user=user, method="GET", team_name=team)
            for team, ids in by_team.items()
        )
    )


async def readable_dags(user: GetUserDep, service: ServiceDep) -> frozenset[str]:
    """The DAGs of all pipelines that the user may read; 403 where there is none."""

    def ask() -> frozenset[str]:
        ours = {dag.dag_id for one in service.catalog.pipelines().values() for dag in dags_of(one)}
        if not ours and _may_read_some_dag(user):
            return frozenset({""})  # an Airflow without a pipeline yet: its page may say so
        return readable_among(user, ours)

    found = await run_in_threadpool(ask)
    if not found:
        raise HTTPException(403, "You may not read any DAG of a model kept fresh: ask who runs this Airflow.")
    return found


ReadableDags = Annotated[frozenset[str], Depends(readable_dags)]


async def readable_pipeline(request: Request, pipeline: str, readable: ReadableDags, service: ServiceDep) -> str:
    """The name of a pipeline of which the user may read a DAG. ``~`` is the pipeline of the parameter ``dag_id``.

    403 where the user may read none of its DAGs, 404 where there is no such pipeline.
    """
    try:
        if pipeline == "~":
            dag_id = request.query_params.get("dag_id", "")
            found = await run_in_threadpool(service.pipeline_of_dag, dag_id)
            wanted = {dag_id}
        else:
            found = await run_in_threadpool(service.pipeline, pipeline)
            wanted = {dag.dag_id for dag in dags_of(found)}
    except NotFound as error:
        raise HTTPException(404, str(error)) from error
    if not wanted & readable:
        raise HTTPException(403, f"You may not read any DAG of the pipeline {found.name}.")
    return found.name


ReadablePipeline = Annotated[str, Depends(readable_pipeline)]


class SecurityHeaders:
    """Adds the headers to every answer, also to those of errors."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
        """As ASGI."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in said),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


def _may_read_some_dag(user: BaseUser) -> bool:
    return bool(get_auth_manager().is_authorized_dag(method="GET", user=user))
