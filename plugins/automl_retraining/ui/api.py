"""The data of the pages, as JSON. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json

from automl_retraining.core.records import OutcomeWord
from automl_retraining.ui.downloads import file_name
from automl_retraining.ui.security import (
    READS_THE_RUN,
    REPORT_POLICY,
    ReadableDags,
    ReadablePipeline,
    ServiceDep,
)
from automl_retraining.ui.threads import Threads
from automl_retraining.ui.what_if import Asked

router = APIRouter()
runs = APIRouter(prefix="/runs/{dag_id}/{run_id}", dependencies=[READS_THE_RUN])

Margin = Annotated[float | None, Query(ge=0, allow_inf_nan=False)]
Confidence = Annotated[float | None, Query(gt=0.5, lt=1)]


@router.get("/models")
async def models(request: Request, readable: ReadableDags, service: ServiceDep) -> Response:
    """The table of models."""
    return await _read(request, lambda: service.models(readable))


@router.get("/models/{pipeline}")
async def model(request: Request, name: ReadablePipeline, readable: ReadableDags, service: ServiceDep) -> Response:
    """One model with its runs, its champions and the drift of its data."""
    return await _read(request, lambda: service.model(name, readable))


@router.get("/models/{pipeline}/runs")
async def runs_of_model(
    request: Request,
    name: ReadablePipeline,
    readable: ReadableDags,
    service: ServiceDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
    outcome: OutcomeWord | None = None,
) -> Response:
    """A page of its runs, newest first."""
    return await _read(request, lambda: service.runs(name, readable, limit=limit, offset=offset, outcome=outcome))


@runs.get("")
async def run(request: Request, dag_id: str, run_id: str, service: ServiceDep) -> Response:
    """One run's records."""
    return await _read(request, lambda: service.run(dag_id, run_id))


@runs.get("/plots")
async def plots(request: Request, dag_id: str, run_id: str, service: ServiceDep) -> Response:
    """What its plots are drawn from."""
    return await _computed(request, lambda: service.plots(dag_id, run_id))


@runs.get("/profile")
async def profile(request: Request, dag_id: str, run_id: str, readable: ReadableDags, service: ServiceDep) -> Response:
    """Its columns beside the last run's."""
    return await _read(request, lambda: service.profile(dag_id, run_id, readable))


@runs.get("/live")
async def live(request: Request, dag_id: str, run_id: str, service: ServiceDep) -> Response:
    """Its jobs as they are now."""
    return await _read(request, lambda: service.live(dag_id, run_id))


@runs.get("/replay")
async def replay(
    request: Request,
    dag_id: str,
    run_id: str,
    service: ServiceDep,
    mode: Literal["superiority", "non_inferiority"] | None = None,
    margin: Margin = None,
    confidence: Confidence = None,
) -> Response:
    """What another policy would have decided."""
    asked = Asked(mode, margin, confidence)
    return await _computed(request, lambda: service.replay(dag_id, run_id, asked))


@runs.get("/download/json")
async def download_json(request: Request, dag_id: str, run_id: str, service: ServiceDep) -> Response:
    """All its records."""
    return _attached(await _read(request, lambda: service.document(dag_id, run_id)), dag_id, run_id, "json")


@runs.get("/download/csv")
async def download_csv(request: Request, dag_id: str, run_id: str, service: ServiceDep) -> Response:
    """Its leaderboard."""
    text = await request.app.state.reading.do(lambda: service.leaderboard_csv(dag_id, run_id))
    return _attached(Response(text, media_type="text/csv; charset=utf-8"), dag_id, run_id, "csv")


@runs.get("/download/report")
async def download_report(
    request: Request, dag_id: str, run_id: str, service: ServiceDep, save: bool = False
) -> Response:
    """Its stand-alone report, to look at or to save."""
    data = await request.app.state.reading.do(lambda: service.report(dag_id, run_id))
    answer = Response(data, media_type="text/html; charset=utf-8", headers={"content-security-policy": REPORT_POLICY})
    return _attached(answer, dag_id, run_id, "html") if save else answer


router.include_router(runs)


async def _read(request: Request, work: Callable[[], Any]) -> Response:
    threads: Threads = request.app.state.reading
    return await threads.do(lambda: _json(work()))


async def _computed(request: Request, work: Callable[[], Any]) -> Response:
    threads: Threads = request.app.state.computing
    return await threads.do(lambda: _json(work()))


def _json(value: Any) -> Response:
    # Infinity and NaN are no JSON.
    return Response(to_json(value, inf_nan_mode="null"), media_type="application/json")


def _attached(answer: Response, dag_id: str, run_id: str, ending: str) -> Response:
    answer.headers["content-disposition"] = f'attachment; filename="{file_name(dag_id, run_id)}.{ending}"'
    return answer
