"""The compose file, as a user with a fresh .env has it."""

from __future__ import annotations

import pytest

from scripts.compose_file import Project, load
from scripts.make_env import filled, settings
from scripts.stack import ROOT


@pytest.fixture(scope="session")
def variables() -> dict[str, str]:
    """What `make env` writes."""
    return settings(filled((ROOT / ".env.example").read_text()))


@pytest.fixture(scope="session")
def project(variables: dict[str, str]) -> Project:
    """docker-compose.yaml with the profile celery."""
    return load(ROOT / "docker-compose.yaml", variables, frozenset({"celery"}))
