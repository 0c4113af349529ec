"""docker-compose.yaml: valid, pinned, private, in order, and with its variables explained."""

from __future__ import annotations

import re
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
import yaml

from scripts.compose_file import ComposeError, Project, load, variables
from scripts.compose_images import stand_in
from scripts.stack import AIRFLOW_COMPONENTS, ROOT, Stack

FILE = ROOT / "docker-compose.yaml"
OVERRIDE = ROOT / "docker-compose.override.yml"
SECRETS = (
    "POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_API_SECRET_KEY", "AIRFLOW_JWT_SECRET",
    "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_VIEWER_PASSWORD",
)  # fmt: skip
CELERY = frozenset({"celery"})


def test_the_files_follow_the_compose_specifications_schema() -> None:
    """The schema that docker compose itself holds them against."""
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(FILE),
        str(OVERRIDE),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_port_is_published_on_loopback_only(project: Project) -> None:
    """The embedded AWS has no access control."""
    ports = {service.name: [port.address for port in service.ports] for service in project.services.values()}
    assert {name for name, found in ports.items() if found} == {"api-server", "local-aws"}
    assert all(ip_address(address).is_loopback for found in ports.values() for address in found)


def test_every_image_is_pinned_by_an_exact_version(project: Project) -> None:
    """No latest, no floating minor; and each has a stand-in, so that the acceptance test starts all of them."""
    for service in project.services.values():
        assert re.fullmatch(r"[a-z][a-z-]*:\d+\.\d+(\.\d+)?(-bookworm)?", service.image), service.image
    major_minor = {service.image.partition(":")[2].count(".") for service in project.services.values()}
    assert major_minor <= {1, 2}  # Postgres's versions have two numbers


def test_every_service_that_stays_has_a_health_check_and_is_restarted(project: Project) -> None:
    """And what ends by itself has neither."""
    for service in project.services.values():
        stays = service.name != "airflow-init"
        assert (service.healthcheck is not None, service.restart == "unless-stopped") == (stays, stays), service.name


def test_all_of_airflows_components_are_there_and_wait_for_the_migrated_database(project: Project) -> None:
    """The same components as `make up` starts."""
    assert set(AIRFLOW_COMPONENTS) <= set(project.services)
    for name in (*AIRFLOW_COMPONENTS, "worker"):
        needs = {need.service: need.condition for need in project.services[name].depends_on}
        assert needs["airflow-init"] == "service_completed_successfully", name
    init = {need.service: need.condition for need in project.services["airflow-init"].depends_on}
    assert init["postgres"] == init["local-aws"] == "service_healthy"


def test_what_is_waited_for_exists_and_comes_to_be_so(project: Project) -> None:
    """Nobody waits for health that is never checked, for an end that never comes, or in a circle."""
    for service in project.services.values():
        for need in service.depends_on:
            other = project.services[need.service]
            assert other.healthcheck or need.condition != "service_healthy", (service.name, need)
            assert other.restart == "no" or need.condition != "service_completed_successfully", (service.name, need)
    started: set[str] = set()
    while len(started) < len(project.services):
        ready = {
            name
            for name, service in project.services.items()
            if name not in started and all(need.service in started for need in service.depends_on)
        }
        assert ready, f"a circle among {set(project.services) - started}"
        started |= ready


@pytest.mark.parametrize("name", SECRETS)
def test_compose_refuses_to_start_without_a_secret(name: str, variables: dict[str, str]) -> None:
    """And says what to do."""
    with pytest.raises(ComposeError, match=f"{name} is missing a value: run make env"):
        load(FILE, {**variables, name: ""}, CELERY)


def test_no_secret_has_a_value_in_what_is_shared(variables: dict[str, str]) -> None:
    """Two .env files share none either."""
    shared = [path.read_text() for path in (FILE, OVERRIDE, ROOT / ".env.example")]
    for name in SECRETS:
        assert len(variables[name]) >= 32
        assert all(variables[name] not in text for text in shared)
        assert re.search(rf"^{name}=$", shared[2], re.MULTILINE), name


