"""SageMaker's operations without a server: what needs neither S3 nor a running job, on a store of its own."""

import json
from pathlib import Path
from typing import Any, cast

from botocore.paginate import PageIterator, Paginator

from include.local_aws.faults.past import LaggingStore
from include.local_aws.sagemaker.call import Services
from include.local_aws.sagemaker.service import SageMaker
from include.local_aws.store import Record
from include.local_aws.wire.model import operation

REGION = "us-east-1"


class Refused(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class InProcess:
    """The service, and the state that it reads and writes; its time goes by only as the test says."""

    def __init__(self, directory: Path, **arguments: Any) -> None:
        self.now = 1000.0
        self.store = LaggingStore(directory / "state.sqlite", clock=lambda: self.now)
        nothing = cast(Any, None)
        services = Services(directory, self.store, nothing, nothing, nothing, nothing)
        self.service = SageMaker(services, nothing, nothing, **arguments)

    def call(self, name: str, region: str = REGION, **request: Any) -> dict[str, Any]:
        """One request, in JSON and back; raises `Refused`."""
        status, body, _ = self.service.answer(f"SageMaker.{name}", region, json.dumps(request).encode())
        answer: dict[str, Any] = json.loads(body)
        if status != 200:
            raise Refused(status, answer["__type"], answer["message"])
        return answer

    def pages(self, name: str, config: dict[str, Any], **request: Any) -> PageIterator:
        """An operation's pages, by botocore's own paginator of this configuration."""
        model = operation(name)
        assert model is not None
        pages: PageIterator = Paginator(lambda **given: self.call(name, **given), config, model).paginate(**request)
        return pages

    def put(self, kind: str, name: str, status: str, body: dict[str, Any], parent: str | None = None) -> Record:
        """A resource as its operations would have left it."""
        return self.store.insert(kind, REGION, name, status, body, parent=parent)

    def move(self, kind: str, name: str, status: str) -> Record:
        """Another status."""
        return self.store.update(kind, REGION, name, lambda record: record.having(status=status))
