"""The steps of a deployment."""

from typing import Any

import pytest

from include.local_aws.hosting.plan import check, plan
from include.local_aws.wire.errors import ValidationException


def of(*counts: int) -> list[dict[str, Any]]:
    """Variants a, b, … with so many instances."""
    return [{"VariantName": name, "count": count} for name, count in zip("abc", counts, strict=False)]


def size(value: int, kind: str = "INSTANCE_COUNT") -> dict[str, Any]:
    return {"Type": kind, "Value": value}


def percent(value: int) -> dict[str, Any]:
    return size(value, "CAPACITY_PERCENT")


def blue_green(kind: str, wait: int = 30, termination: int = 60, timeout: int | None = None, **more: Any) -> Any:
    policy: dict[str, Any] = {
        "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **more},
        "TerminationWaitInSeconds": termination,
    }
    if timeout is not None:
        policy["MaximumExecutionTimeoutInSeconds"] = timeout
    return {"BlueGreenUpdatePolicy": policy}


def rolling(batch: dict[str, Any], wait: int = 30, **more: Any) -> Any:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": batch, "WaitIntervalInSeconds": wait, **more}}


def steps(deployment: Any, *counts: int) -> list[tuple[list[int], int, str]]:
    """Active instances of each variant, seconds, and which wait they are."""
    made = plan(deployment, of(*counts))
    return [(list(step.active.values()), step.seconds, step.wait.removesuffix("InSeconds")) for step in made.steps]


def test_without_a_policy_all_traffic_moves_at_once_and_nothing_waits() -> None:
    assert steps(None, 3, 1) == [([3, 1], 0, "TerminationWait")]
    assert steps({}, 1) == [([1], 0, "TerminationWait")]


def test_all_at_once_is_watched_for_the_termination_wait() -> None:
    assert steps(blue_green("ALL_AT_ONCE"), 1) == [([1], 60, "TerminationWait")]


def test_a_canary_moves_in_two_steps() -> None:
    expected = [([1, 1], 30, "WaitInterval"), ([4, 2], 60, "TerminationWait")]
    assert steps(blue_green("CANARY", CanarySize=size(1)), 4, 2) == expected
    assert steps(blue_green("CANARY", CanarySize=percent(50)), 3) == [
        ([1], 30, "WaitInterval"),
        ([3], 60, "TerminationWait"),
    ], "a percentage is rounded down, to whole instances"
    assert steps(blue_green("CANARY", CanarySize=percent(1)), 5)[0][0] == [1], "to one instance at least"


def test_linear_moves_in_steps_of_the_same_size_until_the_largest_variant_is_moved() -> None:
    assert steps(blue_green("LINEAR", LinearStepSize=size(2)), 5, 4) == [
        ([2, 2], 30, "WaitInterval"),
        ([4, 4], 30, "WaitInterval"),
        ([5, 4], 60, "TerminationWait"),
    ]
    assert [active for active, *_ in steps(blue_green("LINEAR", LinearStepSize=percent(10)), 10)] == [
        [n] for n in range(1, 11)
    ]


def test_rolling_watches_every_batch() -> None:
    assert steps(rolling(percent(40)), 5) == [
        ([2], 30, "WaitInterval"),
        ([4], 30, "WaitInterval"),
        ([5], 30, "WaitInterval"),
    ]


def test_a_rollback_gives_all_back_at_once_unless_a_rolling_policy_says_how_many() -> None:
    canary = plan(blue_green("CANARY", CanarySize=size(2)), of(4))
    assert list(canary.back({"a": 2})) == [{"a": 0}]
    assert list(plan(rolling(size(2)), of(5)).back({"a": 4})) == [{"a": 0}]
    batches = plan(rolling(size(2), RollbackMaximumBatchSize=size(1)), of(5))
    assert list(batches.back({"a": 4})) == [{"a": 3}, {"a": 2}, {"a": 1}, {"a": 0}]
    whole = plan(rolling(size(2), RollbackMaximumBatchSize=percent(100)), of(5))
    assert list(whole.back({"a": 4})) == [{"a": 0}]


def test_alarms_and_the_time_limit_are_read() -> None:
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]}}
    made = plan({**blue_green("ALL_AT_ONCE", timeout=600), **alarms}, of(1))
    assert (made.alarms, made.timeout) == (("errors", "latency"), 600)


@pytest.mark.parametrize(
    ("deployment", "count", "said"),
    [
        (blue_green("CANARY", CanarySize=size(1)), 1, "has 1 instance.*only be updated all at once"),
        (blue_green("CANARY", CanarySize=percent(50)), 1, "only be updated all at once"),
        (blue_green("CANARY", CanarySize=size(3)), 4, r"between 1 and 2 instance\(s\), up to 50% of the 4.*found 3"),
        (blue_green("CANARY", CanarySize=size(9)), 4, "found 9"),
        (blue_green("CANARY", CanarySize=percent(51)), 4, "between 1% and 50%.*found 51%"),
        (blue_green("LINEAR", LinearStepSize=percent(9)), 20, "LinearStepSize must be between 10% and 50%"),
        (blue_green("LINEAR", LinearStepSize=size(1)), 20, r"between 2 and 10 instance\(s\)"),
        (rolling(percent(4)), 50, "MaximumBatchSize must be between 5% and 50%"),
        (rolling(size(2)), 50, r"between 3 and 25 instance\(s\)"),
        (rolling(size(1)), 1, "only be updated all at once"),
        (rolling(size(2), RollbackMaximumBatchSize=size(5)), 4, "RollbackMaximumBatchSize must be between 1 and 4"),
        (blue_green("LINEAR", wait=300, timeout=600, LinearStepSize=percent(25)), 4, "4 steps wait for 960 seconds"),
        (rolling(size(1), wait=300, MaximumExecutionTimeoutInSeconds=600), 2, "2 steps wait for 600 seconds"),
    ],
)
def test_what_the_fleet_can_not_do_is_refused(deployment: Any, count: int, said: str) -> None:
    with pytest.raises(ValidationException, match=said):
        plan(deployment, of(count))


@pytest.mark.parametrize(
    ("deployment", "said"),
    [
        ({**blue_green("ALL_AT_ONCE"), **rolling(size(1))}, "Only one update policy"),
        (blue_green("CANARY"), "CanarySize belongs to traffic routing of type CANARY.*does not have it"),
        (blue_green("LINEAR"), "LinearStepSize .*does not have it"),
        (blue_green("ALL_AT_ONCE", CanarySize=size(1)), "type ALL_AT_ONCE has it"),
        ({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "a"}]}}, "named once"),
    ],
)
def test_what_no_fleet_can_do_is_refused(deployment: Any, said: str) -> None:
    with pytest.raises(ValidationException, match=said):
        check(deployment)
