from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.evaluation import evaluate
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metric_table import metrics_for
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.records import Evaluation, Manifest
from tests.support.evidence import (
    BINARY,
    CHALLENGER,
    CHAMPION,
    MULTICLASS,
    REGRESSION,
    binary,
    manifest,
    multiclass,
    policy,
    regression,
    scores,
)


def _evaluate(
    task: Task, challenger: Answers, champion: Answers | None, chosen: GatePolicy, **changes: Any
) -> Evaluation:
    carried = changes.pop("carried", {})
    made: Manifest = changes.pop("manifest", None) or manifest(task, challenger, by=changes.pop("by", "features"))
    return evaluate(
        manifest=made,
        policy=chosen,
        challenger=CHALLENGER,
        challenger_scores=scores(challenger, task, **carried),
        champion=CHAMPION if champion is not None or "champion_error" in changes else None,
        champion_scores=scores(champion, task, **carried) if champion is not None else None,
        champion_error=changes.pop("champion_error", None),
        **changes,
    )


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION], ids=lambda task: task.problem_type)
def test_every_metric_of_the_problem_type_is_there_with_its_baseline(task: Task) -> None:
    rng = np.random.default_rng(0)
    answers = {
        "BinaryClassification": lambda: binary(rng, 200, 1.5)[0],
        "MulticlassClassification": lambda: multiclass(rng, 200),
        "Regression": lambda: regression(rng, 200, 0.5)[0],
    }[task.problem_type]()
    found = _evaluate(task, answers, None, policy("accuracy" if task.labels else "rmse"))
    assert [metric.name for metric in found.metrics] == [spec.name for spec in metrics_for(task.problem_type)]
    for metric in found.metrics:
        assert metric.challenger is not None, metric.name
        assert metric.baseline is not None, metric.name
        assert metric.against_baseline is not None, metric.name
        assert metric.champion is None
    assert (found.rows, found.units, found.unit) == (200, 200, "row")


def test_the_baseline_predicts_the_training_parts_mean() -> None:
    answers = regression(np.random.default_rng(0), 300, 0.5)[0]
    found = _evaluate(REGRESSION, answers, None, policy("rmse")).metric("rmse")
    assert found is not None
    assert found.baseline == pytest.approx(np.std(answers.truth))


def test_the_baseline_predicts_the_training_parts_majority_and_class_shares() -> None:
    answers = binary(np.random.default_rng(0), 300, 1.5)[0]
    found = _evaluate(BINARY, answers, None, policy("roc_auc"))
    share = float(answers.truth.mean())
    baseline = {metric.name: metric.baseline for metric in found.metrics}
    assert baseline["roc_auc"] == 0.5
    assert baseline["recall"] == 0
    assert baseline["accuracy"] == pytest.approx(1 - share)
    assert baseline["precision"] == pytest.approx(share)
    assert baseline["log_loss"] == pytest.approx(-share * np.log(share) - (1 - share) * np.log(1 - share))


def test_a_manifest_without_a_target_mean_gives_no_baseline_and_a_warning() -> None:
    answers = regression(np.random.default_rng(0), 100, 0.5)[0]
    made = manifest(REGRESSION, answers)
    train = made.split.train.model_copy(update={"target_mean": None})
    made = made.model_copy(update={"split": made.split.model_copy(update={"train": train})})
    found = _evaluate(REGRESSION, answers, None, policy("rmse"), manifest=made)
    assert all(metric.baseline is None for metric in found.metrics)
    assert "there is no baseline" in found.warnings[0]


def test_rows_that_the_champion_was_trained_on_are_dropped_and_counted() -> None:
    challenger, champion = regression(np.random.default_rng(0), 100, 0.5, 0.6)
    found = _evaluate(REGRESSION, challenger, champion, policy("rmse"), leaked=[1, 2, 5_000])
    without = _evaluate(
        REGRESSION,
        challenger.take(np.arange(2, 100)),
        champion.take(np.arange(2, 100)),
        policy("rmse"),
        manifest=manifest(REGRESSION, challenger),
    )
    assert (found.rows, found.rows_dropped) == (98, 2)
    assert found.metrics == without.metrics


def test_nothing_is_dropped_where_there_is_no_champion_to_favour() -> None:
    challenger = regression(np.random.default_rng(0), 100, 0.5)[0]
    found = _evaluate(REGRESSION, challenger, None, policy("rmse"), leaked=[1, 2])
    assert (found.rows, found.rows_dropped) == (100, 0)


def test_dropping_every_row_leaves_each_metric_undefined_and_raises_nothing() -> None:
    challenger, champion = binary(np.random.default_rng(0), 30, 1.0, 1.0)
    found = _evaluate(BINARY, challenger, champion, policy("roc_auc"), leaked=range(1, 31))
    assert found.rows == 0
    assert {metric.undefined for metric in found.metrics} == {"no test rows are left"}


