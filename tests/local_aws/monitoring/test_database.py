"""Samples are kept, read by period, and put together when they are old."""

from pathlib import Path

from include.local_aws.monitoring.database import KEPT, SECONDS_KEPT, MetricDatabase, Sample
from include.local_aws.monitoring.series import Metric, Tally

METRIC = Metric.of("us-east-1", "N", "m", [("b", "2"), ("a", "1")])
NOW = 1_800_000_000


def one(moment: int, value: float = 1.0, unit: str = "None", metric: Metric = METRIC) -> Sample:
    tally = Tally()
    tally.add(value)
    return Sample(metric, unit, moment, tally)


def test_the_order_of_dimensions_does_not_matter() -> None:
    assert Metric.of("us-east-1", "N", "m", [("a", "1"), ("b", "2")]) == METRIC


def test_samples_are_read_by_period_without_the_end(tmp_path: Path) -> None:
    database = MetricDatabase(tmp_path / "m.sqlite")
    database.add([one(NOW), one(NOW + 9), one(NOW + 10, 5.0), one(NOW + 20, 7.0)])
    found, _ = database.read(METRIC, NOW, NOW + 20, 10)
    assert {moment: tally.sum for moment, tally in found.items()} == {NOW: 2.0, NOW + 10: 5.0}


def test_a_unit_chooses_and_no_unit_takes_all(tmp_path: Path) -> None:
    database = MetricDatabase(tmp_path / "m.sqlite")
    database.add([one(NOW, 1.0, "Count"), one(NOW, 2.0, "Seconds")])
    assert database.read(METRIC, NOW, NOW + 1, 1, "Seconds")[0][NOW].sum == 2.0
    assert database.read(METRIC, NOW, NOW + 1, 1)[0][NOW].sum == 3.0


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    MetricDatabase(tmp_path / "m.sqlite").add([one(NOW)])
    again = MetricDatabase(tmp_path / "m.sqlite")
    assert again.metrics("us-east-1", NOW - 1) == [METRIC]
    assert again.metrics("eu-west-1", 0) == []
    assert again.read(METRIC, NOW, NOW + 1, 1)[0][NOW].count == 1.0


def test_old_seconds_become_minutes_and_older_ones_go(tmp_path: Path) -> None:
    database = MetricDatabase(tmp_path / "m.sqlite")
    old = (NOW - SECONDS_KEPT - 600) // 60 * 60
    gone = Metric.of("us-east-1", "N", "gone", [])
    database.add([one(old + n, float(n)) for n in range(60)] + [one(NOW), one(NOW - KEPT - 5, metric=gone)])
    database.tidy(NOW)
    by_second, _ = database.read(METRIC, old, old + 60, 1)
    assert list(by_second) == [old]
    assert (by_second[old].sum, by_second[old].statistic("p50")) == (1770.0, 29.5)
    assert database.read(METRIC, NOW, NOW + 1, 1)[0][NOW].count == 1.0
    assert database.metrics("us-east-1", 0) == [METRIC]
    database.add([one(old + 1, metric=gone)])  # its number was forgotten too
    assert database.read(gone, old, old + 60, 60)[0][old].count == 1.0
