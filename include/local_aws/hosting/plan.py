"""What a deployment configuration asks for: the steps in which traffic moves to the new fleet, and their waits.

Source of the strategies and of their limits: the API reference (TrafficRoutingConfig, CapacitySize,
RollingUpdatePolicy, BlueGreenUpdatePolicy) and the developer guide's deployment guardrails. Sizes become whole
instances: a percentage is rounded down, to one instance at least. What is more than half of a fleet is refused, so a
fleet of one instance can only be replaced all at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from include.local_aws.wire.errors import ValidationException

Strategy = Literal["ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"]
Instances = Mapping[str, int]
"""How many instances of each variant of the new fleet take traffic."""

_SMALLEST = {"CanarySize": 0.0, "LinearStepSize": 0.1, "MaximumBatchSize": 0.05, "RollbackMaximumBatchSize": 0.05}
_LARGEST = {"CanarySize": 0.5, "LinearStepSize": 0.5, "MaximumBatchSize": 0.5, "RollbackMaximumBatchSize": 1.0}
_SIZES: Mapping[str, str] = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}


@dataclass(frozen=True)
class Step:
    """After it `active` instances take traffic, and are watched for as long as the request's member `wait` says."""

    active: Instances
    seconds: int
    wait: Literal["WaitIntervalInSeconds", "TerminationWaitInSeconds"]


@dataclass(frozen=True)
class Plan:
    """A whole deployment. `timeout` are seconds from its start, None for no limit."""

    strategy: Strategy
    steps: tuple[Step, ...]
    alarms: tuple[str, ...] = ()
    timeout: int | None = None
    batch_back: Mapping[str, int] | None = None
    """Instances of each variant that one step of a rollback gives back; None: all of them at once."""

    def back(self, active: Instances) -> Iterator[Instances]:
        """The steps of a rollback from where the deployment stands, down to no instance."""
        left = dict(active)
        while self.batch_back and any(left[name] > self.batch_back[name] for name in left):
            left = {name: max(0, count - self.batch_back[name]) for name, count in left.items()}
            yield dict(left)
        yield dict.fromkeys(active, 0)


def check(deployment: Mapping[str, Any] | None) -> None:
    """Refuse what no fleet could do; raises `ValidationException`."""
    if not deployment:
        return
    blue_green, rolling = deployment.get("BlueGreenUpdatePolicy"), deployment.get("RollingUpdatePolicy")
    if blue_green and rolling:
        raise ValidationException(
            "Only one update policy should be used in a DeploymentConfig, found BlueGreenUpdatePolicy and "
            "RollingUpdatePolicy."
        )
    names = alarms(deployment)
    if len(set(names)) != len(names):
        raise ValidationException("The alarms of AutoRollbackConfiguration must be named once each.")
    if not blue_green:
        return
    routing = blue_green["TrafficRoutingConfiguration"]
    for strategy, member in _SIZES.items():
        if (member in routing) != (routing["Type"] == strategy):
            found = "does not have it" if routing["Type"] == strategy else "has it"
            raise ValidationException(
                f"{member} belongs to traffic routing of type {strategy}: the TrafficRoutingConfiguration of type "
                f"{routing['Type']} {found}."
            )


def alarms(deployment: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The names of the alarms that a deployment configuration watches."""
    found = (deployment or {}).get("AutoRollbackConfiguration", {}).get("Alarms", ())
    return tuple(each["AlarmName"] for each in found if "AlarmName" in each)


def plan(deployment: Mapping[str, Any] | None, variants: Sequence[Mapping[str, Any]]) -> Plan:
    """The steps that put `variants` (``VariantName``, ``count``) into the place of what serves.

    Raises `ValidationException` where these variants have not the instances for it.
    """
    counts = {variant["VariantName"]: int(variant["count"]) for variant in variants}
    given = deployment or {}
    rolling = given.get("RollingUpdatePolicy")
    if rolling:
        return _rolling(rolling, counts, alarms(given))
    blue_green = given.get("BlueGreenUpdatePolicy", {})
    routing = blue_green.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})
    strategy: Strategy = routing["Type"]
    wait = routing["WaitIntervalInSeconds"]
    shifts: list[Instances] = [counts]
    if strategy == "CANARY":
        shifts = [_instances("CanarySize", routing, counts), counts]
    elif strategy == "LINEAR":
        shifts = _batches(_instances("LinearStepSize", routing, counts), counts)
    steps = [Step(active, wait, "WaitIntervalInSeconds") for active in shifts[:-1]]
    steps.append(Step(counts, blue_green.get("TerminationWaitInSeconds", 0), "TerminationWaitInSeconds"))
    return _timed(Plan(strategy, tuple(steps), alarms(given), blue_green.get("MaximumExecutionTimeoutInSeconds")))


def _rolling(policy: Mapping[str, Any], counts: Mapping[str, int], names: tuple[str, ...]) -> Plan:
    batches = _batches(_instances("MaximumBatchSize", policy, counts), counts)
    steps = tuple(Step(active, policy["WaitIntervalInSeconds"], "WaitIntervalInSeconds") for active in batches)
    back = None
    if "RollbackMaximumBatchSize" in policy:
        back = _instances("RollbackMaximumBatchSize", policy, counts)
    return _timed(Plan("ROLLING", steps, names, policy.get("MaximumExecutionTimeoutInSeconds"), back))


def _timed(made: Plan) -> Plan:
    waits = sum(step.seconds for step in made.steps)
    if made.timeout is not None and waits >= made.timeout:
        raise ValidationException(
            f"MaximumExecutionTimeoutInSeconds must be larger than the total waiting time of the deployment: it is "
            f"{made.timeout}, and {len(made.steps)} steps wait for {waits} seconds."
        )
    return made


def _batches(size: Mapping[str, int], counts: Mapping[str, int]) -> list[Instances]:
    number = max(ceil(counts[name] / size[name]) for name in counts)
    return [{name: min(counts[name], size[name] * step) for name in counts} for step in range(1, number + 1)]


def _instances(member: str, holder: Mapping[str, Any], counts: Mapping[str, int]) -> dict[str, int]:
    """A CapacitySize as instances of each variant; raises `ValidationException` beyond the member's limits."""
    kind, value = holder[member]["Type"], holder[member]["Value"]
    least, most = _SMALLEST[member], _LARGEST[member]
    if kind == "CAPACITY_PERCENT" and not 100 * least <= value <= 100 * most:
        raise ValidationException(
            f"{member} must be between {max(1, round(100 * least))}% and {round(100 * most)}% of the variant's total "
            f"instance count, found {value}%."
        )
    found = {}
    for name, count in counts.items():
        instances = value if kind == "INSTANCE_COUNT" else max(1, count * value // 100)
        if most * count < 1:
            raise ValidationException(
                f"{member} must be at most {round(100 * most)}% of the variant's total instance count: production "
                f"variant {name} has {count} instance(s), so it can only be updated all at once."
            )
        if kind == "INSTANCE_COUNT" and not least * count <= instances <= most * count:
            raise ValidationException(
                f"{member} must be between {max(1, ceil(least * count))} and {int(most * count)} instance(s), up to "
                f"{round(100 * most)}% of the {count} of production variant {name}: found {instances}."
            )
        found[name] = instances
    return found
