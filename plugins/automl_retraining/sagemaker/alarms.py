"""The CloudWatch alarms that guard an endpoint's rollouts: made, held against each other, explained and removed.

SageMaker rolls an update back only where it is told alarms. Those that the pipeline asks for are made here, one for
each limit, with the same name for every rollout of an endpoint; where they watch the new fleet alone, they are pointed
at the new configuration before each rollout. Every function takes a boto3 CloudWatch client; none waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from automl_retraining.core.endpoint_spec import AlarmsSpec
from automl_retraining.core.errors import AlarmRaised, NotOurs, RolloutRefused
from automl_retraining.sagemaker.tags import PIPELINE, as_mapping

NAMESPACE = "AWS/SageMaker"

_PAGE = 100
"""DescribeAlarms and DeleteAlarms take at most so many names."""


@dataclass(frozen=True)
class Alarm:
    """An alarm as it stands: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``."""

    name: str
    arn: str
    state: str
    reason: str


def prefix(endpoint_name: str) -> str:
    """What the name of every alarm of ours for this endpoint begins with. Endpoint names have no dot."""
    return f"art-alarm-{endpoint_name}."


def requests(
    spec: AlarmsSpec, *, endpoint_name: str, variant: str, config_name: str, tags: Sequence[Mapping[str, str]]
) -> list[dict[str, Any]]:
    """PutMetricAlarm's arguments for each limit of the pipeline.

    The metrics are those of SageMaker's "endpoint invocation metrics"; ModelLatency is in microseconds, and
    Invocation5XXErrors is 1 or 0 for each request, so its average is the share. Where only the new fleet is watched,
    the dimension EndpointConfigName tells it from the old one (developer guide, "Auto-rollback configuration and
    monitoring"). No data, as before the first request, is no breach.
    """
    dimensions = {"EndpointName": endpoint_name, "VariantName": variant}
    if spec.fleet == "new":
        dimensions["EndpointConfigName"] = config_name
    common = {
        "Namespace": NAMESPACE,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        "Period": spec.period,
        "EvaluationPeriods": spec.evaluation_periods,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "Tags": list(tags),
        **({} if spec.datapoints is None else {"DatapointsToAlarm": spec.datapoints}),
    }
    percentile = spec.latency_statistic.startswith("p")
    limits: dict[str, dict[str, Any]] = {
        "errors_5xx": {
            "MetricName": "Invocation5XXErrors", "Statistic": "Sum", "Threshold": spec.errors_5xx,
            "AlarmDescription": f"more than {spec.errors_5xx} answers 5xx in {spec.period} s",
        },
        "errors_5xx_share": {
            "MetricName": "Invocation5XXErrors", "Statistic": "Average", "Threshold": spec.errors_5xx_share,
            "AlarmDescription": f"more than {spec.errors_5xx_share} of all answers 5xx in {spec.period} s",
        },
        "latency_ms": {
            "MetricName": "ModelLatency",
            ("ExtendedStatistic" if percentile else "Statistic"): spec.latency_statistic,
            "Threshold": 0.0 if spec.latency_ms is None else spec.latency_ms * 1000,
            "AlarmDescription": f"{spec.latency_statistic} of the model's latency above {spec.latency_ms} ms",
        },
    }  # fmt: skip
    return [
        {"AlarmName": f"{prefix(endpoint_name)}{variant}.{what.replace('_', '-')}", **limits[what], **common}
        for what in spec.made
    ]


def check_named(cloudwatch: Any, names: Sequence[str]) -> None:
    """Hold the alarms that the pipeline names against what there is.

    Raises:
        RolloutRefused: there is no alarm of that name.
        AlarmRaised: one is in ALARM: SageMaker would go back at once.
    """
    found = described(cloudwatch, names)
    missing = [name for name in names if name not in found]
    if missing:
        raise RolloutRefused(
            f"endpoint.alarms.names: expected CloudWatch alarms that exist, found none of the name "
            f"{', '.join(map(repr, missing))}: nothing was written"
        )
    _quiet(found.values())


def sync(cloudwatch: Any, wanted: Sequence[Mapping[str, Any]], *, endpoint_name: str, fresh: bool) -> list[str]:
    """Make the endpoint's alarms of ours these and no others, before a rollout; their names.

    Args:
        wanted: PutMetricAlarm's arguments.
        fresh: they watch a configuration that serves nothing yet, so what they said about the one before is over.

    Raises:
        NotOurs: an alarm of such a name is somebody else's.
        AlarmRaised: one is in ALARM.
    """
    existing = of(cloudwatch, endpoint_name)
    for alarm in existing.values():
        if not _ours(cloudwatch, alarm):
            raise NotOurs(
                f"alarm {alarm.name}: expected the tag {PIPELINE}, found none: it is not this project's; rename it"
            )
    names = [str(request["AlarmName"]) for request in wanted]
    if not fresh:
        _quiet(alarm for alarm in existing.values() if alarm.name in names)
    for request in wanted:
        cloudwatch.put_metric_alarm(**request)
        before = existing.get(request["AlarmName"])
        if fresh and before is not None and before.state == "ALARM":
            # PutMetricAlarm keeps the state until the next evaluation, and SageMaker would go back at once.
            cloudwatch.set_alarm_state(
                AlarmName=before.name, StateValue="OK", StateReason="A new rollout begins, of another configuration."
            )
    _delete(cloudwatch, [name for name in existing if name not in names])
    return names


def of(cloudwatch: Any, endpoint_name: str) -> dict[str, Alarm]:
    """The alarms whose name says that they are this endpoint's, by name."""
    found = {}
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix(endpoint_name), AlarmTypes=["MetricAlarm"]
    )
    for page in pages:
        found.update(_alarms(page))
    return found


