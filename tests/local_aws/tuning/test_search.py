"""The search behind the strategies."""

from typing import Any

import pytest

from include.local_aws.tuning.requests import plan_of
from include.local_aws.tuning.search import Search
from tests.support.tuning_requests import definition, ranges, request

GRID = ranges(categorical={"booster": ["gbtree", "dart"], "max_depth": ["2", "3", "4"]})


def _search(seed: int = 1, **tuning: Any) -> Search:
    return Search(plan_of(request("t", tuning=tuning)), seed)


def _limits(number: int, parallel: int = 1) -> dict[str, Any]:
    return {"ResourceLimits": {"MaxNumberOfTrainingJobs": number, "MaxParallelTrainingJobs": parallel}}


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_the_same_seed_suggests_the_same(strategy: str) -> None:
    """As long as the same is told in the same order."""

    def suggested(seed: int) -> list[Any]:
        search = _search(seed, Strategy=strategy, **_limits(12))
        found = []
        for _ in range(12):
            suggestion = search.ask()
            search.tell(suggestion, -abs(float(suggestion.tuned["eta"]) - 0.3))
            found.append(suggestion.tuned)
        return found

    assert suggested(1) == suggested(1)
    assert suggested(1) != suggested(2)


def test_a_bayesian_search_comes_closer_than_a_random_one() -> None:
    """On a smooth function of two hyperparameters, in the mean over eight seeds."""

    def missed(strategy: str, seed: int) -> float:
        search = _search(seed, Strategy=strategy, **_limits(40))
        best = float("inf")
        for _ in range(40):
            suggestion = search.ask()
            off = abs(float(suggestion.tuned["eta"]) - 0.3) + abs(int(suggestion.tuned["max_depth"]) - 5) / 10
            search.tell(suggestion, -off)
            best = min(best, off)
        return best

    assert sum(missed("Bayesian", seed) for seed in range(8)) < sum(missed("Random", seed) for seed in range(8))


def test_a_grid_suggests_every_combination_once() -> None:
    """All six of them."""
    search = _search(Strategy="Grid", ParameterRanges=GRID, ResourceLimits={"MaxParallelTrainingJobs": 1})
    found = {tuple(sorted(search.ask().tuned.items())) for _ in range(6)}
    assert len(found) == 6


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_no_combination_is_tried_twice(strategy: str) -> None:
    """Where there are exactly as many as training jobs, all are tried."""
    search = _search(Strategy=strategy, ParameterRanges=GRID, **_limits(6))
    found = set()
    for _ in range(6):
        suggestion = search.ask()
        found.add(tuple(sorted(suggestion.tuned.items())))
        search.tell(suggestion, 1.0 if suggestion.tuned["booster"] == "dart" else 0.0)
    assert len(found) == 6
    with pytest.raises(LookupError, match="every combination"):
        search.ask()


@pytest.mark.parametrize(
    ("scaling", "low", "high"), [("Linear", 0.2, 0.9), ("Logarithmic", 1e-4, 0.5), ("ReverseLogarithmic", 0.0, 0.9999)]
)
def test_suggestions_lie_within_their_ranges_and_spread_by_their_scale(scaling: str, low: float, high: float) -> None:
    """Half of a logarithmic range's draws are below its geometric middle, and so from 1 down for a reversed one."""
    search = _search(ParameterRanges=ranges(continuous={"x": (low, high)}, scaling=scaling), **_limits(200))
    drawn = [float(search.ask().tuned["x"]) for _ in range(200)]
    assert low <= min(drawn) <= max(drawn) <= high
    middle = {
        "Linear": (low + high) / 2,
        "Logarithmic": (low * high) ** 0.5,
        "ReverseLogarithmic": 1 - ((1 - low) * (1 - high)) ** 0.5,
    }[scaling]
    assert 70 < sum(each < middle for each in drawn) < 130


def _several(*searched: dict[str, Any]) -> Search:
    objective = {"Type": "Minimize", "MetricName": "validation:rmse"}
    bodies = [
        definition(DefinitionName=f"d{number}", TuningObjective=objective, HyperParameterRanges=each)
        for number, each in enumerate(searched)
    ]
    given = request(
        "t",
        tuning={
            "Strategy": "Bayesian",
            "HyperParameterTuningJobObjective": None,
            "ParameterRanges": None,
            **_limits(40),
        },
        TrainingJobDefinition=None,
        TrainingJobDefinitions=bodies,
    )
    return Search(plan_of(given), 1)


def test_every_definition_is_tried_and_the_better_one_more_often() -> None:
    """Each with hyperparameters of its own only."""
    search, counted = _several(ranges(continuous={"eta": (0, 1)}), ranges(continuous={"l1": (0, 1)})), [0, 0]
    for turn in range(40):
        suggestion = search.ask()
        assert list(suggestion.tuned) == [["eta"], ["l1"]][suggestion.definition]
        assert turn > 1 or suggestion.definition == turn
        counted[suggestion.definition] += 1
        search.tell(suggestion, 1.0 if suggestion.definition == 1 else 0.0)
    assert counted[1] > 2 * counted[0]


def test_a_definition_that_has_no_more_combinations_leaves_the_rest_to_the_others() -> None:
    """However much better it is."""
    search, tried = _several(ranges(categorical={"booster": ["dart"]}), ranges(continuous={"eta": (0.2, 0.9)})), []
    for _ in range(40):
        suggestion = search.ask()
        tried.append(suggestion)
        search.tell(suggestion, 1.0 if suggestion.definition == 0 else 0.0)
    assert sum(each.definition == 0 for each in tried) == 1
    assert all(0.2 < float(each.tuned["eta"]) < 0.9 for each in tried if each.definition == 1)


def test_hyperband_stops_what_falls_behind() -> None:
    """Of 30 training jobs whose values rise by their own slope, it stops slow ones, and never the fastest."""
    strategy = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}
    search = _search(Strategy="Hyperband", StrategyConfig=strategy, **_limits(30))
    stopped, kept = [], []
    for _ in range(30):
        suggestion = search.ask()
        slope = float(suggestion.tuned["eta"])
        if any(search.reached(suggestion, step, slope * step) for step in range(1, 10)):
            search.tell_stopped(suggestion)
            stopped.append(slope)
        else:
            search.tell(suggestion, slope * 9)
            kept.append(slope)
    assert stopped
    assert max(kept) > max(stopped)


def test_an_earlier_result_within_the_ranges_is_learnt_from() -> None:
    """Every hyperparameter must be there and within its new range."""
    search = _search(Strategy="Bayesian")
    assert search.learn({"max_depth": "3", "eta": "0.2", "num_round": "10"}, -1.0)
    assert not search.learn({"max_depth": "9", "eta": "0.2"}, -1.0)
    assert not search.learn({"max_depth": "3"}, -1.0)


def test_a_warm_bayesian_search_begins_where_the_earlier_one_ended() -> None:
    """Told of forty results with their best at 0.3, its first suggestions lie nearer than those of a cold one."""

    def off(warm: bool) -> float:
        total = 0.0
        for seed in range(5):
            search = _search(seed, Strategy="Bayesian", **_limits(8))
            for step in range(40) if warm else ():
                eta = 0.05 + 0.45 * step / 39
                search.learn({"max_depth": "3", "eta": repr(eta)}, -abs(eta - 0.3))
            for _ in range(4):
                suggestion = search.ask()
                search.tell(suggestion, -abs(float(suggestion.tuned["eta"]) - 0.3))
                total += abs(float(suggestion.tuned["eta"]) - 0.3)
        return total

    assert off(warm=True) < 0.6 * off(warm=False)
