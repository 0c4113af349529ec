"""The List operations: filters, order and pages, the same for every kind."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from include.local_aws.sagemaker.call import Call
from include.local_aws.store import SORT_COLUMNS, Query, Record, key_of
from include.local_aws.wire.errors import ValidationException

DEFAULT_PAGE = 10


def page(
    call: Call, kind: str, member: str, summary: Callable[[Record], Mapping[str, Any]], *, sort: str = "CreationTime"
) -> dict[str, Any]:
    """One page of a kind's resources, as `summary` writes them, below `member`; newest first unless asked otherwise."""
    given = call.input
    limit = given.get("MaxResults", DEFAULT_PAGE)
    sort = given.get("SortBy", sort)
    query = Query(
        kind=kind,
        region=call.region,
        name_contains=given.get("NameContains"),
        status=given.get("StatusEquals"),
        sort=sort,
        descending=given.get("SortOrder", "Descending") == "Descending",
        limit=limit,
        after=read_token(given["NextToken"]) if "NextToken" in given else None,
        created_after=_seconds(given.get("CreationTimeAfter")),
        created_before=_seconds(given.get("CreationTimeBefore")),
        modified_after=_seconds(given.get("LastModifiedTimeAfter")),
        modified_before=_seconds(given.get("LastModifiedTimeBefore")),
    )
    found = call.store.page(query)
    answer: dict[str, Any] = {member: [summary(each) for each in found[:limit]]}
    if len(found) > limit:
        answer["NextToken"] = write_token(_place(found[limit - 1], sort))
    return answer


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _place(record: Record, sort: str) -> tuple[Any, int]:
    column = SORT_COLUMNS[sort]
    value = {"key": key_of(record.kind, record.name), "created": record.created, "status": record.status}[column]
    return value, record.seq


def write_token(place: tuple[Any, int]) -> str:
    """The opaque token of the place where the next page starts."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def read_token(token: str) -> tuple[Any, int]:
    """The place in a token that `write_token` made; raises `ValidationException` for any other."""
    try:
        value, seq = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise _foreign(token) from error
    if type(seq) is not int or not 0 <= seq < 2**63 or not isinstance(value, str | float):
        raise _foreign(token)
    return value, seq


def _foreign(token: str) -> ValidationException:
    return ValidationException(f"Invalid NextToken: {token[:100]!r} was not given by a List operation.")
