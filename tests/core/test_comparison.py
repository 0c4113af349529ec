from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from automl_retraining.core.comparison import Comparison
from automl_retraining.core.metric_table import METRICS, metrics_for
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.records import Interval, MetricResult
from automl_retraining.core.resampling import EXACT_ROWS, Settings, Units, units_by_group, units_by_row
from tests.support.evidence import BINARY, MULTICLASS, REGRESSION, binary, multiclass, regression

SETTINGS = Settings(confidence=0.95, resamples=1000, seed=5)


def _compare(
    task: Task,
    challenger: Answers,
    champion: Answers,
    *metrics: str,
    units: Units | None = None,
    settings: Settings = SETTINGS,
) -> dict[str, MetricResult]:
    specs = [METRICS[name] for name in metrics] or list(metrics_for(task.problem_type))
    units = units or units_by_row(len(challenger.truth))
    comparison = Comparison({"challenger": challenger, "champion": champion}, task, units, settings, specs)
    return {spec.name: comparison.result(spec, "champion", None) for spec in specs}


def _difference(result: MetricResult) -> Interval:
    assert result.difference is not None
    return result.difference


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION], ids=lambda task: task.problem_type)
def test_each_metric_has_its_value_within_its_interval_and_within_its_range(task: Task) -> None:
    rng = np.random.default_rng(0)
    if task is BINARY:
        challenger, champion = binary(rng, 300, 2.0, 1.0)
    elif task is REGRESSION:
        challenger, champion = regression(rng, 300, 0.5, 1.0)
    else:
        challenger, other = multiclass(rng, 300), multiclass(rng, 300)
        champion = Answers(challenger.truth, other.prediction, other.probabilities)
    for name, result in _compare(task, challenger, champion).items():
        for interval in (result.challenger, result.champion):
            assert interval is not None
            assert METRICS[name].low <= interval.low < interval.value < interval.high <= METRICS[name].high, name
        difference = _difference(result)
        assert difference.low < difference.value < difference.high
        assert result.challenger is not None
        assert result.champion is not None
        assert difference.value == pytest.approx(result.challenger.value - result.champion.value, abs=1e-9)


def test_the_same_seed_gives_the_same_result_to_the_last_digit_and_another_seed_another() -> None:
    challenger, champion = binary(np.random.default_rng(0), 400, 2.0, 1.0)
    one, again = (_compare(BINARY, challenger, champion) for _ in range(2))
    other = _compare(BINARY, challenger, champion, "roc_auc", settings=Settings(0.95, 1000, 6))
    assert one == again
    assert other["roc_auc"] != one["roc_auc"]


def test_the_paired_interval_is_shorter_than_the_models_own_intervals_suggest() -> None:
    challenger, champion = regression(np.random.default_rng(0), 400, 0.3, 0.35)
    result = _compare(REGRESSION, challenger, champion, "mae")["mae"]
    assert result.challenger is not None
    difference = _difference(result)
    assert difference.high - difference.low < 0.7 * (result.challenger.high - result.challenger.low)


def test_the_interval_of_a_mean_error_agrees_with_the_paired_t_test() -> None:
    challenger, champion = regression(np.random.default_rng(1), 500, 0.5, 0.7)
    found = _difference(_compare(REGRESSION, challenger, champion, "mae")["mae"])
    sizes = [np.abs(answers.prediction - answers.truth) for answers in (challenger, champion)]
    expected = stats.ttest_rel(sizes[0], sizes[1]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.15)


def test_the_interval_of_the_auc_difference_agrees_with_delongs() -> None:
    challenger, champion = binary(np.random.default_rng(2), 500, 1.6, 1.0)
    found = _difference(_compare(BINARY, challenger, champion, "roc_auc")["roc_auc"])
    positive = challenger.truth == 1
    placements = []
    for answers in (challenger, champion):
        assert answers.probabilities is not None
        score = answers.probabilities[:, 1]
        wins = (score[positive][:, None] > score[~positive]) + 0.5 * (score[positive][:, None] == score[~positive])
        placements.append((wins.mean(axis=1), wins.mean(axis=0)))
    among = [one - other for one, other in zip(*placements, strict=True)]
    error = np.sqrt(sum(part.var(ddof=1) / len(part) for part in among))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert found.value == pytest.approx(among[0].mean(), abs=1e-12)


def test_identical_answers_have_a_difference_of_exactly_zero() -> None:
    answers = binary(np.random.default_rng(0), 300, 1.5)[0]
    for result in _compare(BINARY, answers, answers).values():
        assert _difference(result) == Interval(value=0, low=0, high=0)
        assert result.method == "identical answers"


def test_few_disagreements_are_judged_exactly() -> None:
    """Four rows gained and none lost would convince a plain bootstrap; the exact test has p = 0.125."""
    truth = np.zeros(400, dtype=np.int64)
    truth[:100] = 1
    champion, challenger = truth.copy(), truth.copy()
    champion[:4] = 0
    result = _compare(BINARY, Answers(truth, challenger), Answers(truth, champion), "accuracy", "recall")
    for name in ("accuracy", "recall"):
        assert result[name].method == "exact (McNemar)"
        assert _difference(result[name]).low < 0 < _difference(result[name]).value


