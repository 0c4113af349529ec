"""What endpoints serve, asked in the background: a page never waits long for SageMaker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from datetime import UTC, datetime

from automl_retraining.core.config import Pipeline
from automl_retraining.ui.aws import AwsError
from automl_retraining.ui.serving import Serving

FRESH = 15.0
"""Seconds after which an endpoint is described again, when somebody asks."""


@dataclass
class Servings:
    """The last description of each pipeline's endpoint, at most one question per endpoint under way.

    Args:
        ask: describes the endpoint; may raise AwsError.
        threads: where it is asked.
    """

    ask: Callable[[Pipeline], Serving]
    threads: Executor
    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[Serving, float]] = field(default_factory=dict)
    _asking: dict[str, Future[Serving]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, pipeline: Pipeline) -> None:
        """Ask where the last answer is old, without waiting."""
        key = f"{pipeline.name} {pipeline.endpoint_name}"
        with self._lock:
            kept, asking = self._kept.get(key), self._asking.get(key)
            if (asking is None or asking.done()) and (kept is None or self.clock() - kept[1] > FRESH):
                self._asking[key] = self.threads.submit(self._answer, key, pipeline)

    def get(self, pipeline: Pipeline, until: float) -> Serving | None:
        """The last answer; where there is none yet, the first, waited for until that time of the clock."""
        self.start(pipeline)
        key = f"{pipeline.name} {pipeline.endpoint_name}"
        with self._lock:
            kept, asking = self._kept.get(key), self._asking.get(key)
        if kept is not None or asking is None:
            return kept[0] if kept else None
        try:
            return asking.result(max(0.0, until - self.clock()))
        except NotYet:
            return None

    def _answer(self, key: str, pipeline: Pipeline) -> Serving:
        try:
            found = self.ask(pipeline)
        except AwsError as error:
            found = Serving("unknown", datetime.now(UTC), error=str(error))
        with self._lock:
            self._kept[key] = (found, self.clock())
        return found
