"""One AutoML job: its data fetched, its search run and followed, its candidates and artifacts stored as they arrive."""

import gzip
import json
import logging
import shutil
import time
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from include.local_aws import ACCOUNT
from include.local_aws.automl.requests import tabular_of
from include.local_aws.automl.statuses import FINAL, advances
from include.local_aws.automl.steps import Steps
from include.local_aws.jobs.logs import Follower, Stream
from include.local_aws.jobs.runner import Job, JobFailed
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import AlreadyExists, Record

log = logging.getLogger(__name__)

GRACE_SECONDS = 30
"""The search keeps its own time limit; a job that is over it by so much is ended from outside."""

SEED = 1

PARTIAL_FAILURES = 5
"""PartialFailureReasons that DescribeAutoMLJob tells at most (the service model's limit)."""


class AutoMLJob(Job):
    """A job record in the store, and the search that works for it."""

    target = "include.local_aws.automl.worker:main"

    def __init__(self, services: Services, record: Record) -> None:
        super().__init__(services, record.region, "automl", record.name)
        self._request: Mapping[str, Any] = record.body["v2"]
        self._tabular = tabular_of(self._request)
        self._created = record.created
        self._events = Follower(self.root / "output" / "events.jsonl")
        self._uploaded: dict[str, tuple[int, int]] = {}
        self._end_reason: str | None = None
        self._mode: str | None = None
        self._steps = Steps(services, record.region, record.name, self._request, self.output_uri)

    @property
    def stream(self) -> Stream:
        """AutoML has no log group of its own on AWS: what it trains logs as training jobs."""
        return Stream(self.region, "/aws/sagemaker/TrainingJobs", f"{self.name}/algo-1-{int(self._created)}")

    @property
    def output_uri(self) -> str:
        """Everything the job leaves stands below this."""
        path: str = self._request["OutputDataConfig"]["S3OutputPath"]
        return f"{path.rstrip('/')}/{self.name}"

    def time_limit(self) -> float | None:
        """The job's own limit and a grace."""
        limit = self._tabular.get("CompletionCriteria", {}).get("MaxAutoMLJobRuntimeInSeconds")
        return None if limit is None else limit + GRACE_SECONDS

    def prepare(self) -> None:
        """Download the channels and the feature specification; write the search's configuration."""
        data = self.root / "input" / "data"
        self.services.s3.check_output(self.output_uri)
        for channel in self._request["AutoMLJobInputDataConfig"]:
            self._download(channel, data)
        if "FeatureSpecificationS3Uri" in self._tabular:
            target = data / "feature_specification.json"
            target.write_bytes(self.services.s3.read(self._tabular["FeatureSpecificationS3Uri"]))
        document = {
            "job_name": self.name,
            "region": self.region,
            "account": ACCOUNT,
            "request": self._request,
            "output_uri": self.output_uri,
            "seed": SEED,
        }
        (self.root / "input" / "config" / "automl.json").write_text(json.dumps(document, indent=1), encoding="utf-8")

    def _download(self, channel: Mapping[str, Any], data: Path) -> None:
        folder = data / ("validation" if channel.get("ChannelType") == "validation" else "train")
        source = channel["DataSource"]["S3DataSource"]
        gzipped = channel.get("CompressionType") == "Gzip"
        for number, each in enumerate(self.services.s3.inputs(source["S3DataType"], source["S3Uri"])):
            name = Path(each.key).name
            stem = name.removesuffix(".gz").removesuffix(".csv")[:60]  # file names are at most 255 bytes
            target = folder / f"{number:05d}-{stem}.csv"
            if not gzipped:
                self.services.s3.download(each.bucket, each.key, target)
                continue
            packed = target.with_name(target.name + ".gz")
            self.services.s3.download(each.bucket, each.key, packed)
            _unpack(packed, target, each.uri)

    def tick(self) -> None:
        """Take over the events that the search has written since the last time."""
        for line in self._events.lines():
            event = json.loads(line)
            match event["event"]:
                case "resolved":
                    self._resolved(event)
                case "status":
                    self._status(event["secondary_status"])
                case "step":
                    self._steps.take_over(self._located(event))
                case "candidate":
                    self._candidate(event["candidate"], event.get("partial_failure"))
                case "best":
                    self._change(best=event["candidate_name"])
                case "artifacts":
                    self._artifacts(event)
                case "end":
                    self._end_reason = event["reason"]
                case other:
                    raise JobFailed(f"InternalServerError: the search wrote an event of unknown kind {other!r}.")

    def _change(self, **body: Any) -> None:
        self.services.store.update("automl", self.region, self.name, lambda record: record.having(**body))

    def _resolved(self, event: Mapping[str, Any]) -> None:
        criteria = self._tabular.get("CompletionCriteria")
        self._mode = event["mode"]
        if self._mode == "ENSEMBLING":
            self._steps.analysis(self._created, event["time"])
        self._change(
            mode=event["mode"],
            resolved={
                "AutoMLJobObjective": {"MetricName": event["metric"]},
                "ProblemType": event["problem_type"],
                "CompletionCriteria": criteria or None,
            },
        )

    def _status(self, secondary: str) -> None:
        def change(record: Record) -> Record:
            if record.status != "InProgress":
                return record
            if not advances(record.body.get("mode"), record.body["secondary"], secondary):
                log.warning("%s: no way from %s to %s", self.name, record.body["secondary"], secondary)
                return record
            return record.having(secondary=secondary)

        self.services.store.update("automl", self.region, self.name, change)

    def _candidate(self, candidate: dict[str, Any], partial_failure: str | None) -> None:
        stored = self._located(candidate)
        if self._mode == "ENSEMBLING":
            containers = stored.get("InferenceContainers", [])
            model = (
                containers[0]["ModelDataUrl"] if containers else f"{self.output_uri}/sagemaker-automl-candidates/model"
            )
            stored["CandidateSteps"] = self._steps.of_ensembling(stored, model)
        kind, parent = "candidate", self.name.lower()
        key = f"{parent}/{stored['CandidateName']}"
        status = stored["CandidateStatus"]
        try:
            self.services.store.insert(kind, self.region, key, status, stored, parent=parent)
        except AlreadyExists:
            self.services.store.update(
                kind, self.region, key, lambda record: replace(record, status=status, body=stored)
            )
        if partial_failure:
            self.services.store.update(
                "automl",
                self.region,
                self.name,
                lambda record: record.having(
                    partial=[*record.body.get("partial", []), {"PartialFailureMessage": partial_failure[:1024]}][
                        :PARTIAL_FAILURES
                    ]
                ),
            )

    def _located(self, value: Any) -> Any:
        """The same with every ``artifact:`` path as the S3 URI that it is uploaded to, files and what is in
        folders being uploaded now.
        """
        if isinstance(value, dict):
            return {key: self._located(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._located(each) for each in value]
        if isinstance(value, str) and value.startswith("artifact:"):
            relative = value.removeprefix("artifact:").lstrip("/")
            path = self.root / "output" / "artifacts" / relative
            for each in [path] if path.is_file() else sorted(path.rglob("*")):
                if each.is_file():
                    self._upload(each)
            return f"{self.output_uri}/{relative}"
        return value

    def _artifacts(self, event: Mapping[str, Any]) -> None:
        members = {
            "CandidateDefinitionNotebookLocation": event.get("candidate_definition_notebook"),
            "DataExplorationNotebookLocation": event.get("data_exploration_notebook"),
        }
        self._change(
            artifacts={name: self._located(f"artifact:{path}") for name, path in members.items() if path is not None}
        )

    def _upload(self, path: Path) -> None:
        relative = path.relative_to(self.root / "output" / "artifacts").as_posix()
        state = path.stat()
        version = (state.st_mtime_ns, state.st_size)
        if self._uploaded.get(relative) != version:
            self.services.s3.upload(path, f"{self.output_uri}/{relative}")
            self._uploaded[relative] = version

    def _upload_all(self) -> None:
        for path in sorted((self.root / "output" / "artifacts").rglob("*")):
            if path.is_file():
                self._upload(path)

    def complete(self, *, timed_out: bool) -> None:
        """The search is over: upload the rest, and end with the secondary status that says why."""
        self._upload_all()
        record = self.services.store.get("automl", self.region, self.name)
        secondary = "MaxAutoMLJobRuntimeReached" if timed_out else self._end_reason
        definitions_only = bool(self._tabular.get("GenerateCandidateDefinitionsOnly"))
        if secondary is None:
            raise JobFailed("InternalServerError: the search ended without saying why.")
        if definitions_only and secondary == "Completed":
            secondary = "CandidateDefinitionsGenerated"
        if secondary not in FINAL:
            raise JobFailed(f"InternalServerError: the search ended with the unknown reason {secondary!r}.")
        best = record.body.get("best") or self._best_so_far()
        if best is None and not definitions_only:
            raise JobFailed("No candidate was completed within MaxAutoMLJobRuntimeInSeconds.")
        self._finish("Completed", secondary, best=best)

    def _best_so_far(self) -> str | None:
        """The best of the completed candidates, for a search that was ended before it said so itself."""
        found = []
        for record in self.services.store.all("candidate", region=self.region, parent=self.name.lower()):
            metric = record.body.get("FinalAutoMLJobObjectiveMetric")
            if record.status == "Completed" and metric is not None:
                sign = -1.0 if metric.get("Type") == "Minimize" else 1.0
                found.append((sign * metric["Value"], record.body["CandidateName"]))
        return max(found)[1] if found else None

    def fail(self, reason: str) -> None:
        """Failed, with its reason."""
        self._finish("Failed", "Failed", failure=reason)

    def stopped(self) -> None:
        """Stopped; what it found until then stays."""
        self._upload_all()
        self._finish("Stopped", "Stopped")

    def _finish(self, status: str, secondary: str, **body: Any) -> None:
        self.services.store.update(
            "automl",
            self.region,
            self.name,
            lambda record: record.having(status=status, secondary=secondary, ended=time.time(), **body),
        )


def _unpack(packed: Path, target: Path, uri: str) -> None:
    try:
        with gzip.open(packed, "rb") as source, target.open("wb") as unpacked:
            shutil.copyfileobj(source, unpacked, 1 << 20)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise JobFailed(f"ClientError: CompressionType is Gzip, but {uri} can't be read as gzip: {error}.") from error
    packed.unlink()
