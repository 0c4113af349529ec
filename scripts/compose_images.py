"""What stands in on this machine for each image of docker-compose.yaml, so that its services run without an engine.

The project's own image is this virtual environment; Postgres and Redis are Debian's. Everything else about a service
(command, environment, mounts, order, health checks) is taken from the file.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.compose_file import ComposeError

AIRFLOW_USER = 50000
AIRFLOW_ACCOUNT = f"airflow:x:{AIRFLOW_USER}:0::/opt/airflow:/bin/bash"
"""The image's user, as a line of /etc/passwd."""
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POSTGRES = Path("/usr/lib/postgresql")

# As the image's entry point does: a database in an empty folder, and clients of other hosts by password.
_MAKE_DATABASE = """
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --pgdata "$PGDATA" --username "$POSTGRES_USER" --pwfile <(printf %s "$POSTGRES_PASSWORD") \
        --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE \\"$POSTGRES_DB\\";" | postgres --single -D "$PGDATA" postgres
fi
"""


@dataclass(frozen=True)
class StandIn:
    """How a service of an image runs here: by whom, with the image's own environment, folder and command."""

    user: int
    group: int
    environment: Mapping[str, str]
    home: str | None = None
    """A folder of the image that the service may write to, where the image has one."""
    command: tuple[str, ...] = ()
    before: str = ":"
    """Shell lines in front of the command, in place of the image's entry point."""
    volume_mode: int = 0o2775
    """Rights of a new volume, as those of the image's folder under it."""
    stop_signal: signal.Signals = field(default=signal.SIGTERM)


def stand_in(image: str) -> StandIn:
    """The stand-in of an image; ComposeError names what has to be installed, or an image that has none."""
    repository = image.rpartition(":")[0].rpartition("/")[2]
    match repository:
        case "automl-retraining-airflow":
            return _airflow()
        case "postgres":
            return _postgres()
        case "redis":
            _program("redis-server", "redis-server", _SYSTEM_PATH)
            user = pwd.getpwnam("nobody")
            return StandIn(user.pw_uid, user.pw_gid, {"PATH": _SYSTEM_PATH})
    raise ComposeError(f"expected an image that has a stand-in here, found {image}: add it to {__name__}")


def missing(images: set[str]) -> list[str]:
    """What keeps these images' services from running here; nothing where all can."""
    found = [] if os.geteuid() == 0 else ["root's rights, for namespaces"]
    for program in ("unshare", "nsenter", "setpriv", "mount"):
        if shutil.which(program, path=_SYSTEM_PATH) is None:
            found.append(f"{program} (util-linux)")
    for image in sorted(images):
        try:
            stand_in(image)
        except ComposeError as error:
            found.append(str(error))
    return found


def _airflow() -> StandIn:
    binaries = Path(sys.executable).parent
    return StandIn(
        user=AIRFLOW_USER,
        group=0,
        environment={
            "PATH": f"{binaries}:{_SYSTEM_PATH}",
            "AIRFLOW_HOME": "/opt/airflow",
            "HOME": "/opt/airflow",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        home="/opt/airflow",
        before="umask 0002",
    )


def _postgres() -> StandIn:
    versions = sorted(_POSTGRES.glob("*/bin/postgres"), key=lambda path: float(path.parents[1].name))
    if not versions:
        raise ComposeError("expected Postgres below /usr/lib/postgresql: apt-get install postgresql")
    user = pwd.getpwnam("postgres")
    return StandIn(
        user.pw_uid,
        user.pw_gid,
        {"PATH": f"{versions[-1].parent}:{_SYSTEM_PATH}", "PGDATA": "/var/lib/postgresql/data", "LANG": "C.UTF-8"},
        command=("postgres", "-c", "listen_addresses=*", "-c", "unix_socket_directories="),
        before=_MAKE_DATABASE,
        volume_mode=0o700,
        stop_signal=signal.SIGINT,
    )


def _program(name: str, package: str, path: str) -> None:
    if shutil.which(name, path=path) is None:
        raise ComposeError(f"expected the program {name}: apt-get install {package}")
