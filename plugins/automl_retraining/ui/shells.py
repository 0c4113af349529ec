"""The pages themselves: shells without data, and the scripts and styles that fill them."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from automl_retraining.ui.assets import Asset
from automl_retraining.ui.security import READS_THE_DAG, ReadableDags, ReadablePipeline

router = APIRouter()


@router.get("/")
async def models(request: Request, _readable: ReadableDags) -> Response:
    """The table of models."""
    return _shell(request, "models", "Models")


@router.get("/models/{pipeline}")
async def model(request: Request, _pipeline: ReadablePipeline) -> Response:
    """One model."""
    return _shell(request, "model", "Model", up="../")


@router.get("/run", dependencies=[READS_THE_DAG])
async def run(request: Request, _readable: ReadableDags) -> Response:
    """One run."""
    return _shell(request, "run", "Retraining")


@router.get("/compare", dependencies=[READS_THE_DAG])
async def compare(request: Request, _readable: ReadableDags) -> Response:
    """Two runs side by side."""
    return _shell(request, "compare", "Two runs")


@router.get("/gate", dependencies=[READS_THE_DAG])
async def gate(request: Request, _readable: ReadableDags) -> Response:
    """What another policy would have decided."""
    return _shell(request, "gate", "Gate")


@router.get("/static/{path:path}")
async def static(request: Request, path: str, _readable: ReadableDags) -> Response:
    """A script, a style or a picture."""
    return _sent(request, request.app.state.assets.static(path))


def _shell(request: Request, name: str, title: str, *, up: str = "") -> Response:
    return _sent(request, request.app.state.assets.page(name, title, up=up))


def _sent(request: Request, asset: Asset | None) -> Response:
    if asset is None:
        raise HTTPException(404, "There is no such file.")
    # Kept by the browser, and asked for again each time: a new version shows at once, an old one costs no bytes.
    headers = {"etag": asset.etag, "cache-control": "private, no-cache"}
    if asset.etag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(asset.data, media_type=asset.media_type, headers=headers)
