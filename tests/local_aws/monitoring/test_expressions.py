"""Metric math."""

from typing import Any

import pytest

from include.local_aws.monitoring.expressions import evaluate, parse
from include.local_aws.wire.errors import NotImplementedHere, ValidationException

PERIODS = [0, 60, 120]
SERIES: dict[str, Any] = {"m1": {0: 1.0, 60: 4.0}, "m2": {0: 10.0, 60: 0.0, 120: 5.0}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("m1/m2*100", {0: 10.0}),
        ("m1 + 1", {0: 2.0, 60: 5.0}),
        ("-m1", {0: -1.0, 60: -4.0}),
        ("m1^2", {0: 1.0, 60: 16.0}),
        ("2*(3+4)", 14.0),
        ("1/0", {}),
        ("m1 >= 4", {0: 0.0, 60: 1.0}),
        ("m1 > 0 && m2 > 0", {0: 1.0, 60: 0.0}),
        ("m1 > 3 OR m2 > 3", {0: 1.0, 60: 1.0}),
        ("IF(m2 > 0, m1/m2, 0)", {0: 0.1, 60: 0.0}),
        ("IF(m2 > 6, m2)", {0: 10.0}),
        ("FILL(m1, 0)", {0: 1.0, 60: 4.0, 120: 0.0}),
        ("FILL(m1, REPEAT)", {0: 1.0, 60: 4.0, 120: 4.0}),
        ("FILL(m1, 0) / m2", {0: 0.1, 120: 0.0}),
        ("SUM([m1, m2])", {0: 11.0, 60: 4.0, 120: 5.0}),
        ("AVG([m1, m2])", {0: 5.5, 60: 2.0, 120: 5.0}),
        ("MAX(m2)", 10.0),
        ("m2 - AVG(m2)", {0: 5.0, 60: -5.0, 120: 0.0}),
        ("ABS(m1 - 3)", {0: 2.0, 60: 1.0}),
        ("CEIL(m1 / 3)", {0: 1.0, 60: 2.0}),
    ],
)
def test_expressions_have_cloudwatchs_values(text: str, value: Any) -> None:
    assert evaluate(parse(text), SERIES, PERIODS) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["m1 +", "m1 m2", "m1.x", "'a'", "m1[0]", "lambda: 1", "f'{m1}'", "IF(m1)", "FILL(m1, m1, m1)", "1 < 2 < 3",
             "(" * 500, "True and __import__('os')", ""]
)  # fmt: skip
def test_what_is_no_metric_math_is_refused(text: str) -> None:
    with pytest.raises((ValidationException, NotImplementedHere)):
        parse(text)


@pytest.mark.parametrize("text", ["RATE(m1)", "ANOMALY_DETECTION_BAND(m1)", "METRICS()", "FILL(m1, LINEAR)"])
def test_functions_that_are_missing_here_are_refused_by_name(text: str) -> None:
    with pytest.raises(NotImplementedHere, match=text.split("(")[0]):
        parse(text)


def test_an_expression_tells_what_it_reads() -> None:
    assert parse("IF(m1 > e2, FILL(m3, REPEAT), SUM([m4, 1 * m5]))").reads == {"m1", "e2", "m3", "m4", "m5"}
