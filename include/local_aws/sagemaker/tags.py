"""AddTags, ListTags and DeleteTags, on every resource there is."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.sagemaker.call import Call
from include.local_aws.sagemaker.names import of_arn
from include.local_aws.wire.errors import ResourceLimitExceeded, ValidationException

LIMIT = 50
"""User tags on one resource (AWS General Reference, tag restrictions)."""


def checked(tags: Mapping[str, str], existing: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """The tags, if AWS would take them; raises for reserved keys and for too many."""
    for key in tags:
        if key.lower().startswith("aws:"):
            raise ValidationException(f"Tag key {key!r} is reserved: keys can't start with 'aws:'.")
    if len({**(existing or {}), **tags}) > LIMIT:
        raise ResourceLimitExceeded(f"A resource can have at most {LIMIT} tags.")
    return tags


def _existing(call: Call) -> str:
    arn: str = call.input["ResourceArn"]
    kind, region, name = of_arn(arn)
    if call.store.find(kind, region, name) is None:
        raise ValidationException(f'Could not find resource "{arn}".')
    return arn


def add(call: Call) -> dict[str, Any]:
    """AddTags: answers all the resource's tags."""
    arn = _existing(call)
    given = checked(call.tags(), call.store.tags(arn))
    return {"Tags": _listed(call.store.tag(arn, given))}


def list_(call: Call) -> dict[str, Any]:
    """ListTags: all of them, as there are never more than a page."""
    return {"Tags": _listed(call.store.tags(_existing(call)))}


def delete(call: Call) -> dict[str, Any]:
    """DeleteTags."""
    call.store.untag(_existing(call), list(call.input["TagKeys"]))
    return {}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


OPERATIONS = {"AddTags": add, "ListTags": list_, "DeleteTags": delete}
