"""Watching an A/B test in the triggerer: no worker is held, and harm ends the test early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.sagemaker import ab, ab_metrics, endpoint, failures

_SETTLE = 1.0
"""Seconds beyond a worker's heartbeat interval: before, the worker that deferred may not be known to have ended."""
_LONGEST_PAUSE = 300.0
"""Seconds between two looks at most, while AWS does not answer."""


class ABTrigger(BaseTrigger):
    """Fires when the test did harm, was asked enough, took too long, or is not there any more.

    Args:
        endpoint_name: The endpoint.
        config_name: The test's configuration.
        spec: The test, as JSON (``ABSpec``).
        since: From when the metrics count (ISO 8601).
        until: Not before this (ISO 8601), unless there is harm.
        deadline: Not after this (ISO 8601), however few requests there were.
        min_invocations: Of the challenger.
        conn_id: The Airflow connection.
        region: None for the connection's.
        deferred_at: When the task deferred (ISO 8601); now, where not given.

    The event: ``{"why": "harm" | "enough" | "deadline" | "gone" | "error", "sentence": ...}``.
    """

    def __init__(
        self,
        *,
        endpoint_name: str,
        config_name: str,
        spec: Mapping[str, Any],
        since: str,
        until: str,
        deadline: str,
        min_invocations: int,
        conn_id: str,
        region: str | None = None,
        deferred_at: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.endpoint_name = endpoint_name
        self.config_name = config_name
        self.spec = dict(spec)
        self.since = since
        self.until = until
        self.deadline = deadline
        self.min_invocations = min_invocations
        self.conn_id = conn_id
        self.region = region
        self.deferred_at = deferred_at or datetime.now(UTC).isoformat()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments to make this trigger again."""
        names = ("endpoint_name", "config_name", "spec", "since", "until", "deadline", "min_invocations", "conn_id",
                 "region", "deferred_at")  # fmt: skip
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look once a period. Throttling and lost connections slow it down; they never end the test."""
        await self._let_worker_end()
        slow = 1.0
        while True:
            try:
                event = await asyncio.to_thread(self._look)
                slow = 1.0
            except Exception as error:  # noqa: BLE001 - whoever waits must learn of it; nobody else can
                event = self._broken(error)
                slow = min(slow * 2, 32.0)
            if event is not None:
                yield TriggerEvent(event)  # type: ignore[no-untyped-call]
                return
            await asyncio.sleep(min(float(self._spec.period) * slow, max(_LONGEST_PAUSE, self._spec.period)))

    @cached_property
    def _spec(self) -> ABSpec:
        return ABSpec.model_validate(self.spec)

    @cached_property
    def _clients(self) -> tuple[Any, Any]:
        from automl_retraining.operators._aws import client

        sm, cloudwatch = (
            client(name, conn_id=self.conn_id, region=self.region) for name in ("sagemaker", "cloudwatch")
        )
        return sm, cloudwatch

    def _look(self) -> dict[str, str] | None:
        """What there is to say now; None where the test goes on."""
        from automl_retraining.core.ab import harm, latency_ratio

        sm, cloudwatch = self._clients
        now = datetime.now(UTC)
        found = endpoint.describe(sm, self.endpoint_name)
        if found is None or found.status == "Failed" or found.config_name != self.config_name:
            serves = "none" if found is None else f"{found.config_name} ({found.status})"
            return {"why": "gone", "sentence": gone(self.endpoint_name, self.config_name, serves)}
        champion, challenger = ab_metrics.traffic(
            cloudwatch,
            self._spec,
            self.endpoint_name,
            (endpoint.CHAMPION_VARIANT, ab.CHALLENGER_VARIANT),
            since=datetime.fromisoformat(self.since),
            until=now,
        )
        self.log.info(
            "champion %d requests, %d 4xx, %d 5xx; challenger %d, %d, %d",
            champion.invocations, champion.errors_4xx, champion.errors_5xx,
            challenger.invocations, challenger.errors_4xx, challenger.errors_5xx,
        )  # fmt: skip
        if harmed := harm(self._spec, champion, challenger):
            return {"why": "harm", "sentence": harmed}
        # The periods at both ends are not whole, and metrics come late: time alone does not make latencies known.
        comparable = latency_ratio(champion, challenger, self._spec.confidence) is not None
        if comparable and challenger.invocations >= self.min_invocations and now >= datetime.fromisoformat(self.until):
            return {"why": "enough", "sentence": f"The challenger answered {challenger.invocations:,} requests."}
        if now >= datetime.fromisoformat(self.deadline):
            said = f"{challenger.invocations:,} requests to the challenger came in all that time."
            return {"why": "deadline", "sentence": said}
        return None

    def _broken(self, error: Exception) -> dict[str, str] | None:
        from botocore.exceptions import BotoCoreError, ClientError

        if not isinstance(error, (ClientError, BotoCoreError)):
            return {"why": "error", "sentence": f"watching the A/B test broke: {type(error).__name__}: {error}"}
        if failures.retryable(error):
            self.log.warning("looking again: %s", failures.sentence(error, "watching the A/B test"))
            if failures.code(error) in failures.EXPIRED:
                self.__dict__.pop("_clients", None)  # the connection may have been renewed
            return None
        return {"why": "error", "sentence": failures.sentence(error, "watching the A/B test")}

    async def _let_worker_end(self) -> None:
        """Do not fire before the worker that deferred the task is reported as finished: see ``triggers.job``."""
        from airflow.sdk.configuration import conf

        settled = datetime.fromisoformat(self.deferred_at).timestamp() + _SETTLE
        settled += conf.getint("workers", "min_heartbeat_interval")
        await asyncio.sleep(max(0.0, settled - datetime.now(UTC).timestamp()))


def gone(endpoint_name: str, config_name: str, serves: str) -> str:
    """That the test is not there any more, in words."""
    return (
        f"endpoint {endpoint_name}: expected it to serve the A/B test {config_name}, found {serves}: somebody else "
        "ended the test (a rollback, or an update by hand)"
    )
