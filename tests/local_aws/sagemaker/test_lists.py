"""Lists page, sort and filter as the API reference says, every one of them; enumerated, so that none is forgotten."""

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from include.local_aws.sagemaker import lists
from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.wire.model import operation
from tests.support.listings import LISTINGS, Listing
from tests.support.sagemaker_in_process import InProcess, Refused

PAGINATORS: dict[str, dict[str, Any]] = Loader().load_service_model("sagemaker", "paginators-1")["pagination"]
WITHOUT_PAGES = {"ListTags"}
"""A resource never has more tags than a page."""
NAMES = ("delta", "alpha", "charlie", "bravo", "echo")

IMPLEMENTED = sorted({name for name in OPERATIONS if name.startswith("List")} - WITHOUT_PAGES)
every_list = pytest.mark.parametrize("name", IMPLEMENTED)


@pytest.fixture
def house(tmp_path: Path) -> InProcess:
    return InProcess(tmp_path)


def listing_of(name: str) -> Listing:
    if name not in LISTINGS:
        pytest.fail(f"{name} is a List operation: say in tests/support/listings.py how to put there what it lists")
    return LISTINGS[name]


def members(name: str) -> dict[str, Any]:
    model = operation(name)
    assert model is not None
    assert model.input_shape is not None
    return dict(model.input_shape.members)


def default_order(name: str) -> tuple[str, str]:
    if name == "ListCandidatesForAutoMLJob":
        return lists.NEWEST  # its documentation gives a direction as the default of SortBy
    return lists.DEFAULT_ORDERS.get(name, lists.NEWEST)


def seed(house: InProcess, name: str, count: int = len(NAMES)) -> list[str]:
    """Resources of every status, in an order that is neither that of their names nor the reverse; oldest first."""
    listing = listing_of(name)
    given = [NAMES[n] if n < len(NAMES) else f"more-{n:02d}" for n in range(count)]
    for number, each in enumerate(given):
        listing.put(house, each, listing.statuses[number % len(listing.statuses)])
    return given


def listed(house: InProcess, name: str, page_size: int = 100, **request: Any) -> list[str]:
    listing, config = listing_of(name), PAGINATORS[name]
    sizes = {"PaginationConfig": {"PageSize": page_size}}
    pages = house.pages(name, config, **{**listing.fixed, **request}, **sizes)
    return [row[listing.name] for page in pages for row in page[config["result_key"]]]


@every_list
def test_botocores_paginator_visits_everything_once_in_every_order(house: InProcess, name: str) -> None:
    given = seed(house, name)
    position = {each: number for number, each in enumerate(given)}
    statuses = listing_of(name).statuses
    keys = {
        "Name": lambda each: (each,),
        "CreationTime": lambda each: (position[each],),
        "Status": lambda each: (statuses[position[each] % len(statuses)],),
        "FinalObjectiveMetricValue": lambda each: (0,),
    }
    keys["PipelineExecutionArn"] = keys["Name"]
    default = default_order(name)
    for by in members(name)["SortBy"].enum if "SortBy" in members(name) else default[:1]:
        for direction in ("Ascending", "Descending") if "SortOrder" in members(name) else default[1:]:
            order = {"SortBy": by, "SortOrder": direction}
            found = listed(house, name, 2, **{each: order[each] for each in set(order) & set(members(name))})
            if by == "FinalObjectiveMetricValue" and name.startswith("ListTraining"):
                assert 0 < len(found) <= len(given)  # those without a value aren't listed
            else:
                assert sorted(found) == sorted(given), by
            ordered = [keys[by](each) for each in found]
            assert ordered == sorted(ordered, reverse=direction == "Descending"), by


@every_list
def test_the_order_without_a_wish_is_the_documented_one(house: InProcess, name: str) -> None:
    by, direction = default_order(name)
    for member, ours in (("SortBy", by), ("SortOrder", direction)):
        if member not in members(name):
            continue
        documented = re.search(r"[Dd]efault(?: value)? is <code>(\w+)</code>", members(name)[member].documentation)
        if documented is not None and documented[1] in members(name)[member].enum:
            assert name == "ListCandidatesForAutoMLJob" or documented[1] == ours, member
    given = seed(house, name)
    ascending = sorted(given) if by == "Name" else given
    assert listed(house, name) == (ascending if direction == "Ascending" else ascending[::-1])


@every_list
def test_a_page_has_ten_rows_unless_asked_otherwise(house: InProcess, name: str) -> None:
    seed(house, name, 12)
    key = PAGINATORS[name]["result_key"]
    fixed = listing_of(name).fixed
    first = house.call(name, **fixed)
    assert len(first[key]) == 10
    second = house.call(name, **fixed, NextToken=first["NextToken"], MaxResults=1)  # its size may change on the way
    third = house.call(name, **fixed, NextToken=second["NextToken"])
    assert (len(second[key]), len(third[key]), "NextToken" in third) == (1, 1, False)


