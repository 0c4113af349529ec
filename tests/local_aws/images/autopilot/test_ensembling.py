"""Choosing the ensemble's weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from include.local_aws.images.autopilot import ensembling, table
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.spec import parse
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
