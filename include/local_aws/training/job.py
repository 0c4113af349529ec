"""One training job: its channels fetched, its process followed, its metrics read, its model uploaded."""

import json
import logging
import shutil
import time
from collections.abc import Mapping
from typing import Any

from include.local_aws.jobs.logs import Follower, Stream
from include.local_aws.jobs.runner import FAILURE_CHARACTERS, Job, JobFailed
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker.call import Services
from include.local_aws.scripting import fetching
from include.local_aws.store import Record
from include.local_aws.training import artifacts, channels, config, metrics, statuses
from include.local_aws.training.requests import DEFAULT_RUNTIME, metric_definitions

log = logging.getLogger(__name__)

_PREFIXES = ("AlgorithmError", "ClientError", "InternalServerError", "CapacityError")


class TrainingJob(Job):
    """A job record in the store, and the process that trains for it."""

    target = "include.local_aws.training.worker:main"

    def __init__(self, services: Services, record: Record) -> None:
        super().__init__(services, record.region, "training", record.name)
        self._request: Mapping[str, Any] = record.body["request"]
        self._created = record.created
        self._metrics = metrics.Metrics(metric_definitions(self._request))
        self._lines = Follower(self.root / "log.txt")
        checkpoints = self._request.get("CheckpointConfig")
        self._checkpoints = artifacts.Checkpoints(services.s3, checkpoints, self.root) if checkpoints else None
        self._waited_out = False

    @property
    def stream(self) -> Stream:
        """The log of its one host."""
        return Stream(self.region, "/aws/sagemaker/TrainingJobs", f"{self.name}/algo-1-{int(self._created)}")

    def time_limit(self) -> float | None:
        """MaxRuntime, and what waiting has left of a spot training's MaxWait."""
        condition = self._request.get("StoppingCondition", {})
        limit = float(condition.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME))
        if "MaxWaitTimeInSeconds" not in condition:
            return limit
        left = self._created + float(condition["MaxWaitTimeInSeconds"]) - time.time()
        self._waited_out = left < limit
        return max(0.0, min(left, limit))

    def prepare(self) -> None:
        """Download the channels and earlier checkpoints, and write the configuration that containers read."""
        self._move("Downloading", started=time.time())
        try:
            self.services.s3.check_output(self._request["OutputDataConfig"]["S3OutputPath"])
            if self._checkpoints is not None:
                self._checkpoints.restore()
        except S3InputError as error:
            raise JobFailed(str(error)) from error
        for folder in ("input/data", "model", "output/data", "code"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for channel in self._request.get("InputDataConfig", ()):
            channels.fetch(self.services.s3, channel, self.root / "input" / "data" / channel["ChannelName"])
        fetching.fetch(self.services.s3, self._request.get("HyperParameters", {}), self.root)
        fetching.fetch(self.services.s3, self._request.get("HyperParameters", {}), self.root)
        for name, document in config.files(self._request).items():
            (self.root / "input" / "config" / name).write_text(json.dumps(document, indent=1), encoding="utf-8")
        (self.root / "job.json").write_text(
            json.dumps({"request": self._request, "region": self.region}), encoding="utf-8"
        )
        self._move("Training")

    def tick(self) -> None:
        """Read the metrics that were printed; copy the checkpoints."""
        self._read()
        if self._checkpoints is not None:
            self._checkpoints.sync()

    def _read(self, *, last: bool = False) -> None:
        found = self._metrics.read(self._lines.lines(last=last), time.time())
        if found:
            metrics.append(self.root, found)

    def complete(self, *, timed_out: bool) -> None:
        """Upload the model; a job that ran out of its time is Stopped, with the model so far if there is one."""
        if not timed_out:
            self._move("Uploading")
            try:
                artifacts.upload_model(self.services.s3, self._request, self.root)
                artifacts.upload_output(self.services.s3, self._request, self.root)
            except S3InputError as error:
                raise JobFailed(f"ClientError: Artifact upload failed:{error}") from error
            self._finish("Completed", "Completed")
            return
        self._move("Stopping")
        self._upload_so_far()
        self._finish("Stopped", "MaxWaitTimeExceeded" if self._waited_out else "MaxRuntimeExceeded")

    def fail(self, reason: str) -> None:
        """Failed; what a training's own failure file says is an AlgorithmError."""
        try:
            artifacts.upload_output(self.services.s3, self._request, self.root)
        except S3InputError as error:
            log.warning("the output of the failed training job %s is lost: %s", self.name, error)
        failure = reason if reason.startswith(_PREFIXES) else f"AlgorithmError: {reason}"
        self._finish("Failed", "Failed", failure=failure[:FAILURE_CHARACTERS])

    def stopped(self) -> None:
        """Stopped, with the model so far if there is one."""
        self._upload_so_far()
        self._finish("Stopped", "Stopped")

    def _upload_so_far(self) -> None:
        if artifacts.holds_files(self.root / "model"):
            artifacts.upload_model(self.services.s3, self._request, self.root)
        artifacts.upload_output(self.services.s3, self._request, self.root)

    def _move(self, secondary: str, **body: Any) -> None:
        now = time.time()

        def change(record: Record) -> Record:
            if record.status == "Stopping":  # asked for meanwhile: its transitions go on from there
                return record.having(**body) if body else record
            return statuses.moved(record, secondary, now, **body)

        self.services.store.update("training", self.region, self.name, change)

    def _finish(self, status: str, secondary: str, **body: Any) -> None:
        self._read(last=True)
        if self._checkpoints is not None:
            self._checkpoints.sync(now=True)
        final = self._metrics.final() or None
        now = time.time()

        def change(record: Record) -> Record:
            if record.status == "Stopping" and status == "Completed":  # asked for while its model was uploaded
                return statuses.ended(record, "Stopped", "Stopped", now, metrics=final, **body)
            return statuses.ended(record, status, secondary, now, metrics=final, **body)

        self.services.store.update("training", self.region, self.name, change)
        for folder in ("model", "code", "checkpoints"):  # large, and in S3 by now
            shutil.rmtree(self.root / folder, ignore_errors=True)