def test_a_champion_that_could_not_be_scored_leaves_the_challengers_metrics() -> None:
    challenger = binary(np.random.default_rng(0), 100, 1.5)[0]
    found = _evaluate(BINARY, challenger, None, policy("roc_auc"), champion_error="column plan is gone")
    metric = found.metric("roc_auc")
    assert metric is not None
    assert metric.challenger is not None
    assert metric.difference is None
    assert found.champion == CHAMPION
    assert found.champion_error == "column plan is gone"


def test_rows_where_one_model_alone_is_right_are_counted() -> None:
    truth = np.array([0, 0, 1, 1] * 25)
    right, wrong = truth.copy(), truth.copy()
    wrong[:7] = 1 - wrong[:7]
    found = _evaluate(BINARY, Answers(truth, right), Answers(truth, wrong), policy("accuracy"))
    assert found.discordant == 7
    assert found.class_counts == {"no": 50, "yes": 50}


def test_models_scored_on_other_rows_are_refused() -> None:
    challenger, champion = (scores(one, REGRESSION) for one in regression(np.random.default_rng(0), 50, 0.5, 0.6))
    made = manifest(REGRESSION, regression(np.random.default_rng(0), 50, 0.5)[0])

    def judge(table: pd.DataFrame) -> Evaluation:
        return evaluate(
            manifest=made, policy=policy("rmse"), challenger=CHALLENGER, challenger_scores=challenger,
            champion=CHAMPION, champion_scores=table, champion_error=None,
        )  # fmt: skip

    with pytest.raises(EvidenceError, match="found 1 that only one of them has, row_id 50 among them"):
        judge(champion.iloc[:-1])
    with pytest.raises(EvidenceError, match="the same truth beside both models, found 1 rows that differ, row_id 1"):
        judge(champion.assign(truth=champion["truth"].where(champion.index > 1, 0.0)))
    assert judge(champion.sample(frac=1, random_state=0)) == judge(champion)


def test_a_split_by_group_is_resampled_by_group_and_one_by_time_by_blocks() -> None:
    challenger, champion = regression(np.random.default_rng(0), 120, 0.5, 0.6)
    groups = {"group": np.repeat(np.arange(30), 4).astype(str)}
    by_group = _evaluate(REGRESSION, challenger, champion, policy("rmse"), by="group", carried=groups)
    assert (by_group.unit, by_group.units) == ("group", 30)
    times = {"time": pd.date_range("2026-01-01", periods=120).astype(str)}
    by_time = _evaluate(REGRESSION, challenger, champion, policy("rmse"), by="time", carried=times)
    assert (by_time.unit, by_time.units) == ("time", 24)


def test_a_missing_group_column_is_a_warning() -> None:
    challenger, champion = regression(np.random.default_rng(0), 60, 0.5, 0.6)
    found = _evaluate(REGRESSION, challenger, champion, policy("rmse"), by="group")
    assert found.unit == "row"
    assert "no column group" in found.warnings[0]


def test_a_slice_that_the_challenger_harms_has_a_small_p_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    challenger, champion = regression(rng, 400, 0.6, 0.6)
    plan = np.array(["basic", "pro"])[np.arange(400) % 2]
    worse = challenger.prediction + 3.0 * (plan == "pro")
    found = _evaluate(
        REGRESSION, Answers(challenger.truth, worse), champion, policy("mae", slices=("plan",)), carried={"plan": plan}
    )
    p_of = {one.value: one.p_harm for one in found.slices}
    assert p_of["pro"] is not None
    assert p_of["basic"] is not None
    assert p_of["pro"] < 0.005 < 0.05 < p_of["basic"]
    assert {one.value: one.rows for one in found.slices} == {"basic": 200, "pro": 200}


def test_a_slice_column_of_many_numbers_is_cut_into_quarters_and_rare_values_are_left_out() -> None:
    rng = np.random.default_rng(0)
    challenger, champion = regression(rng, 400, 0.6, 0.6)
    carried = {"age": rng.integers(18, 90, 400).astype(str), "plan": np.where(np.arange(400) < 10, "rare", "usual")}
    chosen = policy("mae", slices=("age", "plan", "gone"))
    found = _evaluate(REGRESSION, challenger, champion, chosen, carried=carried)
    assert [one.column for one in found.slices] == ["age"] * 4 + ["plan"]
    assert sum(one.rows for one in found.slices if one.column == "age") == 400
    assert any("no slice column gone" in warning for warning in found.warnings)
    assert any("plan: 1 of 2 values were not judged" in warning for warning in found.warnings)


def test_the_same_scores_give_the_same_evaluation_file() -> None:
    challenger, champion = binary(np.random.default_rng(0), 200, 1.5, 1.2)
    texts = {_evaluate(BINARY, challenger, champion, policy("roc_auc")).to_json() for _ in range(2)}
    assert len(texts) == 1
    assert Evaluation.model_validate_json(texts.pop()).metric("roc_auc") is not None
