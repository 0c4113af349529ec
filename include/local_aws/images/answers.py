"""The answers of SageMaker's tabular algorithms: selected keys a row, in the media types that a client may ask for.

Source: developer guide, "Common data formats for inference"; for the selection by environment variables, "Configure
inference output in generated containers".
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.images import BadRequest

CSV = "text/csv"
JSON = "application/json"
JSONLINES = "application/jsonlines"

Answer = Mapping[str, Any]
"""What is said about one row."""


class Unusable(RuntimeError):
    """The model artifact or the container's environment does not fit; the container does not come up."""


def accepted(accept: str | None, environment: Mapping[str, str], *, default: str, offered: Sequence[str]) -> str:
    """The media type to answer in; raises `BadRequest` for one that is not offered."""
    wanted = (accept or "").split(";")[0].strip().lower()
    if wanted in ("", "*/*"):
        wanted = environment.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", default).split(";")[0].strip().lower()
    if wanted not in offered:
        raise BadRequest(
            f"Accept type {accept or wanted} is not supported. Please use supported accept types: {', '.join(offered)}."
        )
    return wanted


def selected(environment: Mapping[str, str], known: Sequence[str]) -> tuple[str, ...]:
    """The keys that SAGEMAKER_INFERENCE_OUTPUT names, none where it is not set; raises `Unusable`."""
    wanted = environment.get("SAGEMAKER_INFERENCE_OUTPUT", "")
    keys = tuple(key.strip().lower() for key in wanted.split(",") if key.strip())
    for key in keys:
        if key not in known:
            raise Unusable(
                f"SAGEMAKER_INFERENCE_OUTPUT names {key!r}: this container supports {', '.join(known)} for its model."
            )
    return keys


def written(answers: Sequence[Answer], kind: str) -> tuple[bytes, str]:
    """These answers in a media type: a CSV row, an entry of ``predictions`` or a JSON line each."""
    if kind == JSON:
        return json.dumps({"predictions": list(answers)}).encode(), JSON
    if kind == JSONLINES:
        return "".join(json.dumps(each) + "\n" for each in answers).encode(), JSONLINES
    out = io.StringIO()
    rows = ([_cell(value) for value in each.values()] for each in answers)
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode(), CSV


def _cell(value: Any) -> Any:
    return str(value) if isinstance(value, list) else value