def described(cloudwatch: Any, names: Sequence[str]) -> dict[str, Alarm]:
    """The alarms of these names that there are, composite ones too."""
    if not names:
        return {}
    answer = cloudwatch.describe_alarms(AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return _alarms(answer)


def remove(cloudwatch: Any, endpoint_name: str, *, dry_run: bool = False) -> list[str]:
    """Delete the endpoint's alarms that are ours by their tag; their names. For when the endpoint goes."""
    names = [alarm.name for alarm in of(cloudwatch, endpoint_name).values() if _ours(cloudwatch, alarm)]
    if not dry_run:
        _delete(cloudwatch, names)
    return names


def fired(cloudwatch: Any, names: Sequence[str], since: datetime) -> list[str]:
    """What each of the alarms that went off since then said, in a sentence.

    The history is asked, as an alarm may be quiet again: after a rollback the new fleet gets no more requests.
    """
    said = []
    for name in names:
        history = cloudwatch.describe_alarm_history(
            AlarmName=name, HistoryItemType="StateUpdate", StartDate=since, ScanBy="TimestampAscending"
        )
        reasons = [reason for item in history["AlarmHistoryItems"] if (reason := _raised(item)) is not None]
        if reasons:
            said.append(f"alarm {name}: {reasons[0]}".rstrip(". "))
    return said


def _raised(item: Mapping[str, Any]) -> str | None:
    """The reason of a change to ALARM; None for another change."""
    try:
        state = json.loads(item.get("HistoryData") or "{}").get("newState") or {}
    except ValueError:
        return None
    return str(state.get("stateReason") or "in ALARM") if state.get("stateValue") == "ALARM" else None


def _quiet(alarms: Iterable[Alarm]) -> None:
    for alarm in alarms:
        if alarm.state == "ALARM":
            raise AlarmRaised(
                f"alarm {alarm.name}: expected it to be quiet before the rollout, found ALARM ({alarm.reason}): "
                "SageMaker would go back at once; wait until it is OK, or mend what it says"
            )


def _alarms(answer: Mapping[str, Any]) -> dict[str, Alarm]:
    every = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
    return {
        each["AlarmName"]: Alarm(each["AlarmName"], each["AlarmArn"], each["StateValue"], each.get("StateReason", ""))
        for each in every
    }


def _ours(cloudwatch: Any, alarm: Alarm) -> bool:
    return PIPELINE in as_mapping(cloudwatch.list_tags_for_resource(ResourceARN=alarm.arn)["Tags"])


def _delete(cloudwatch: Any, names: Sequence[str]) -> None:
    for start in range(0, len(names), _PAGE):
        cloudwatch.delete_alarms(AlarmNames=list(names[start : start + _PAGE]))
