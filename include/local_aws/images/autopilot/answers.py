"""How containers of AutoML candidates read and write: content types, CSV, and the keys of a classification's answer.

The keys are ``predicted_label`` (alone by default), ``probability``, ``probabilities`` and ``labels``; the environment
chooses among those that a container can give (SageMaker developer guide, "Configure inference output in generated
containers").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.local_aws.images import BadRequest

CSV = "text/csv"
RECORDIO = "application/x-recordio-protobuf"
KEYS = ("predicted_label", "probability", "probabilities", "labels")

Floats = NDArray[np.float64]


class UnusableModel(RuntimeError):
    """The model artifact or the container's environment does not fit; the container does not come up."""


def media_type(header: str | None) -> str | None:
    """The media type without parameters; None where any will do."""
    kind = (header or "").split(";")[0].strip().lower()
    return None if kind in ("", "*/*", "text/*", "application/*") else kind


def refuse_other_than(accept: str | None, supported: str) -> None:
    """Raise `BadRequest` where the caller accepts something else only."""
    if media_type(accept) not in (None, supported):
        raise BadRequest(f"Accept {accept!r} is not supported: expected {supported}.")


def output_keys(environment: Mapping[str, str], supported: Sequence[str]) -> tuple[str, ...]:
    """What ``SAGEMAKER_INFERENCE_OUTPUT`` asks for; raises `UnusableModel` for what is not supported."""
    return keys(environment.get("SAGEMAKER_INFERENCE_OUTPUT") or KEYS[0], "SAGEMAKER_INFERENCE_OUTPUT", supported)


def keys(value: str, variable: str, supported: Sequence[str]) -> tuple[str, ...]:
    """The keys that a variable lists; raises `UnusableModel` for what is not supported."""
    found = tuple(key.strip() for key in value.split(","))
    for key in found:
        if key not in supported:
            raise UnusableModel(f"{variable} names {key!r}: this container supports {', '.join(supported)}.")
    return found


def csv_rows(body: bytes) -> list[list[str]]:
    """The cells of a CSV body; raises `BadRequest` for what isn't one."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"The body is not UTF-8: byte {error.start} cannot be decoded.") from error
    try:
        # A line without any character is a row whose only cell is empty.
        return [row or [""] for row in csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error as error:
        raise BadRequest(f"The body is not CSV: {error}.") from error


def listed(values: Floats) -> str:
    """Numbers as the list in one CSV field."""
    return str([float(value) for value in values])


def numbers(predicted: Floats) -> tuple[bytes, str]:
    """A regression's answer: a number a line."""
    return "".join(f"{float(value)!r}\n" for value in predicted).encode(), CSV


def matrix(values: NDArray[Any]) -> tuple[bytes, str]:
    """Rows of numbers; missing ones are empty."""
    lines = (",".join("" if np.isnan(value) else repr(float(value)) for value in row) + "\n" for row in values)
    return "".join(lines).encode(), CSV


def table(columns: Mapping[str, Sequence[object]], wanted: Sequence[str]) -> tuple[bytes, str]:
    """A classification's answer: the wanted columns."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(zip(*(columns[key] for key in wanted), strict=True))
    return out.getvalue().encode(), CSV
