"""What an AWS call's failure means: whether trying again can help, and a sentence that says so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

THROTTLED = frozenset({"ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException",
                       "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "SlowDown",
                       "LimitExceededException", "BandwidthLimitExceeded"})  # fmt: skip
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"})
PERMANENT = frozenset({"ValidationException", "ValidationError", "AccessDenied", "AccessDeniedException",
                       "UnauthorizedOperation", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
                       "NotImplemented", "UnknownOperationException", "SerializationException",
                       "ResourceNotFound", "ResourceInUse", "OptInRequired"})  # fmt: skip
"""Codes that the same request meets again however often it is sent."""


def code(error: BaseException) -> str | None:
    """AWS's error code; None where the call did not reach AWS."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    found = (response.get("Error") or {}).get("Code")
    return None if found is None else str(found)


def message(error: BaseException) -> str:
    """AWS's own words."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return str((response.get("Error") or {}).get("Message") or error)


def status(error: BaseException) -> int | None:
    """The HTTP status, where there was an answer."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return (response.get("ResponseMetadata") or {}).get("HTTPStatusCode")


@dataclass(frozen=True)
class Quota:
    """What AWS says of a quota that a request would exceed: how much it allows, how much is used and was asked for."""

    limit: int
    used: int
    asked: int

    @property
    def fits(self) -> bool:
        """Whether the request fits when nothing else is there. One over a quota of zero never does."""
        return 0 < self.asked <= self.limit


_QUOTA = re.compile(
    r"is (\d+)(?: [\w ]+?)?, with current utilization of (\d+)(?: [\w ]+?)? and a request delta of (\d+)", re.IGNORECASE
)


def quota(error: BaseException) -> Quota | None:
    """The quota that the request would exceed; None for other errors, and for bounds that no waiting changes.

    AWS writes, for instance: ``The account-level service limit 'ml.m5.large for transform job usage' is 4 Instances,
    with current utilization of 4 Instances and a request delta of 1 Instances.``
    """
    found = _QUOTA.search(message(error)) if code(error) == "ResourceLimitExceeded" else None
    return None if found is None else Quota(*(int(number) for number in found.groups()))


def retryable(error: BaseException) -> bool:
    """Whether the same call may succeed later: throttling, 5xx, limits, expired credentials, no connection."""
    if (exceeded := quota(error)) is not None:
        return exceeded.fits
    found = code(error)
    if found is None:
        return not misconfigured(error)
    if found in PERMANENT:
        return False
    if found in THROTTLED or found in EXPIRED or found == "ResourceLimitExceeded":
        return True
    answered = status(error)
    # 501 is "does not do that", not "does not do that now".
    return answered is None or (answered >= 500 and answered != 501) or answered == 429


def sentence(error: BaseException, doing: str) -> str:
    """``<doing> failed: <code>: <AWS's words>``, and what to do where that is known."""
    found = code(error)
    if type(error).__name__ == "ParamValidationError":
        return f"{doing}: expected a request that AWS takes, found one that was not even sent: {error}"
    if misconfigured(error):
        return (
            f"{doing}: expected credentials and a region, found: {error} Check that the Airflow connection that the "
            "pipeline's aws.conn_id names exists and has both"
        )
    if found is None:
        return f"{doing}: expected an answer from AWS, found none: {error}; check the connection's endpoint and network"
    exceeded = quota(error)
    if exceeded is not None and not exceeded.fits:
        asked = f"it asks for {exceeded.asked}, and the quota is {exceeded.limit}"
        return f"{doing}: AWS answered {found}: {message(error)}; {asked}: ask AWS for a higher quota, or for less"
    advice = {
        "AccessDenied": "; give the connection's role that right",
        "AccessDeniedException": "; give the connection's role that right",
        "ResourceLimitExceeded": "; free capacity or ask AWS for a higher quota",
        "ExpiredToken": "; renew the connection's credentials",
        "ExpiredTokenException": "; renew the connection's credentials",
        "UnrecognizedClientException": "; check the connection's credentials",
        "InvalidClientTokenId": "; check the connection's credentials",
    }.get(found, "")
    return f"{doing}: AWS answered {found}: {message(error)}{advice}"


def misconfigured(error: BaseException) -> bool:
    """Client-side errors that no retry mends: parameters that do not validate, no region, no credentials."""
    names = {"ParamValidationError", "NoRegionError", "NoCredentialsError", "PartialCredentialsError",
             "UnknownServiceError", "ProfileNotFound", "InvalidRegionError"}  # fmt: skip
    return type(error).__name__ in names
