"""Waiting for capacity: SageMaker has no room for the job now, but has when others of the account have ended.

Nothing runs and nothing is paid for in the meantime; the request is sent again now and then, under the same name. What
is remembered between two tries stands in ``task_state_store``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from automl_retraining.core.errors import NoCapacity
from automl_retraining.sagemaker import failures

if TYPE_CHECKING:
    from airflow.sdk import Context

STATE_KEY = "capacity"
"""Where it stands since when the task waits, and how often it was refused."""
FIRST_PAUSE = 60.0
"""Seconds between the first two tries: a quota is freed by a job that ends, and few end within less."""
LONGEST_PAUSE = 600.0


def pause(refusals: int, left: float) -> float:
    """Seconds to the next try: twice as long after each refusal, with jitter, and never beyond what is left."""
    grown: float = min(FIRST_PAUSE * 2 ** min(refusals - 1, 10), LONGEST_PAUSE)
    return max(1.0, min(grown * random.uniform(0.9, 1.1), left))  # noqa: S311 - spreads load, keeps no secret


def refused(context: Context, error: BaseException, *, what: str, most: float) -> float:
    """Take note of a refusal; the seconds to wait before the next try.

    Args:
        context: Airflow's.
        error: What AWS answered to the request.
        what: What was to be made, for the error.
        most: The longest to wait in all, in seconds, from the first refusal.

    Raises:
        NoCapacity: it was waited for so long.
        BaseException: ``error`` itself, where waiting does not mend it.
    """
    quota = failures.quota(error)
    if quota is None or not quota.fits or most <= 0:
        raise error
    now, tries_allowed = datetime.now(UTC), getattr(context["ti"], "max_tries", 0)
    waited = _stored(context)
    # Clearing a task, and nothing else, raises the number of tries it may have; then the clock starts anew.
    if waited is None or waited.get("max_tries") != tries_allowed:
        waited = {"since": now.isoformat(), "refusals": 0, "max_tries": tries_allowed}
    left = most - (now - datetime.fromisoformat(waited["since"])).total_seconds()
    if left <= 0:
        forget(context)
        raise NoCapacity(
            f"{what}: expected AWS to have room for it within {most:.0f} s, found none: {failures.message(error)} "
            "Free capacity, ask AWS for a higher quota or raise the pipeline's aws.capacity_wait, then clear the task"
        ) from error
    refusals = int(waited["refusals"]) + 1
    context["task_state_store"].set(STATE_KEY, {**waited, "refusals": refusals})
    return pause(refusals, left)


def waiting(context: Context) -> bool:
    """Whether the task waits for capacity, so that there is no job yet."""
    return _stored(context) is not None


def forget(context: Context) -> None:
    """There was room, or it is not waited for any longer."""
    context["task_state_store"].delete(STATE_KEY)


def _stored(context: Context) -> Mapping[str, Any] | None:
    stored: Any = context["task_state_store"].get(STATE_KEY)
    return stored if isinstance(stored, Mapping) else None
