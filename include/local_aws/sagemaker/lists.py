"""The List operations: filters, order and pages, the same for every kind.

Pages go on after the last row that was given, not after so many rows, so that what is inserted or deleted meanwhile
neither doubles nor hides another row.
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from include.local_aws.faults.past import LaggingStore
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import SORT_COLUMNS, Query, Record, key_of
from include.local_aws.wire.errors import ValidationException, not_implemented

DEFAULT_PAGE = 10

DEFAULT_ORDERS: Mapping[str, tuple[str, str]] = {
    "ListAutoMLJobs": ("Name", "Descending"),
    "ListHyperParameterTuningJobs": ("Name", "Ascending"),
    "ListTrainingJobsForHyperParameterTuningJob": ("Name", "Ascending"),
    "ListNotebookInstances": ("Name", "Ascending"),
    "ListTrainingJobs": ("CreationTime", "Ascending"),
    "ListProcessingJobs": ("CreationTime", "Ascending"),
    "ListModelPackages": ("CreationTime", "Ascending"),
    "ListModelPackageGroups": ("CreationTime", "Ascending"),
    "ListPipelineParametersForExecution": ("Name", "Ascending"),
}
"""SortBy and SortOrder of requests without them, by the API reference; of every other operation it is `NEWEST`."""

NEWEST = ("CreationTime", "Descending")

SINCE = ("ListEndpointConfigs", "ListEndpoints", "ListModels")
"""Operations whose CreationTimeAfter is documented to let that very moment through; elsewhere it means later."""

_COMMON = {
    "MaxResults", "NextToken", "SortBy", "SortOrder", "NameContains", "StatusEquals", "CreationTimeAfter",
    "CreationTimeBefore", "CreatedAfter", "CreatedBefore", "LastModifiedTimeAfter", "LastModifiedTimeBefore",
}  # fmt: skip
_MICROSECOND = 1e-6


def page(
    call: Call,
    kind: str,
    member: str,
    summary: Callable[[Record], Mapping[str, Any]],
    *,
    sort: str | None = None,
    parent: str | None = None,
    handled: Collection[str] = (),
) -> dict[str, Any]:
    """One page of a kind's resources, as `summary` writes them, below `member`.

    `parent` keeps to the children of one resource. `handled` are the operation's own filters that the caller has seen
    to; any other filter is refused as not implemented rather than ignored. `sort` is the default of SortBy, for an
    operation that `DEFAULT_ORDERS` does not have.
    """
    given = call.input
    refuse_unknown_filters(call, handled)
    limit = given.get("MaxResults", DEFAULT_PAGE)
    default_sort, default_order = DEFAULT_ORDERS.get(call.operation, (sort or NEWEST[0], NEWEST[1]))
    sort = given.get("SortBy", default_sort)
    if sort not in SORT_COLUMNS:
        raise not_implemented(f"SortBy {sort} of {call.operation}")
    query = Query(
        kind=kind,
        region=call.region,
        parent=parent,
        name_contains=given.get("NameContains"),
        status=given.get("StatusEquals"),
        sort=sort,
        descending=given.get("SortOrder", default_order) == "Descending",
        limit=limit,
        after=read_token(given["NextToken"]) if "NextToken" in given else None,
        created_after=_created_after(call),
        created_before=_seconds(given.get("CreationTimeBefore", given.get("CreatedBefore"))),
        modified_after=_seconds(given.get("LastModifiedTimeAfter")),
        modified_before=_seconds(given.get("LastModifiedTimeBefore")),
    )
    found = call.store.page(query)
    answer: dict[str, Any] = {member: [summary(each) for each in found[:limit]]}
    if len(found) > limit:
        answer["NextToken"] = write_token(_place(found[limit - 1], sort))
    return answer


def page_of(
    call: Call,
    rows: Sequence[Mapping[str, Any]],
    member: str,
    key: Callable[[Mapping[str, Any]], tuple[Any, ...]],
    *,
    descending: bool,
) -> dict[str, Any]:
    """One page of rows that the caller filtered, in the order of `key`, which must tell any two of them apart.

    The key's values must be such that JSON keeps them: the token of the next page is the last row's key.
    """
    ordered = sorted(rows, key=key, reverse=descending)
    if "NextToken" in call.input:
        after = _read_key(call.input["NextToken"])
        ordered = [row for row in ordered if (key(row) < after if descending else key(row) > after)]
    limit = call.input.get("MaxResults", DEFAULT_PAGE)
    answer: dict[str, Any] = {member: [dict(row) for row in ordered[:limit]]}
    if len(ordered) > limit:
        answer["NextToken"] = base64.urlsafe_b64encode(json.dumps(key(ordered[limit - 1])).encode()).decode()
    return answer


def visible(call: Call, kind: str, *, parent: str | None = None) -> list[Record]:
    """Every resource of a kind (of one parent) as lists show them, which may be a little late; oldest first."""
    if isinstance(call.store, LaggingStore):
        return call.store.listed(kind, region=call.region, parent=parent)
    return call.store.all(kind, region=call.region, parent=parent)


def refuse_unknown_filters(call: Call, handled: Collection[str] = ()) -> None:
    """Raise "not implemented" for a filter of the request that nobody looks at."""
    ignored = sorted(set(call.input) - _COMMON - set(handled))
    if ignored:
        raise not_implemented(f"the filter {ignored[0]} of {call.operation}")


def _created_after(call: Call) -> float | None:
    moment = _seconds(call.input.get("CreationTimeAfter", call.input.get("CreatedAfter")))
    if moment is None or call.operation not in SINCE:
        return moment
    return round(moment - _MICROSECOND, 6)  # times are kept in whole microseconds


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


def _read_key(token: str) -> tuple[Any, ...]:
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _foreign(token) from error
    if not isinstance(key, list):
        raise _foreign(token)
    return tuple(key)
