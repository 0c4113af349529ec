"""The trigger that watches an A/B test: when it fires, and what it bears."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.triggers.ab import ABTrigger
from tests.support.ab_runs import event_of
from tests.support.fake_ab import ENDPOINT, FakeMetrics, FakeVariants, long_ago
from tests.support.fake_sagemaker import error

WELL = (10, 0, 0, 9000.0)


@pytest.fixture
def sm() -> FakeVariants:
    """An endpoint that serves the configuration ``base``, which is taken for the test's."""
    fake = FakeVariants()
    fake.serving("m1")
    return fake


def trigger(sm: FakeVariants, cloudwatch: Any, *, until: int = -60, deadline: int = 3600, **changes: Any) -> ABTrigger:
    """A trigger whose test began an hour ago; ``until`` and ``deadline`` are seconds from now."""
    now = datetime.now(UTC)
    arguments: dict[str, Any] = {
        "endpoint_name": ENDPOINT, "config_name": "base", "spec": ABSpec(period=1, watch=5).model_dump(mode="json"),
        "since": long_ago(100), "until": (now + timedelta(seconds=until)).isoformat(),
        "deadline": (now + timedelta(seconds=deadline)).isoformat(), "min_invocations": 100, "conn_id": "aws_default",
    }  # fmt: skip
    made = ABTrigger(**{**arguments, **changes})
    made.__dict__["_clients"] = (sm, cloudwatch)
    return made


def test_it_is_made_again_from_what_it_serialises(sm: FakeVariants) -> None:
    """A restarted triggerer goes on where the other stopped."""
    first = trigger(sm, None, region="eu-west-1")
    path, arguments = first.serialize()
    assert path == "automl_retraining.triggers.ab.ABTrigger"
    assert ABTrigger(**arguments).serialize() == first.serialize()


@pytest.mark.parametrize(
    ("challenger", "options", "why", "words"),
    [
        (WELL, {}, "enough", "The challenger answered"),
        ((0.5, 0, 0, 9000.0), {"deadline": -1}, "deadline", "requests to the challenger came in all that time"),
        ((10, 0, 9, 9000.0), {"until": 600}, "harm", "answers were 5xx"),
        (WELL, {"config_name": "art-abtest-other"}, "gone", "expected it to serve the A/B test art-abtest-other"),
    ],
)
def test_it_fires_once_there_is_something_to_say(
    sm: FakeVariants, challenger: Any, options: dict[str, Any], why: str, words: str
) -> None:
    """Asked enough after the time, the deadline, harm before the time, and a test that somebody ended."""
    event = event_of(trigger(sm, FakeMetrics(champion=WELL, challenger=challenger), **options))
    assert event["why"] == why
    assert words in event["sentence"]


def test_many_requests_in_a_moment_are_not_yet_enough(sm: FakeVariants) -> None:
    """Latencies are compared period by period: the watch goes on until there are enough, or to its deadline."""
    since = (datetime.now(UTC) - timedelta(seconds=3)).isoformat()
    metrics = FakeMetrics(champion=(500, 0, 0, 9000.0), challenger=(500, 0, 0, 9000.0))
    event = event_of(trigger(sm, metrics, since=since, deadline=-1))
    assert event["why"] == "deadline"


def test_throttling_and_lost_connections_do_not_end_the_watch(sm: FakeVariants) -> None:
    """It looks again."""

    class Throttled(FakeMetrics):
        times = 1

        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            if self.times:
                self.times -= 1
                raise error("ThrottlingException", "Rate exceeded", 400)
            return super().get_metric_data(**request)

    assert event_of(trigger(sm, Throttled(champion=WELL, challenger=WELL)))["why"] == "enough"


def test_what_no_retry_mends_is_said(sm: FakeVariants) -> None:
    """A right that is missing."""

    class Denied(FakeMetrics):
        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            raise error("AccessDeniedException", "not authorized to perform cloudwatch:GetMetricData", 403)

    event = event_of(trigger(sm, Denied()))
    assert event["why"] == "error"
    assert "cloudwatch:GetMetricData; give the connection's role that right" in event["sentence"]
