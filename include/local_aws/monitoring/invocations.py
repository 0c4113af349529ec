"""The metrics that an endpoint's invocations make.

Names, units and dimensions as in the SageMaker developer guide, "Metrics for monitoring SageMaker AI with CloudWatch",
endpoint invocation metrics. What a second brings is noted here and counted and written at once, so that an invocation
costs a microsecond or two.
"""

import threading
from collections.abc import Sequence

from include.local_aws.monitoring.database import Sample
from include.local_aws.monitoring.series import Metric, Tally, tally

NAMESPACE = "AWS/SageMaker"

_UNITS = {
    "Invocations": "None",
    "InvocationsPerInstance": "None",
    "Invocation4XXErrors": "None",
    "Invocation5XXErrors": "None",
    "InvocationModelErrors": "None",
    "ModelLatency": "Microseconds",
    "OverheadLatency": "Microseconds",
}
Variant = tuple[str, str, str]
"""Region, endpoint and variant."""
Fleet = tuple[str, str, str, str | None]
"""A variant with the configuration of the fleet, or None for the variant's fleets together."""


_Answer = tuple[int, float, float, int]
"""Status, model's and overhead's seconds, and the instances of the variant."""


class Invocations:
    """Counts invocations by fleet and second until they are taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[tuple[Fleet, int], list[_Answer]] = {}

    def count(
        self,
        variant: Variant,
        now: float,
        *,
        status: int,
        model_seconds: float,
        overhead_seconds: float,
        instances: int,
        config: str | None = None,
    ) -> None:
        """Count one invocation, which the container answered with `status` (0: with nothing that is HTTP).

        With `config` the fleet of that configuration is counted too: SageMaker publishes the metrics with the dimension
        EndpointConfigName as well (developer guide, "Auto-rollback configuration and monitoring").
        """
        key = ((*variant, config), int(now))
        with self._lock:
            answers = self._seconds.get(key)
            if answers is None:
                answers = self._seconds[key] = []
            answers.append((status, model_seconds, overhead_seconds, instances))

    def taken(self) -> list[Sample]:
        """What was counted since the last time."""
        with self._lock:
            seconds, self._seconds = self._seconds, {}
        samples = []
        for (fleet, moment), answers in seconds.items():
            tallies = _tallies(answers)
            for each in dict.fromkeys((fleet, (*fleet[:3], None))):
                samples += [Sample(_metric(each, name), _UNITS[name], moment, tally) for name, tally in tallies.items()]
        return samples


def _tallies(answers: Sequence[_Answer]) -> dict[str, Tally]:
    """The metrics of one second's answers."""
    status = [answer[0] for answer in answers]
    return {
        "Invocations": tally(1.0 for _ in answers),
        "InvocationsPerInstance": tally(1.0 / max(answer[3], 1) for answer in answers),
        "Invocation4XXErrors": tally(float(400 <= each < 500) for each in status),
        "Invocation5XXErrors": tally(float(each == 0 or each >= 500) for each in status),
        "InvocationModelErrors": tally(float(not 200 <= each < 300) for each in status),
        "ModelLatency": tally(round(answer[1] * 1e6, 1) for answer in answers),
        "OverheadLatency": tally(round(answer[2] * 1e6, 1) for answer in answers),
    }


def _metric(fleet: Fleet, name: str) -> Metric:
    region, endpoint, production, config = fleet
    dimensions = [("EndpointName", endpoint), ("VariantName", production)]
    if config is not None:
        dimensions.append(("EndpointConfigName", config))
    return Metric.of(region, NAMESPACE, name, dimensions)
