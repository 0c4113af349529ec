"""Which model is tested, what it takes to serve two, what CloudWatch says of them, and captured answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from automl_retraining.core.ab_spec import ABSpec
from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import ABTestRefused, EvidenceError, NotApproved, NotOurs
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import Decision
from automl_retraining.sagemaker import ab, ab_capture, ab_metrics, endpoint, storage
from tests.support.fake_ab import ENDPOINT, FakeMetrics, FakeVariants
from tests.support.s3_server import client, running

BUCKET = "ab-tests"
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """S3 with the bucket."""
    with running() as url:
        made = client(url)
        made.create_bucket(Bucket=BUCKET)
        yield made


class Registry(FakeVariants):
    """With versions: the model and status of each ARN, the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, tuple[str, str]] = {}
        self.serving("m1", "m2")

    def version(self, model: str, status: str) -> None:
        """Register a model of that status."""
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/art-churn/{len(self.versions) + 1}"
        self.versions = {arn: (model, status), **self.versions}
        self.tags[self.models[model]["ModelArn"]].append({"Key": "art:package", "Value": arn})

    def describe_model_package_group(self, **_: Any) -> dict[str, Any]:
        return {"ModelPackageGroupArn": "arn:group"}

    def list_model_packages(self, **request: Any) -> dict[str, Any]:
        assert (request["ModelApprovalStatus"], request["SortOrder"]) == ("Approved", "Descending")
        found = [{"ModelPackageArn": arn} for arn, (_, status) in self.versions.items() if status == "Approved"]
        return {"ModelPackageSummaryList": found[: request["MaxResults"]]}

    def describe_model_package(self, **request: Any) -> dict[str, Any]:
        model, status = self.versions[request["ModelPackageName"]]
        return {"CustomerMetadataProperties": {"art:model": model}, "ModelApprovalStatus": status}


def pipeline(**more: Any) -> Pipeline:
    """The pipeline."""
    return Pipeline.model_validate(
        {"name": "churn", "source": "a", "target": "y", "gate": {"metric": "rmse"}, "ab": {}, **more}
    )


def choose(sm: Any, s3: Any, wanted: str, **more: Any) -> str:
    """The model to test beside m1."""
    return ab.choose(sm, s3, wanted, pipeline=pipeline(**more), bucket=BUCKET, champion="m1")


def test_a_model_a_run_or_the_newest_approved_version_is_tested(s3: Any) -> None:
    """A run's challenger is read from its decision."""
    sm = Registry()
    sm.version("m1", "Approved")
    sm.version("m2", "Approved")
    decision = Decision(
        pipeline="churn", run_id="r", verdict="keep", sentence="Kept.", reasons=(), rules=(),
        policy=GatePolicy(metric="rmse"), challenger="m2", champion="m1",
    )  # fmt: skip
    storage.write_record(s3, f"s3://{BUCKET}/churn/runs/r/decision.json", decision)
    assert [choose(sm, s3, wanted) for wanted in ("m2", "r", "")] == ["m2", "m2", "m2"]


def test_what_may_not_serve_is_refused_in_words(s3: Any) -> None:
    """Not approved, not there, somebody else's, the champion itself, and nothing at all."""
    sm = Registry()
    with pytest.raises(ABTestRefused, match="no version of group art-churn is Approved"):
        choose(sm, s3, "")
    sm.version("m1", "Approved")
    with pytest.raises(ABTestRefused, match="found m1, which is the champion"):
        choose(sm, s3, "")
    with pytest.raises(ABTestRefused, match="model m2: expected a version of it in the model registry, found none"):
        choose(sm, s3, "m2")
    sm.version("m2", "Rejected")
    with pytest.raises(NotApproved, match="found Rejected"):
        choose(sm, s3, "m2")
    with pytest.raises(ABTestRefused, match="found 'nobody', which is no model, and s3://ab-tests/churn/runs/nobody/"):
        choose(sm, s3, "nobody")
    sm.model("theirs", art_pipeline="other")
    with pytest.raises(NotOurs, match="expected the tag art:pipeline to be 'churn', found 'other'"):
        choose(sm, s3, "theirs")
    off = {"registry": {"enabled": False}}
    assert choose(sm, s3, "m2", **off) == "m2"
    with pytest.raises(ABTestRefused, match="has no model registry"):
        choose(sm, s3, "", **off)


