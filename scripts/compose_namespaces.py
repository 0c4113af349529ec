"""Namespaces of Linux in place of containers: a service's process, with its own mounts, process ids and host name.

All services share one network that is theirs alone, where each has an address and is found by its name. The ports that
the file publishes are forwarded from this machine's 127.0.0.1. Needs root.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from scripts.compose_file import ComposeError, Mount, Project, Service
from scripts.compose_images import AIRFLOW_ACCOUNT, StandIn, stand_in

ROOT = Path(__file__).resolve().parents[1]
_PR_SET_PDEATHSIG = 1
_SIOCSIFFLAGS, _IFF_UP_RUNNING = 0x8914, 0x41
_HOLDER = f"""
import fcntl, socket, struct, sys
fcntl.ioctl(socket.socket(), {_SIOCSIFFLAGS}, struct.pack("16sh14x", b"lo", {_IFF_UP_RUNNING}))
print("ready", flush=True)
sys.stdin.read()
"""
_ETC = ("hosts", "passwd")


@dataclass
class Namespaces:
    """The network of a project's services, and what its processes see. Volumes and logs are below ``state``."""

    project: Project
    state: Path
    _net: str = ""
    _helpers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _made: list[Path] = field(default_factory=list)

    def open(self) -> None:
        """Make the network and publish its ports. ComposeError where a port is taken or namespaces aren't allowed."""
        (self.state / "logs").mkdir(parents=True, exist_ok=True)
        hosts = ["127.0.0.1 localhost", *(f"{self.address(name)} {name}" for name in self.project.services)]
        (self.state / "hosts").write_text("\n".join(hosts) + "\n")
        (self.state / "passwd").write_text(f"{Path('/etc/passwd').read_text().rstrip()}\n{AIRFLOW_ACCOUNT}\n")
        holder = self._spawn(["unshare", "--net", "--", sys.executable, "-c", _HOLDER], stdout=subprocess.PIPE)
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise ComposeError("this machine allows no network namespace: root's rights are needed")
        self._net = f"--net=/proc/{holder.pid}/ns/net"
        with contextlib.ExitStack() as sockets:
            targets = {}
            for service in self.project.services.values():
                for port in service.ports:
                    listener = sockets.enter_context(_listener(port.address, port.published))
                    targets[listener.fileno()] = f"{self.address(service.name)}:{port.target}"
            forward = [f"{number}={target}" for number, target in targets.items()]
            command = ["nsenter", self._net, "--", sys.executable, "-m", "scripts.compose_ports", *forward]
            self._spawn(command, pass_fds=tuple(targets))

    def close(self) -> None:
        """End the network, and remove the empty folders that were made to mount on."""
        for helper in self._helpers:
            kill(helper)
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # something else came to use it
                folder.rmdir()
        self._helpers.clear()
        self._made.clear()

    def address(self, name: str) -> str:
        """A service's own address: what listens on 127.0.0.1 only is not reached at it, as in a container."""
        return f"127.1.0.{sorted(self.project.services).index(name) + 1}"

    def log(self, name: str) -> Path:
        """Where the output of a service, or of its health check (``<service>.health``), goes."""
        return self.state / "logs" / f"{name}.log"

    def start(self, service: Service) -> subprocess.Popen[bytes]:
        """Run a service's command inside namespaces of its own, which end with the process that is returned."""
        image = stand_in(service.image)
        enter = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--propagation", "private"]
        shell = ["--mount-proc", "--", "/bin/bash", "-e", "-c", self._inside(service, image)]
        return self._run(service, image, [*enter, *shell], self.log(service.name))

    def execute(self, service: Service, pid: int, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """Run a command beside a running service whose first process is ``pid``, as ``docker compose exec`` does."""
        image = stand_in(service.image)
        enter = ["nsenter", "--target", str(pid), "--mount", "--uts", "--pid", "--"]
        return self._run(service, image, [*enter, *_become(image), *command], self.log(f"{service.name}.health"))

    def _run(self, service: Service, image: StandIn, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                ["nsenter", self._net, "--", *command],
                cwd="/",
                env={**image.environment, "HOSTNAME": service.name, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def _spawn(
        self, command: list[str], stdout: int | None = None, pass_fds: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        helper = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=stdout,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        self._helpers.append(helper)
        return helper

    def _inside(self, service: Service, image: StandIn) -> str:
        """The shell lines that make the inside of the container and become its command."""
        lines = [f"hostname {service.name}"]
        lines += [f"mount --bind {shlex.quote(str(self.state / name))} /etc/{name}" for name in _ETC]
        if image.home:
            lines += self._bind(Mount(f"{service.name}.home", image.home, read_only=False, named=True), image)
        for mount in service.volumes:
            lines += self._bind(mount, image)
        entry = f"{image.before}\nexec {shlex.join(service.command or image.command)}"
        lines += [f"cd {image.home or '/'}", f"exec {shlex.join([*_become(image), '/bin/bash', '-e', '-c', entry])}"]
        return "\n".join(lines)

    def _bind(self, mount: Mount, image: StandIn) -> list[str]:
        if mount.named:
            source = self.state / "volumes" / mount.source
            if not source.exists():
                source.mkdir(parents=True)
                os.chown(source, image.user, image.group)
                source.chmod(image.volume_mode)
        else:
            source = (ROOT / mount.source).resolve()
        target = shlex.quote(mount.target)
        lines = []
        if image.home and mount.target.startswith(f"{image.home}/"):
            lines.append(f"mkdir -p {target}")  # in the service's own folder
        else:
            self._mount_point(Path(mount.target))
        lines.append(f"mount --bind {shlex.quote(str(source))} {target}")
        return [*lines, f"mount -o remount,bind,ro {target}"] if mount.read_only else lines

    def _mount_point(self, path: Path) -> None:
        """Make an empty folder of this machine to mount on, and remember to remove it."""
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            self._made.append(folder)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process at once, and everything inside its namespaces with it."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()


def _become(image: StandIn) -> list[str]:
    """Run as the image's user, with one right more: to read all. This checkout may lie where only root may go."""
    # Becoming another user makes the kernel forget that this process ends with its parent.
    kept = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search", "--pdeathsig", "KILL"]
    return ["setpriv", "--reuid", str(image.user), "--regid", str(image.group), "--clear-groups", *kept]


def _listener(address: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        raise ComposeError(f"port {port} on {address} can't be published: {error.strerror}") from error
    listener.listen(128)
    return listener


def _end_with_parent() -> None:
    """Ask the kernel to end this child when its parent dies, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
