"""What two variants of an endpoint did, as CloudWatch measured it. Every function takes a boto3 CloudWatch client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from automl_retraining.core.ab_records import Period, Traffic
from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.sagemaker.alarms import NAMESPACE

_COUNTS = {"invocations": "Invocations", "errors_4xx": "Invocation4XXErrors", "errors_5xx": "Invocation5XXErrors"}
_LATENCY = "latency"


def traffic(
    cloudwatch: Any, spec: ABSpec, endpoint_name: str, variants: tuple[str, str], *, since: datetime, until: datetime
) -> tuple[Traffic, Traffic]:
    """Both variants' requests, errors and latencies in the whole periods between the two times.

    The metrics are SageMaker's "endpoint invocation metrics"; ModelLatency is in microseconds.
    """
    start, end = _up(since, spec.period), _down(until, spec.period)
    if end <= start:
        return Traffic(variant=variants[0]), Traffic(variant=variants[1])
    found: dict[str, dict[datetime, float]] = {}
    queries = list(_queries(spec, endpoint_name, variants))
    token: dict[str, str] = {}
    while True:
        answer = cloudwatch.get_metric_data(
            MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending", **token
        )
        for result in answer["MetricDataResults"]:
            values = zip(result["Timestamps"], result["Values"], strict=True)
            found.setdefault(result["Id"], {}).update((at.astimezone(UTC), value) for at, value in values)
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    first, second = (_read(variant, number, found) for number, variant in enumerate(variants))
    return first, second


def _queries(spec: ABSpec, endpoint_name: str, variants: tuple[str, str]) -> Iterator[dict[str, Any]]:
    for number, variant in enumerate(variants):
        dimensions = [{"Name": "EndpointName", "Value": endpoint_name}, {"Name": "VariantName", "Value": variant}]
        asked = {name: (metric, "Sum") for name, metric in _COUNTS.items()}
        asked[_LATENCY] = ("ModelLatency", spec.latency_statistic)
        for name, (metric, statistic) in asked.items():
            yield {
                "Id": f"{name}_{number}",
                "MetricStat": {
                    "Metric": {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": dimensions},
                    "Period": spec.period,
                    "Stat": statistic,
                },
            }


def _read(variant: str, number: int, found: Mapping[str, Mapping[datetime, float]]) -> Traffic:
    def series(name: str) -> Mapping[datetime, float]:
        return found.get(f"{name}_{number}", {})

    latency = series(_LATENCY)
    periods = tuple(
        Period(at=at, invocations=round(count), latency_ms=latency[at] / 1000 if at in latency else None)
        for at, count in sorted(series("invocations").items())
    )
    return Traffic(variant=variant, periods=periods, **{name: round(sum(series(name).values())) for name in _COUNTS})


def _up(moment: datetime, period: int) -> datetime:
    down = _down(moment, period)
    return down if down == moment else down + timedelta(seconds=period)


def _down(moment: datetime, period: int) -> datetime:
    seconds = int(moment.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, UTC)