def test_differences_point_from_champion_to_challenger_for_losses_too() -> None:
    challenger, champion = regression(np.random.default_rng(3), 300, 0.2, 1.0)
    result = _compare(REGRESSION, challenger, champion, "rmse", "r2")
    assert _difference(result["rmse"]).high < 0
    assert _difference(result["r2"]).low > 0


def test_groups_that_share_their_errors_widen_the_interval() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=400)
    group = np.repeat(np.arange(40), 10)
    shift = rng.normal(size=40)[group]
    challenger, champion = (
        Answers(truth, truth + shift),
        Answers(truth, truth + 1.2 * shift + 0.1 * rng.normal(size=400)),
    )

    grouped = _compare(REGRESSION, challenger, champion, "mae", units=units_by_group(pd.Series(group)))
    rows = _compare(REGRESSION, challenger, champion, "mae")
    widths = [_difference(found["mae"]).high - _difference(found["mae"]).low for found in (grouped, rows)]
    assert widths[0] > 2 * widths[1]


def test_a_large_table_has_nearly_the_interval_of_its_rows() -> None:
    """Above the limit rows are drawn in buckets and the AUC is linear: the width stays that of the plain formula."""
    challenger, champion = binary(np.random.default_rng(6), EXACT_ROWS + 2000, 1.6, 1.5)
    large = _compare(BINARY, challenger, champion, "roc_auc", "accuracy")
    few = np.arange(EXACT_ROWS)
    small = _compare(BINARY, challenger.take(few), champion.take(few), "roc_auc", "accuracy")
    for name in ("roc_auc", "accuracy"):
        widths = [_difference(found[name]).high - _difference(found[name]).low for found in (large, small)]
        assert widths[0] == pytest.approx(widths[1] / np.sqrt(1 + 2000 / EXACT_ROWS), rel=0.1)


def test_a_perfect_model_is_not_certain_to_be_perfect() -> None:
    truth = np.array([0, 1] * 40)
    shares = np.column_stack([1.0 - truth, truth])
    worse = Answers(truth, np.roll(truth, 1), np.roll(shares, 1, 0))
    result = _compare(BINARY, Answers(truth, truth, shares), worse)
    for name in ("roc_auc", "accuracy", "f1", "balanced_accuracy"):
        interval = result[name].challenger
        assert interval is not None
        assert interval.value == interval.high == 1
        assert 0.85 < interval.low < 0.99, name


def test_an_undefined_metric_has_its_reason_and_no_interval_while_others_are_judged() -> None:
    challenger, champion = binary(np.random.default_rng(0), 200, 2.0, 1.0)
    silent = Answers(champion.truth, np.zeros_like(champion.prediction), champion.probabilities)
    result = _compare(BINARY, challenger, silent)
    assert result["precision"].undefined == "the champion never predicts 'yes'"
    assert result["precision"].difference is None
    assert result["precision"].challenger is not None
    assert result["accuracy"].undefined is None


def test_a_class_too_rare_to_be_drawn_reliably_leaves_the_metric_undefined() -> None:
    truth = np.zeros(100, dtype=np.int64)
    truth[0] = 1
    prediction = truth.copy()
    result = _compare(BINARY, Answers(truth, prediction), Answers(truth, 1 - truth), "f1", "precision")
    assert result["precision"].undefined is not None
    assert "more than 5 % of the resamples" in result["precision"].undefined


@pytest.mark.parametrize(("task", "metrics"), [(BINARY, ("roc_auc", "f1", "accuracy")), (REGRESSION, ("rmse", "mae"))])
def test_equal_models_are_seldom_told_apart_and_a_clearly_better_one_is_found(
    task: Task, metrics: tuple[str, ...]
) -> None:
    """60 tables of 300 rows at 95 %: a 2.5 % error at the lower end makes more than 6 in 60 a one-in-1,000 event."""
    settings = Settings(0.95, 300, 1)
    false, found = dict.fromkeys(metrics, 0), dict.fromkeys(metrics, 0)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one, equal, weak = binary(rng, 300, 2.0, 2.0, 0.4) if task is BINARY else regression(rng, 300, 1.0, 1.0, 1.8)
        for name, result in _compare(task, one, equal, *metrics, settings=settings).items():
            gain = METRICS[name].improvement(
                _difference(result).low if METRICS[name].greater_is_better else _difference(result).high
            )
            false[name] += gain > 0
        for name, result in _compare(task, one, weak, *metrics, settings=settings).items():
            gain = METRICS[name].improvement(
                _difference(result).low if METRICS[name].greater_is_better else _difference(result).high
            )
            found[name] += gain > 0
    assert max(false.values()) <= 6, false
    assert min(found.values()) >= 50, found
