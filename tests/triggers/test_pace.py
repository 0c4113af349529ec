"""How often waiting jobs are looked at: the young more often, AWS never more than the stock trigger looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.triggers.pace import (
    LEAST,
    MOST,
    STOCK,
    Allowance,
    Eager,
    Patient,
    Slowdown,
    jittered,
    pace_of,
)

ages = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("url", "pace"),
    [
        ("https://api.sagemaker.eu-west-1.amazonaws.com", Patient),
        ("https://api.sagemaker.cn-north-1.amazonaws.com.cn", Patient),
        ("https://vpce-1-2.api.sagemaker.us-east-1.vpce.amazonaws.com", Patient),
        ("http://127.0.0.1:4566", Eager),
    ],
)
def test_the_pace_follows_the_endpoint(url: str, pace: type) -> None:
    """AWS itself is asked patiently, an endpoint of the connection's own eagerly."""
    assert type(pace_of(url)) is pace


@given(st.floats(5, 7200))
def test_one_job_at_aws_is_looked_at_as_often_as_the_stock_trigger_would(life: float) -> None:
    """Without jitter: never more looks than one at the submission and one each thirty seconds until the end is seen."""
    pace = Patient()
    looks, at = 1, pace.first(0)
    while at < life:
        at += pace.next(at)
        looks += 1
    stock = 1 + -(-life // STOCK)
    assert looks <= stock
    assert at - life <= STOCK


@given(ages)
def test_an_old_job_is_looked_at_at_once(age: float) -> None:
    """It may have ended while nobody watched; the newly submitted one has not, at AWS."""
    assert Eager().first(age) == 0
    assert Patient().first(age) == (5 - age if age < 5 else 0)


@given(ages, st.integers(4, 5000))
def test_lists_are_fewer_calls_than_a_description_each(age: float, jobs: int) -> None:
    """For any number of jobs of any age; and slower for those that go on for hours."""
    pace = Patient()
    assert 60 / pace.tick(age, jobs) <= jobs * 60 / STOCK
    assert pace.tick(age, jobs) <= pace.tick(age + 3600, jobs) <= 10


def test_failures_slow_down_and_successes_speed_up_again() -> None:
    """Twice as slow each time, up to a minute; never faster than a second."""
    slow = Slowdown()
    assert slow.stretched(5) == 5
    assert slow.stretched(0) == LEAST
    for _ in range(2):
        slow.fail()
    assert 20 * 0.7 <= slow.stretched(5) <= 20 * 1.3
    for _ in range(20):
        slow.fail()
    assert slow.stretched(30) <= MOST * 1.3
    for _ in range(5):
        slow.succeed()
    assert slow.stretched(5) == 5


def test_the_allowance_is_so_many_calls_a_minute() -> None:
    """Saved up for a minute and not for longer."""
    allowance = Allowance(10)
    assert sum(allowance.take() for _ in range(99)) == 10
    allowance.refill(1000)
    allowance.refill(1030)
    assert sum(allowance.take() for _ in range(99)) == 5
    allowance.refill(9999)
    assert sum(allowance.take() for _ in range(99)) == 10


@given(st.floats(0, 1e4))
def test_jitter_is_a_tenth_at_most(seconds: float) -> None:
    """So that an average stays an average."""
    assert 0.9 * seconds <= jittered(seconds) <= 1.1 * seconds
