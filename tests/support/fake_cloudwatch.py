"""A CloudWatch of alarms, where AWS would stand: in memory, with the states that a test sets."""

# ruff: noqa: N803 - the arguments are boto3's

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.support.botocore_check import accepted


class FakeCloudWatch:
    """Alarms by name; every request is held against botocore's model. ``calls`` names the operations that write."""

    def __init__(self) -> None:
        self.alarms: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, list[dict[str, str]]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.calls: list[str] = []

    def becomes(self, name: str, state: str, reason: str = "Threshold Crossed") -> None:
        """Let an alarm change its state."""
        self.alarms[name] |= {"StateValue": state, "StateReason": reason}
        item = {
            "Timestamp": datetime.now(UTC), "HistoryItemType": "StateUpdate",
            "HistoryData": json.dumps({"newState": {"stateValue": state, "stateReason": reason}}),
        }  # fmt: skip
        self.history.setdefault(name, []).append(item)

    # -------------------------------------------------------- what boto3 has

    def put_metric_alarm(self, **request: Any) -> None:
        accepted("put_metric_alarm", request, "cloudwatch")
        self.calls.append("put_metric_alarm")
        name = request["AlarmName"]
        arn = f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"
        before = self.alarms.get(name, {"StateValue": "INSUFFICIENT_DATA", "StateReason": "Unchecked"})
        kept = {key: before[key] for key in ("StateValue", "StateReason")}
        self.alarms[name] = {**request, "AlarmArn": arn, **kept}
        self.tags.setdefault(arn, request.get("Tags", []))  # ignored for an alarm that exists, as CloudWatch does

    def describe_alarms(
        self, *, AlarmNames: list[str] | None = None, AlarmNamePrefix: str = "", AlarmTypes: list[str]
    ) -> dict[str, Any]:
        found = [
            alarm
            for name, alarm in sorted(self.alarms.items())
            if (AlarmNames is None or name in AlarmNames) and name.startswith(AlarmNamePrefix)
        ]
        return {"MetricAlarms": found, "CompositeAlarms": []}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "describe_alarms"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        """One alarm a page."""
        for alarm in self.describe_alarms(**request)["MetricAlarms"]:
            yield {"MetricAlarms": [alarm]}

    def describe_alarm_history(
        self, *, AlarmName: str, HistoryItemType: str, StartDate: datetime, ScanBy: str
    ) -> dict[str, Any]:
        assert ScanBy == "TimestampAscending"
        items = [
            item
            for item in self.history.get(AlarmName, ())
            if item["HistoryItemType"] == HistoryItemType and item["Timestamp"] >= StartDate
        ]
        return {"AlarmHistoryItems": items}

    def set_alarm_state(self, *, AlarmName: str, StateValue: str, StateReason: str) -> None:
        self.calls.append("set_alarm_state")
        self.becomes(AlarmName, StateValue, StateReason)

    def delete_alarms(self, *, AlarmNames: list[str]) -> None:
        self.calls.append("delete_alarms")
        for name in AlarmNames:
            self.alarms.pop(name, None)

    def list_tags_for_resource(self, *, ResourceARN: str) -> dict[str, Any]:
        return {"Tags": self.tags[ResourceARN]}
