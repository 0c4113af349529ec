"""Which candidate to fit next: Optuna studies, one for each line of search, and their turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import optuna

from include.local_aws.images.autopilot.families import FAMILIES

optuna.logging.set_verbosity(optuna.logging.WARNING)

_STARTUP_TRIALS = 4
_LEADERS = 3


@dataclass(frozen=True)
class Line:
    """One line of search: an algorithm on a feature pipeline."""

    algorithm: str
    recipe: str


@dataclass(frozen=True)
class Trial:
    """One candidate to fit. ``number`` counts from 1 over all lines."""

    number: int
    line: Line
    parameters: Mapping[str, Any]
    _handle: optuna.Trial


class Searched(Protocol):
    """What an algorithm tells about its hyperparameters: the point to try first, and the space around it."""

    @property
    def start(self) -> Mapping[str, Any]:
        """A point of the space."""
        ...

    @property
    def space(self) -> Callable[[optuna.Trial], dict[str, Any]]:
        """The values to try next."""
        ...


@dataclass(frozen=True)
class Opening:
    """A trial known beforehand: a line of search, and what of its starting point is different."""

    line: Line
    changes: Mapping[str, Any] = field(default_factory=dict)


class Planner:
    """Gives trials: first the openings (by default the starting point of every line), then those that the leading
    lines' studies suggest.

    The same scores told in the same order lead to the same trials.
    """

    def __init__(
        self,
        lines: Sequence[Line],
        seed: int,
        algorithms: Mapping[str, Searched] = FAMILIES,
        openings: Sequence[Opening] | None = None,
    ) -> None:
        self._lines = tuple(lines)
        self._openings = tuple(Opening(line) for line in lines) if openings is None else tuple(openings)
        self._algorithms = algorithms
        self._studies: dict[Line, optuna.Study] = {}
        for index, line in enumerate(self._lines):
            sampler = optuna.samplers.TPESampler(seed=seed + index, n_startup_trials=_STARTUP_TRIALS)
            self._studies[line] = optuna.create_study(direction="maximize", sampler=sampler)
        for opening in self._openings:
            start = algorithms[opening.line.algorithm].start
            self._studies[opening.line].enqueue_trial({**start, **opening.changes})
        self._best: dict[Line, tuple[float, float]] = {}
        self._asked = 0

    def ask(self) -> Trial:
        """The next trial."""
        line = self._turn(self._asked)
        self._asked += 1
        handle = self._studies[line].ask()
        return Trial(self._asked, line, self._algorithms[line.algorithm].space(handle), handle)

    def tell(self, trial: Trial, rank: tuple[float, float] | None) -> None:
        """How good a trial was (None: it failed)."""
        study = self._studies[trial.line]
        if rank is None:
            study.tell(trial._handle, state=optuna.trial.TrialState.FAIL)
            return
        study.tell(trial._handle, rank[0])
        self._best[trial.line] = max(rank, self._best.get(trial.line, rank))

    def _turn(self, turn: int) -> Line:
        if turn < len(self._openings):
            return self._openings[turn].line
        leaders = sorted(self._best, key=lambda line: self._best[line], reverse=True)[:_LEADERS]
        candidates = leaders or list(self._lines)
        return candidates[(turn - len(self._openings)) % len(candidates)]
