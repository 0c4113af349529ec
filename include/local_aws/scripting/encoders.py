"""Arrays as CSV, JSON and NPY: what framework images read and write unless the user's handlers do it.

Source: the default handlers' documentation in the SageMaker SDK ("Deploy a Scikit-learn model") and of the inference
toolkit.
"""

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from include.local_aws.images import BadRequest

CSV = "text/csv"
JSON = "application/json"
NPY = "application/x-npy"
TEXT = (CSV, JSON)
"""Content types whose bodies handlers get as text."""

Array = npt.NDArray[Any]


def media_type(header: str) -> str:
    """A Content-Type or Accept header without its parameters."""
    return header.partition(";")[0].strip().lower()


def decode(body: str | bytes, content_type: str) -> Array:
    """The array in a request; raises `BadRequest`."""
    decoder = _DECODERS.get(media_type(content_type))
    if decoder is None:
        raise _unsupported("Content type", content_type, _DECODERS)
    try:
        return decoder(body.encode() if isinstance(body, str) else body)
    except ValueError as error:
        raise BadRequest(f"The request can't be read as {content_type}: {error}.") from error


def encode(answer: Any, accept: str) -> bytes:
    """An answer for the client; raises `BadRequest` for a media type that there is no encoder for."""
    encoder = _ENCODERS.get(media_type(accept))
    if encoder is None:
        raise _unsupported("Accept type", accept, _ENCODERS)
    return encoder(np.asarray(answer))


def _unsupported(what: str, given: str, known: Mapping[str, Any]) -> BadRequest:
    return BadRequest(f"{what} {given} is not supported by this framework. Supported: {', '.join(known)}.")


def _from_csv(body: bytes) -> Array:
    return np.genfromtxt(io.BytesIO(body), delimiter=",", encoding="utf-8")


def _from_json(body: bytes) -> Array:
    return np.array(json.loads(body))


def _from_npy(body: bytes) -> Array:
    found: Array = np.load(io.BytesIO(body), allow_pickle=False)
    return found


def _to_csv(answer: Array) -> bytes:
    out = io.BytesIO()
    np.savetxt(out, np.atleast_1d(answer), delimiter=",", fmt="%s", encoding="utf-8")
    return out.getvalue()


def _to_json(answer: Array) -> bytes:
    return json.dumps(answer.tolist()).encode()


def _to_npy(answer: Array) -> bytes:
    out = io.BytesIO()
    np.save(out, answer, allow_pickle=False)
    return out.getvalue()


_DECODERS: dict[str, Callable[[bytes], Array]] = {CSV: _from_csv, JSON: _from_json, NPY: _from_npy}
_ENCODERS: dict[str, Callable[[Array], bytes]] = {JSON: _to_json, CSV: _to_csv, NPY: _to_npy}
