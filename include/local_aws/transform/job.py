"""One transform job: its model and inputs fetched, its worker followed, its outputs uploaded."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from include.local_aws.hosting.chain import ContainerSpec, write_specs
from include.local_aws.jobs.logs import Stream
from include.local_aws.jobs.runner import Job
from include.local_aws.s3.client import split_uri
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record
from include.local_aws.transform.requests import environment_of, file_name, output_name


class TransformJob(Job):
    """A job record in the store, and the worker that works for it."""

    target = "include.local_aws.transform.worker:main"

    def __init__(self, services: Services, record: Record) -> None:
        super().__init__(services, record.region, "transform", record.name)
        self._request: Mapping[str, Any] = record.body["request"]
        self._containers: Sequence[Mapping[str, Any]] = record.body["containers"]
        self._created = record.created
        self._names: list[str] = []

    @property
    def stream(self) -> Stream:
        """One instance's log."""
        return Stream(self.region, "/aws/sagemaker/TransformJobs", f"{self.name}/i-local-{int(self._created)}")

    def prepare(self) -> None:
        """Download model data and input objects, and write the worker's configuration."""
        self._change(started=time.time())
        self.services.s3.check_output(self._request["TransformOutput"]["S3OutputPath"])
        config = self.root / "input" / "config"
        specs = []
        for number, container in enumerate(self._containers, start=1):
            archive = ""
            if "ModelDataUrl" in container:
                path = self.root / "input" / "model" / f"{number}.tar.gz"
                self.services.s3.download(*split_uri(container["ModelDataUrl"]), path)
                archive = path.relative_to(self.root).as_posix()
            environment = {**container.get("Environment", {}), **environment_of(self._request)}
            specs.append(ContainerSpec(container["Image"], archive, environment))
        write_specs(config / "chain.json", specs)
        source = self._request["TransformInput"]["DataSource"]["S3DataSource"]
        uri = source["S3Uri"]
        # Keys are no file names: they may be absolute, lead upwards, be too long, or be both a file's and a folder's.
        found = self.services.s3.inputs(source["S3DataType"], uri)
        prefix = source["S3DataType"] == "S3Prefix"
        self._names = [output_name(uri, each.key) if prefix else each.key for each in found]
        data = self.root / "input" / "data"
        self.services.s3.download_all(
            (each.bucket, each.key, data / file_name(number)) for number, each in enumerate(found)
        )
        (config / "inputs.json").write_text(json.dumps([each.uri for each in found]), encoding="utf-8")
        (config / "transform.json").write_text(json.dumps(self._request, indent=1), encoding="utf-8")

    def tick(self) -> None:
        """A transform job reports nothing between its start and its end."""

    def complete(self, *, timed_out: bool) -> None:
        """Upload the outputs."""
        assert not timed_out  # a transform job has no time limit
        self._upload()
        self._finish("Completed")

    def _upload(self) -> None:
        below = self._request["TransformOutput"]["S3OutputPath"].rstrip("/")
        output = self.root / "output" / "data"
        for number, name in enumerate(self._names):
            path = output / f"{file_name(number)}.out"
            if path.exists():
                self.services.s3.upload(path, f"{below}/{name.lstrip('/')}.out")

    def fail(self, reason: str) -> None:
        """Failed; the files that were transformed whole are uploaded, as on AWS."""
        try:
            self._upload()
        finally:
            self._finish("Failed", failure=reason)

    def stopped(self) -> None:
        """Stopped."""
        self._finish("Stopped")

    def _change(self, **body: Any) -> None:
        self.services.store.update("transform", self.region, self.name, lambda record: record.having(**body))

    def _finish(self, status: str, **body: Any) -> None:
        self.services.store.update(
            "transform",
            self.region,
            self.name,
            lambda record: record.having(status=status, ended=time.time(), **body),
        )
