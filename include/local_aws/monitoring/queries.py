"""Metric data queries, as GetMetricData and alarms ask them: statistics of metrics, and expressions of those."""

from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.monitoring.database import MetricDatabase
from include.local_aws.monitoring.expressions import Expression, Series, Value, evaluate, parse
from include.local_aws.monitoring.series import STATISTICS, Metric, percentile
from include.local_aws.wire.errors import ValidationException, not_implemented

SHORT_PERIODS = (1, 5, 10, 20, 30)


def check_statistic(name: str) -> None:
    """Raises for what is no statistic, or one that is not computed here."""
    if name not in STATISTICS and percentile(name) is None:
        if name[:2] in ("tm", "wm", "tc", "ts", "PR", "TM", "WM", "TC", "TS") or name == "IQM":
            raise not_implemented(f"the statistic {name} of CloudWatch")
        raise ValidationException(f"The value {name} for parameter Stat is not supported.")


def check_period(period: int) -> None:
    """Raises for a period that CloudWatch has not."""
    if period not in SHORT_PERIODS and (period <= 0 or period % 60):
        raise ValidationException(f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, found {period}.")


def metric_of(region: str, given: Mapping[str, Any]) -> Metric:
    """The metric that a request names by Namespace, MetricName and Dimensions."""
    dimensions = [(each["Name"], each["Value"]) for each in given.get("Dimensions", ())]
    if len({name for name, _ in dimensions}) != len(dimensions):
        raise ValidationException("No two dimensions may have the same name.")
    return Metric.of(region, given.get("Namespace", ""), given.get("MetricName", ""), dimensions)


class Queries:
    """Checked queries of one request, in its order."""

    def __init__(self, region: str, given: Sequence[Mapping[str, Any]]) -> None:
        """Raises `ValidationException` for queries that can't be answered, and 501 for what is missing here."""
        self._region = region
        self.given = given
        self._expressions: dict[str, Expression] = {}
        ids = [query["Id"] for query in given]
        if len(set(ids)) != len(ids):
            raise ValidationException("The values for parameter Id in MetricDataQueries must be unique.")
        for query in given:
            self._check(query, ids)
        self._order = self._sorted(ids)

    def _check(self, query: Mapping[str, Any], ids: Sequence[str]) -> None:
        if ("MetricStat" in query) == ("Expression" in query):
            raise ValidationException(f"Query {query['Id']} must have either MetricStat or Expression.")
        if "MetricStat" in query:
            check_statistic(query["MetricStat"]["Stat"])
            check_period(query["MetricStat"]["Period"])
            metric_of(self._region, query["MetricStat"]["Metric"])
            return
        expression = parse(query["Expression"])
        unknown = sorted(expression.reads - set(ids))
        if unknown:
            raise ValidationException(f"Error in expression '{query['Id']}': {unknown[0]} is not the Id of a query.")
        self._expressions[query["Id"]] = expression

    def _sorted(self, ids: Sequence[str]) -> list[str]:
        """Every id after those that it reads."""
        order: list[str] = []
        waiting = list(ids)
        while waiting:
            ready = [each for each in waiting if each not in self._expressions
                     or self._expressions[each].reads <= set(order)]  # fmt: skip
            if not ready:
                raise ValidationException(f"The expressions of {', '.join(waiting)} read each other in a circle.")
            order += ready
            waiting = [each for each in waiting if each not in ready]
        return order

    @property
    def period(self) -> int:
        """The period of the metrics that are asked for, the longest where they differ."""
        periods = [query["MetricStat"]["Period"] for query in self.given if "MetricStat" in query]
        return max(periods, default=next((query["Period"] for query in self.given if "Period" in query), 60))

    def period_of(self, query: Mapping[str, Any]) -> int:
        """The period of one query."""
        return int(query["MetricStat"]["Period"]) if "MetricStat" in query else self.period

    def answer(self, database: MetricDatabase, start: float, end: float) -> dict[str, Series]:
        """The values of every query from `start` up to and without `end`, by the start of their period."""
        found: dict[str, Value] = {}
        periods = list(range(int(start) // self.period * self.period, int(-(-end // 1)), self.period))
        by_id = {query["Id"]: query for query in self.given}
        for name in self._order:
            if name in self._expressions:
                found[name] = evaluate(self._expressions[name], found, periods)
            else:
                found[name] = self._metric(database, by_id[name]["MetricStat"], start, end)
        return {name: _as_series(value, periods) for name, value in found.items()}

    def _metric(self, database: MetricDatabase, wanted: Mapping[str, Any], start: float, end: float) -> Series:
        period = wanted["Period"]
        metric = metric_of(self._region, wanted["Metric"])
        exact = percentile(wanted["Stat"]) is not None
        tallies, _ = database.read(metric, start // period * period, end, period, wanted.get("Unit"), values=exact)
        values = {moment: tally.statistic(wanted["Stat"]) for moment, tally in tallies.items()}
        return {moment: value for moment, value in values.items() if value is not None}


def _as_series(value: Value, periods: Sequence[int]) -> Series:
    if isinstance(value, float):
        return dict.fromkeys(periods, value)
    if isinstance(value, Sequence):
        raise ValidationException("The expression's value is a list of metrics; expected one.")
    return value
