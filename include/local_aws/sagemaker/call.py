"""What every operation gets: the validated request, its region, and the rooms of the house."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.local_aws.jobs.forkserver import ForkServer
from include.local_aws.jobs.logs import Logs
from include.local_aws.monitoring import Monitoring
from include.local_aws.s3.client import S3Files
from include.local_aws.store import Store
from include.local_aws.wire.errors import ValidationException

if TYPE_CHECKING:
    from include.local_aws.hosting.endpoints import Endpoints
    from include.local_aws.jobs.runner import Runner


@dataclass(frozen=True)
class Services:
    """The rooms of the house that operations use."""

    directory: Path
    store: Store
    s3: S3Files
    logs: Logs
    forks: ForkServer
    monitoring: Monitoring


@dataclass(frozen=True)
class Call:
    """One request. `input` is what the service model's validation let through."""

    operation: str
    region: str
    input: Mapping[str, Any]
    services: Services
    runner: "Runner"
    endpoints: "Endpoints"

    @property
    def store(self) -> Store:
        """The state."""
        return self.services.store

    def tags(self) -> dict[str, str]:
        """The tags that the request gives; raises `ValidationException` for a key that stands there twice."""
        given = self.input.get("Tags", ())
        tags = {tag["Key"]: tag["Value"] for tag in given}
        if len(tags) != len(given):
            raise ValidationException("Duplicate tag keys found. Please note that tag keys are case-sensitive.")
        return tags


Operation = Callable[[Call], Mapping[str, Any] | None]
