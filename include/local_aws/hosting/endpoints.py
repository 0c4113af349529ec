"""Endpoints: their variants' serving processes, deployments (blue/green, all at once, rolled back), recovery.

A deployment starts the new fleet beside the old one and swaps when all of it is healthy; until then, and after a
rollback, the old one serves. What serves is in the store (`variants`, with the directory of their model data), so that
a restarted server serves the same even if models or configurations were deleted since.
"""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.local_aws.hosting.server import Server, Unhealthy, fetch
from include.local_aws.jobs.forkserver import ForkServerDown
from include.local_aws.jobs.logs import Stream
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import DoesNotExist, Record

log = logging.getLogger(__name__)

STARTUP_SECONDS = 600
"""Default of ContainerStartupHealthCheckTimeoutInSeconds."""
KEEP_SECONDS = 0.25
"""How often dead servers are looked for and logs followed."""
LONGEST_BACKOFF_SECONDS = 30

Key = tuple[str, str]


class Endpoints:
    """All endpoints that serve now, by region and name."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._fleets: dict[Key, dict[str, Server]] = {}
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="endpoint-keeper", daemon=True)

    def begin(self) -> None:
        """Bring back what served, and go on with what was under way, when the server ended."""
        self._keeper.start()
        self._discard_leftovers()
        for record in self._services.store.all("endpoint"):
            match record.status:
                case "Deleting":
                    self.in_background(self.remove, record.region, record.name)
                case "Creating":
                    self.in_background(self.deploy, record.region, record.name)
                case "Failed":
                    pass
                case _:
                    self.in_background(self._restore, record.region, record.name)

    def _discard_leftovers(self) -> None:
        """Remove the files of deployments and deletions that a killed server did not end."""
        serving = {
            Path(variant["root"]).name
            for record in self._services.store.all("endpoint")
            for variant in record.body.get("variants", ())
        }
        for root in (self._services.directory / "endpoints").glob("*/*/*"):
            if root.name not in serving:
                shutil.rmtree(root, ignore_errors=True)

    def close(self) -> None:
        """The server ends; processes end with the fork server."""
        self._closing.set()

    def in_background(self, work: Any, region: str, name: str) -> None:
        """Run one piece of an endpoint's life in a thread of its own."""
        threading.Thread(target=self._guarded, args=(work, region, name), name=f"endpoint-{name}", daemon=True).start()

    def _guarded(self, work: Any, region: str, name: str) -> None:
        try:
            work(region, name)
        except DoesNotExist:
            log.info("endpoint %s was deleted meanwhile", name)
        except Exception as error:  # the thread must leave the endpoint in a settled status
            if self._closing.is_set():
                return
            log.exception("endpoint %s", name)
            self._settle_failed(region, name, f"InternalServerError: {type(error).__name__}: {error}")

    @contextmanager
    def borrowed(self, region: str, name: str, variant: str) -> Iterator[Server | None]:
        """The process that serves a variant now, not ended while it is borrowed; None while there is no healthy one."""
        with self._lock:
            server = self._fleets.get((region, name), {}).get(variant)
            if server is not None and not server.port:
                server = None
            if server is not None:
                server.in_flight += 1
        try:
            yield server
        finally:
            if server is not None:
                with self._lock:
                    server.in_flight -= 1

    def count(self) -> int:
        """How many serving processes there are."""
        with self._lock:
            return sum(len(fleet) for fleet in self._fleets.values())

    def deploy(self, region: str, name: str) -> None:
        """Carry out the endpoint's pending deployment: swap to it, or fail (a creation), or roll back (an update)."""
        record = self._services.store.get("endpoint", region, name)
        pending = record.body["pending"]
        fleet: dict[str, Server] = {}
        variants: list[dict[str, Any]] = []
        try:
            for variant in pending["variants"]:
                root = self._root(region, name) / uuid.uuid4().hex[:12]
                server = self._server(region, name, variant["VariantName"], root)
                fleet[variant["VariantName"]] = server  # before its files are there: what fails removes them
                fetch(self._services, root, variant["containers"])
                server.start()
                variants.append({**variant, "root": str(root)})
            for variant in pending["variants"]:
                seconds = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_SECONDS)
                self._wait(fleet[variant["VariantName"]], variant["VariantName"], seconds)
        except (Unhealthy, S3InputError, ForkServerDown) as error:
            if not self._closing.is_set():
                self._undo(region, name, fleet, str(error))
            return
        except Exception:
            for server in fleet.values():
                server.end(drain=False)
            raise
        with self._lock:
            old = self._fleets.get((region, name), {})
            self._fleets[(region, name)] = fleet
        self._services.store.update(
            "endpoint",
            region,
            name,
            lambda now: now.having(
                status="InService",
                config=pending["config"],
                variants=variants,
                deployment=pending.get("deployment"),
                pending=None,
                failure=None,
            ),
        )
        for server in old.values():
            server.end()

    def _wait(self, server: Server, variant: str, seconds: float) -> None:
        try:
            server.wait_healthy(seconds)
        except Unhealthy as error:
            raise Unhealthy(
                f"The primary container for production variant {variant} did not pass the ping health check. "
                f"Please check CloudWatch logs for this endpoint. {error}"
            ) from error

    def _undo(self, region: str, name: str, fleet: Mapping[str, Server], reason: str) -> None:
        creating = self._services.store.get("endpoint", region, name).status == "Creating"
        if not creating:
            self._services.store.update("endpoint", region, name, lambda now: now.having(status="RollingBack"))
        for server in fleet.values():
            server.end(drain=False)
        self._settle_failed(region, name, reason)

    def _settle_failed(self, region: str, name: str, reason: str) -> None:
        """After a failure: Failed where nothing ever served, else InService on what served before."""

        def change(now: Record) -> Record:
            status = "InService" if now.body.get("variants") else "Failed"
            return now.having(status=status, pending=None, failure=reason[:1024])

        self._services.store.update("endpoint", region, name, change)

    def remove(self, region: str, name: str) -> None:
        """End an endpoint's processes and forget it."""
        with self._lock:
            fleet = self._fleets.pop((region, name), {})
        for server in fleet.values():
            server.end(drain=False)
        shutil.rmtree(self._root(region, name), ignore_errors=True)
        self._services.store.delete("endpoint", region, name, names.arn("endpoint", region, name))

    def _restore(self, region: str, name: str) -> None:
        """Serve again what served before a restart, then go on with an update that was under way."""
        record = self._services.store.get("endpoint", region, name)
        fleet = {
            # By its name only: the data directory may have been moved since.
            variant["VariantName"]: self._server(
                region, name, variant["VariantName"], self._root(region, name) / Path(variant["root"]).name
            )
            for variant in record.body["variants"]
        }
        with self._lock:
            self._fleets[(region, name)] = fleet
        for server in fleet.values():
            self._revive(server)
        if record.status == "RollingBack":
            self._settle_failed(region, name, "The update was being rolled back when the embedded AWS ended.")
        elif record.status == "Updating" and "pending" in record.body:
            self.deploy(region, name)
        elif record.status == "Updating":
            self._services.store.update("endpoint", region, name, lambda now: now.having(status="InService"))

    def _root(self, region: str, name: str) -> Path:
        return self._services.directory / "endpoints" / region / name

    def _server(self, region: str, name: str, variant: str, root: Path) -> Server:
        stream = Stream(region, f"/aws/sagemaker/Endpoints/{name}", f"{variant}/i-{root.name}")
        return Server(self._services, root, stream)

    def _revive(self, server: Server) -> None:
        try:
            server.start()
            server.wait_healthy(STARTUP_SECONDS)
            server.failures = 0
        except (Unhealthy, ForkServerDown) as error:
            server.failures += 1
            log.error("%s %s does not come up: %s", server.stream.group, server.stream.name, error)
            time.sleep(min(2**server.failures, LONGEST_BACKOFF_SECONDS))

    def _keep(self) -> None:
        while not self._closing.wait(KEEP_SECONDS):
            with self._lock:
                servers = [server for fleet in self._fleets.values() for server in fleet.values()]
            for server in servers:
                server.follow()
                being_revived = server.reviving is not None and server.reviving.is_alive()
                if server.dead and not being_revived and not self._closing.is_set():
                    server.port = 0
                    log.error("%s %s died; starting it again", server.stream.group, server.stream.name)
                    server.reviving = threading.Thread(target=self._revive, args=(server,), daemon=True)
                    server.reviving.start()
