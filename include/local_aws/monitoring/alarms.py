"""Alarms on metrics: kept in the store, evaluated every second, their changes told to EventBridge and SNS.

A period counts when it is over. The running one counts before that where it is beyond the threshold and can only stay
so (see `evaluation.definite`), so that a rollout does not wait for the end of a minute in which enough has failed.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from include.local_aws import ACCOUNT
from include.local_aws.monitoring.bus import Bus
from include.local_aws.monitoring.database import MetricDatabase
from include.local_aws.monitoring.evaluation import EXTRA_PERIODS, Point, Rule, Verdict, definite, judge
from include.local_aws.monitoring.queries import Queries, metric_of
from include.local_aws.store import AlreadyExists, DoesNotExist, Record, Store

log = logging.getLogger(__name__)

KIND = "alarm"
STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
HISTORY = 100
"""Entries of an alarm's history that are kept (CloudWatch: those of 30 days)."""
LATE_SECONDS = 5
"""How often periods that are over are looked at again, for samples that came late."""
HOLD_SECONDS = 5
"""How long a state that was set by hand stays (CloudWatch: until the next evaluation, up to a minute)."""
UNCHECKED = "Unchecked: Initial alarm creation"
_ACTIONS = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

_Moment = tuple[float, float, float]
"""The running period, and when the alarm was configured and last changed."""


def arn_of(region: str, name: str) -> str:
    """The Amazon resource name of an alarm."""
    return f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}"


