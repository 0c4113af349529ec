"""What may go: a pure function of what there is, the policy and the time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_retraining.core.lifecycle_spec import RetentionSpec
from automl_retraining.core.retention import Config, Folder, Inventory, Model, Plan, Version, everything, plan, totals

NOW = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = RetentionSpec(days=30, models=1, runs=1, packages=1)


def ago(days: float) -> datetime:
    """That many days before now."""
    return NOW - timedelta(days=days)


def folder(run: str) -> str:
    """A run folder's URI."""
    return f"s3://b/p/runs/{run}"


def weekly(count: int, *, promoted: bool = True) -> Inventory:
    """One run a week, the last one today, each with a model behind a configuration, a version and a folder."""
    runs = [(f"{week}", ago(7 * (count - 1 - week))) for week in range(count)]
    return Inventory(
        pipeline="p",
        configs=tuple(Config(f"c{run}", at, (f"m{run}",), promoted) for run, at in runs),
        models=tuple(Model(f"m{run}", at, folder(run)) for run, at in runs),
        versions=tuple(Version(f"v{run}", int(run), at, "Approved", f"m{run}", folder(run)) for run, at in runs),
        folders=tuple(Folder(folder(run), at, 10, 1000) for run, at in runs),
        in_use={f"c{count - 1}": "serves", f"m{count - 1}": "serves"},
    )


def retired(planned: Plan, kind: str) -> set[str]:
    """Names of that kind that go."""
    return {item.name for item in planned.retire if item.kind == kind}


def test_what_is_old_goes_and_what_is_young_stays() -> None:
    """Ten weeks: those older than thirty days go, with everything of theirs, oldest first, folders last."""
    planned = plan(weekly(10), POLICY, NOW)
    old = [week for week in range(10) if 7 * (9 - week) > 30]
    assert retired(planned, "model") == {f"m{week}" for week in old}
    assert retired(planned, "run folder") == {folder(str(week)) for week in old}
    assert retired(planned, "endpoint configuration") == {f"c{week}" for week in old}
    assert retired(planned, "version") == {f"v{week}" for week in old}
    kinds = [item.kind for item in planned.retire]
    assert kinds == sorted(kinds, key=["version", "endpoint configuration", "model", "run folder"].index)
    assert totals(planned.retire)["bytes"] == 1000 * len(old)


def test_what_serves_stays_however_old_with_the_folder_that_it_came_from() -> None:
    """A champion of two years, and the one to go back to."""
    inventory = replace(weekly(1), in_use={"c0": "endpoint e serves it", "m0": "endpoint e serves it"})
    planned = plan(inventory, POLICY, NOW + timedelta(days=700))
    assert planned.retire == ()
    assert {(item.kind, item.name): item.why for item in planned.keep}["endpoint configuration", "c0"].endswith("it")


def test_the_last_promoted_models_stay_and_rolled_back_ones_do_not_count() -> None:
    """A challenger that was rolled back has a configuration too."""
    inventory = weekly(6)
    configs = tuple(replace(each, promoted=each.name in ("c1", "c3")) for each in inventory.configs)
    planned = plan(
        replace(inventory, configs=configs, in_use={}),
        POLICY.model_copy(update={"models": 2}),
        NOW + timedelta(days=99),
    )
    assert {"m1", "m3"} & retired(planned, "model") == set()
    assert {"m0", "m2", "m4"} <= retired(planned, "model")


def test_a_young_configuration_keeps_its_old_model_alive() -> None:
    """Somebody went back to it yesterday."""
    inventory = weekly(10)
    back = Config("back", ago(1), ("m0",), False)
    planned = plan(replace(inventory, configs=(*inventory.configs, back)), POLICY, NOW)
    assert "m0" not in retired(planned, "model")
    assert folder("0") not in retired(planned, "run folder")


def test_what_waits_for_a_person_stays_with_its_model_and_folder() -> None:
    """An answer may come late."""
    inventory = weekly(10)
    versions = tuple(
        replace(each, status="PendingManualApproval") if each.number == 2 else each for each in inventory.versions
    )
    planned = plan(replace(inventory, versions=versions), POLICY, NOW)
    assert not {"m2", "v2", folder("2")} & {item.name for item in planned.retire}