@every_list
def test_what_is_added_between_pages_neither_doubles_nor_hides_a_row(house: InProcess, name: str) -> None:
    given = seed(house, name)
    listing, key = listing_of(name), PAGINATORS[name]["result_key"]
    for direction in ("Ascending", "Descending"):
        order = {"SortBy": "CreationTime", "SortOrder": direction}
        order = {member: each for member, each in order.items() if member in members(name)}
        request = {**listing.fixed, **order, "MaxResults": 2}
        found: list[str] = []
        while True:
            page = house.call(name, **request)
            found += [row[listing.name] for row in page[key]]
            if "NextToken" not in page:
                break
            request["NextToken"] = page["NextToken"]
            listing.put(house, f"late-{direction}-{len(found)}".lower(), listing.statuses[0])
            assert len(found) < 60
        assert len(set(found)) == len(found)
        assert set(given) <= set(found)


@every_list
def test_a_token_of_another_query_is_refused(house: InProcess, name: str) -> None:
    seed(house, name)
    fixed = listing_of(name).fixed
    token = house.call(name, **fixed, MaxResults=2)["NextToken"]
    order = {"SortOrder": "Descending", "SortBy": "CreationTime"}
    order = {member: each for member, each in order.items() if member in members(name)}
    others: list[tuple[str, str, dict[str, Any]]] = [
        *([(name, "us-east-1", {**order, "NextToken": token})] if order else []),
        (name, "eu-west-1", {"NextToken": token}),
        (name, "us-east-1", {"NextToken": token[:-4]}),
        (name, "us-east-1", {"NextToken": "bm9uc2Vuc2U="}),
        ("ListModels" if name != "ListModels" else "ListEndpoints", "us-east-1", {"NextToken": token}),
    ]
    for operation_name, region, request in others:
        given = {**fixed, **request} if operation_name == name else request
        with pytest.raises(Refused, match="400 ValidationException: Invalid NextToken"):
            house.call(operation_name, region, **given)


@every_list
def test_every_filter_of_the_model_filters(house: InProcess, name: str) -> None:
    """Each filter that the operation has keeps what it should; one that nobody thought of fails here."""
    listing = listing_of(name)
    given = seed(house, name)
    moments = (
        {each: house.store.find(listing.kind, "us-east-1", listing.key.format(each)) for each in given}
        if listing.kind
        else {}
    )
    paging = {"SortBy", "SortOrder", "MaxResults", "NextToken", *listing.fixed}
    for member in sorted(set(members(name)) - paging):
        if member == "NameContains":
            assert set(listed(house, name, NameContains="LPH")) == {"alpha"}
        elif member == "StatusEquals":
            for status in listing.statuses:
                expected = [
                    each for n, each in enumerate(given) if listing.statuses[n % len(listing.statuses)] == status
                ]
                assert sorted(listed(house, name, StatusEquals=status)) == sorted(expected)
        elif member in listing.refused:
            with pytest.raises(Refused, match="400 ResourceNotFound"):
                listed(house, name, **{member: listing.refused[member]})
        elif member in listing.others:
            everything, nothing = listing.others[member]
            assert listed(house, name, **{member: nothing}) == []
            if everything is not None:
                assert sorted(listed(house, name, **{member: everything})) == sorted(given)
        elif match := re.fullmatch(r"(Creat\w*?|LastModified)(?:Time|ed)?(After|Before)", member):
            record = moments[given[2]]
            assert record is not None
            moment = record.modified if match[1] == "LastModified" else record.created
            after = {each for each, row in moments.items() if row is not None and row.created > moment}
            if match[2] == "After":
                expected_names = after | {given[2]} if name in lists.SINCE and match[1] != "LastModified" else after
            else:
                expected_names = set(given) - after - {given[2]}
            assert set(listed(house, name, **{member: moment})) == expected_names, member
        else:
            pytest.fail(f"{name} has the filter {member}: say in tests/support/listings.py what it keeps")


@every_list
def test_since_or_after_is_as_documented(name: str) -> None:
    after = members(name).get("CreationTimeAfter") or members(name).get("CreatedAfter")
    if after is not None:
        assert ("greater than or equal" in after.documentation) is (name in lists.SINCE)


@pytest.mark.parametrize("name", [name for name in IMPLEMENTED if name not in LISTINGS or LISTINGS[name].kind])
def test_lists_lag_behind_as_asked_and_describe_does_not(house: InProcess, name: str) -> None:
    listing = listing_of(name)
    seed(house, name, 3)
    house.store.lag(5, 0, seed=1)
    house.now += 100
    listing.put(house, "late", listing.statuses[0])
    assert sorted(listed(house, name)) == sorted(NAMES[:3])
    house.now += 5.1
    assert sorted(listed(house, name)) == sorted([*NAMES[:3], "late"])


def test_no_paginator_of_botocore_is_forgotten() -> None:
    assert {name for name in PAGINATORS if name in OPERATIONS} == {*IMPLEMENTED, *WITHOUT_PAGES}


def test_tags_come_in_one_page_and_no_token_is_theirs(house: InProcess) -> None:
    tags = [{"Key": f"key-{number:02d}", "Value": "v"} for number in range(50)]
    arn = house.call("CreateExperiment", ExperimentName="e", Tags=tags)["ExperimentArn"]
    pages = list(house.pages("ListTags", PAGINATORS["ListTags"], ResourceArn=arn, PaginationConfig={"PageSize": 50}))
    assert [page["Tags"] for page in pages] == [tags]
    with pytest.raises(Refused, match="400 ValidationException: Invalid NextToken"):
        house.call("ListTags", ResourceArn=arn, NextToken="bm9uc2Vuc2U=")
