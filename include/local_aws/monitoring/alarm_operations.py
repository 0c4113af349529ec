"""PutMetricAlarm and the operations on alarms."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from include.local_aws.monitoring.alarms import arn_of, queries_of
from include.local_aws.monitoring.errors import InvalidParameterValue, MissingParameter, ResourceNotFound
from include.local_aws.monitoring.evaluation import COMPARISONS, TREATMENTS
from include.local_aws.monitoring.queries import check_statistic, metric_of
from include.local_aws.monitoring.series import percentile
from include.local_aws.store import DoesNotExist, Record
from include.local_aws.wire.errors import ValidationException, not_implemented

if TYPE_CHECKING:
    from include.local_aws.monitoring import Monitoring

SETTINGS = (
    "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions", "MetricName",
    "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "EvaluationPeriods",
    "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData", "Metrics",
)  # fmt: skip
"""What of PutMetricAlarm is kept and has an effect; other members are refused by name."""
_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")
_ACTIONS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_HARMLESS = {"EvaluateLowSampleCountPercentile": "evaluate"}
"""Values that say what is done anyway."""
DAY = 86_400
PAGE = 50
"""Alarms and entries of a history on a page, unless MaxRecords says another number."""


def put(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """PutMetricAlarm."""
    for member, value in given.items():
        known = member in (*SETTINGS, "AlarmName", "Tags") or _HARMLESS.get(member) == value
        if not known:
            raise not_implemented(f"{member} {value!r} of PutMetricAlarm")
    _check(given, region)
    settings = {member: given[member] for member in SETTINGS if member in given}
    tags = {tag["Key"]: tag["Value"] for tag in given.get("Tags", ())}
    monitoring.alarms.put(region, given["AlarmName"], {"ActionsEnabled": True, **settings}, tags)


def _check(given: Mapping[str, Any], region: str) -> None:
    for member in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if member not in given:
            raise MissingParameter(f"The parameter {member} is required.")
    if given["ComparisonOperator"] not in COMPARISONS:
        raise not_implemented(f"ComparisonOperator {given['ComparisonOperator']} of PutMetricAlarm")
    if given.get("DatapointsToAlarm", 1) > given["EvaluationPeriods"]:
        raise ValidationException("The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    if given.get("TreatMissingData", "missing") not in TREATMENTS:
        raise ValidationException(
            f"The value {given['TreatMissingData']} is not supported for TreatMissingData parameter. "
            f"Supported values are [{', '.join(TREATMENTS)}]."
        )
    for member in _ACTIONS:
        for action in given.get(member, ()):
            if not action.startswith("arn:aws:sns:"):
                raise not_implemented(f"the action {action} of an alarm; it publishes to topics of SNS")
    if "Metrics" in given:
        _check_queries(given)
    else:
        _check_metric(given)
    period = queries_of(given, region).period
    if period not in (10, 20, 30) and period % 60:
        raise ValidationException("Period must be 10, 20, 30 or a multiple of 60")
    if period * given["EvaluationPeriods"] > (DAY if period < 3600 else 7 * DAY):
        raise ValidationException(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)."
        )


def _check_queries(given: Mapping[str, Any]) -> None:
    mixed = [member for member in _OF_ONE_METRIC if member in given]
    if mixed:
        raise ValidationException(f"Metrics and {', '.join(mixed)} can't be given together.")
    told = [query["Id"] for query in given["Metrics"] if query.get("ReturnData", True)]
    if len(told) != 1:
        raise ValidationException("Exactly one element of the metrics list should return data.")


def _check_metric(given: Mapping[str, Any]) -> None:
    for member in ("MetricName", "Namespace", "Period"):
        if member not in given:
            raise MissingParameter(f"The parameter {member} is required.")
    if ("Statistic" in given) == ("ExtendedStatistic" in given):
        raise ValidationException("Exactly one of Statistic and ExtendedStatistic must be given.")
    if "ExtendedStatistic" in given:
        check_statistic(given["ExtendedStatistic"])
        if percentile(given["ExtendedStatistic"]) is None:
            value = given["ExtendedStatistic"]
            raise ValidationException(f"The value {value} for parameter ExtendedStatistic is not supported.")


def describe(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeAlarms. There are no composite alarms."""
    for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
        if member in given:
            raise not_implemented(f"{member} of DescribeAlarms")
    if "AlarmNames" in given and "AlarmNamePrefix" in given:
        raise ValidationException("AlarmNames and AlarmNamePrefix can't be given together.")
    if "MetricAlarm" not in given.get("AlarmTypes", ["MetricAlarm"]):
        return {"MetricAlarms": [], "CompositeAlarms": []}
    found = [each for each in monitoring.alarms.all(region) if _asked(given, each)]
    page, token = _page(found, given)
    return {"MetricAlarms": [shown(each) for each in page], "CompositeAlarms": [], "NextToken": token}


def _asked(given: Mapping[str, Any], alarm: Record) -> bool:
    settings = alarm.body["settings"]
    prefix = given.get("ActionPrefix")
    actions = [action for member in _ACTIONS for action in settings.get(member, ())]
    return (
        alarm.name in given.get("AlarmNames", [alarm.name])
        and alarm.name.startswith(given.get("AlarmNamePrefix", ""))
        and given.get("StateValue") in (None, alarm.status)
        and (prefix is None or any(action.startswith(prefix) for action in actions))
    )


