"""What the chaos suite draws, and that what it counts would be seen."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.folder import differences, fingerprint, neutral
from tests.chaos.ledger import Made, duplicates, stopped_by_mistake
from tests.chaos.rounds import HARMS, STORIES, draw
from tests.support.s3_server import client, running

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made(name: str, minutes: int = 0, phase: str = "succeeded", digest: str = "d") -> Made:
    """A training job so long after noon."""
    return Made("training", name, phase, NOON + timedelta(minutes=minutes), digest)


def test_one_seed_draws_the_same_rounds_and_every_story_and_harm_equally_often() -> None:
    """To within one; another seed draws others."""
    rounds = draw(100, 7)
    assert rounds == draw(100, 7) != draw(100, 8)
    assert set(Counter(each.story for each in rounds).values()) == {100 // len(STORIES)}
    assert set(Counter(each.harm for each in rounds).values()) == {100 // len(HARMS)}
    for story in STORIES:
        met = Counter(each.harm for each in rounds if each.story == story)
        assert set(met) == set(HARMS)


def test_two_jobs_of_one_request_are_a_duplicate_also_where_the_count_is_right() -> None:
    """And a job more than the undisturbed run made is one, whatever its request."""
    assert duplicates([made("a"), made("b", digest="e")], {"training": 2}, None) == []
    assert "2 training jobs of one request: a, b" in duplicates([made("a"), made("b")], {"training": 2}, None)
    assert duplicates([made("a"), made("b", digest="e")], {"training": 1}, None) == [
        "2 training jobs, 1 expected: a, b"
    ]


def test_a_cleared_run_may_make_everything_again_and_nothing_twice() -> None:
    """Each life has the count of an undisturbed run."""
    cleared = NOON + timedelta(minutes=5)
    assert duplicates([made("a"), made("b", 6)], {"training": 1}, cleared) == []
    assert duplicates([made("a"), made("b", 1)], {"training": 1}, cleared)
    assert duplicates([made("a"), made("b", 6), made("c", 7)], {"training": 1}, cleared)


def test_only_what_was_cleared_may_be_stopped() -> None:
    """A job made after the clear is waited for."""
    jobs = [made("a", 0, "stopped"), made("b", 6, "stopped")]
    assert stopped_by_mistake(jobs, NOON + timedelta(minutes=5)) == ["training job b was stopped"]
    assert len(stopped_by_mistake(jobs, None)) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://b/p/runs/chaos-1/data", "s3://b/p/runs/<run>/data"),
        ("art-training-tuned-x-search-fnsgifdnkaeh/output", "<name>/output"),
        ("on 2026-11-21T10:26:06.195649+00:00.", "on <time>."),
        ("0.8312 of 1200 rows", "0.8312 of 1200 rows"),
    ],
)
def test_names_and_times_are_taken_out_and_nothing_else(text: str, expected: str) -> None:
    """Figures stay."""
    assert neutral(text, re.compile("manual__1")) == expected


def test_a_folder_that_differs_in_a_figure_or_a_file_is_seen() -> None:
    """Names, times and durations are no difference; a metric's last digit is."""
    objects: dict[str, bytes] = {}
    for run, value in (("one", 0.5), ("two", 0.5), ("three", 0.50001)):
        took = {"task_seconds": {"search": len(run)}, "transitions": [run]}
        body = {"value": value, **took, "run_id": run, "at": f"2026-01-0{len(run)}T00:00:00Z"}
        objects[f"p/runs/{run}/evaluation.json"] = json.dumps(body).encode()
        objects[f"p/runs/{run}/out/art-automl-p-{run}/model.tar.gz"] = run.encode()
    objects["p/runs/three/more.csv"] = b"1\n"
    with running() as url:
        s3 = client(url)
        s3.create_bucket(Bucket="chaos")
        for key, content in objects.items():
            s3.put_object(Bucket="chaos", Key=key, Body=content)
        one, two, three = (
            fingerprint(s3, "chaos", f"p/runs/{run}/", re.compile(run)) for run in ("one", "two", "three")
        )
    assert set(one) == {"evaluation.json", "out/<name>/model.tar.gz"}
    assert differences(one, two) == []
    told = differences(one, three)
    assert told[0] == "more.csv is not in the undisturbed run"
    assert "0.50001" in told[1]
    assert differences(three, one)[0] == "more.csv is missing"