def test_every_variable_has_its_line_in_the_example() -> None:
    """Set, or commented out where the default is what most want."""
    example = (ROOT / ".env.example").read_text()
    there = set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", example, re.MULTILINE))
    document = yaml.safe_load(FILE.read_text())
    assert variables_of(document) <= there
    assert there - variables_of(document) == {"COMPOSE_FILE", "COMPOSE_PROFILES"}


def variables_of(node: object) -> set[str]:
    if isinstance(node, dict):
        return set().union(*(variables_of(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(variables_of(value) for value in node))
    return variables(node) if isinstance(node, str) else set()


def test_the_profile_celery_adds_redis_and_workers_and_one_variable_changes_the_executor(
    variables: dict[str, str],
) -> None:
    """Without it everything runs on the scheduler's machine."""
    plain = load(FILE, variables)
    celery = load(FILE, {**variables, "AIRFLOW_EXECUTOR": "CeleryExecutor"}, CELERY)
    assert set(celery.services) - set(plain.services) == {"redis", "worker"}
    assert plain.services["scheduler"].environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    for name in (*AIRFLOW_COMPONENTS, "worker"):
        assert celery.services[name].environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_with_a_real_account_nothing_of_the_embedded_aws_is_left(variables: dict[str, str]) -> None:
    """The connection is the user's, the service isn't started, and nobody waits for it."""
    mine = {
        "LOCAL_AWS": "0",
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://K:S@/?region_name=eu-west-1",
        "AUTOML_RETRAINING_BUCKET": "b",
    }
    project = load(FILE, {**variables, **mine}, CELERY)
    assert "local-aws" not in project.services
    for service in project.services.values():
        assert "local-aws" not in str(service.environment)
        assert all(not need.required for need in service.depends_on if need.service == "local-aws")
    assert project.services["scheduler"].environment["AIRFLOW_CONN_AWS_DEFAULT"] == mine["AIRFLOW_CONN_AWS_DEFAULT"]


def test_the_projects_folders_are_mounted_read_only_and_on_the_path(project: Project) -> None:
    """dags, plugins and include for Airflow; the embedded AWS needs include only."""
    for name in (*AIRFLOW_COMPONENTS, "airflow-init", "worker"):
        service = project.services[name]
        mounts = {mount.source: (mount.target, mount.read_only) for mount in service.volumes if not mount.named}
        assert mounts == {f"./{part}": (f"/opt/airflow/{part}", True) for part in ("dags", "plugins", "include")}, name
        assert service.environment["PYTHONPATH"] == "/opt/airflow"
    assert [mount.source for mount in project.services["local-aws"].volumes if not mount.named] == ["./include"]


def test_named_volumes_are_declared_and_used(project: Project) -> None:
    """A misspelt one would be a new, empty one."""
    used = {mount.source for service in project.services.values() for mount in service.volumes if mount.named}
    assert used == set(project.volumes)


def test_airflow_is_set_up_as_make_up_does(project: Project, tmp_path: Path) -> None:
    """What `make up` sets, compose sets too; the same value, unless it is about this machine."""
    differ = {
        "AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", "AIRFLOW__API__BASE_URL", "AIRFLOW__API__PORT",
        "AIRFLOW__API__SECRET_KEY", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
    }  # fmt: skip
    stack = Stack(tmp_path).env()
    ours = {name: value for name, value in stack.items() if name.startswith("AIRFLOW__") and name not in differ}
    compose = project.services["scheduler"].environment
    assert ours
    assert {name: compose.get(name) for name in ours} == ours
    assert differ - {"AIRFLOW__API__PORT"} <= set(compose)


def test_each_image_has_a_stand_in_here(project: Project) -> None:
    """So that the acceptance test leaves none out."""
    for image in {service.image for service in project.services.values()} - {"postgres:17.9-bookworm"}:
        if not image.startswith("redis"):  # Debian's, where they are installed
            assert stand_in(image).environment["PATH"]
    with pytest.raises(ComposeError, match="expected an image that has a stand-in here, found mysql:8"):
        stand_in("mysql:8")
