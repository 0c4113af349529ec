"""What is drawn from the seed: which story is disturbed how, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass

STORIES = {
    "autopilot": "autopilot_chaos_autopilot",
    "tuned": "tuned_chaos_tuned",
    "refit": "refit_chaos_refit",
    "candidates": "candidates_chaos_candidates",
}
"""By story, the DAG whose runs are disturbed."""

HARMS = {
    "task": "kill -9 of the process that runs a task of the run",
    "worker": "kill -9 of the executor's process above it",
    "scheduler": "kill -9 of the scheduler, whose tasks run on without it",
    "scheduler with its tasks": "kill -9 of the scheduler and of everything it had started",
    "triggerer": "kill -9 of a triggerer",
    "api-server": "kill -9 of the api-server",
    "stalled triggerer": "SIGSTOP of one of two triggerers past its health threshold, then SIGCONT",
    "lost answer": "the connection is cut after SageMaker carried out a Create call",
    "clear": "a task of the run is cleared, with what follows it",
    "mark failed": "the whole run is marked failed",
}
"""What can happen to a run, in words."""


@dataclass(frozen=True)
class Round:
    """One run of one story and what happens to it.

    ``moment`` is a share of the time that the undisturbed run took; ``pick`` (0 to 1) chooses among several targets.
    """

    number: int
    story: str
    harm: str
    moment: float
    pick: float


def draw(rounds: int, seed: int, harms: tuple[str, ...] = tuple(HARMS)) -> list[Round]:
    """So many rounds: every story and every harm as often as every other, to within one; moments at random."""
    rng = random.Random(seed)
    dealt: dict[str, list[str]] = {story: [] for story in STORIES}
    deck: list[str] = []
    drawn = []
    for number in range(rounds):
        if number % len(STORIES) == 0:
            order = rng.sample(list(STORIES), len(STORIES))
        story = order[number % len(STORIES)]
        if not deck:
            deck = rng.sample(harms, len(harms))
        # Of the harms left in the deck, one that this story has met least.
        harm = min(deck, key=dealt[story].count)
        deck.remove(harm)
        dealt[story].append(harm)
        drawn.append(Round(number, story, harm, rng.uniform(0.02, 0.95), rng.random()))
    return drawn
