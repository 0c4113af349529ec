from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from automl_retraining.core.errors import ConfigError
from automl_retraining.core.metric_table import (
    DEFAULT_METRIC,
    METRICS,
    decimals,
    metric_spec,
    metrics_for,
    number,
    span,
)


def test_each_problem_type_has_a_default_that_it_knows() -> None:
    for problem_type, name in DEFAULT_METRIC.items():
        assert metric_spec(name, problem_type) in metrics_for(problem_type)


def test_a_metric_of_another_problem_type_is_refused_with_the_list_of_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"expected one of rmse, mae, r2, mape for Regression, found 'f1'"):
        metric_spec("f1", "Regression")


def test_an_improvement_is_positive_when_the_challenger_is_better_whatever_the_direction() -> None:
    assert METRICS["rmse"].improvement(-2.0) == 2.0
    assert METRICS["roc_auc"].improvement(-2.0) == -2.0


def test_the_table_imports_without_numpy_so_that_dag_files_may_use_it() -> None:
    code = "import sys, automl_retraining.core.gate; sys.exit('numpy' in sys.modules or 'pandas' in sys.modules)"
    plugins = str(Path(__file__).parents[2] / "plugins")
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": plugins}, check=False).returncode == 0


@pytest.mark.parametrize(
    ("widths", "places"),
    [((0.031,), 3), ((0.0031, 2.0), 4), ((12.0,), 0), ((), 3), ((0.0, math.inf), 3), ((1e-12,), 6)],
)
def test_decimals_show_the_smallest_width_with_two_significant_digits(widths: tuple[float, ...], places: int) -> None:
    assert decimals(*widths) == places


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(-0.0001, 3, "0.000"), (-0.5, 2, "−0.50"), (12345.6, 1, "12,345.6"), (math.inf, 2, "∞"), (-math.inf, 2, "−∞")],
)
def test_numbers_read_as_people_write_them(value: float, places: int, text: str) -> None:
    assert number(value, places) == text


def test_an_interval_with_a_negative_end_is_written_with_a_word_instead_of_a_dash() -> None:
    assert span(0.905, 0.936, 3) == "0.905–0.936"
    assert span(-0.003, 0.021, 3) == "−0.003 to 0.021"
