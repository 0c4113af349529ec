"""PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from include.local_aws.monitoring.database import KEPT, Sample
from include.local_aws.monitoring.errors import (
    InvalidParameterCombination,
    InvalidParameterValue,
    MissingParameter,
)
from include.local_aws.monitoring.queries import Queries, check_period, check_statistic, metric_of
from include.local_aws.monitoring.series import STATISTICS, Metric, Tally, percentile
from include.local_aws.wire.errors import ValidationException, not_implemented

if TYPE_CHECKING:
    from include.local_aws.monitoring import Monitoring

MOST_METRICS = 500
"""Metrics listed on a page (API reference, ListMetrics)."""
MOST_POINTS = 1440
"""Datapoints of one GetMetricStatistics (API reference)."""
EARLY = 2 * 3600
"""A sample may be so many seconds ahead (API reference, MetricDatum)."""


def put(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> None:
    """PutMetricData. Every metric has a resolution of one second, whatever StorageResolution says."""
    if "EntityMetricData" in given:
        raise not_implemented("EntityMetricData of PutMetricData")
    namespace: str = given["Namespace"]
    if namespace.startswith("AWS/"):
        raise InvalidParameterValue(f"The value {namespace} for parameter Namespace is invalid.")
    if not given.get("MetricData"):
        raise MissingParameter("The parameter MetricData is required.")
    now = time.time()
    samples = [_sample(region, namespace, each, n, now) for n, each in enumerate(given["MetricData"], start=1)]
    monitoring.metrics.add(samples)


def _sample(region: str, namespace: str, given: Mapping[str, Any], place: int, now: float) -> Sample:
    where = f"MetricData.member.{place}"
    moment = given["Timestamp"].timestamp() if "Timestamp" in given else now
    if not now - KEPT < moment < now + EARLY:
        raise InvalidParameterValue(
            f"The parameter {where}.Timestamp must be within two weeks ago and two hours ahead."
        )
    try:
        metric = metric_of(region, {**given, "Namespace": namespace})
    except ValidationException as error:
        raise InvalidParameterValue(f"The parameter {where}.Dimensions is invalid: {error.message}") from error
    return Sample(metric, given.get("Unit", "None"), int(moment), _tally(given, where))


def _tally(given: Mapping[str, Any], where: str) -> Tally:
    forms = [form for form in ("Value", "Values", "StatisticValues") if form in given]
    if len(forms) != 1:
        found = " and ".join(forms) or "none of them"
        raise InvalidParameterCombination(f"{where} must have one of Value, Values and StatisticValues, found {found}.")
    tally = Tally()
    if "StatisticValues" in given:
        known = given["StatisticValues"]
        count, low, high = known["SampleCount"], known["Minimum"], known["Maximum"]
        if count <= 0 or low > high:
            raise InvalidParameterValue(
                f"The parameter {where}.StatisticValues must have samples, and Minimum <= Maximum."
            )
        if low == high:
            tally.add(low, count)
        else:
            tally.add_set(count, known["Sum"], low, high)
        return tally
    values = given.get("Values", [given.get("Value")])
    counts = given.get("Counts", [1.0] * len(values))
    if len(counts) != len(values) or min(counts, default=0) <= 0:
        raise InvalidParameterValue(
            f"The parameters {where}.Values and {where}.Counts must have the same size, above 0."
        )
    for value, count in zip(values, counts, strict=True):
        tally.add(value, count)
    return tally


def data(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """GetMetricData: metrics and expressions."""
    start, end = given["StartTime"].timestamp(), given["EndTime"].timestamp()
    if start >= end:
        raise ValidationException("The parameter EndTime must be greater than StartTime.")
    queries = Queries(region, given["MetricDataQueries"])
    monitoring.flush()
    found = queries.answer(monitoring.metrics, start, end)
    results = []
    for query in queries.given:
        if not query.get("ReturnData", True):
            continue
        points = sorted(found[query["Id"]].items(), reverse=given.get("ScanBy") != "TimestampAscending")
        results.append(
            {
                "Id": query["Id"],
                "Label": query.get("Label") or _label(query),
                "Timestamps": [moment for moment, _ in points],
                "Values": [value for _, value in points],
                "StatusCode": "Complete",
            }
        )
    if sum(len(each["Values"]) for each in results) > given.get("MaxDatapoints", 100_800):
        raise not_implemented("more datapoints than MaxDatapoints in an answer of GetMetricData")
    return {"MetricDataResults": results, "Messages": []}


def _label(query: Mapping[str, Any]) -> str:
    return str(query["MetricStat"]["Metric"].get("MetricName", "")) if "MetricStat" in query else str(query["Id"])


def statistics(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """GetMetricStatistics."""
    wanted = given.get("Statistics", [])
    extended = given.get("ExtendedStatistics", [])
    if not wanted and not extended:
        raise MissingParameter("Must specify either Statistics or ExtendedStatistics")
    for name in extended:
        check_statistic(name)
        if percentile(name) is None:
            raise ValidationException(f"The value {name} for parameter ExtendedStatistics.member is not supported.")
    period = given["Period"]
    check_period(period)
    start, end = given["StartTime"].timestamp(), given["EndTime"].timestamp()
    if start >= end:
        raise InvalidParameterCombination("The parameter StartTime must be less than the parameter EndTime.")
    if (end - start) / period > MOST_POINTS:
        raise InvalidParameterCombination(
            f"You have requested up to {(end - start) / period:.0f} datapoints, which exceeds the limit of "
            f"{MOST_POINTS}. You may reduce the datapoints requested by increasing Period, or decreasing the time "
            "range."
        )
    monitoring.flush()
    metric = metric_of(region, given)
    first = start // period * period
    tallies, unit = monitoring.metrics.read(metric, first, end, period, given.get("Unit"), values=bool(extended))
    points = []
    for moment, tally in tallies.items():
        of_extended = {name: tally.statistic(name) for name in extended}
        known = {name: value for name, value in of_extended.items() if value is not None}
        point = {name: tally.statistic(name) for name in STATISTICS if name in wanted}
        points.append({"Timestamp": moment, "Unit": unit, **point, "ExtendedStatistics": known or None})
    return {"Label": metric.name, "Datapoints": points}


def listed(monitoring: "Monitoring", region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """ListMetrics, a page of it."""
    if given.get("IncludeLinkedAccounts") or "OwningAccount" in given:
        raise not_implemented("metrics of other accounts in ListMetrics")
    monitoring.flush()
    now = time.time()
    since = now - (3 * 3600 if "RecentlyActive" in given else KEPT)
    found = [each for each in monitoring.metrics.metrics(region, since) if _asked(given, each)]
    start = int(given.get("NextToken", 0))
    page = found[start : start + MOST_METRICS]
    return {
        "Metrics": [
            {
                "Namespace": each.namespace,
                "MetricName": each.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in each.dimensions],
            }
            for each in page
        ],
        "NextToken": str(start + MOST_METRICS) if len(found) > start + MOST_METRICS else None,
    }


def _asked(given: Mapping[str, Any], metric: Metric) -> bool:
    dimensions = dict(metric.dimensions)
    return (
        given.get("Namespace") in (None, metric.namespace)
        and given.get("MetricName") in (None, metric.name)
        and all(
            each["Name"] in dimensions and each.get("Value") in (None, dimensions[each["Name"]])
            for each in given.get("Dimensions", ())
        )
    )


OPERATIONS = {
    "PutMetricData": put,
    "GetMetricData": data,
    "GetMetricStatistics": statistics,
    "ListMetrics": listed,
}
