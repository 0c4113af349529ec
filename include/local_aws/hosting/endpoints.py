"""Endpoints: what they serve is brought back after a restart, deployed, changed and removed here.

What serves is in the store (`variants`, with the directory of their model data), so that a restarted server serves the
same even if models or configurations were deleted since. A deployment that was under way begins anew, from what served
before; a rollback that was under way is over.
"""

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from include.local_aws.hosting import fleet as fleets
from include.local_aws.hosting.board import Board
from include.local_aws.hosting.deployment import Deployment, settle_failed
from include.local_aws.hosting.fleet import Fleet
from include.local_aws.hosting.keeper import Keeper
from include.local_aws.hosting.routes import routes
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import DoesNotExist, Record

log = logging.getLogger(__name__)

Work = Callable[[str, str], None]
"""A piece of an endpoint's life, by region and name."""


class Endpoints:
    """All endpoints; `board` is what of them answers now."""

    def __init__(self, services: Services) -> None:
        self.board = Board()
        self._services = services
        self._closing = threading.Event()
        self._keeper = Keeper(self.board, self._closing)
        # What there is before the first request comes: what requests begin is not to be begun, or tidied away, again.
        self._found = services.store.all("endpoint")
        self._leftovers = list((services.directory / "endpoints").glob("*/*/*"))

    def begin(self) -> None:
        """Bring back what served, and go on with what was under way, when the server ended."""
        self._keeper.begin()
        self._discard_leftovers()
        works: dict[str, Work] = {"Deleting": self.remove, "Creating": self.deploy}
        for record in self._found:
            if record.status != "Failed":
                self.in_background(works.get(record.status, self._restore), record.region, record.name)

    def _discard_leftovers(self) -> None:
        """Remove the files of deployments and deletions that a killed server did not end."""
        serving = {Path(variant["root"]).name for record in self._found for variant in record.body.get("variants", ())}
        for root in self._leftovers:
            if root.name not in serving:
                shutil.rmtree(root, ignore_errors=True)

    def close(self) -> None:
        """The server ends; processes end with the fork server."""
        self._closing.set()

    def in_background(self, work: Work, region: str, name: str) -> None:
        """Run one piece of an endpoint's life in a thread of its own."""
        threading.Thread(target=self._guarded, args=(work, region, name), name=f"endpoint-{name}", daemon=True).start()

    def _guarded(self, work: Work, region: str, name: str) -> None:
        try:
            work(region, name)
        except DoesNotExist:
            log.info("endpoint %s was deleted meanwhile", name)
        except Exception as error:  # the thread must leave the endpoint in a settled status
            if self._closing.is_set():
                return
            log.exception("endpoint %s", name)
            settle_failed(self._services, region, name, f"InternalServerError: {type(error).__name__}: {error}")

    def count(self) -> int:
        """How many serving processes there are."""
        return len(self.board.servers())

    def deploy(self, region: str, name: str) -> None:
        """Carry out the endpoint's pending deployment: shift to it, or fail (a creation), or roll back (an update)."""
        Deployment(self._services, self.board, self._closing, region, name).run()

    def reweigh(self, region: str, name: str) -> None:
        """Give the variants the weights and numbers of instances that are desired of them, and the status InService."""

        def change(now: Record) -> Record:
            variants = [
                {**{key: value for key, value in each.items() if key != "desired"}, **each.get("desired", {})}
                for each in now.body["variants"]
            ]
            return now.having(status="InService", variants=variants)

        record = self._services.store.update("endpoint", region, name, change)
        (serving,) = self.board.fleets((region, name))
        fleet = Fleet(serving.config, record.body["variants"], serving.servers)
        self.board.show((region, name), routes(fleet), [fleet])

    def remove(self, region: str, name: str) -> None:
        """End an endpoint's processes and forget it."""
        for fleet in self.board.withdraw((region, name)):
            fleet.end(drain=False)
        shutil.rmtree(fleets.root_of(self._services, region, name), ignore_errors=True)
        self._services.store.delete("endpoint", region, name, names.arn("endpoint", region, name))

    def _restore(self, region: str, name: str) -> None:
        """Serve again what served before a restart, then go on with an update that was under way."""
        record = self._services.store.get("endpoint", region, name)
        fleet = fleets.kept(self._services, region, name, record.body)
        self.board.show((region, name), routes(fleet), [fleet])
        for server in fleet.servers.values():
            self._keeper.revive(server)
        if record.status == "RollingBack":
            reason = "The deployment was being rolled back when the embedded AWS ended."
            settle_failed(self._services, region, name, reason)
        elif record.status == "Updating" and "pending" in record.body:
            self.deploy(region, name)
        elif record.status == "Updating":
            self.reweigh(region, name)
