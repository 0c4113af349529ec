"""How a new model gets behind the endpoint: what is taken, and what is refused when the pipeline is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl_retraining.core.config import load_pipeline
from automl_retraining.core.endpoint_spec import AlarmsSpec, EndpointSpec, RolloutSpec, too_small
from automl_retraining.core.errors import ConfigError

BASE = "source: a.csv\ntarget: y\ngate: {metric: rmse}\nendpoint: "


def spec(folder: Path, endpoint: str) -> EndpointSpec:
    """The endpoint of a pipeline with this section."""
    path = folder / "shop.yaml"
    path.write_text(BASE + endpoint + "\n", encoding="utf-8")
    return load_pipeline(path).endpoint


def test_without_a_word_an_update_moves_everything_at_once_and_watches_nothing() -> None:
    """As SageMaker does by itself."""
    assert not EndpointSpec().guarded


def test_a_canary_with_an_alarm_is_taken(tmp_path: Path) -> None:
    """Durations with their unit; the period of an alarm is a minute."""
    found = spec(
        tmp_path,
        "{instance_count: 10, rollout: {strategy: canary, step: 10, wait: 5m, termination_wait: 10m}, "
        "alarms: {errors_5xx: 3, latency_ms: 200, names: [mine]}, lease: 1h}",
    )
    assert found.guarded
    assert (found.rollout.wait, found.rollout.waits(10), found.alarms.period) == (300, 900, 60)
    assert found.alarms.made == ("errors_5xx", "latency_ms")


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("{rollout: {strategy: canary, step: 50}, instance_count: 2}",
         "key endpoint: alarms: expected at least one for the rollout canary, found none: SageMaker rolls back only"),
        ("{rollout: {strategy: canary, step: 50}, alarms: {errors_5xx: 1}}",
         "instance_count: expected at least 2 instances for the rollout canary in steps of 50 %"),
        ("{rollout: {strategy: canary, step: 10}, instance_count: 9, alarms: {errors_5xx: 1}}",
         "expected at least 10 instances"),
        ("{rollout: {strategy: canary, step: 51}}", "rollout.step: expected 1 to 50 (percent of the fleet) for canary"),
        ("{rollout: {strategy: linear, step: 9}}", "rollout.step: expected 10 to 50"),
        ("{rollout: {strategy: rolling, step: 4}}", "rollout.step: expected 5 to 50"),
        ("{rollout: {strategy: linear}}", "expected 10 to 50 (percent of the fleet) for linear, found none"),
        ("{rollout: {step: 10}}", "rollout.step: expected none for all_at_once"),
        ("{rollout: {wait: 10}}", "rollout.wait: expected none for all_at_once"),
        ("{rollout: {strategy: rolling, step: 50, termination_wait: 60}}", "expected none for rolling"),
        ("{rollout: {strategy: blue_green}}", "expected one of 'all_at_once', 'canary', 'linear', 'rolling'"),
        ("{alarms: {period: 45}}", "alarms.period: expected 10, 20, 30 or a multiple of 60 seconds, found 45"),
        ("{alarms: {datapoints: 3}}", "alarms.datapoints: expected at most evaluation_periods (1), found 3"),
        ("{alarms: {names: [a, a]}}", "alarms.names: expected each name once"),
        ("{alarms: {errors_5xx: 1, names: [a, b, c, d, e, f, g, h, i, j]}}", "expected at most 10"),
        ("{alarms: {errors_5xx: 1}}", "rollout.termination_wait: expected at least 60 s, what an alarm needs to fire"),
        ("{rollout: {strategy: canary, step: 50, wait: 90}, instance_count: 2, "
         "alarms: {latency_ms: 1, evaluation_periods: 2}}", "rollout.wait: expected at least 120 s"),
        ("{rollout: {strategy: linear, step: 10}, instance_count: 10, alarms: {names: [a]}}",
         "lease: expected at least 3300 s, as long as the rollout may take (rollout.max_time, or its waits of 2700 s"),
        ("{rollout: {strategy: rolling, step: 50, wait: 1m}, instance_count: 2, lease: 20m, alarms: {names: [a]}}",
         "lease: expected at least 1320 s"),
        ("{rollout: {strategy: canary, step: 50, max_time: 2h}, instance_count: 2, alarms: {names: [a]}}",
         "lease: expected at least 7200 s"),
        ("{rollout: {strategy: canary, step: 50, wait: 1h, max_time: 30m}, instance_count: 2, alarms: {names: [a]}}",
         "rollout.max_time: expected more than the 3600 s that the rollout waits, found 1800"),
        ("{capture: {}}", "key endpoint.capture.percent: expected a value, found nothing"),
        ("{capture: {percent: 101}}", "at most 100"),
        ("{max_latency_ms: 0}", "more than 0"),
    ],
)  # fmt: skip
def test_what_sagemaker_could_not_do_or_would_not_undo_is_refused_in_words(
    tmp_path: Path, endpoint: str, sentence: str
) -> None:
    """At load, naming the key, what was expected and what was found."""
    with pytest.raises(ConfigError) as caught:
        spec(tmp_path, endpoint)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("instances", "step", "possible"), [(1, 50, False), (2, 50, True), (2, 49, False), (10, 10, True), (9, 10, False)]
)
def test_only_whole_instances_move(instances: int, step: int, possible: bool) -> None:
    """A canary of 10 % on two instances would be half of the traffic: it is refused, not rounded up."""
    rollout = RolloutSpec(strategy="canary", step=step)
    assert (too_small(rollout, instances) is None) == possible
    assert too_small(RolloutSpec(), instances) is None


@pytest.mark.parametrize(
    ("rollout", "instances", "seconds"),
    [
        ({"termination_wait": 60}, 1, 60),
        ({"strategy": "canary", "step": 10, "wait": 100, "termination_wait": 7}, 10, 107),
        ({"strategy": "linear", "step": 25, "wait": 100, "termination_wait": 7}, 4, 307),
        ({"strategy": "linear", "step": 50, "wait": 100}, 3, 200),  # one instance at a time
        ({"strategy": "rolling", "step": 25, "wait": 100}, 8, 400),
    ],
)
def test_the_waits_of_a_rollout_follow_from_its_steps(rollout: dict[str, Any], instances: int, seconds: int) -> None:
    """Between the steps, and after the last one."""
    assert RolloutSpec(**rollout).waits(instances) == seconds


def test_a_limit_of_zero_errors_is_a_limit() -> None:
    """None is not 0."""
    assert AlarmsSpec(errors_5xx=0).made == ("errors_5xx",)
