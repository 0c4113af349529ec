"""Rows, folds and features that all candidates of a search see, and the loop that asks for trials and tells them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from include.local_aws.images.autopilot import fitting, objective
from include.local_aws.images.autopilot.candidates import Candidate, describe, describe_failure
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import FeaturePipeline, Matrix
from include.local_aws.images.autopilot.features import fit as fit_features
from include.local_aws.images.autopilot.fitting import Split
from include.local_aws.images.autopilot.predictor import Predictor
from include.local_aws.images.autopilot.studies import Line, Opening, Planner, Trial
from include.local_aws.images.autopilot.table import Rows, Table
from include.local_aws.images.autopilot.workers import Job, Outcome, Workers

KEPT = 32
"""Candidates whose models stay in memory: more than any ensemble is chosen from."""
BAGGED_ROWS = 50_000
"""Larger tables are measured on one held-out part: its error is small there, and a candidate is one fit, not five."""
_BAGGED_CELLS_A_SECOND = 40_000
"""As are tables whose cells are too many for the job's time limit to fit a dozen candidates five times each."""
_GROWTH_SHARE = 0.7
"""Of a fit's time limit; what grows (trees, epochs) then stops growing, and the rest is for predicting and writing."""
_TURN_SHARE = 0.2
"""Of the job's whole training time, that one candidate may grow: the first one must not take it all."""


V = TypeVar("V")


class OnDemand(Mapping[str, V]):
    """Values by recipe, each made when it is first asked for."""

    def __init__(self, recipes: Sequence[str], make: Callable[[str], V]) -> None:
        self._recipes = tuple(dict.fromkeys(recipes))
        self._make = make
        self._made: dict[str, V] = {}

    def __getitem__(self, recipe: str) -> V:
        if recipe not in self._recipes:
            raise KeyError(recipe)
        if recipe not in self._made:
            self._made[recipe] = self._make(recipe)
        return self._made[recipe]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recipes)

    def __len__(self) -> int:
        return len(self._recipes)


@dataclass(frozen=True)
class Material:
    """What every trial of a search works on. ``y`` and ``weight`` are those of the validation rows."""

    rows: Rows
    splits: tuple[Split, ...]
    pipelines: Mapping[str, FeaturePipeline]
    matrices: Mapping[str, Matrix]
    y: Floats
    weight: Floats
    validation_rows: pd.DataFrame


def prepare(context: Context, recipes: Sequence[str], *, bagged: bool, ahead: bool = True) -> Material:
    """Split the rows and fit the feature pipelines, now or (not ``ahead``) each when it is first needed.

    A validation channel is the held-out part where there is one. Else ``bagged`` gives folds that take turns, for
    tables of up to ``BAGGED_ROWS``, and otherwise a part of the training rows is held out, which the feature pipelines
    do not see either.
    """
    table, spec = context.table, context.spec
    classes = len(table.schema.labels)
    rows, splits = _with_validation(table)
    if not splits and bagged and _worth_bagging(context):
        splits = fitting.folds(table.train, classes, fitting.FOLDS, spec.seed)
    elif not splits:
        splits = [fitting.holdout(table.train, classes, spec.validation_fraction, spec.seed)]
    learned_from = rows.frame if len(splits) > 1 else rows.frame.iloc[splits[0].train]
    print(f"{len(splits)} folds" if len(splits) > 1 else f"{len(splits[0].held_out)} rows held out", flush=True)

    def fitted(recipe: str) -> FeaturePipeline:
        pipeline = fit_features(recipe, table.schema, learned_from)
        print(f"features: {recipe} ({pipeline.width} columns)", flush=True)
        return pipeline

    pipelines = OnDemand(recipes, fitted)
    matrices = OnDemand(recipes, lambda recipe: pipelines[recipe].transform(rows.frame))
    if ahead:
        for recipe in matrices:
            matrices[recipe]
    validation = np.sort(np.concatenate([split.held_out for split in splits]))
    return Material(
        rows=rows,
        splits=tuple(splits),
        pipelines=pipelines,
        matrices=matrices,
        y=rows.y[validation],
        weight=rows.weight[validation],
        validation_rows=rows.frame.iloc[validation],
    )


