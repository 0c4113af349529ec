"""The whole embedded AWS put together: started in the right order, ended with nothing left behind."""

import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws import VERSION, rest
from include.local_aws.automl import operations as automl
from include.local_aws.data import DataDirectory, DataDirectoryError
from include.local_aws.faults.control import Control
from include.local_aws.faults.past import LaggingStore
from include.local_aws.front import Front
from include.local_aws.hosting.capture import Capture
from include.local_aws.hosting.endpoints import Endpoints
from include.local_aws.hosting.runtime import Runtime
from include.local_aws.jobs.forkserver import ForkServer
from include.local_aws.jobs.logs import Logs
from include.local_aws.jobs.runner import Runner
from include.local_aws.monitoring import Monitoring
from include.local_aws.monitoring.cloudwatch import CloudWatch
from include.local_aws.notebooks import operations as notebooks
from include.local_aws.pipelines import operations as pipelines
from include.local_aws.processing import operations as processing
from include.local_aws.s3.client import S3Files
from include.local_aws.s3.proxy import S3Proxy
from include.local_aws.s3.server import SeaweedServer
from include.local_aws.sagemaker.call import Services
from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.sagemaker.service import SageMaker
from include.local_aws.training import operations as training
from include.local_aws.transform import operations as transform
from include.local_aws.tuning import job as tuning

log = logging.getLogger(__name__)


def _opened(path: Path) -> LaggingStore:
    try:
        return LaggingStore(path)
    except sqlite3.DatabaseError as error:
        raise DataDirectoryError(
            f"Expected SageMaker's state in {path}, found a file that can't be read as SQLite: {error}. "
            "Put back a copy of it, or use another directory with --data."
        ) from error


def _monitored(path: Path, store: LaggingStore, url: str) -> Monitoring:
    try:
        return Monitoring(path, store, url)
    except sqlite3.DatabaseError as error:
        raise DataDirectoryError(
            f"Expected CloudWatch's metrics in {path / 'metrics.sqlite'}, found a file that can't be read as SQLite: "
            f"{error}. Remove it (only the metrics are lost), or use another directory with --data."
        ) from error


class House:
    """Everything behind the one port."""

    def __init__(
        self,
        directory: Path,
        url: str,
        s3_url: str | None,
        *,
        job_memory: int | None = None,
        control: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the children and wait until S3 takes writes; `control` is what ``/_control`` starts with.

        Raises `DataDirectoryError` and `S3Failed`; what was started until then is ended.
        """
        began = time.monotonic()
        self._data = DataDirectory(directory)
        path = self._data.path
        self._forks = ForkServer(path, {"AWS_ENDPOINT_URL": url}, job_memory=job_memory)
        self._s3_server = None if s3_url else SeaweedServer(path / "s3")
        try:
            self._forks.begin()
            if self._s3_server is not None:
                self._s3_server.begin()
            self._store = _opened(path / "state.sqlite")
            automl.recover(self._store)
            transform.recover(self._store)
            training.recover(self._store)
            processing.recover(self._store)
            tuning.recover(self._store)
            pipelines.recover(self._store)
            notebooks.recover(self._store)
            self._monitoring = _monitored(path, self._store, url)
            others = CloudWatch(self._monitoring, rest.app())
            s3_address = s3_url or (self._s3_server.wait() if self._s3_server else "")
            self._logs = Logs(path / "logs", url)
            up = self._s3_server.up if self._s3_server else None
            files = S3Files(s3_address, signed=s3_url is not None, up=up)
            services = Services(path, self._store, files, self._logs, self._forks, self._monitoring)
            self._services = services
            self._capture = Capture(path / "capture", files, self._logs)
            self._runner = Runner(services)
            self._endpoints = Endpoints(services)
            self._control = Control(self._store, control)
            self.app = Front(
                sagemaker=SageMaker(
                    services, self._runner, self._endpoints, limits=lambda: self._control.settings.limits
                ),
                runtime=Runtime(self._store, self._endpoints.board, self._monitoring, self._capture),
                s3=S3Proxy(s3_address, up=up),
                rest=others,
                health=self.health,
                control=self._control,
            )
        except BaseException:
            self._end_children()
            raise
        self._s3_address = s3_address
        log.info("up in %.1f s, data in %s", time.monotonic() - began, path)

    def begin(self) -> None:
        """The port is open: ship the logs that were kept, bring the endpoints and notebook instances back."""
        self._logs.begin()
        self._monitoring.begin()
        self._capture.begin()
        self._endpoints.begin()
        notebooks.begin(self._services)

    def health(self) -> dict[str, Any]:
        """What ``GET /_health`` tells."""
        return {
            "ready": self._forks.warm,
            "version": VERSION,
            "process": os.getpid(),
            "data": str(self._data.path),
            "services": {
                "sagemaker": sorted(OPERATIONS),
                "sagemaker-runtime": ["InvokeEndpoint"],
                "s3": self._s3_address,
                "others": "moto",
            },
            "counts": {
                "resources": self._store.counts(),
                "jobs_running": self._runner.running(),
                "serving_processes": self._endpoints.count(),
            },
        }

    def end(self) -> None:
        """End everything; jobs that ran say at the next start that they were cut off."""
        self._runner.close()
        self._endpoints.close()
        self._capture.close()
        self._logs.stop()
        self._monitoring.close()
        self._end_children()
        self._store.close()
        self._data.release()

    def _end_children(self) -> None:
        self._forks.stop()
        if self._s3_server is not None:
            self._s3_server.stop()
