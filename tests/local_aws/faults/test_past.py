"""Lists of the past: new rows absent, old statuses, deleted rows still there; the present for everything else."""

from pathlib import Path

import pytest

from include.local_aws.store import Query, Record
from tests.support.sagemaker_in_process import InProcess


@pytest.fixture
def house(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path)


def shown(house: InProcess, **query: object) -> list[tuple[str, str]]:
    rows: list[Record] = house.store.page(Query("training", "us-east-1", limit=100, descending=False, **query))  # type: ignore[arg-type]
    return [(row.name, row.status) for row in rows]


def test_a_list_shows_each_moment_of_a_job_so_many_seconds_later(house: InProcess) -> None:
    house.put("training", "old", "Completed", {})
    house.store.lag(10, 0, seed=0)
    happens = {
        1000.0: lambda: house.put("training", "job", "InProgress", {}),
        1004.0: lambda: house.move("training", "job", "Stopping"),
        1008.0: lambda: house.move("training", "job", "Stopped"),
        1012.0: lambda: house.store.delete("training", "us-east-1", "job", "arn"),
    }
    seen = []
    for now in range(1000, 1025):
        house.now = float(now)
        happens.get(house.now, lambda: None)()
        seen.append(dict(shown(house)).get("job"))
    assert seen == [None] * 10 + ["InProgress"] * 4 + ["Stopping"] * 4 + ["Stopped"] * 4 + [None] * 3
    assert shown(house) == [("old", "Completed")]


def test_filters_and_order_are_those_of_the_old_rows(house: InProcess) -> None:
    for name in ("b", "a", "c"):
        house.put("training", name, "InProgress", {})
    house.store.lag(10, 0, seed=0)
    house.move("training", "a", "Completed")
    assert shown(house, status="InProgress", sort="Name") == [(name, "InProgress") for name in "abc"]
    assert shown(house, status="Completed") == []
    house.now += 11
    assert shown(house, status="Completed") == [("a", "Completed")]
    assert house.store.get("training", "us-east-1", "a").status == "Completed"


def test_with_jitter_a_list_may_go_back_in_time(house: InProcess) -> None:
    house.store.lag(1, 10, seed=5)
    house.put("training", "job", "InProgress", {})
    house.now += 6
    assert {len(shown(house)) for _ in range(50)} == {0, 1}
    house.now += 6
    assert {len(shown(house)) for _ in range(50)} == {1}


def test_without_lag_nothing_is_remembered(house: InProcess) -> None:
    house.put("training", "job", "InProgress", {})
    house.move("training", "job", "Completed")
    house.store.lag(10, 0, seed=0)
    assert shown(house) == [("job", "Completed")]
    house.move("training", "job", "Failed")
    house.store.lag(0, 0, seed=0)
    assert shown(house) == [("job", "Failed")]
