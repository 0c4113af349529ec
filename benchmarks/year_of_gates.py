"""A year of weekly gates: what each mode promotes, and where the champion's true quality goes.

Each week a challenger of random true accuracy is held against the champion, on fresh test rows, by the real gate. Rows
have a difficulty that all models share, so that models are mostly wrong on the same rows, as real ones are.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from automl_retraining.core.comparison import Comparison
from automl_retraining.core.gate import decide
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metric_table import METRICS
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.records import Evaluation, MetricResult, ModelRef
from automl_retraining.core.resampling import Settings, units_by_row

Mode = Literal["superiority", "non_inferiority without reference", "non_inferiority"]
MODES: tuple[Mode, ...] = ("superiority", "non_inferiority without reference", "non_inferiority")
WEEKS, ROWS = 52, 10_000
MARGIN = 0.01
QUALITY, SPREAD = 0.90, 0.003
"""Mean and standard deviation of the challengers' true accuracy; the first champion has the mean."""
_ALIKE = math.sqrt(0.8)
_RESAMPLES = 200
_TASK = Task("BinaryClassification", ("no", "yes"), "yes")
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Model:
    """A model by its name and true accuracy."""

    name: str
    accuracy: float


@dataclass(frozen=True)
class Year:
    """What happened: promotions, those to a truly worse model, the champion's true accuracy after the last week."""

    mode: Mode
    promoted: int
    worse: int
    last: float


def year(mode: Mode, seed: tuple[int, ...], weekly_change: float) -> Year:
    """52 gates. ``weekly_change``: by how much the challengers' mean accuracy changes a week."""
    rng = np.random.default_rng(seed)
    champion = reference = Model("first", QUALITY)
    counts: Counter[str] = Counter()
    for week in range(WEEKS):
        challenger = Model(f"week {week}", rng.normal(QUALITY + week * weekly_change, SPREAD))
        if mode == "non_inferiority without reference":
            reference = champion  # as if each champion had been promoted by superiority
        if _promotes(rng, mode, challenger, champion, reference):
            counts["promoted"] += 1
            counts["worse"] += challenger.accuracy < champion.accuracy
            champion = challenger
            if mode == "superiority":
                reference = challenger
    return Year(mode, counts["promoted"], counts["worse"], champion.accuracy)


def _promotes(rng: np.random.Generator, mode: Mode, challenger: Model, champion: Model, reference: Model) -> bool:
    truth = (rng.random(ROWS) < 0.5).astype(np.int64)
    difficulty = rng.normal(size=ROWS)

    def answers(model: Model) -> Answers:
        felt = _ALIKE * difficulty + math.sqrt(1 - _ALIKE**2) * rng.normal(size=ROWS)
        right = felt < _NORMAL.inv_cdf(min(model.accuracy, 1 - 1e-9))
        return Answers(truth, np.where(right, truth, 1 - truth))

    mine, theirs = answers(challenger), answers(champion)
    seed = int(rng.integers(1 << 31))
    metric = _compared(mine, theirs, seed)
    discordant = _apart(mine, theirs)
    reference_discordant = None
    if reference.name != champion.name:
        its = answers(reference)
        found = _compared(mine, its, seed)
        reference_discordant = _apart(mine, its)
        metric = metric.model_copy(
            update={
                "reference": found.champion,
                "against_reference": found.difference,
                "reference_method": found.method,
            }
        )
    evaluation = Evaluation(
        pipeline="simulated",
        run_id="simulated",
        problem_type=_TASK.problem_type,
        target="target",
        labels=_TASK.labels,
        rows=ROWS,
        class_counts={"no": int((truth == 0).sum()), "yes": int(truth.sum())},
        units=ROWS,
        confidence=0.95,
        resamples=_RESAMPLES,
        seed=seed,
        challenger=ModelRef(model_name=challenger.name),
        champion=ModelRef(model_name=champion.name),
        reference=ModelRef(model_name=reference.name),
        metrics=(metric,),
        discordant=discordant,
        reference_discordant=reference_discordant,
    )
    plain = mode == "superiority"
    policy = GatePolicy(
        metric="accuracy",
        mode="superiority" if plain else "non_inferiority",
        margin=0.0 if plain else MARGIN,
        confidence=0.95,
        resamples=_RESAMPLES,
        seed=seed,
    )
    return decide(evaluation, policy).verdict == "promote"


def _compared(mine: Answers, theirs: Answers, seed: int) -> MetricResult:
    spec = METRICS["accuracy"]
    pair = {"challenger": mine, "champion": theirs}
    comparison = Comparison(pair, _TASK, units_by_row(ROWS), Settings(0.95, _RESAMPLES, seed), [spec])
    return comparison.result(spec, "champion", None)


def _apart(mine: Answers, theirs: Answers) -> int:
    return int((mine.prediction != theirs.prediction).sum())
