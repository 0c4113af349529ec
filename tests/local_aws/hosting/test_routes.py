"""Which variant of which fleet answers."""

from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from include.local_aws.hosting.fleet import Fleet
from include.local_aws.hosting.routes import Routes, routes
from include.local_aws.hosting.server import Server
from include.local_aws.jobs.logs import Stream

SERVICES = cast(Any, None)


def fleet(config: str, *variants: tuple[str, float, int]) -> Fleet:
    """Variants (name, weight, instances) whose processes were never started."""
    servers = {name: Server(SERVICES, Path("none"), Stream("r", "g", name)) for name, *_ in variants}
    found = [{"VariantName": name, "weight": weight, "count": count} for name, weight, count in variants]
    return Fleet(config, found, servers)


def chosen(made: Routes, target: str | None = None, number: int = 1000) -> dict[tuple[str, str], int]:
    """How many of so many evenly spread chances each variant of each configuration gets."""
    found: Counter[tuple[str, str]] = Counter()
    for place in range(number):
        lane = made.choose(target, place / number)
        assert lane is not None
        found[(lane.config, lane.variant)] += 1
    return dict(found)


def test_requests_are_shared_in_proportion_to_the_weights() -> None:
    made = routes(fleet("old", ("off", 0.0, 1), ("one", 1.0, 1), ("three", 3.0, 1)))
    assert chosen(made) == {("old", "one"): 250, ("old", "three"): 750}


def test_a_target_variant_answers_whatever_its_weight() -> None:
    made = routes(fleet("old", ("off", 0.0, 1), ("one", 1.0, 1)))
    assert chosen(made, "off") == {("old", "off"): 1000}
    assert made.choose("none", 0.9) is None
    assert made.variants == ["off", "one"]


def test_the_whole_range_of_chance_has_an_answer() -> None:
    made = routes(fleet("old", ("one", 1.0, 1), ("three", 3.0, 1), ("off", 0.0, 1)))
    first, last = made.choose(None, 0.0), made.choose(None, 0.9999999999999999)
    assert first is not None
    assert last is not None
    assert (first.variant, last.variant) == ("one", "three")


@pytest.mark.parametrize(("active", "new"), [(0, 0), (1, 250), (2, 500), (4, 1000)])
def test_the_new_fleet_takes_the_part_of_the_traffic_that_its_active_instances_are(active: int, new: int) -> None:
    made = routes(fleet("old", ("a", 2.0, 9)), fleet("new", ("a", 1.0, 4)), {"a": active})
    expected = {("old", "a"): 1000 - new, ("new", "a"): new}
    assert chosen(made) == {key: count for key, count in expected.items() if count}
    assert chosen(made, "a") == chosen(made)


def test_each_variant_of_the_new_fleet_keeps_its_weight_among_what_moved() -> None:
    made = routes(
        fleet("old", ("a", 1.0, 4)), fleet("new", ("a", 3.0, 4), ("b", 1.0, 2)), {"a": 1, "b": 1}
    )  # a quarter of three quarters, and half of one quarter
    shares = chosen(made, number=16_000)
    assert shares == {("new", "a"): 3000, ("new", "b"): 2000, ("old", "a"): 11_000}


def test_a_variant_that_only_one_fleet_has_is_asked_there() -> None:
    made = routes(fleet("old", ("a", 1.0, 2)), fleet("new", ("b", 1.0, 2)), {"b": 1})
    assert chosen(made, "a") == {("old", "a"): 1000}
    assert chosen(made, "b") == {("new", "b"): 1000}
    not_yet = routes(fleet("old", ("a", 1.0, 2)), fleet("new", ("b", 1.0, 2)), {"b": 0})
    assert not_yet.choose("b", 0.5) is None
    assert not_yet.variants == ["a"]
