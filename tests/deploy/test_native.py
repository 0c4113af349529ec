"""Services in namespaces: what they see, how they are reached, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.compose_file import ComposeError, load
from scripts.compose_images import missing
from scripts.compose_native import ROOT, Native
from scripts.stack import free_port

SERVER = "exec python3 -m http.server --directory /proc/self/fdinfo {port}"


@pytest.fixture
def native(tmp_path: Path) -> Callable[..., Native]:
    """A project of services, by name."""
    if lacks := missing({"redis:1.0"}):
        reason = f"services can't be started natively here: {'; '.join(lacks)}"
        if os.environ.get("AUTOML_RETRAINING_CI"):
            pytest.fail(reason)
        pytest.skip(reason)

    def make(**services: dict[str, Any]) -> Native:
        path = tmp_path / "compose.yaml"
        path.write_text(yaml.safe_dump({"name": "tiny", "services": services, "volumes": {"data": None}}))
        return Native(load(path, {}), tmp_path / "state")

    return make


def ends(script: str, **more: Any) -> dict[str, Any]:
    """A service that ends by itself. Redis's stand-in runs any program of this machine, as nobody."""
    return {"image": "redis:1.0", "command": ["bash", "-c", script], "restart": "no", **more}


def stays(script: str, check: str, **more: Any) -> dict[str, Any]:
    """A service that stays, and is checked by these shell lines."""
    times = {"interval": "0.3s", "start_interval": "0.2s", "start_period": "20s", "timeout": "5s", "retries": 2}
    healthcheck = {"test": ["CMD", "bash", "-c", check], **times}
    return {**ends(script, **more), "restart": "unless-stopped", "stop_grace_period": "1s", "healthcheck": healthcheck}


def after(name: str) -> dict[str, Any]:
    """The key that makes a service wait for another's health."""
    return {"depends_on": {name: {"condition": "service_healthy"}}}


def test_a_service_has_its_own_user_processes_host_name_and_mounts(native: Callable[..., Native]) -> None:
    """As in a container: nobody, process 1, its name, and the project's folders read-only."""
    script = "id -un; echo $$$$; hostname; touch /mnt/x 2>/dev/null || echo read-only; ls /mnt | grep autopilot.py"
    with native(one=ends(script, volumes=["./dags:/mnt:ro"])) as up:
        assert up.health() == {"one": "completed"}
    assert up.log("one").read_text().split() == ["nobody", "1", "one", "read-only", "autopilot.py"]


def test_services_reach_each_other_by_name_and_are_published_where_the_file_says(native: Callable[..., Native]) -> None:
    """In the order of depends_on; health is what the check says."""
    port = free_port()
    server = stays(SERVER.format(port=8081), "exec 3<>/dev/tcp/127.0.0.1/8081", ports=[f"127.0.0.1:{port}:8081"])
    with native(server=server, client=ends("exec 3<>/dev/tcp/server/8081", **after("server"))) as up:
        assert up.health() == {"server": "healthy", "client": "completed"}
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.0 200")


def test_what_listens_on_loopback_only_is_not_reached_from_another_service(native: Callable[..., Native]) -> None:
    """The mistake that otherwise only containers show."""
    server = stays(SERVER.format(port="--bind 127.0.0.1 8082"), "exec 3<>/dev/tcp/127.0.0.1/8082")
    up = native(server=server, client=ends("exec 3<>/dev/tcp/server/8082", **after("server")))
    with pytest.raises(ComposeError, match="client ended with status 1") as caught:
        up.__enter__()
    assert "Connection refused" in str(caught.value)


def test_a_service_that_ends_is_named_with_the_end_of_its_log(native: Callable[..., Native]) -> None:
    """Rather than waited for."""
    with pytest.raises(ComposeError, match=r"one ended with status 3: .*one\.log\nno such thing"):
        native(one=ends("echo no such thing; exit 3")).__enter__()


def test_a_service_that_becomes_unhealthy_is_noticed(native: Callable[..., Native]) -> None:
    """After as many failures as the file allows."""
    script = "touch /mnt/well; sleep 1; rm /mnt/well; sleep 60"
    with native(one=stays(script, "test -e /mnt/well || { echo unwell; false; }", volumes=["data:/mnt"])) as up:
        assert up.health() == {"one": "healthy"}
        with pytest.raises(ComposeError, match=r"one is unhealthy: .*one\.health\.log\nunwell"):
            checked(up, 30)


def checked(up: Native, seconds: float) -> None:
    """Check it for so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        up.check()
        time.sleep(0.1)


def test_a_port_that_is_taken_is_named(native: Callable[..., Native]) -> None:
    """And nothing is left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = stays("sleep 60", "true", ports=[f"127.0.0.1:{port}:1"])
        with pytest.raises(ComposeError, match=f"port {port} on 127.0.0.1 can't be published"):
            native(one=one).__enter__()


def test_a_killed_driver_takes_every_service_with_it(native: Callable[..., Native], tmp_path: Path) -> None:
    """Those that became another user too, and what they started."""
    mark = f"4{os.getpid()}"
    native(one=stays(f"sleep {mark} & sleep {mark}", "true"))  # writes the file
    code = (
        "import sys, time; from pathlib import Path\n"
        "from scripts.compose_file import load; from scripts.compose_native import Native\n"
        f"with Native(load(Path({str(tmp_path / 'compose.yaml')!r}), {{}}), Path({str(tmp_path / 'state')!r})):\n"
        "    print('up', flush=True); time.sleep(60)\n"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert driver.stdout is not None
    assert driver.stdout.readline() == b"up\n"
    assert len(sleeping(mark)) == 2
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    deadline = time.monotonic() + 10
    while sleeping(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sleeping(mark) == []


def sleeping(mark: str) -> list[int]:
    """The processes of `sleep <mark>`."""
    wanted = b"sleep\0" + mark.encode() + b"\0"
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has just ended
    return found
