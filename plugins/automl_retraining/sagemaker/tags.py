"""Tags: how a resource says that it is ours, which run made it and from which request."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from automl_retraining.core.errors import RequestError

PIPELINE = "art:pipeline"
DAG_ID = "art:dag-id"
RUN_ID = "art:run-id"
RUN_FOLDER = "art:run-folder"
DEPLOYMENT = "art:deployment"
DIGEST = "art:digest"
PREVIOUS_CONFIG = "art:previous-config"
"""Of an endpoint configuration: the one that served before it, which a rollback puts back."""

_MOST_TAGS = 50
_LONGEST_VALUE = 256

Tag = dict[str, str]


def own_tags(
    *,
    pipeline: str,
    run_id: str,
    run_folder: str,
    deployment: str,
    dag_id: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> list[Tag]:
    """The tags of every resource a run makes: ours, then the pipeline's own.

    Values are made legal for AWS (letters, digits, spaces and ``_.:/=+-@``, at most 256 characters).

    Raises:
        RequestError: a further tag's key is reserved (``art:``, ``aws:``), or there are more than 50 tags.
    """
    further = dict(extra or {})
    for key in further:
        if key.lower().startswith(("art:", "aws:")):
            raise RequestError(f"tag {key!r}: expected a key that begins neither with art: nor aws: (both reserved)")
    tags = {PIPELINE: pipeline, RUN_ID: run_id, RUN_FOLDER: run_folder, DEPLOYMENT: deployment}
    if dag_id is not None:
        tags[DAG_ID] = dag_id
    tags |= further
    if len(tags) + 1 > _MOST_TAGS:
        raise RequestError(f"expected at most {_MOST_TAGS - 5} tags of your own, found {len(further)}")
    return [{"Key": key, "Value": legal_value(value)} for key, value in tags.items()]


def legal_value(value: str) -> str:
    """The value with every character that AWS refuses in a tag replaced by ``_``, cut at 256."""
    return re.sub(r"[^\w .:/=+\-@]", "_", value)[:_LONGEST_VALUE]


def as_mapping(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """AWS's list of Key and Value as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def digest(request: Mapping[str, Any], *, without: Iterable[str]) -> str:
    """32 hexadecimal digits that are equal for equal requests, leaving out the members that differ by attempt."""
    left_out = set(without)
    kept = {key: value for key, value in request.items() if key not in left_out}
    canonical = json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()


def difference(wanted: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """Why a resource with the found tags is not the one that carries the wanted ones; None where it is."""
    for key in (DEPLOYMENT, PIPELINE, RUN_ID, RUN_FOLDER, DIGEST):
        if key in wanted and wanted[key] != found.get(key):
            return f"tag {key}: expected {wanted[key]!r}, found {found.get(key)!r}"
    return None