class Alarms:
    """The alarms of all regions."""

    def __init__(self, store: Store, metrics: MetricDatabase, bus: Bus) -> None:
        self._store = store
        self._metrics = metrics
        self._bus = bus
        self._judged: dict[tuple[str, str], tuple[float, _Moment]] = {}
        """When an alarm was evaluated, and what would have to change for another result."""

    def put(self, region: str, name: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Create an alarm, or give an existing one other settings: its state stays until it is evaluated."""
        now = time.time()
        created = {
            "settings": dict(settings),
            "configured": now,
            "state": {"value": "INSUFFICIENT_DATA", "reason": UNCHECKED, "at": now},
            "history": [_entry(now, "ConfigurationUpdate", f'Alarm "{name}" created', {"type": "Create"})],
        }
        try:
            self._store.insert(
                KIND, region, name, "INSUFFICIENT_DATA", created, tags=(arn_of(region, name), tags) if tags else None
            )
        except AlreadyExists:
            self._store.update(KIND, region, name, lambda found: _configured(found, settings, now))

    def delete(self, region: str, names: Iterable[str]) -> None:
        """Forget alarms; those that there are not are no error, as on AWS."""
        for name in names:
            self._judged.pop((region, name), None)
            try:
                self._store.delete(KIND, region, name, arn_of(region, name))
            except DoesNotExist:
                log.info("there is no alarm %s to delete", name)

    def find(self, region: str, name: str) -> Record | None:
        """One alarm, or None."""
        return self._store.find(KIND, region, name)

    def all(self, region: str) -> list[Record]:
        """A region's alarms in the order of their names."""
        return sorted(self._store.all(KIND, region=region), key=lambda each: each.name)

    def states(self, region: str, names: Iterable[str]) -> dict[str, str]:
        """The states of the alarms of these names, without those that there are not."""
        found = {name: self.find(region, name) for name in names}
        return {name: record.status for name, record in found.items() if record is not None}

    def enable(self, region: str, names: Iterable[str], *, enabled: bool) -> None:
        """Let alarms do their actions or not; those that there are not are no error."""
        for name in names:
            if self.find(region, name) is not None:
                self._store.update(
                    KIND,
                    region,
                    name,
                    lambda now: now.having(settings={**now.body["settings"], "ActionsEnabled": enabled}),
                )

    def tags(self, arn: str) -> dict[str, str]:
        """An alarm's tags."""
        return self._store.tags(arn)

    def tag(self, arn: str, values: Mapping[str, str]) -> None:
        """Add or replace tags of an alarm."""
        self._store.tag(arn, values)

    def untag(self, arn: str, keys: list[str]) -> None:
        """Remove tags of an alarm."""
        self._store.untag(arn, keys)

    def set_state(self, region: str, name: str, state: str, reason: str, data: str | None) -> None:
        """Put an alarm into a state until it is evaluated again, in `HOLD_SECONDS`; raises `DoesNotExist`."""
        parsed = json.loads(data) if data else None
        self._move(region, name, state, reason, parsed, until=time.time() + HOLD_SECONDS)

    def evaluate(self, now: float) -> None:
        """Bring every alarm into the state that its metric's values ask for."""
        for record in self._store.all(KIND):
            try:
                self._evaluate(record, now)
            except DoesNotExist:
                log.info("alarm %s was deleted meanwhile", record.name)
            except Exception:  # one alarm that can't be evaluated must not keep the others from it
                log.exception("evaluating alarm %s", record.name)

    def _evaluate(self, record: Record, now: float) -> None:
        if now < record.body["state"].get("until", 0):
            return
        settings = record.body["settings"]
        key, moment = (record.region, record.name), _moment(record, now)
        judged = self._judged.get(key)
        if not _lasting(settings) and judged is not None and judged[1] == moment and now - judged[0] < LATE_SECONDS:
            return
        self._judged[key] = (now, moment)
        rule = rule_of(settings)
        points = self._points(record.region, settings, rule, now)
        verdict = judge(rule, points, record.status)
        if verdict.state != record.status:
            data = _reason_data(settings, period_of(settings, record.region), rule, verdict, now)
            self._move(record.region, record.name, verdict.state, verdict.reason, data, settings=settings)

    def _points(self, region: str, settings: Mapping[str, Any], rule: Rule, now: float) -> list[Point]:
        period = period_of(settings, region)
        running = int(now) // period * period
        start = running - (rule.periods + EXTRA_PERIODS) * period
        queries = queries_of(settings, region)
        end = running + (period if _lasting(settings) else 0)
        values = queries.answer(self._metrics, start, end)[told_by(settings)]
        moments = list(range(start, running, period))
        if _lasting(settings) and running in values and rule.breaches(values[running]):
            moments = [*moments[1:], running]
        return [(moment, values.get(moment)) for moment in moments]

    def _move(
        self,
        region: str,
        name: str,
        state: str,
        reason: str,
        data: Mapping[str, Any] | None,
        *,
        settings: Mapping[str, Any] | None = None,
        until: float = 0.0,
    ) -> None:
        """Change the state, keep that in the history, and tell it; not where the settings are others by now."""
        now = time.time()
        told: list[tuple[Record, Record]] = []

        def change(before: Record) -> Record:
            if settings is not None and before.body["settings"] != settings:
                return before
            after = {"value": state, "reason": reason, "data": data, "at": now, "until": until}
            past = before.body["history"]
            if before.status != state:
                past = [_state_entry(now, before, after), *past][:HISTORY]
            changed = before.having(status=state, state=after, history=past)
            told[:] = [(before, changed)]
            return changed

        self._store.update(KIND, region, name, change)
        for before, after in told:
            if before.status != state:
                self._tell(before, after)

    def _tell(self, before: Record, after: Record) -> None:
        settings = after.body["settings"]
        detail = {
            "alarmName": after.name,
            "state": _state_detail(after),
            "previousState": _state_detail(before),
            "configuration": {
                "description": settings.get("AlarmDescription", ""),
                "metrics": [_metric_detail(each) for each in queries_of(settings, after.region).given],
            },
        }
        arn = arn_of(after.region, after.name)
        self._bus.emit(after.region, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [arn])
        if settings.get("ActionsEnabled", True):
            for topic in settings.get(_ACTIONS[after.status], ()):
                self._bus.notify(after.region, topic, f'{after.status}: "{after.name}"', _notification(before, after))


def rule_of(settings: Mapping[str, Any]) -> Rule:
    """The rule of an alarm's settings."""
    periods = settings["EvaluationPeriods"]
    return Rule(
        comparison=settings["ComparisonOperator"],
        threshold=settings["Threshold"],
        periods=periods,
        to_alarm=settings.get("DatapointsToAlarm", periods),
        missing=settings.get("TreatMissingData", "missing"),
    )


def statistic_of(settings: Mapping[str, Any]) -> str:
    """The statistic of an alarm on one metric."""
    return str(settings.get("Statistic") or settings.get("ExtendedStatistic"))


def queries_of(settings: Mapping[str, Any], region: str) -> Queries:
    """What an alarm asks for: its metric, or its queries."""
    if "Metrics" in settings:
        return Queries(region, settings["Metrics"])
    metric = {key: settings[key] for key in ("Namespace", "MetricName", "Dimensions") if key in settings}
    metric_of(region, metric)
    asked = {"Metric": metric, "Period": settings["Period"], "Stat": statistic_of(settings)}
    unit = {"Unit": settings["Unit"]} if "Unit" in settings else {}
    return Queries(region, [{"Id": "m1", "MetricStat": {**asked, **unit}, "ReturnData": True}])


def period_of(settings: Mapping[str, Any], region: str) -> int:
    """An alarm's period in seconds."""
    return queries_of(settings, region).period


def _lasting(settings: Mapping[str, Any]) -> bool:
    """Whether the running period counts as soon as it is beyond the threshold."""
    return "Metrics" not in settings and definite(statistic_of(settings), settings["ComparisonOperator"])


def _moment(record: Record, now: float) -> _Moment:
    period = period_of(record.body["settings"], record.region)
    return now // period, record.body["configured"], record.body["state"]["at"]


def told_by(settings: Mapping[str, Any]) -> str:
    """The id of the query whose values are compared with the threshold."""
    queries: Sequence[Mapping[str, Any]] = settings.get("Metrics", ())
    return next((query["Id"] for query in queries if query.get("ReturnData", True)), "m1")


def _configured(found: Record, settings: Mapping[str, Any], now: float) -> Record:
    entry = _entry(now, "ConfigurationUpdate", f'Alarm "{found.name}" updated', {"type": "Update"})
    state = {**found.body["state"], "until": 0.0}
    history = [entry, *found.body["history"]][:HISTORY]
    return found.having(settings=dict(settings), configured=now, state=state, history=history)


def _entry(now: float, kind: str, summary: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": now, "type": kind, "summary": summary, "data": {"version": "1.0", **data}}


def _state_entry(now: float, before: Record, after: Mapping[str, Any]) -> dict[str, Any]:
    old = before.body["state"]
    data = {
        "oldState": {"stateValue": old["value"], "stateReason": old["reason"], "stateReasonData": old.get("data")},
        "newState": {"stateValue": after["value"], "stateReason": after["reason"], "stateReasonData": after["data"]},
    }
    return _entry(now, "StateUpdate", f"Alarm updated from {old['value']} to {after['value']}", data)


def _reason_data(settings: Mapping[str, Any], period: int, rule: Rule, verdict: Verdict, now: float) -> dict[str, Any]:
    return {
        "version": "1.0",
        "queryDate": _written(now),
        **({"startDate": _written(verdict.points[0][0])} if verdict.points else {}),
        **({"statistic": statistic_of(settings)} if "Metrics" not in settings else {}),
        "period": period,
        "recentDatapoints": [value for _, value in verdict.points],
        "threshold": rule.threshold,
        "evaluatedDatapoints": [{"timestamp": _written(at), "value": value} for at, value in reversed(verdict.points)],
    }


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _state_detail(record: Record) -> dict[str, Any]:
    state = record.body["state"]
    data = {"reasonData": json.dumps(state["data"])} if state.get("data") else {}
    return {"value": state["value"], "reason": state["reason"], "timestamp": _written(state["at"]), **data}


def _metric_detail(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query as the events spell it: small first letters, dimensions as a mapping."""
    told: dict[str, Any] = {"id": query["Id"], "returnData": query.get("ReturnData", True)}
    if "Expression" in query:
        return {**told, "expression": query["Expression"]}
    asked = query["MetricStat"]
    metric = {
        "namespace": asked["Metric"].get("Namespace", ""),
        "name": asked["Metric"].get("MetricName", ""),
        "dimensions": {each["Name"]: each["Value"] for each in asked["Metric"].get("Dimensions", ())},
    }
    return {**told, "metricStat": {"metric": metric, "period": asked["Period"], "stat": asked["Stat"]}}


def _notification(before: Record, after: Record) -> dict[str, Any]:
    """What CloudWatch publishes to a topic."""
    settings = after.body["settings"]
    return {
        "AlarmName": after.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": ACCOUNT,
        "AlarmArn": arn_of(after.region, after.name),
        "NewStateValue": after.status,
        "NewStateReason": after.body["state"]["reason"],
        "StateChangeTime": _written(after.body["state"]["at"]),
        "Region": after.region,
        "OldStateValue": before.status,
        "Trigger": {key: value for key, value in settings.items() if key not in _ACTIONS.values()},
    }
