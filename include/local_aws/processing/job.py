"""One processing job: inputs fetched for each instance, the instances' process followed, outputs uploaded."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws.jobs import inputs
from include.local_aws.jobs.logs import Follower, Stream
from include.local_aws.jobs.runner import Job, JobFailed
from include.local_aws.processing.outputs import Outputs, inside
from include.local_aws.processing.requests import DEFAULT_RUNTIME
from include.local_aws.processing.worker import CONFIG, log_of
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record

KIND = "processing"
GROUP = "/aws/sagemaker/ProcessingJobs"
MESSAGE_BYTES = 1024
"""How much of ``/opt/ml/output/message`` becomes the ExitMessage (API reference, DescribeProcessingJob)."""


class ProcessingJob(Job):
    """A job record in the store, and its instances: one directory each below the job's, as its /opt/ml."""

    target = "include.local_aws.processing.worker:main"

    def __init__(self, services: Services, record: Record) -> None:
        super().__init__(services, record.region, KIND, record.name)
        self._request: Mapping[str, Any] = record.body["request"]
        self._created = record.created
        count = self._request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        self._hosts = [f"algo-{number}" for number in range(1, count + 1)]
        self._roots = [self.root / host for host in self._hosts]
        config = self._request.get("ProcessingOutputConfig", {}).get("Outputs", ())
        self._outputs = Outputs(services.s3, config, self._roots)
        self._logs = {host: Follower(log_of(self.root, host, self._hosts)) for host in self._hosts[1:]}

    @property
    def stream(self) -> Stream:
        """The first instance's log."""
        return self._stream(self._hosts[0])

    def _stream(self, host: str) -> Stream:
        return Stream(self.region, GROUP, f"{self.name}/{host}-{int(self._created)}")

    def time_limit(self) -> float | None:
        """The request's, or a day."""
        return float(self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME))

    def prepare(self) -> None:
        """Make each instance's directory, with its inputs and the configuration that containers read."""
        self._change(started=time.time())
        for root in self._roots:
            for folder in ("config", "output", "processing", "tmp"):
                (root / folder).mkdir(parents=True)
        try:
            self._outputs.make()
        except S3InputError as error:
            raise JobFailed(str(error)) from error
        for each in self._request.get("ProcessingInputs", ()):
            self._fetch(each["S3Input"])
        for host, root in zip(self._hosts, self._roots, strict=True):
            for name, document in self._documents(host).items():
                (root / "config" / name).write_text(json.dumps(document, indent=1), encoding="utf-8")
        specification = self._request["AppSpecification"]
        job = {
            "command": [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", ())],
            "environment": {"AWS_REGION": self.region, **self._request.get("Environment", {})},
            "hosts": self._hosts,
        }
        (self.root / CONFIG).write_text(json.dumps(job, indent=1), encoding="utf-8")

    def _fetch(self, source: Mapping[str, Any]) -> None:
        objects = inputs.placed(self.services.s3, source["S3DataType"], source["S3Uri"])
        sharded = source.get("S3DataDistributionType", "FullyReplicated") == "ShardedByS3Key"
        folders = [inside(root, source["LocalPath"]) for root in self._roots]
        for number, folder in enumerate(folders):
            if sharded or number == 0:
                share = inputs.share(objects, number, len(folders)) if sharded else objects
                inputs.fetch(self.services.s3, share, folder)
                continue
            for each in objects:
                (folder / each.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folders[0] / each.path, folder / each.path)

    def _documents(self, host: str) -> dict[str, Any]:
        """The files in /opt/ml/config (developer guide, "Create your own processing container")."""
        cluster = self._request["ProcessingResources"]["ClusterConfig"]
        return {
            "resourceconfig.json": {
                "current_host": host,
                "current_instance_type": cluster["InstanceType"],
                "hosts": self._hosts,
                "network_interface_name": "lo",
            },
            "processingjobconfig.json": {
                **self._request,
                "ProcessingJobArn": names.arn(KIND, self.region, self.name),
            },
        }

    def tick(self) -> None:
        """Follow the other instances' logs, and upload what Continuous outputs have."""
        self._follow()
        self._outputs.sync()

    def _follow(self, *, last: bool = False) -> None:
        for host, log in self._logs.items():
            self.services.logs.write(self._stream(host), list(log.lines(last=last)))

    def complete(self, *, timed_out: bool) -> None:
        """Upload the outputs; a job that ran out of its time is Stopped."""
        self._outputs.finish(well=not timed_out)
        if timed_out:
            limit = self.time_limit()
            self._finish(
                "Stopped", failure=f"ClientError: the job ran longer than its MaxRuntimeInSeconds of {limit:.0f}."
            )
        else:
            self._finish("Completed")

    def fail(self, reason: str) -> None:
        """Failed; of its outputs only the Continuous ones are kept."""
        try:
            self._outputs.finish(well=False)
        finally:
            self._finish("Failed", failure=reason)

    def stopped(self) -> None:
        """Stopped."""
        self._outputs.finish(well=False)
        self._finish("Stopped")

    def _message(self) -> str | None:
        for root in self._roots:
            path = root / "output" / "message"
            if path.is_file() and (said := _beginning(path)):
                return said
        return None

    def _change(self, **body: Any) -> None:
        self.services.store.update(KIND, self.region, self.name, lambda record: record.having(**body))

    def _finish(self, status: str, **body: Any) -> None:
        self._follow(last=True)
        message = self._message()
        self.services.store.update(
            KIND,
            self.region,
            self.name,
            lambda record: record.having(status=status, ended=time.time(), message=message, **body),
        )


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MESSAGE_BYTES).decode("utf-8", "ignore").strip()
