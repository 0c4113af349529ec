"""The serving processes of one endpoint configuration: one for each variant, however many instances that has."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.local_aws.hosting.server import Server, Unhealthy, fetch
from include.local_aws.jobs.logs import Stream
from include.local_aws.sagemaker.call import Services

STARTUP_SECONDS = 600
"""Default of ContainerStartupHealthCheckTimeoutInSeconds."""


@dataclass(eq=False)
class Fleet:
    """Variants as the store has them (``VariantName``, ``weight``, ``count``, ``containers``, ``root``), by name."""

    config: str
    variants: Sequence[Mapping[str, Any]]
    servers: Mapping[str, Server]

    @property
    def counts(self) -> dict[str, int]:
        """Instances of each variant."""
        return {variant["VariantName"]: variant["count"] for variant in self.variants}

    def end(self, *, drain: bool = True) -> None:
        """End the processes; with `drain`, each after the requests that are under way."""
        for server in self.servers.values():
            server.end(drain=drain)


def root_of(services: Services, region: str, name: str) -> Path:
    """Where the files of an endpoint's fleets are."""
    return services.directory / "endpoints" / region / name


def kept(services: Services, region: str, name: str, body: Mapping[str, Any]) -> Fleet:
    """The fleet that an endpoint's record tells of, not started: its model data are there already."""
    servers = {
        # By the directory's name only: the data directory may have been moved since.
        variant["VariantName"]: _server(
            services, region, name, variant["VariantName"], root_of(services, region, name) / Path(variant["root"]).name
        )
        for variant in body["variants"]
    }
    return Fleet(body["config"], body["variants"], servers)


def launch(services: Services, region: str, name: str, pending: Mapping[str, Any]) -> Fleet:
    """Start a new fleet: model data are fetched and processes started, but not waited for.

    Raises `S3InputError` and `ForkServerDown`, and leaves nothing behind then.
    """
    servers: dict[str, Server] = {}
    variants = []
    try:
        for variant in pending["variants"]:
            root = root_of(services, region, name) / uuid.uuid4().hex[:12]
            server = _server(services, region, name, variant["VariantName"], root)
            servers[variant["VariantName"]] = server  # before its files are there: what fails removes them
            fetch(services, root, variant["containers"])
            server.start()
            variants.append({**variant, "root": str(root)})
    except BaseException:
        Fleet(pending["config"], (), servers).end(drain=False)
        raise
    return Fleet(pending["config"], variants, servers)


def wait_healthy(fleet: Fleet, deadline: float) -> None:
    """Wait for every variant's first good /ping, until a monotonic `deadline` at most.

    Raises `Unhealthy` with AWS's words and the container's own.
    """
    for variant in fleet.variants:
        seconds = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS)
        try:
            fleet.servers[variant["VariantName"]].wait_healthy(min(seconds, max(deadline - time.monotonic(), 0.0)))
        except Unhealthy as error:
            raise Unhealthy(
                f"The primary container for production variant {variant['VariantName']} did not pass the ping health "
                f"check. Please check CloudWatch logs for this endpoint. {error}"
            ) from error


def _server(services: Services, region: str, name: str, variant: str, root: Path) -> Server:
    return Server(services, root, Stream(region, f"/aws/sagemaker/Endpoints/{name}", f"{variant}/i-{root.name}"))
