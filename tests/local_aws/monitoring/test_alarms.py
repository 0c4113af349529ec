"""Alarms over time: when they change, what stays, what they say."""

import time
from pathlib import Path
from typing import Any

import pytest

from include.local_aws.monitoring.alarms import HISTORY, HOLD_SECONDS, KIND, LATE_SECONDS, Alarms
from include.local_aws.monitoring.bus import Bus
from include.local_aws.monitoring.database import MetricDatabase, Sample
from include.local_aws.monitoring.series import Metric, Tally
from include.local_aws.store import DoesNotExist, Store

REGION = "us-east-1"
START = 1_800_000_000
METRIC = Metric.of(REGION, "N", "m", [])
SUM = {
    "Namespace": "N", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", "ActionsEnabled": True,
}  # fmt: skip
AVERAGE = {**SUM, "Statistic": "Average"}


class World:
    """Alarms on a disk, and metrics to put; nothing is sent anywhere."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "state.sqlite")
        self.metrics = MetricDatabase(folder / "metrics.sqlite")
        self.alarms = Alarms(self.store, self.metrics, Bus("http://127.0.0.1:9"))

    def put(self, at: int, *values: float) -> None:
        tally = Tally()
        for value in values:
            tally.add(value)
        self.metrics.add([Sample(METRIC, "None", at, tally)])

    def at(self, now: float, name: str = "a") -> str:
        """The alarm's state after its evaluation at a moment."""
        self.alarms.evaluate(now)
        return self.alarms.states(REGION, [name])[name]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_sum_is_an_alarm_within_its_period_and_until_a_good_period_is_over(world: World) -> None:
    world.alarms.put(REGION, "a", SUM, {})
    assert world.alarms.states(REGION, ["a", "other"]) == {"a": "INSUFFICIENT_DATA"}
    assert world.at(START) == "OK"
    world.put(START + 5, 4.0)
    assert world.at(START + 6) == "OK"
    world.put(START + 7, 2.0)
    assert world.at(START + 8) == "ALARM"
    world.put(START + 61, 1.0)
    assert world.at(START + 62) == "ALARM"
    assert world.at(START + 120) == "OK"


def test_an_average_waits_for_the_end_of_its_period(world: World) -> None:
    world.alarms.put(REGION, "a", AVERAGE, {})
    world.put(START + 1, 50.0)
    assert world.at(START + 30) == "OK"
    assert world.at(START + 60) == "ALARM"
    world.put(START + 61, 1.0)
    assert world.at(START + 119) == "ALARM"
    assert world.at(START + 120) == "OK"


def test_data_that_come_late_are_judged_too(world: World) -> None:
    world.alarms.put(REGION, "a", AVERAGE, {})
    assert world.at(START + 61) == "OK"
    world.put(START + 1, 50.0)
    assert world.at(START + 61 + LATE_SECONDS) == "ALARM"


def test_of_several_periods_so_many_must_be_beyond(world: World) -> None:
    world.alarms.put(REGION, "a", {**SUM, "EvaluationPeriods": 3, "DatapointsToAlarm": 2}, {})
    for period, value in enumerate((9.0, 1.0, 1.0, 9.0)):
        world.put(START + 60 * period, value)
    assert world.at(START + 239) == "OK"
    world.put(START + 240, 9.0)
    assert world.at(START + 241) == "ALARM"


def test_a_state_set_by_hand_holds_for_a_while(world: World) -> None:
    world.alarms.put(REGION, "a", SUM, {})
    world.alarms.set_state(REGION, "a", "ALARM", "by hand", None)
    now = time.time()
    assert world.at(now + HOLD_SECONDS - 2) == "ALARM"
    assert world.at(now + HOLD_SECONDS + 1) == "OK"
    with pytest.raises(DoesNotExist):
        world.alarms.set_state(REGION, "none", "ALARM", "by hand", None)


def test_other_settings_keep_the_state_and_are_judged_at_once(world: World) -> None:
    world.alarms.put(REGION, "a", SUM, {})
    world.put(START, 9.0)
    assert world.at(START + 1) == "ALARM"
    world.alarms.put(REGION, "a", {**SUM, "Threshold": 100.0}, {})
    assert world.alarms.states(REGION, ["a"]) == {"a": "ALARM"}
    assert world.at(START + 2) == "OK"


def test_alarms_and_their_states_survive_a_restart(world: World, tmp_path: Path) -> None:
    world.alarms.put(REGION, "a", SUM, {"k": "v"})
    world.put(START, 9.0)
    assert world.at(START + 1) == "ALARM"
    world.store.close()
    world.metrics.close()
    again = World(tmp_path)
    assert again.alarms.states(REGION, ["a"]) == {"a": "ALARM"}
    assert again.at(START + 2) == "ALARM"
    assert again.alarms.tags("arn:aws:cloudwatch:us-east-1:123456789012:alarm:a") == {"k": "v"}


def test_one_alarm_that_breaks_does_not_keep_the_others_from_it(world: World) -> None:
    broken: dict[str, Any] = {**SUM, "Statistic": "Nonsense"}
    world.alarms.put(REGION, "0", broken, {})
    world.alarms.put(REGION, "a", SUM, {})
    assert world.at(START) == "OK"
    assert world.alarms.states(REGION, ["0"]) == {"0": "INSUFFICIENT_DATA"}


def test_the_history_is_bounded_and_newest_first(world: World) -> None:
    world.alarms.put(REGION, "a", SUM, {})
    for n in range(HISTORY + 5):
        world.alarms.set_state(REGION, "a", ("OK", "ALARM")[n % 2], f"turn {n}", None)
    history = world.store.get(KIND, REGION, "a").body["history"]
    assert len(history) == HISTORY
    assert history[0]["data"]["newState"]["stateReason"] == f"turn {HISTORY + 4}"
