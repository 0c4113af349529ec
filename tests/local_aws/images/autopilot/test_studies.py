"""Which trial comes next."""

from __future__ import annotations

from include.local_aws.images.autopilot.families import FAMILIES
from include.local_aws.images.autopilot.studies import Line, Opening, Planner, Trial

LINES = [
    Line("lightgbm", "ordinal"),
    Line("xgboost", "ordinal"),
    Line("linear-learner", "one-hot"),
    Line("nn-torch", "pca"),
]
QUALITY = {"lightgbm": 0.9, "xgboost": 0.8, "linear-learner": 0.5, "nn-torch": 0.7}


def trials(count: int, seed: int = 1) -> list[Trial]:
    planner = Planner(LINES, seed)
    asked = []
    for _ in range(count):
        trial = planner.ask()
        planner.tell(trial, (QUALITY[trial.line.algorithm], 0.0))
        asked.append(trial)
    return asked


def test_every_line_starts_with_its_starting_point() -> None:
    """In the order of the lines."""
    first = trials(4)
    assert [trial.line for trial in first] == LINES
    for trial in first:
        start = FAMILIES[trial.line.algorithm].start
        assert {name: trial.parameters[name] for name in start} == start


def test_openings_come_first_in_their_order_with_their_changes() -> None:
    """A line may open more than once, and what is not changed is the starting point."""
    openings = [Opening(LINES[1]), Opening(LINES[0], {"num_leaves": 15}), Opening(LINES[1], {"max_depth": 3})]
    planner = Planner(LINES[:2], 1, openings=openings)
    first = []
    for _ in range(5):
        trial = planner.ask()
        planner.tell(trial, (QUALITY[trial.line.algorithm], 0.0))
        first.append(trial)
    assert [trial.line for trial in first[:3]] == [opening.line for opening in openings]
    for trial, opening in zip(first, openings, strict=False):
        expected = {**FAMILIES[trial.line.algorithm].start, **opening.changes}
        assert {name: trial.parameters[name] for name in expected} == expected
    assert [trial.line for trial in first[3:]] == [LINES[0], LINES[1]]


def test_then_the_leading_lines_are_searched() -> None:
    """The worst of four is left alone, the others take turns; no setting comes twice."""
    later = trials(13)[4:]
    assert [trial.line.algorithm for trial in later[:3]] == ["lightgbm", "xgboost", "nn-torch"]
    assert "linear-learner" not in {trial.line.algorithm for trial in later}
    settings = [(trial.line, tuple(trial.parameters.items())) for trial in trials(13)]
    assert len(set(settings)) == 13


def test_the_same_answers_lead_to_the_same_questions() -> None:
    """And another seed to others."""

    def questions(seed: int) -> list[object]:
        return [(trial.number, trial.line, trial.parameters) for trial in trials(10, seed)]

    assert questions(1) == questions(1) != questions(2)


def test_failed_trials_do_not_stop_the_search() -> None:
    """Not even when all fail."""
    planner = Planner(LINES[:2], seed=1)
    for number in range(1, 7):
        trial = planner.ask()
        planner.tell(trial, None)
        assert trial.number == number
