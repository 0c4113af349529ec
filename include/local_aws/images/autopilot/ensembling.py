"""ENSEMBLING: bagged base models of several families, then the weighted ensemble that predicts the validation rows
best.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from include.local_aws.images.autopilot import fitting, objective, spaces, trials, uris
from include.local_aws.images.autopilot.candidates import ALL_KEYS, Candidate, describe, describe_failure
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.families import FAMILIES, Floats
from include.local_aws.images.autopilot.predictor import Member, Predictor, combine
from include.local_aws.images.autopilot.spec import ALGORITHMS, JobFailure
from include.local_aws.images.autopilot.studies import Line, Opening, Trial
from include.local_aws.images.autopilot.trials import Material
from include.local_aws.images.autopilot.workers import Outcome

_SELECTION_ROUNDS = 30
_SELECTION_PATIENCE = 6
_SELECTION_ROWS = 20_000
_SELECTION_SECONDS = 2.0
_LEADERS = 24
"""Of the candidates, those that the ensemble is chosen from, besides the best one of every algorithm."""

_PERCEPTRON = Line("nn-torch", "quantile")
_PORTFOLIO = (
    Opening(Line("lightgbm", "ordinal"), spaces.RANDOM_THRESHOLDS),
    Opening(Line("xgboost", "rotated")),
    Opening(Line("extra-trees", "ordinal")),
    Opening(_PERCEPTRON),
    Opening(Line("linear-learner", "spline")),
    Opening(Line("lightgbm", "rotated"), spaces.SMALL_TREES),
    Opening(Line("xgboost", "ordinal"), spaces.FLAT_TREES),
    Opening(Line("linear-learner", "one-hot")),
    Opening(Line("lightgbm", "ordinal"), spaces.SLOW_SMALL_TREES),
    Opening(Line("randomforest", "ordinal")),
    Opening(Line("extra-trees", "rotated")),
)
"""The first candidates: different families early, so that a few of them give much to combine. Chosen by what they gain
on the tables of benchmarks/bench_search.py.
"""
_WIDE = 100
"""Numeric columns, from which on splines are too many features, and sums of all columns say little about a few."""
_FEW_ROWS = 1000


def lines(context: Context) -> list[Line]:
    """The families to search; those asked for that are not available here are reported as failed candidates.

    Raises:
        JobFailure: none is available.
    """
    available = [name for name in context.algorithms if name in FAMILIES]
    if not available:
        raise JobFailure(
            f"None of the algorithms asked for ({', '.join(context.algorithms)}) is available here: "
            f"it has {', '.join(name for name in ALGORITHMS['ENSEMBLING'] if name in FAMILIES)}."
        )
    for name in context.algorithms:
        if name not in FAMILIES and context.spec.algorithms:
            now = time.time()
            reason = f"The algorithm {name} is not available in the embedded Autopilot; the others were searched."
            context.report_failure(describe_failure(f"{name}-BAG-L1", reason, now, now))
    columns = context.table.schema.used
    numeric = sum(column.kind in ("numeric", "datetime") for column in columns)
    unfit = {"spline"} if numeric == 0 else set()
    unfit |= {"rotated"} if numeric < 2 else set()
    unfit |= {"rotated", "spline"} if numeric > _WIDE else set()
    portfolio = dict.fromkeys(opening.line for opening in _PORTFOLIO)
    found = [line for line in portfolio if line.algorithm in available and line.recipe not in unfit]
    left = [name for name in available if name not in {line.algorithm for line in found}]
    return found + [Line(name, FAMILIES[name].recipe) for name in left]


def _openings(context: Context, lines: Sequence[Line]) -> list[Opening]:
    """The portfolio's openings of these lines, then the starting points of lines that it doesn't have.

    Algorithms that were asked for by name come first once each, so that few candidates try all of them.
    """
    found = [opening for opening in _PORTFOLIO if opening.line in lines]
    if len(context.table.train) < _FEW_ROWS:
        found = [replace(each, changes=spaces.FULL_BATCHES) if each.line == _PERCEPTRON else each for each in found]
    known = {opening.line for opening in found}
    found += [Opening(line) for line in lines if line not in known]
    if not context.spec.algorithms:
        return found
    first = {opening.line.algorithm: opening for opening in reversed(found)}
    return sorted(found, key=lambda opening: opening is not first[opening.line.algorithm])


def search(context: Context, lines: Sequence[Line]) -> tuple[list[Candidate], Material]:
    """Train base models until their number or the time is used up, then their ensemble as the last candidate."""
    material = trials.prepare(context, [line.recipe for line in lines], bagged=True, ahead=False)
    base_models = max(1, context.max_candidates - 1)

    def name(trial: Trial) -> str:
        return f"{FAMILIES[trial.line.algorithm].title}-BAG-L1-t{trial.number}"

    def make(name: str, trial: Trial, outcome: Outcome, metrics: Mapping[str, float]) -> Candidate:
        fitted: fitting.Fitted = outcome.value
        recipe = trial.line.recipe
        predictor = Predictor(
            context.table.schema, {recipe: material.pipelines[recipe]}, (Member(recipe, fitted.models, 1.0),)
        )
        return Candidate(
            name=name,
            algorithm=trial.line.algorithm,
            parameters=trial.parameters,
            metrics=metrics,
            predictor=predictor,
            predicted=fitted.predicted,
            containers=_containers(context, name, predictor, trial.parameters),
            started=outcome.started,
            ended=outcome.ended,
        )

    done, last = trials.run(context, material, lines, base_models, name, make, _openings(context, lines))
    candidates = list(done.values())
    if len(candidates) > 1:
        candidates.append(_ensemble(context, material, done, last + 1))
    return candidates, material


def _ensemble(context: Context, material: Material, done: Mapping[int, Candidate], number: int) -> Candidate:
    started = time.time()
    numbers = _leaders(context, done)
    weights = select(context, material.y, material.weight, [done[each].predicted for each in numbers])
    chosen = {each: weight for each, weight in zip(numbers, weights, strict=True) if weight > 0}
    predicted = np.asarray(sum(done[each].predicted * weight for each, weight in chosen.items()), dtype=np.float64)
    predictor = combine({each: done[each].predictor for each in chosen}, chosen)
    metrics = objective.evaluate(context.problem_type, material.y, predicted, material.weight)
    name = f"WeightedEnsemble-L2-t{number}"
    parameters = {done[each].name: round(weight, 4) for each, weight in chosen.items()}
    candidate = Candidate(
        name=name,
        algorithm="weighted-ensemble",
        parameters=parameters,
        metrics={**metrics, "InferenceLatency": sum(done[each].metrics["InferenceLatency"] for each in chosen)},
        predictor=predictor,
        predicted=predicted,
        containers=_containers(context, name, predictor, parameters),
        started=started,
        ended=time.time(),
    )
    context.report(candidate, describe(candidate, context.metric), number)
    return candidate


def _leaders(context: Context, done: Mapping[int, Candidate]) -> list[int]:
    """The candidates that an ensemble may be chosen from, by number: the best ones, and the best of each algorithm."""
    whole = [number for number, candidate in done.items() if len(candidate.predicted)]
    ranked = sorted(whole, key=lambda number: done[number].rank(context.metric), reverse=True)
    first = {done[number].algorithm: number for number in reversed(ranked)}
    return sorted({*ranked[:_LEADERS], *first.values()})


def select(context: Context, y: Floats, weight: Floats, predictions: Sequence[Floats]) -> list[float]:
    """Weights of an ensemble by greedy forward selection with replacement, which add up to 1.

    Of equal objectives the closer prediction counts. It ends when it stops gaining, or after a few seconds.

    Source: Caruana et al., "Ensemble selection from libraries of models", ICML 2004.
    """
    rows = np.arange(len(y))
    if len(rows) > _SELECTION_ROWS:
        rows = np.sort(np.random.default_rng(context.spec.seed).choice(rows, _SELECTION_ROWS, replace=False))
    parts = [predicted[rows] for predicted in predictions]

    y, weight = y[rows], weight[rows]

    def score(predicted: Floats) -> float:
        return objective.measure(context.metric, y, predicted, weight)

    def closeness(predicted: Floats) -> float:
        return objective.closeness(y, predicted, weight)

    began = time.monotonic()
    taken: list[int] = []
    total = np.zeros_like(parts[0])
    best: tuple[tuple[float, float], int] | None = None
    for size in range(1, _SELECTION_ROUNDS + 1):
        scores = [score((total + part) / size) for part in parts]
        equal = [index for index, value in enumerate(scores) if value == max(scores)]
        pick = max(equal, key=lambda index: closeness((total + parts[index]) / size))
        taken.append(pick)
        total = total + parts[pick]
        rank = scores[pick], closeness(total / size)
        if best is None or rank > best[0]:
            best = (rank, size)
        elif size - best[1] >= _SELECTION_PATIENCE:
            break
        if time.monotonic() - began > _SELECTION_SECONDS:
            break
    assert best is not None
    return [taken[: best[1]].count(index) / best[1] for index in range(len(parts))]


def _containers(
    context: Context, name: str, predictor: Predictor, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Write the model and describe the one container that serves it."""
    relative = f"sagemaker-automl-candidates/model/{name}/model.tar.gz"
    context.output.write_model(relative, "ensemble", predictor, {"candidate": name, "parameters": dict(parameters)})
    environment = {
        "MODEL_NAME": name,
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        "SAGEMAKER_PROGRAM": "sagemaker_serve",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    }
    if predictor.schema.labels:
        environment["SAGEMAKER_INFERENCE_OUTPUT"] = "predicted_label"
        environment["SAGEMAKER_INFERENCE_SUPPORTED"] = ALL_KEYS
    return [
        {
            "Image": uris.ensemble(context.spec.region),
            "ModelDataUrl": f"artifact:{relative}",
            "Environment": environment,
        }
    ]
