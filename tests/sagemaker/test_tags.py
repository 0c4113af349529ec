"""Tags and digests."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker import tags

RUN: dict[str, Any] = {
    "pipeline": "churn",
    "run_id": "manual__1",
    "run_folder": "s3://b/churn/runs/manual__1",
    "deployment": "default",
}


def test_a_run_signs_what_it_makes() -> None:
    """The four tags of ours come first, the pipeline's own follow."""
    made = tags.as_mapping(tags.own_tags(**RUN, extra={"team": "growth"}))
    assert made == {
        "art:pipeline": "churn",
        "art:run-id": "manual__1",
        "art:run-folder": "s3://b/churn/runs/manual__1",
        "art:deployment": "default",
        "team": "growth",
    }


@pytest.mark.parametrize("key", ["art:pipeline", "aws:thing", "AWS:Thing"])
def test_reserved_keys_are_refused(key: str) -> None:
    """A pipeline's own tags cannot pretend to be ours or AWS's."""
    with pytest.raises(RequestError, match="reserved"):
        tags.own_tags(**RUN, extra={key: "x"})


def test_too_many_tags_are_refused() -> None:
    """AWS takes 50 tags on a resource, ours and the digest included."""
    with pytest.raises(RequestError, match="at most 45"):
        tags.own_tags(**RUN, extra={f"k{i}": "v" for i in range(46)})
    assert len(tags.own_tags(**RUN, extra={f"k{i}": "v" for i in range(45)})) == 49


@given(st.text())
def test_any_value_becomes_legal(value: str) -> None:
    """Every value is within AWS's pattern and length."""
    legal = tags.legal_value(value)
    assert len(legal) <= 256
    assert re.fullmatch(r"[\w .:/=+\-@]*", legal)


def test_the_digest_sees_the_request_and_not_its_name() -> None:
    """Equal requests under two names have one digest; another value has another, whatever the order of members."""
    first = {"Name": "a", "Tags": [1], "X": {"p": 1, "q": [1, 2]}}
    second = {"X": {"q": [1, 2], "p": 1}, "Name": "b"}
    assert tags.digest(first, without=("Name", "Tags")) == tags.digest(second, without=("Name", "Tags"))
    assert tags.digest({**first, "X": {}}, without=("Name", "Tags")) != tags.digest(first, without=("Name", "Tags"))


def test_a_difference_is_named() -> None:
    """The sentence says which tag, what was expected and what was found."""
    wanted = tags.as_mapping(tags.own_tags(**RUN))
    assert tags.difference(wanted, {**wanted, "more": "x"}) is None
    assert tags.difference(wanted, {**wanted, "art:run-id": "r2"}) == "tag art:run-id: expected 'manual__1', found 'r2'"
    assert "found None" in str(tags.difference(wanted, {}))