def test_a_kept_version_that_may_be_deployed_keeps_its_folder_and_a_rejected_one_does_not() -> None:
    """The registry must not offer what cannot be loaded any more."""
    inventory = weekly(10)
    versions = tuple(replace(each, status="Rejected") if each.number == 3 else each for each in inventory.versions)
    planned = plan(replace(inventory, versions=versions), POLICY.model_copy(update={"packages": 7}), NOW)
    assert {folder("3"), "m3"} <= {item.name for item in planned.retire}
    assert "v3" not in retired(planned, "version")
    assert folder("4") not in retired(planned, "run folder")


def test_a_version_that_is_not_ours_stays() -> None:
    """Somebody registered it in our group by hand."""
    inventory = weekly(10)
    versions = tuple(replace(each, ours=each.number != 0) for each in inventory.versions)
    planned = plan(replace(inventory, versions=versions), POLICY, NOW)
    assert "v0" not in retired(planned, "version")
    assert next(item.why for item in planned.keep if item.name == "v0").endswith("not ours")


def test_nothing_is_retired_that_may_be_part_of_a_run_under_way() -> None:
    """A run may last longer than the policy's days."""
    policy = POLICY.model_copy(update={"days": 1})
    assert retired(plan(weekly(3), policy, NOW), "model") == {"m0", "m1"}
    assert retired(plan(weekly(3), policy, NOW, longest_run=timedelta(days=10)), "model") == {"m0"}


def test_a_policy_that_is_off_retires_nothing() -> None:
    """Not even what is a century old."""
    off = RetentionSpec(enabled=False)
    assert plan(weekly(9), off, NOW + timedelta(days=36500)).retire == ()


@pytest.mark.parametrize("seed", range(20))
def test_whatever_there_is_nothing_kept_points_at_something_that_goes(seed: int) -> None:
    """Kept configuration: its models; kept model: its folder; in use: itself. Done, the plan plans nothing more."""
    rng = random.Random(seed)
    inventory = _random(rng)
    policy = RetentionSpec(
        days=rng.randint(1, 60), models=rng.randint(1, 4), runs=rng.randint(1, 6), packages=rng.randint(1, 9)
    )
    planned = plan(inventory, policy, NOW)
    gone = {item.name for item in planned.retire}
    assert not gone & set(inventory.in_use)
    left = _without(inventory, gone)
    for config in left.configs:
        assert not set(config.models) & gone
    for model in left.models:
        assert model.run_folder not in gone or model.created >= ago(policy.days)
    assert plan(left, policy, NOW).retire == ()
    assert len({each.name for each in left.configs if each.promoted}) >= min(
        policy.models, len({each.models for each in inventory.configs if each.promoted})
    )


def _random(rng: random.Random) -> Inventory:
    count = rng.randint(0, 30)
    runs = [(str(n), ago(rng.uniform(0, 200))) for n in range(count)]
    inventory = Inventory(
        pipeline="p",
        configs=tuple(
            Config(f"c{run}", at, tuple({f"m{run}", f"m{rng.randrange(count)}"}), rng.random() < 0.5)
            for run, at in runs
            if rng.random() < 0.5
        ),
        models=tuple(Model(f"m{run}", at, folder(run)) for run, at in runs),
        versions=tuple(
            Version(f"v{run}", int(run), at, rng.choice(["Approved", "Rejected", "PendingManualApproval"]), f"m{run}",
                    folder(run))
            for run, at in runs
        ),
        folders=tuple(Folder(folder(run), at, 1, 1) for run, at in runs),
    )  # fmt: skip
    names: list[Any] = [*(each.name for each in inventory.configs), *(each.name for each in inventory.models)]
    return replace(inventory, in_use={name: "used" for name in names if rng.random() < 0.1})


def _without(inventory: Inventory, gone: set[str]) -> Inventory:
    return replace(
        inventory,
        configs=tuple(each for each in inventory.configs if each.name not in gone),
        models=tuple(each for each in inventory.models if each.name not in gone),
        versions=tuple(each for each in inventory.versions if each.arn not in gone),
        folders=tuple(each for each in inventory.folders if each.uri not in gone),
    )


def test_a_teardown_takes_everything_but_what_something_else_uses() -> None:
    """Another endpoint serves m1: it stays with its configuration's models and its folder."""
    inventory = replace(weekly(3), in_use={"c1": "endpoint other serves it", "m1": "endpoint other serves it"})
    planned = everything(inventory)
    assert {item.name for item in planned.keep} == {"c1", "m1", folder("1")}
    assert {"c0", "m0", "v0", "v1", "v2", folder("0"), folder("2")} <= {item.name for item in planned.retire}