@pytest.mark.parametrize("variant", [{"VariantName": "AllTraffic"}, {"ServerlessConfig": {"MemorySizeInMB": 1024}}])
def test_an_endpoint_that_cannot_share_its_requests_is_refused(variant: dict[str, Any]) -> None:
    """No variant named champion; serverless."""
    sm = FakeVariants()
    sm.serving("m1")
    served = sm.configs["base"]["ProductionVariants"][0]
    if "ServerlessConfig" in variant:
        del served["InitialInstanceCount"]
    served |= variant
    found = endpoint.describe(sm, ENDPOINT)
    assert found is not None
    with pytest.raises(ABTestRefused, match=r"expected one production variant|expected a variant of instances"):
        ab.base_of(sm, found)


def test_both_variants_are_measured_in_whole_periods_over_all_pages() -> None:
    """From the first whole period after the beginning to the last one that has ended; latencies in milliseconds."""
    metrics = FakeMetrics(champion=(10, 1, 0, 9000.0), challenger=(5, 0, 2, 8000.0))
    since, until = NOW + timedelta(seconds=1), NOW + timedelta(minutes=4, seconds=59)
    champion, challenger = ab_metrics.traffic(
        metrics, ABSpec(), ENDPOINT, ("champion", "challenger"), since=since, until=until
    )
    assert (champion.invocations, champion.errors_4xx, champion.errors_5xx) == (30, 3, 0)
    assert (challenger.invocations, challenger.errors_4xx, challenger.errors_5xx) == (15, 0, 6)
    assert [period.latency_ms for period in challenger.periods] == [8.0] * 3
    assert champion.periods[0].at == NOW + timedelta(minutes=1)
    early, _ = ab_metrics.traffic(metrics, ABSpec(), ENDPOINT, ("champion", "x"), since=since, until=since)
    assert early.invocations == 0


def captured(at: datetime, inference_id: str | None, data: str, encoding: str = "CSV") -> str:
    """A line of a capture file."""
    metadata = {"eventId": "e", "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    output = {"observedContentType": "text/csv", "mode": "OUTPUT", "data": data, "encoding": encoding}
    more = {"inferenceId": inference_id} if inference_id else {}
    return json.dumps({"captureData": {"endpointOutput": output}, "eventMetadata": {**metadata, **more}}) + "\n"


def test_captured_answers_are_read_hour_by_hour_within_the_test(s3: Any) -> None:
    """Text and base 64; what another test captured in the same hour is not this one's."""
    where = f"s3://{BUCKET}/captured"
    encoded = base64.b64encode(b"3.5\n").decode()
    storage.write_text(
        s3, f"{where}/{ENDPOINT}/challenger/2026/01/01/12/a.jsonl",
        captured(NOW - timedelta(seconds=9), "early", "1\n") + captured(NOW, "a", "2.5\n"),
    )  # fmt: skip
    storage.write_text(
        s3, f"{where}/{ENDPOINT}/challenger/2026/01/01/13/b.jsonl",
        captured(NOW + timedelta(hours=1), "b", encoded, "BASE64") + captured(NOW + timedelta(hours=2), "late", "1\n"),
    )  # fmt: skip
    found = list(ab_capture.answers(s3, where, ENDPOINT, "challenger", since=NOW, until=NOW + timedelta(minutes=90)))
    assert [(each.inference_id, each.body) for each in found] == [("a", b"2.5\n"), ("b", b"3.5\n")]
    storage.write_text(s3, f"{where}/{ENDPOINT}/challenger/2026/01/01/12/c.jsonl", "rubbish\n")
    with pytest.raises(EvidenceError, match=r"c.jsonl: line 1: expected a captured answer"):
        list(ab_capture.answers(s3, where, ENDPOINT, "challenger", since=NOW, until=NOW + timedelta(minutes=90)))


def test_labels_come_from_an_object_or_from_everything_below_a_prefix(s3: Any) -> None:
    """None has arrived where there is nothing."""
    where = f"s3://{BUCKET}/truth/"
    assert ab_capture.labels(s3, where) == {}
    assert ab_capture.labels(s3, f"{where}a.csv") == {}
    storage.write_text(s3, f"{where}a.csv", "inference_id,label\nx,1\n")
    storage.write_text(s3, f"{where}b.csv", "inference_id,label\ny,2\n")
    assert ab_capture.labels(s3, where) == {"x": "1", "y": "2"}
    assert ab_capture.labels(s3, f"{where}b.csv") == {"y": "2"}
