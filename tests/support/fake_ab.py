"""SageMaker with variants that have weights, and CloudWatch's metrics of them, where AWS would stand."""

# ruff: noqa: N803 - the arguments are boto3's

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.botocore_check import accepted
from tests.support.fake_endpoints import FakeSageMaker, refused

ENDPOINT = "art-churn"
OURS = {"art_pipeline": "churn", "art_deployment": "default"}


class FakeVariants(FakeSageMaker):
    """Endpoints whose variants keep their weight and count from one configuration to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.variants: dict[str, dict[str, Any]] = {}
        self.stubborn = False

    def serving(self, *models: str, count: int = 4) -> None:
        """The endpoint serves the first model alone; the others are there."""
        for name in models:
            self.model(name, **OURS)
        variant = {
            "VariantName": "champion", "ModelName": models[0], "InstanceType": "ml.m5.large",
            "InitialInstanceCount": count, "InitialVariantWeight": 1.0,
        }  # fmt: skip
        tags = [{"Key": "art:pipeline", "Value": "churn"}]
        self.create_endpoint_config(EndpointConfigName="base", Tags=tags, ProductionVariants=[variant])
        self.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="base", Tags=tags)
        self.settle(ENDPOINT)
        self.calls.clear()

    def settle(self, name: str, *, status: str = "InService", rolled_back: str | None = None) -> None:
        """As the base's, with the variants of what serves then."""
        super().settle(name, status=status, rolled_back=rolled_back)
        config = self.configs[self.endpoints[name]["EndpointConfigName"]]
        self.variants = {
            each["VariantName"]: self.variants.get(
                each["VariantName"],
                {
                    "DesiredWeight": each["InitialVariantWeight"],
                    "CurrentWeight": each["InitialVariantWeight"],
                    "DesiredInstanceCount": each["InitialInstanceCount"],
                },
            )
            for each in config["ProductionVariants"]
        }

    def models_served(self) -> dict[str, str]:
        """The model of each variant."""
        config = self.configs[self.endpoints[ENDPOINT]["EndpointConfigName"]]
        return {each["VariantName"]: each["ModelName"] for each in config["ProductionVariants"]}

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:
        answer = super().describe_endpoint(EndpointName=EndpointName)
        return {**answer, "ProductionVariants": [{"VariantName": n, **v} for n, v in self.variants.items()]}

    def create_endpoint_config(self, **request: Any) -> None:
        accepted("create_endpoint_config", request)
        super().create_endpoint_config(**request)

    def update_endpoint_weights_and_capacities(self, **request: Any) -> None:
        accepted("update_endpoint_weights_and_capacities", request)
        self.calls.append("update_endpoint_weights_and_capacities")
        endpoint = self.endpoints[request["EndpointName"]]
        if endpoint["EndpointStatus"] != "InService":
            raise refused("UpdateEndpointWeightsAndCapacities", "Cannot update in-progress endpoint")
        endpoint |= {"EndpointStatus": "Updating", "LastModifiedTime": self.now()}
        for each in request["DesiredWeightsAndCapacities"]:
            if not self.stubborn:
                self.variants[each["VariantName"]] = {
                    "DesiredWeight": each["DesiredWeight"],
                    "CurrentWeight": each["DesiredWeight"],
                    "DesiredInstanceCount": each["DesiredInstanceCount"],
                }


class FakeMetrics:
    """CloudWatch that has for each variant, in every period, so many requests, errors and this latency.

    ``each`` is by variant: (requests, 4xx, 5xx, latency in microseconds). A page has one metric.
    """

    def __init__(self, **each: tuple[float, float, float, float]) -> None:
        self.each: Mapping[str, tuple[float, float, float, float]] = each

    def get_metric_data(self, **request: Any) -> dict[str, Any]:
        accepted("get_metric_data", {k: v for k, v in request.items() if k != "NextToken"}, "cloudwatch")
        number = int(request.get("NextToken", 0))
        query = request["MetricDataQueries"][number]
        asked = query["MetricStat"]
        variant = {each["Name"]: each["Value"] for each in asked["Metric"]["Dimensions"]}["VariantName"]
        names = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency")
        value = self.each.get(variant, (0, 0, 0, 0))[names.index(asked["Metric"]["MetricName"])]
        times = []
        at = request["StartTime"].astimezone(UTC)
        assert int(at.timestamp()) % asked["Period"] == 0
        while at < request["EndTime"]:
            times.append(at)
            at += timedelta(seconds=asked["Period"])
        more = {"NextToken": str(number + 1)} if number + 1 < len(request["MetricDataQueries"]) else {}
        values = [float(value)] * len(times)
        return {"MetricDataResults": [{"Id": query["Id"], "Timestamps": times, "Values": values}], **more}


def long_ago(seconds: int = 3600) -> str:
    """A time before now, as a task returned it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
