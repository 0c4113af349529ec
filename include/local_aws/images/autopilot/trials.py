"""The loop that both modes share: rows, folds and features that all candidates see, trials asked for and told."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from include.local_aws.images.autopilot import fitting, objective
from include.local_aws.images.autopilot.candidates import Candidate, describe, describe_failure
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import Floats
from include.local_aws.images.autopilot.features import FeaturePipeline, Matrix
from include.local_aws.images.autopilot.features import fit as fit_features
from include.local_aws.images.autopilot.fitting import Split
from include.local_aws.images.autopilot.studies import Line, Planner, Trial
from include.local_aws.images.autopilot.table import Rows, Table
from include.local_aws.images.autopilot.workers import Job, Outcome, Workers

BAGGED_ROWS = 50_000
"""Larger tables are measured on one held-out part: its error is small there, and a candidate is one fit, not five."""
_BOOSTING_SHARE = 0.7
"""Of a fit's time limit; boosting then stops with the rounds it has, and what is left is for predicting and writing."""


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


def prepare(context: Context, recipes: Sequence[str], *, bagged: bool) -> Material:
    """Split the rows and fit the feature pipelines.

    A validation channel is the held-out part where there is one. Else ``bagged`` gives folds that take turns, for
    tables of up to ``BAGGED_ROWS``, and otherwise a part of the training rows is held out, which the feature pipelines
    do not see either.
    """
    table, spec = context.table, context.spec
    classes = len(table.schema.labels)
    rows, splits = _with_validation(table)
    if not splits and bagged and len(rows) <= BAGGED_ROWS:
        splits = fitting.folds(table.train, classes, fitting.FOLDS, spec.seed)
    elif not splits:
        splits = [fitting.holdout(table.train, classes, spec.validation_fraction, spec.seed)]
    learned_from = rows.frame if len(splits) > 1 else rows.frame.iloc[splits[0].train]
    pipelines = {recipe: fit_features(recipe, table.schema, learned_from) for recipe in dict.fromkeys(recipes)}
    widths = ", ".join(f"{recipe} ({pipeline.width} columns)" for recipe, pipeline in pipelines.items())
    how = f"{len(splits)} folds" if len(splits) > 1 else f"{len(splits[0].held_out)} rows held out"
    print(f"features: {widths}; {how}", flush=True)
    validation = np.sort(np.concatenate([split.held_out for split in splits]))
    return Material(
        rows=rows,
        splits=tuple(splits),
        pipelines=pipelines,
        matrices={recipe: pipeline.transform(rows.frame) for recipe, pipeline in pipelines.items()},
        y=rows.y[validation],
        weight=rows.weight[validation],
        validation_rows=rows.frame.iloc[validation],
    )


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
) -> tuple[dict[int, Candidate], int]:
    """Fit ``count`` trials of the lines, fewer where the time is over first; candidates by number, and the last number.

    Each is reported as soon as it is there. ``make`` turns an outcome and its metrics into a candidate with its model
    written.
    """
    planner = Planner(lines, context.spec.seed)
    done: dict[int, Candidate] = {}
    asked = 0

    def ask() -> Job[Trial] | None:
        nonlocal asked
        if asked >= count or context.seconds_left() <= 0:
            return None
        asked += 1
        trial = planner.ask()
        return Job(trial, functools.partial(_fit, context, material, trial), context.fit_seconds)

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
        context.report(candidate, describe(candidate, context.metric), trial.number)

    with Workers() as workers:
        workers.stream(ask, tell)
    return done, asked


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
        seconds=_BOOSTING_SHARE * seconds,
    )
