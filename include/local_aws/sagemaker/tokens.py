"""NextToken, bound to the query that it continues.

A List operation gives a token for the place where its next page starts. Around it goes a digest of the operation, the
region and the filters, so that a token of another query is refused, as AWS refuses it, instead of answering a page
that belongs to neither. MaxResults is no filter: it may change from page to page.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from include.local_aws.wire.errors import ValidationException

_NO_FILTERS = ("NextToken", "MaxResults")


def sealed(token: str, operation: str, region: str, request: Mapping[str, Any]) -> str:
    """The token that the caller gets for an operation's own `token`."""
    return base64.urlsafe_b64encode(f"{_digest(operation, region, request)}:{token}".encode()).decode()


def opened(token: str, operation: str, region: str, request: Mapping[str, Any]) -> str:
    """The operation's own token; raises `ValidationException` for what this very query did not give."""
    try:
        digest, separator, inner = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise _foreign(token, operation) from error
    if not separator or digest != _digest(operation, region, request):
        raise _foreign(token, operation)
    return inner


def _digest(operation: str, region: str, request: Mapping[str, Any]) -> str:
    filters = {name: value for name, value in request.items() if name not in _NO_FILTERS}
    text = json.dumps([operation, region, filters], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _foreign(token: str, operation: str) -> ValidationException:
    return ValidationException(
        f"Invalid NextToken: {token[:100]!r} was not given by {operation} for the same region, filters and order."
    )