def _worth_bagging(context: Context) -> bool:
    rows, columns = len(context.table.train), len(context.table.schema.used)
    return rows <= BAGGED_ROWS and rows * columns <= _BAGGED_CELLS_A_SECOND * context.training_seconds()


def _with_validation(table: Table) -> tuple[Rows, list[Split]]:
    if table.validation is None:
        return table.train, []
    train, held_out = table.train, table.validation
    rows = Rows(
        pd.concat([train.frame, held_out.frame], ignore_index=True),
        np.concatenate([train.y, held_out.y]),
        np.concatenate([train.weight, held_out.weight]),
    )
    order = np.arange(len(rows))
    return rows, [Split(order[: len(train)], order[len(train) :])]


def run(
    context: Context,
    material: Material,
    lines: Sequence[Line],
    count: int,
    name: Callable[[Trial], str],
    make: Callable[[str, Trial, Outcome, Mapping[str, float]], Candidate],
    openings: Sequence[Opening] | None = None,
) -> tuple[dict[int, Candidate], int]:
    """Fit ``count`` trials of the lines, fewer where the time is over first; candidates by number, and the last number.

    Each is reported as soon as it is there. ``make`` turns an outcome and its metrics into a candidate with its model
    written.
    """
    planner = Planner(lines, context.spec.seed, openings=openings)
    done: dict[int, Candidate] = {}
    asked = 0

    def ask() -> Job[Trial] | None:
        nonlocal asked
        if asked >= count or context.seconds_left() <= 0:
            return None
        asked += 1
        trial = planner.ask()
        features = functools.partial(material.matrices.__getitem__, trial.line.recipe)
        return Job(trial, functools.partial(_fit, context, material, trial), context.fit_seconds, features)

    def tell(trial: Trial, outcome: Outcome) -> None:
        if outcome.failure is not None:
            planner.tell(trial, None)
            stopped = outcome.cut_off and context.seconds_left() <= 0
            context.report_failure(
                describe_failure(name(trial), outcome.failure, outcome.started, outcome.ended, stopped=stopped)
            )
            return
        fitted: fitting.Fitted = outcome.value
        metrics = objective.evaluate(context.problem_type, material.y, fitted.predicted, material.weight)
        candidate = make(name(trial), trial, outcome, {**metrics, "InferenceLatency": fitted.latency})
        planner.tell(trial, candidate.rank(context.metric))
        done[trial.number] = candidate
        _lighten(done, context.metric)
        context.report(candidate, describe(candidate, context.metric), trial.number)

    with Workers() as workers:
        workers.stream(ask, tell)
    return done, asked


def _lighten(done: dict[int, Candidate], metric: str) -> None:
    """Let go of the models and predictions of those far behind, which are in their artifacts: memory stays bounded."""
    heavy = sorted(
        (number for number, candidate in done.items() if len(candidate.predicted)),
        key=lambda number: done[number].rank(metric),
    )
    if len(heavy) <= KEPT:
        return
    algorithms = [done[number].algorithm for number in heavy]
    for number in heavy:
        if algorithms.count(done[number].algorithm) > 1:
            nothing = Predictor(done[number].predictor.schema, {}, ())
            done[number] = replace(done[number], predictor=nothing, predicted=np.zeros(0))
            return


def _fit(context: Context, material: Material, trial: Trial, seconds: float) -> fitting.Fitted:
    """Runs in a child process."""
    recipe = trial.line.recipe
    return fitting.fit(
        trial.line.algorithm,
        trial.parameters,
        material.matrices[recipe],
        material.rows,
        material.splits,
        classes=len(context.table.schema.labels),
        categorical=material.pipelines[recipe].categorical,
        seed=context.spec.seed,
        seconds=min(_GROWTH_SHARE * seconds, _TURN_SHARE * context.training_seconds()),
    )