def _page(found: Sequence[Any], given: Mapping[str, Any]) -> tuple[Sequence[Any], str | None]:
    start = int(given.get("NextToken", 0))
    size = given.get("MaxRecords", PAGE)
    return found[start : start + size], str(start + size) if len(found) > start + size else None


def shown(alarm: Record) -> dict[str, Any]:
    """An alarm as Describe tells it."""
    state, settings = alarm.body["state"], alarm.body["settings"]
    return {
        "AlarmName": alarm.name,
        "AlarmArn": arn_of(alarm.region, alarm.name),
        "AlarmConfigurationUpdatedTimestamp": alarm.body["configured"],
        **{member: [] for member in _ACTIONS},
        **({} if "Metrics" in settings else {"Dimensions": []}),
        **settings,
        "StateValue": alarm.status,
        "StateReason": state["reason"],
        "StateReasonData": json.dumps(state["data"]) if state.get("data") else None,
        "StateUpdatedTimestamp": state["at"],
        "StateTransitionedTimestamp": state["at"],
    }


def describe_for_metric(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeAlarmsForMetric, without those on expressions."""
    wanted = metric_of(region, given)

    def asked(settings: Mapping[str, Any]) -> bool:
        if "Metrics" in settings or metric_of(region, settings) != wanted:
            return False
        return all(settings.get(name) == given[name] for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
                   if name in given)  # fmt: skip

    return {"MetricAlarms": [shown(each) for each in monitoring.alarms.all(region) if asked(each.body["settings"])]}


def history(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """DescribeAlarmHistory, newest first; the history of a deleted alarm is gone."""
    start = given.get("StartDate", datetime.fromtimestamp(0, UTC)).timestamp()
    end = given.get("EndDate", datetime.fromtimestamp(2**33, UTC)).timestamp()
    found = [
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm",
            "Timestamp": entry["at"],
            "HistoryItemType": entry["type"],
            "HistorySummary": entry["summary"],
            "HistoryData": json.dumps(entry["data"]),
        }
        for alarm in monitoring.alarms.all(region)
        for entry in alarm.body["history"]
        if given.get("AlarmName") in (None, alarm.name)
        and given.get("HistoryItemType") in (None, entry["type"])
        and start <= entry["at"] <= end
    ]
    found.sort(key=lambda each: each["Timestamp"], reverse=given.get("ScanBy") != "TimestampAscending")
    page, token = _page(found, given)
    return {"AlarmHistoryItems": list(page), "NextToken": token}


def delete(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """DeleteAlarms."""
    monitoring.alarms.delete(region, given["AlarmNames"])


def set_state(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """SetAlarmState: until the alarm is evaluated again, a few seconds later."""
    data = given.get("StateReasonData")
    try:
        if data is not None and not isinstance(json.loads(data), dict):
            raise ValueError("it is no object")
    except ValueError as error:
        raise InvalidParameterValue(f"Expected a JSON object in StateReasonData: {error}.") from error
    try:
        monitoring.alarms.set_state(region, given["AlarmName"], given["StateValue"], given["StateReason"], data)
    except DoesNotExist as error:
        raise ResourceNotFound(f"Alarm {given['AlarmName']} does not exist.") from error


def enable(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """EnableAlarmActions."""
    monitoring.alarms.enable(region, given["AlarmNames"], enabled=True)


def disable(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """DisableAlarmActions."""
    monitoring.alarms.enable(region, given["AlarmNames"], enabled=False)


def tags(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """ListTagsForResource, of an alarm."""
    found = monitoring.alarms.tags(_existing(monitoring, region, given["ResourceARN"]))
    return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]}


def tag(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """TagResource, of an alarm."""
    values = {each["Key"]: each["Value"] for each in given["Tags"]}
    monitoring.alarms.tag(_existing(monitoring, region, given["ResourceARN"]), values)


def untag(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """UntagResource, of an alarm."""
    monitoring.alarms.untag(_existing(monitoring, region, given["ResourceARN"]), given["TagKeys"])


def _existing(monitoring: "Monitoring", region: str, arn: str) -> str:
    """The ARN, of an alarm that there is; raises for anything else."""
    name = arn.partition(":alarm:")[2]
    if not name:
        raise not_implemented(f"tags of {arn}; alarms have tags")
    if arn != arn_of(region, name) or monitoring.alarms.find(region, name) is None:
        raise ResourceNotFound(f"There is no alarm {arn}.")
    return arn


def composite(*_: object) -> None:
    """PutCompositeAlarm: alarms on alarms are not evaluated here."""
    raise not_implemented("the operation PutCompositeAlarm of CloudWatch")


OPERATIONS: Mapping[str, Callable[["Monitoring", str, Mapping[str, Any]], dict[str, Any] | None]] = {
    "PutMetricAlarm": put,
    "PutCompositeAlarm": composite,
    "DescribeAlarms": describe,
    "DescribeAlarmsForMetric": describe_for_metric,
    "DescribeAlarmHistory": history,
    "DeleteAlarms": delete,
    "SetAlarmState": set_state,
    "EnableAlarmActions": enable,
    "DisableAlarmActions": disable,
    "ListTagsForResource": tags,
    "TagResource": tag,
    "UntagResource": untag,
}
