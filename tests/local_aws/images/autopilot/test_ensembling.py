"""Choosing the ensemble's weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from include.local_aws.images.autopilot import ensembling, fitting, table, trials
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.candidates import Candidate
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import FAMILIES
from include.local_aws.images.autopilot.predictor import Predictor
from include.local_aws.images.autopilot.spec import ALGORITHMS, parse
from include.local_aws.images.autopilot.studies import Line
from tests.local_aws.images.autopilot import jobs


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    root: Path = jobs.write(tmp_path_factory.mktemp("ensemble"), jobs.table("Regression"))
    spec = parse(jobs.job())
    return Context(spec, table.load(root, spec), "ENSEMBLING", "RMSE", (), 10, Output(root), 0.0)


def test_models_that_err_apart_are_averaged(context: Context) -> None:
    """Two of equal, independent error share the weight; one of pure noise gets none."""
    random = np.random.default_rng(0)
    y = random.normal(size=2000)
    noisy = [y + random.normal(size=2000), y + random.normal(size=2000), 5 * random.normal(size=2000)]
    weights = ensembling.select(context, y, np.ones(2000), noisy)
    assert sum(weights) == pytest.approx(1)
    assert weights[:2] == pytest.approx([0.5, 0.5], abs=0.1)
    assert weights[2] == 0


def test_a_model_without_fault_stands_alone(context: Context) -> None:
    """Nothing is mixed in."""
    y = np.linspace(0, 1, 100)
    assert ensembling.select(context, y, np.ones(100), [y + 1, y, -y]) == [0, 1, 0]


def test_the_ensemble_is_never_worse_than_its_best_member_where_it_was_chosen(context: Context) -> None:
    """By any metric."""
    random = np.random.default_rng(1)
    y = random.normal(size=300)
    parts = [y + random.normal(size=300) * scale for scale in (0.5, 0.6, 2.0, 3.0)]
    for metric in ("MSE", "MAE", "R2"):
        chosen = dataclasses.replace(context, metric=metric)
        weights = ensembling.select(chosen, y, np.ones(300), parts)
        mixed = np.asarray(sum(weight * part for weight, part in zip(weights, parts, strict=True)))
        errors = [np.abs(part - y).mean() if metric == "MAE" else ((part - y) ** 2).mean() for part in [mixed, *parts]]
        assert errors[0] <= min(errors[1:])


def lines(context: Context, *names: str) -> list[Line]:
    return ensembling.lines(dataclasses.replace(context, algorithms=names))


def test_a_table_without_numbers_has_no_splines_nor_sums(context: Context) -> None:
    """Every algorithm has a line of search all the same."""
    schema = table.Schema((table.Column("c", "categorical"),), "y", "Regression", ())
    words = dataclasses.replace(context, table=dataclasses.replace(context.table, schema=schema))
    found = lines(words, *ALGORITHMS["ENSEMBLING"])
    assert not {"spline", "rotated"} & {line.recipe for line in found}
    assert {line.algorithm for line in found} == set(FAMILIES) & set(ALGORITHMS["ENSEMBLING"])


def test_algorithms_asked_for_by_name_are_each_tried_before_one_is_tried_twice(context: Context) -> None:
    """Few candidates are then enough for all of them."""
    names = ("lightgbm", "linear-learner", "randomforest")
    asked = dataclasses.replace(context, spec=dataclasses.replace(context.spec, algorithms=names), algorithms=names)
    openings = ensembling._openings(asked, ensembling.lines(asked))
    assert {opening.line.algorithm for opening in openings[:3]} == set(names)


def test_the_first_candidates_are_of_five_families(context: Context) -> None:
    """The fewer there are, the more they have to differ."""
    openings = ensembling._openings(context, lines(context, *ALGORITHMS["ENSEMBLING"]))
    assert len({opening.line.algorithm for opening in openings[:5]}) == 5


def candidate(number: int, algorithm: str, mse: float) -> Candidate:
    schema = table.Schema((), "y", "Regression", ())
    metrics = {"MSE": mse, "RMSE": mse**0.5}
    return Candidate(str(number), algorithm, {}, metrics, Predictor(schema, {}, ()), np.ones(3), (), 0.0, 0.0)


def test_memory_holds_the_best_candidates_and_the_best_of_every_algorithm() -> None:
    """Those that an ensemble can be chosen from; the others keep their measures."""
    done: dict[int, Candidate] = {1: candidate(1, "linear-learner", 1000.0)}
    for number in range(2, 100):
        done[number] = candidate(number, "xgboost", float(number))
        trials._lighten(done, "RMSE")
    heavy = {number for number, each in done.items() if len(each.predicted)}
    assert heavy == {1, *range(2, trials.KEPT + 1)}
    assert len(done) == 99


def test_the_ensemble_is_chosen_from_candidates_whose_models_are_there(context: Context) -> None:
    """Also where one that is not is just as good."""
    done = {1: dataclasses.replace(candidate(1, "xgboost", 1.0), predicted=np.zeros(0))}
    done |= {number: candidate(number, "xgboost", 1.0) for number in (2, 3)}
    assert ensembling._leaders(context, done) == [2, 3]


@pytest.mark.parametrize(("seconds", "folds"), [(None, fitting.FOLDS), (3600.0, fitting.FOLDS), (0.05, 1)])
def test_in_little_time_a_candidate_is_one_fit_not_five(context: Context, seconds: float | None, folds: int) -> None:
    """By the table's cells and the job's limit."""
    timed = dataclasses.replace(context, spec=dataclasses.replace(context.spec, max_job_seconds=seconds))
    assert len(trials.prepare(timed, ["ordinal"], bagged=True).splits) == folds
