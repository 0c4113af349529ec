"""The metrics that invocations make."""

from include.local_aws.monitoring.database import Sample
from include.local_aws.monitoring.invocations import Invocations

VARIANT = ("us-east-1", "e", "v")


def counted(*statuses: int, config: str | None = None) -> list[Sample]:
    invocations = Invocations()
    for status in statuses:
        invocations.count(
            VARIANT, 100.7, status=status, model_seconds=0.002, overhead_seconds=0.0005, instances=4, config=config
        )
    samples = invocations.taken()
    assert invocations.taken() == []
    return samples


def test_statuses_are_counted_as_sagemaker_counts_them() -> None:
    found = {each.metric.name: each.tally for each in counted(200, 200, 404, 500, 503, 0)}
    sums = {name: each.sum for name, each in found.items() if not name.endswith("Latency")}
    assert sums == {
        "Invocations": 6.0, "InvocationsPerInstance": 1.5, "Invocation4XXErrors": 1.0, "Invocation5XXErrors": 3.0,
        "InvocationModelErrors": 4.0,
    }  # fmt: skip
    assert {each.count for each in found.values()} == {6.0}  # so an average is the share
    assert (found["ModelLatency"].statistic("p50"), found["OverheadLatency"].statistic("Average")) == (2000.0, 500.0)


def test_a_fleet_is_counted_with_its_variant_and_apart() -> None:
    samples = [each for each in counted(200, config="new") if each.metric.name == "Invocations"]
    assert {(each.metric.dimensions, each.moment, each.tally.sum) for each in samples} == {
        ((("EndpointName", "e"), ("VariantName", "v")), 100, 1.0),
        ((("EndpointConfigName", "new"), ("EndpointName", "e"), ("VariantName", "v")), 100, 1.0),
    }
