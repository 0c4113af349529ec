"""CloudWatch's metrics and alarms, and EventBridge's messages about SageMaker.

The runtime counts its invocations here; alarms are evaluated from those metrics and from any that callers put.
"""

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from include.local_aws.monitoring.alarms import Alarms
from include.local_aws.monitoring.bus import Bus
from include.local_aws.monitoring.database import MetricDatabase
from include.local_aws.monitoring.invocations import Invocations
from include.local_aws.monitoring.state_changes import changes
from include.local_aws.store import Record, Store

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
"""How often what was counted is written."""
TIDY_SECONDS = 3600


class Monitoring:
    """Metrics, alarms and events; safe to use from any thread."""

    def __init__(self, directory: Path, store: Store, url: str) -> None:
        """Keep the metrics below `directory` and the alarms in `store`; `url` is where this AWS is reached."""
        self.metrics = MetricDatabase(directory / "metrics.sqlite")
        self.bus = Bus(url)
        self.alarms = Alarms(store, self.metrics, self.bus)
        self._invocations = Invocations()
        self._flushing = threading.Lock()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._flush_often, name="metrics", daemon=True),
            threading.Thread(target=self._evaluate_often, name="alarms", daemon=True),
        ]
        store.listen(self._changed)

    def begin(self) -> None:
        """Start writing metrics, evaluating alarms and sending messages; call it when this AWS can be reached."""
        self.bus.begin()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Write what was counted and end; nothing may be counted afterwards."""
        self._closing.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5)
        self.flush()
        self.bus.close()
        self.metrics.close()

    def invoked(
        self,
        region: str,
        endpoint: str,
        variant: str,
        *,
        status: int,
        model_seconds: float,
        overhead_seconds: float,
        instances: int = 1,
        config: str | None = None,
    ) -> None:
        """Count one invocation of a variant.

        `status` is the HTTP status of the container's answer, 0 where it gave none; `model_seconds` is how long the
        container took, `overhead_seconds` what the embedded AWS added. `config` is the configuration of the fleet that
        answered: its metrics are counted apart too, so that an alarm can watch a new fleet alone.
        """
        self._invocations.count(
            (region, endpoint, variant),
            time.time(),
            status=status,
            model_seconds=model_seconds,
            overhead_seconds=overhead_seconds,
            instances=instances,
            config=config,
        )

    def alarm_states(self, region: str, names: Iterable[str]) -> dict[str, str]:
        """The states (OK, ALARM, INSUFFICIENT_DATA) of the alarms of these names; one that there isn't is left out."""
        return self.alarms.states(region, names)

    def emit(
        self, region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()
    ) -> None:
        """Send an event to the default bus of EventBridge, in the background and in the order of the calls."""
        self.bus.emit(region, source, detail_type, detail, resources)

    def flush(self) -> None:
        """Write what was counted, now."""
        with self._flushing:
            if samples := self._invocations.taken():
                self.metrics.add(samples)

    def _changed(self, before: Record | None, after: Record) -> None:
        """The store's listener: SageMaker's resources tell when their status changes."""
        for event in changes(before, after):
            self.bus.emit(event.region, "aws.sagemaker", event.detail_type, event.detail, event.resources)

    def _flush_often(self) -> None:
        tidied = 0.0
        while not self._closing.wait(FLUSH_SECONDS):
            try:
                self.flush()
                if time.monotonic() - tidied > TIDY_SECONDS or not tidied:
                    self.metrics.tidy(time.time())
                    tidied = time.monotonic()
            except Exception:  # the thread must live on: the next flush may succeed
                log.exception("writing metrics")

    def _evaluate_often(self) -> None:
        while not self._closing.wait(1.02 - time.time() % 1):  # right after each whole second: periods end there
            try:
                self.flush()
                self.alarms.evaluate(time.time())
            except Exception:  # the thread must live on: the other alarms are still to be evaluated
                log.exception("evaluating alarms")
