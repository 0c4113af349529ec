"""Metrics are read from the lines of a log."""

from pathlib import Path

import pytest

from include.local_aws.training.metrics import Metrics, Value, append, final_value, history


def test_the_last_value_of_each_metric_is_the_final_one() -> None:
    metrics = Metrics([("loss", "loss=([0-9.]+)"), ("accuracy", "accuracy (.*)%")])
    found = metrics.read(["loss=3 accuracy 50%", "nothing", "loss=2.5"], 7.0)
    assert found == [Value("loss", 3.0, 7.0), Value("accuracy", 50.0, 7.0), Value("loss", 2.5, 7.0)]
    assert metrics.final() == [
        {"MetricName": "loss", "Value": 2.5, "Timestamp": 7.0},
        {"MetricName": "accuracy", "Value": 50.0, "Timestamp": 7.0},
    ]


@pytest.mark.parametrize("said", ["loss=", "loss=high", "loss=nan", "loss=inf"])
def test_what_is_no_number_is_no_value(said: str) -> None:
    assert Metrics([("loss", "loss=(.*)")]).read([said], 0.0) == []


def test_an_expression_without_a_group_or_with_an_empty_one_finds_nothing_but_numbers() -> None:
    metrics = Metrics([("whole", "[0-9]+"), ("other", "(a)|b=1")])
    assert metrics.read(["step 12", "b=1"], 0.0) == [Value("whole", 12.0, 0.0), Value("whole", 1.0, 0.0)]


def test_every_value_that_was_printed_is_kept_and_a_line_that_is_being_written_is_not_read(tmp_path: Path) -> None:
    assert history(tmp_path, "loss") == []
    values = [Value("loss", 3.0, 1.0), Value("other", 1.0, 1.0), Value("loss", 2.0, 2.0)]
    append(tmp_path, values[:2])
    append(tmp_path, values[2:])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('["loss", 1.')
    assert history(tmp_path, "loss") == [values[0], values[2]]


def test_a_final_value_is_looked_up_by_its_name() -> None:
    body = {"metrics": [{"MetricName": "loss", "Value": 2.0, "Timestamp": 0.0}]}
    assert final_value(body, "loss") == 2.0
    assert final_value(body, "other") is None
    assert final_value({}, "loss") is None
