"""The few calls of Airflow's REST API that the demo and the acceptance tests make, as a logged-in user would."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

FINISHED = ("success", "failed")


@dataclass
class AirflowApi:
    """A session of one user. Tokens are fetched once."""

    url: str
    username: str
    password: str
    _client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        answer = httpx.post(
            f"{self.url}/auth/token", json={"username": self.username, "password": self.password}, timeout=30
        )
        answer.raise_for_status()
        token = answer.json()["access_token"]
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at ``/api/v2/<path>``; raises for any other status than 2xx."""
        answer = self._client.get(path, params=params)
        answer.raise_for_status()
        return answer.json()

    def find(self, path: str) -> Any | None:
        """As ``get``, but None where there is nothing (404)."""
        answer = self._client.get(path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return answer.json()

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """POST or PATCH a JSON body; the error carries what Airflow said.

        What met a locked database is sent again: Airflow on SQLite answers 500 then, and it changes nothing.
        """
        answer = self._client.request(method, path, json=dict(body))
        for pause in (0.5, 1.0, 2.0, 4.0):
            if answer.status_code < 500 or "Database error" not in answer.text:
                break
            time.sleep(pause)
            answer = self._client.request(method, path, json=dict(body))
        if answer.is_error:
            raise httpx.HTTPStatusError(f"{method} {path}: {answer.text}", request=answer.request, response=answer)
        return answer.json() if answer.content else None

    def wait_for_dag(self, dag_id: str, seconds: float = 90) -> None:
        """Wait until the dag-processor has parsed the DAG."""
        deadline = time.monotonic() + seconds
        while self.find(f"dags/{dag_id}") is None:
            if time.monotonic() > deadline:
                errors = self.get("importErrors")["import_errors"]
                raise TimeoutError(f"DAG {dag_id} did not appear within {seconds:.0f} s; import errors: {errors}")
            time.sleep(0.3)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run the DAG."""
        self.send("PATCH", f"dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run and return its id."""
        body = {"logical_date": None, "conf": dict(conf or {})} | ({"dag_run_id": run_id} if run_id else {})
        return str(self.send("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The DAG run."""
        return dict(self.get(f"dags/{dag_id}/dagRuns/{run_id}"))

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The run's task instances by task id."""
        found = self.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any | None:
        """The XCom's value, None where there is none yet."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=true"
        entry = self.find(path)
        return entry["value"] if entry else None

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a waiting task asks a person: ``subject``, ``body`` (Markdown), ``options``."""
        return dict(self.get(self.question_path(dag_id, run_id, task_id)))

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str, params: Mapping[str, Any]) -> None:
        """Answer a waiting task's question as this session's user."""
        body = {"chosen_options": [option], "params_input": dict(params)}
        self.send("PATCH", self.question_path(dag_id, run_id, task_id), body)

    @staticmethod
    def question_path(dag_id: str, run_id: str, task_id: str) -> str:
        """Where the API has a waiting task's question, and takes the answer."""
        return f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """The task's log as text, one event a line."""
        answer = self.get(
            f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}", full_content=True
        )
        lines = []
        for entry in answer["content"]:
            lines.append(entry if isinstance(entry, str) else str(entry.get("event", "")))
        return "\n".join(lines)
