"""An alarm's state, against the tables of the CloudWatch user guide ("treat missing data")."""

import pytest

from include.local_aws.monitoring.evaluation import Point, Rule, definite, judge

CURRENT = "current"


def points(drawn: str) -> list[Point]:
    """X is beyond the threshold, 0 is not, - is missing; the newest is the last."""
    values = {"X": 9.0, "0": 1.0, "-": None}
    return [(60 * place, values[each]) for place, each in enumerate(drawn.split())]


def state(drawn: str, to_alarm: int, missing: str) -> str:
    rule = Rule("GreaterThanThreshold", 5.0, 3, to_alarm, missing)
    return judge(rule, points(drawn), CURRENT).state


@pytest.mark.parametrize(
    ("drawn", "to_alarm", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", 3, "OK", "OK", "OK", "OK"),
        ("0 - - - -", 3, "OK", "OK", "OK", "OK"),
        ("- - - - -", 3, "INSUFFICIENT_DATA", CURRENT, "ALARM", "OK"),
        ("0 X X - X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - X - -", 3, "ALARM", CURRENT, "ALARM", "OK"),
        ("0 - X - X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 0 X 0 X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 - X - -", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - - 0", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - X -", 2, "ALARM", CURRENT, "ALARM", "OK"),
        ("- - - - X", 3, CURRENT, CURRENT, "ALARM", "OK"),  # too early to say
    ],
)
def test_missing_data_are_treated_as_the_guide_says(
    drawn: str, to_alarm: int, missing: str, ignore: str, breaching: str, not_breaching: str
) -> None:
    found = [state(drawn, to_alarm, treatment) for treatment in ("missing", "ignore", "breaching", "notBreaching")]
    assert found == [missing, ignore, breaching, not_breaching]


@pytest.mark.parametrize(
    ("comparison", "value", "beyond"),
    [
        ("GreaterThanThreshold", 5.0, False),
        ("GreaterThanOrEqualToThreshold", 5.0, True),
        ("LessThanThreshold", 5.0, False),
        ("LessThanOrEqualToThreshold", 5.0, True),
        ("LessThanThreshold", 4.9, True),
    ],
)
def test_a_threshold_is_passed_as_its_comparison_says(comparison: str, value: float, beyond: bool) -> None:
    verdict = judge(Rule(comparison, 5.0, 1, 1), [(0, value)], CURRENT)
    assert verdict.state == ("ALARM" if beyond else "OK")


def test_the_reason_tells_the_values_newest_first_and_the_threshold() -> None:
    verdict = judge(Rule("GreaterThanThreshold", 5.0, 2, 2), points("X X"), "OK")
    assert verdict.reason == (
        "Threshold Crossed: 2 out of the last 2 datapoints [9.0 (01/01/70 00:01:00), 9.0 (01/01/70 00:00:00)] were "
        "greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )


def test_only_what_can_not_turn_counts_before_its_period_is_over() -> None:
    assert definite("Sum", "GreaterThanThreshold")
    assert definite("Minimum", "LessThanThreshold")
    assert not definite("Sum", "LessThanThreshold")
    assert not definite("Average", "GreaterThanThreshold")
    assert not definite("p99", "GreaterThanThreshold")
