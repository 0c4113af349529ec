"""The state: one row per resource, changed in transactions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.local_aws.store import AlreadyExists, DoesNotExist, Query, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.sqlite")
    yield opened
    opened.close()


def test_what_was_written_is_there_after_reopening(tmp_path: Path) -> None:
    first = Store(tmp_path / "s")
    first.insert("model", "r", "m", "", {"a": [1]}, tags=("arn", {"k": "v"}))
    first.close()
    second = Store(tmp_path / "s")
    assert second.get("model", "r", "m").body == {"a": [1]}
    assert second.tags("arn") == {"k": "v"}
    second.close()


def test_a_second_resource_of_a_name_is_refused_and_leaves_no_tags(store: Store) -> None:
    store.insert("model", "r", "m", "", {})
    with pytest.raises(AlreadyExists):
        store.insert("model", "r", "m", "", {}, tags=("arn", {"k": "v"}))
    assert store.tags("arn") == {}


def test_automl_names_are_case_insensitive_and_others_are_not(store: Store) -> None:
    store.insert("automl", "r", "Job", "InProgress", {})
    store.insert("model", "r", "Job", "", {})
    with pytest.raises(AlreadyExists):
        store.insert("automl", "r", "jOB", "InProgress", {})
    assert store.get("automl", "r", "JOB").name == "Job"
    assert store.find("model", "r", "JOB") is None


def test_regions_are_apart(store: Store) -> None:
    store.insert("model", "r1", "m", "", {})
    assert store.find("model", "r2", "m") is None
    store.insert("model", "r2", "m", "", {})


def test_a_change_moves_the_time_of_change_and_no_change_does_not(store: Store) -> None:
    before = store.insert("model", "r", "m", "A", {"x": 1, "y": 2})
    after = store.update("model", "r", "m", lambda record: record.having(status="B", x=None))
    assert (after.status, after.body) == ("B", {"y": 2})
    assert after.modified > before.modified
    assert store.update("model", "r", "m", lambda record: record) == after
    assert store.get("model", "r", "m") == after


def test_a_change_that_raises_changes_nothing(store: Store) -> None:
    before = store.insert("model", "r", "m", "A", {})

    def change(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update("model", "r", "m", change)  # type: ignore[arg-type]
    assert store.get("model", "r", "m") == before


def test_deleting_removes_tags_and_a_second_time_is_an_error(store: Store) -> None:
    store.insert("model", "r", "m", "", {}, tags=("arn", {"k": "v"}))
    store.delete("model", "r", "m", "arn")
    assert store.tags("arn") == {}
    with pytest.raises(DoesNotExist):
        store.delete("model", "r", "m", "arn")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", ["Name", "Status", "CreationTime"])
def test_pages_visit_every_row_once_in_order_even_when_the_sorted_values_are_equal(
    store: Store, sort: str, descending: bool
) -> None:
    for number in range(11):
        store.insert("model", "r", f"m{number:02d}", "AB"[number % 2], {})
    seen: list[str] = []
    after = None
    while True:
        found = store.page(Query("model", "r", sort=sort, descending=descending, limit=3, after=after))
        seen += [record.name for record in found[:3]]
        if len(found) <= 3:
            break
        last = found[2]
        after = ({"Name": last.name, "Status": last.status, "CreationTime": last.created}[sort], last.seq)
    expected = sorted((record for record in store.all("model")), key=lambda record: record.seq)
    if sort == "Status":
        expected.sort(key=lambda record: record.status)
    names = [record.name for record in expected]
    assert seen == (names[::-1] if descending else names)


def test_filters_narrow_a_page(store: Store) -> None:
    for name in ("alpha", "beta", "alphabet"):
        store.insert("model", "r", name, "S", {})
    moment = store.get("model", "r", "beta").created

    def names(**filters: Any) -> set[str]:
        return {each.name for each in store.page(Query("model", "r", **filters))}

    assert names(name_contains="ALPHA") == {"alpha", "alphabet"}
    assert names(name_contains="%") == set()
    assert names(status="T") == set()
    assert names(created_after=moment) == {"alphabet"}
    assert names(created_before=moment) == {"alpha"}
    store.update("model", "r", "alpha", lambda record: record.having(status="T"))
    assert names(modified_after=store.get("model", "r", "alphabet").modified) == {"alpha"}
    assert store.counts() == {"model": {"S": 2, "T": 1}}
