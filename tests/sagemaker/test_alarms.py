"""The alarms that guard a rollout: made, held against what there is, explained and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_retraining.core.endpoint_spec import AlarmsSpec
from automl_retraining.core.errors import AlarmRaised, NotOurs, RolloutRefused
from automl_retraining.sagemaker import alarms
from tests.support.botocore_check import accepted
from tests.support.fake_cloudwatch import FakeCloudWatch

OURS = [{"Key": "art:pipeline", "Value": "churn"}]
ALL = AlarmsSpec(errors_5xx=3, errors_5xx_share=0.01, latency_ms=250, period=300, evaluation_periods=3, datapoints=2)


def wanted(spec: AlarmsSpec = ALL, config: str = "c2", endpoint: str = "e") -> list[dict[str, Any]]:
    """The requests."""
    return alarms.requests(spec, endpoint_name=endpoint, variant="champion", config_name=config, tags=OURS)


def test_each_limit_is_an_alarm_on_sagemakers_metric_of_the_new_fleet_in_its_unit() -> None:
    """Microseconds; a percentile is an extended statistic; the average of the 5xx metric is the share."""
    errors, share, latency = wanted()
    assert errors == {
        "AlarmName": "art-alarm-e.champion.errors-5xx", "AlarmDescription": "more than 3 answers 5xx in 300 s",
        "Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", "Statistic": "Sum", "Threshold": 3,
        "Dimensions": [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": "champion"},
                       {"Name": "EndpointConfigName", "Value": "c2"}],
        "Period": 300, "EvaluationPeriods": 3, "DatapointsToAlarm": 2,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", "Tags": OURS,
    }  # fmt: skip
    assert (share["Statistic"], share["Threshold"]) == ("Average", 0.01)
    assert (latency["MetricName"], latency["ExtendedStatistic"], latency["Threshold"]) == ("ModelLatency", "p90", 250e3)
    for request in (errors, share, latency):
        accepted("put_metric_alarm", request, "cloudwatch")


def test_both_fleets_are_watched_together_where_the_pipeline_says_so() -> None:
    """Then the configuration is no dimension."""
    (found,) = wanted(AlarmsSpec(latency_ms=1, latency_statistic="Average", fleet="both"))
    assert [each["Name"] for each in found["Dimensions"]] == ["EndpointName", "VariantName"]
    assert found["Statistic"] == "Average"


def test_the_alarms_of_an_endpoint_become_those_of_the_pipeline_and_no_others() -> None:
    """Pointed at the new configuration; a limit that was taken out takes its alarm along; other endpoints' stay."""
    cloudwatch = FakeCloudWatch()
    alarms.sync(cloudwatch, wanted(endpoint="e-2"), endpoint_name="e-2", fresh=True)
    alarms.sync(cloudwatch, wanted(), endpoint_name="e", fresh=True)
    less = AlarmsSpec(latency_ms=100)
    assert alarms.sync(cloudwatch, wanted(less, "c3"), endpoint_name="e", fresh=True) == [
        "art-alarm-e.champion.latency-ms"
    ]
    assert set(alarms.of(cloudwatch, "e")) == {"art-alarm-e.champion.latency-ms"}
    assert cloudwatch.alarms["art-alarm-e.champion.latency-ms"]["Dimensions"][2]["Value"] == "c3"
    assert len(alarms.of(cloudwatch, "e-2")) == 3


def test_what_an_alarm_said_of_the_fleet_before_does_not_stop_the_next_rollout() -> None:
    """CloudWatch keeps the state of an alarm that is put again: SageMaker would go back at once."""
    cloudwatch = FakeCloudWatch()
    (name,) = alarms.sync(cloudwatch, wanted(AlarmsSpec(errors_5xx=1)), endpoint_name="e", fresh=True)
    cloudwatch.becomes(name, "ALARM")
    alarms.sync(cloudwatch, wanted(AlarmsSpec(errors_5xx=1), "c3"), endpoint_name="e", fresh=True)
    assert cloudwatch.alarms[name]["StateValue"] == "OK"


def test_an_alarm_on_what_serves_now_that_is_raised_stops_the_rollout_before_it_begins() -> None:
    """It would be rolled back at once; worth a retry."""
    cloudwatch = FakeCloudWatch()
    both = AlarmsSpec(errors_5xx=1, fleet="both")
    (name,) = alarms.sync(cloudwatch, wanted(both), endpoint_name="e", fresh=False)
    cloudwatch.becomes(name, "ALARM", "5 errors")
    writes = list(cloudwatch.calls)
    with pytest.raises(AlarmRaised, match=r"quiet before the rollout, found ALARM \(5 errors\)") as caught:
        alarms.sync(cloudwatch, wanted(both), endpoint_name="e", fresh=False)
    assert caught.value.retryable
    assert cloudwatch.calls == writes


def test_named_alarms_must_exist_and_be_quiet() -> None:
    """A name that nobody made would never fire."""
    cloudwatch = FakeCloudWatch()
    alarms.check_named(cloudwatch, [])
    with pytest.raises(RolloutRefused, match="found none of the name 'mine': nothing was written"):
        alarms.check_named(cloudwatch, ["mine"])
    cloudwatch.put_metric_alarm(**{**wanted()[0], "AlarmName": "mine", "Tags": []})
    alarms.check_named(cloudwatch, ["mine"])
    cloudwatch.becomes("mine", "ALARM")
    with pytest.raises(AlarmRaised, match="alarm mine"):
        alarms.check_named(cloudwatch, ["mine"])


def test_somebody_elses_alarm_is_neither_overwritten_nor_removed() -> None:
    """By its tags, whatever its name."""
    cloudwatch = FakeCloudWatch()
    cloudwatch.put_metric_alarm(**{**wanted()[0], "Tags": []})
    with pytest.raises(NotOurs, match=r"alarm art-alarm-e\.champion\.errors-5xx"):
        alarms.sync(cloudwatch, wanted(), endpoint_name="e", fresh=True)
    assert alarms.remove(cloudwatch, "e") == []
    assert len(cloudwatch.alarms) == 1


def test_what_went_off_since_then_is_told_although_it_is_quiet_again() -> None:
    """After a rollback the new fleet gets no more requests."""
    cloudwatch = FakeCloudWatch()
    names = alarms.sync(cloudwatch, wanted(), endpoint_name="e", fresh=True)
    before = datetime.now(UTC) - timedelta(seconds=1)
    cloudwatch.becomes(names[2], "ALARM", "Threshold Crossed: 1 datapoint was greater than 250000.")
    cloudwatch.becomes(names[2], "OK", "quiet again")
    assert alarms.fired(cloudwatch, names, before) == [
        "alarm art-alarm-e.champion.latency-ms: Threshold Crossed: 1 datapoint was greater than 250000"
    ]
    assert alarms.fired(cloudwatch, names, datetime.now(UTC)) == []


def test_the_alarms_go_with_the_endpoint_and_a_dry_run_only_names_them() -> None:
    """For whoever removes the endpoint."""
    cloudwatch = FakeCloudWatch()
    names = alarms.sync(cloudwatch, wanted(), endpoint_name="e", fresh=True)
    assert alarms.remove(cloudwatch, "e", dry_run=True) == sorted(names)
    assert len(cloudwatch.alarms) == 3
    assert alarms.remove(cloudwatch, "e") == sorted(names)
    assert not cloudwatch.alarms
