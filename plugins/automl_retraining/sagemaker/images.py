"""URIs of the AWS images that our jobs name: the SageMaker SDK's table, without the SDK at run time.

``images.json`` is written by ``make images`` from the pinned SDK; a test holds every entry against it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from automl_retraining.core.errors import RequestError

_TABLE = Path(__file__).with_name("images.json")


def image_uri(name: str, region: str, version: str) -> str:
    """The URI of an image in a region's own registry.

    Args:
        name: ``xgboost``, ``scikit-learn`` or ``linear-learner``.
        region: The region that the job runs in: an image is pulled from the same one.
        version: The image's version as the SDK names it (``3.0-5``, ``1.4-2``, ``1``), or an alias of it.

    Raises:
        RequestError: an unknown image, version or region, with the known ones.
    """
    table = _table()
    image = _known(table["images"], name, "an image")
    versions = image["versions"]
    facts = _known(versions, image["aliases"].get(version, version), f"a version of the image {name}")
    account = _known(image["accounts"][facts["accounts"]], region, f"a region that has the image {name} {version}")
    domain = table["domains"].get(region, "amazonaws.com")
    return f"{account}.dkr.ecr.{region}.{domain}/{facts['repository']}:{facts['tag']}"


def versions(name: str) -> tuple[str, ...]:
    """The versions of an image, oldest first as the SDK lists them; RequestError for an unknown image."""
    return tuple(sorted(_known(_table()["images"], name, "an image")["versions"], key=_parts))


def regions(name: str, version: str) -> tuple[str, ...]:
    """The regions that have this version of an image; RequestError for an unknown one."""
    image = _known(_table()["images"], name, "an image")
    facts = _known(image["versions"], image["aliases"].get(version, version), f"a version of the image {name}")
    return tuple(sorted(image["accounts"][facts["accounts"]]))


def _known(mapping: Mapping[str, Any], key: str, what: str) -> Any:
    if key not in mapping:
        raise RequestError(f"expected {what}, one of {_list(mapping)}; found {key!r}")
    return mapping[key]


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names, key=_parts))


def _parts(name: str) -> list[tuple[int, str]]:
    """Numbers compare as numbers, so that 1.10 comes after 1.9."""
    words = name.replace(".", "-").split("-")
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table
