"""Airflow's login for tests: its own tokens and its database in memory, and users who may read some DAGs only.

Airflow's simple auth manager knows roles, not rights to single DAGs; ``RightsToDags`` adds them where an auth manager
decides, so that everything before that is Airflow's.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.pool import StaticPool

with warnings.catch_warnings():
    # Airflow's own imports warn about each other's versions.
    warnings.simplefilter("ignore")
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models import import_all_models
    from airflow.models.base import Base

RIGHTS: Mapping[str, frozenset[str] | None] = {
    "admin": None,
    "reader": frozenset({"autopilot_churn"}),
    "neighbour": frozenset({"autopilot_other"}),
    "nobody": frozenset(),
}
"""The DAGs that each user may read; None is all."""


class RightsToDags(SimpleAuthManager):
    """Airflow's simple auth manager, where a user may read the DAGs of ``RIGHTS``."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        """By the DAG's id; asked about no DAG in particular, whether there is any."""
        rights = RIGHTS[user.get_id()]
        if rights is None:
            return True
        return details.id in rights if details is not None and details.id else bool(rights)


def auth_manager() -> RightsToDags:
    """What an api-server has one of."""
    return RightsToDags()  # type: ignore[no-untyped-call]


def database() -> Engine:
    """Airflow's tables, empty, in memory."""
    import_all_models()  # type: ignore[no-untyped-call]
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    return engine


def token(user: str) -> str:
    """What Airflow gives that user at the login."""
    return auth_manager().generate_jwt(SimpleAuthManagerUser(username=user, role="viewer"))


@dataclass
class Browser:
    """Asks the app over HTTP in this process, as one user or, without a token, as nobody.

    The app is mounted as the api-server mounts it.
    """

    app: Any
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request below ``/automl``; the path is sent as it is."""
        return asyncio.run(self._ask(method, path, **options))

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        """GET with query parameters."""
        return self.ask("GET", path, params=parameters or None)

    def json(self, path: str, **parameters: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        signed = {"authorization": f"Bearer {self.token}"} if self.token else {}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            headers = {**signed, **self.headers, **options.pop("headers", {})}
            return await client.request(method, f"/automl{path}", headers=headers, **options)
