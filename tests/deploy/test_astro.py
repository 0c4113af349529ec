"""The files of `astro dev start`, and that they agree with docker-compose.yaml."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.deploy.prepare import CONNECTION, embedded_aws
from scripts.compose_file import Project
from scripts.stack import AIRFLOW_COMPONENTS, ROOT

OVERRIDE = yaml.safe_load((ROOT / "docker-compose.override.yml").read_text())
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SETTINGS = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text())
FOLDERS = ("dags", "plugins", "include")


@pytest.mark.parametrize(
    "name",
    ["Dockerfile", "packages.txt", "requirements.txt", "airflow_settings.yaml", ".astro/config.yaml",
     ".astro/test_dag_integrity_default.py", "dags/.airflowignore", ".dockerignore", "tests/dags"],
)  # fmt: skip
def test_what_the_astro_cli_looks_for_is_there(name: str) -> None:
    """By the names that it has."""
    assert (ROOT / name).exists()


def test_what_astro_dev_parse_runs_passes(tmp_path: Path) -> None:
    """As it is run: pytest on that one file."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ".astro/test_dag_integrity_default.py"]
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_connection_leads_to_the_embedded_aws_that_the_override_adds(project: Project) -> None:
    """The same as docker compose's, so that both ways give the same."""
    (connection,) = SETTINGS["airflow"]["connections"]
    assert (connection["conn_id"], connection["conn_type"]) == ("aws_default", "aws")
    compose = embedded_aws(project.services["scheduler"].environment[CONNECTION])
    assert connection["conn_extra"]["endpoint_url"] == compose
    assert connection["conn_extra"]["region_name"] == "us-east-1"
    assert embedded_aws(OVERRIDE["services"]["local-aws-bucket"]["environment"][CONNECTION]) == compose


def test_the_embedded_aws_is_the_one_of_docker_compose() -> None:
    """One definition in two files: Astro's CLI reads the override beside a file of its own."""
    ours, theirs = (dict(document["services"]["local-aws"]) for document in (COMPOSE, OVERRIDE))
    ours.pop("scale")
    assert theirs == ours


def test_the_overrides_services_are_astros_and_would_do_no_harm_beside_ours() -> None:
    """A name that Astro's file doesn't have would be a service without an image."""
    services: dict[str, Any] = OVERRIDE["services"]
    assert set(services) == {*AIRFLOW_COMPONENTS, "local-aws", "local-aws-bucket"}
    for name in AIRFLOW_COMPONENTS:
        assert set(services[name]) == {"environment"}
        assert set(services[name]["environment"]) <= set(COMPOSE["services"][name]["environment"])


def _defaulted(tree: ast.AST) -> set[ast.AST]:
    """Expressions that have another value after them: ``x or y``."""
    return {
        value for node in ast.walk(tree) if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or)
        for value in node.values[:-1]
    }  # fmt: skip


def unguarded(source: str, subscripts: bool = True) -> list[str]:
    """Reads of the environment that give None, or with ``subscripts`` fail, where the variable isn't set."""
    tree = ast.parse(source)
    defaulted = _defaulted(tree)
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call() if ast.unparse(node.func) in ("os.getenv", "os.environ.get", "getenv", "environ.get"):
                if len(node.args) + len(node.keywords) < 2 and node not in defaulted:
                    found.append(ast.unparse(node))
            case ast.Subscript(ctx=ast.Load()) if subscripts and ast.unparse(node.value) in ("os.environ", "environ"):
                found.append(ast.unparse(node))
    return found


def test_every_read_of_the_environment_has_a_default() -> None:
    """`astro dev parse` and a fresh deployment have none of our variables set. Jobs' own environment is complete."""
    found = {
        str(path.relative_to(ROOT)): reads
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if (reads := unguarded(path.read_text(), subscripts="local_aws" not in path.parts))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("os.getenv('A')", 1),
        ("os.environ['A']", 1),
        ("x or os.environ.get('A')", 1),
        ("os.environ.get('A') or None", 0),
        ("os.getenv('A', '')", 0),
        ("os.environ.get('A', default='')", 0),
        ("os.environ['A'] = 'x'", 0),
    ],
)
def test_the_scan_finds_what_has_none(source: str, count: int) -> None:
    """It would be worth nothing else."""
    assert len(unguarded(source)) == count
