"""The gate on real models that are known to be better, worse, better but for a slice, or too close to tell apart.

That a model equal to the champion is kept is shown beside the main job (test_main_job.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.airflow_api import AirflowApi
from scripts.stack import ROOT
from tests.acceptance.conftest import World
from tests.acceptance.gate_tables import SLICE
from tests.acceptance.test_main_job import folder, read


@dataclass
class Told:
    """What the runs came to, by name; and what Airflow said while one of them waited for a person."""

    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    question: dict[str, Any] = field(default_factory=dict)
    waiting: dict[str, Any] = field(default_factory=dict)
    parked: dict[str, Any] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)


@pytest.fixture(scope="module")
def told(world: World) -> Told:
    """Two pipelines side by side, each one run after another."""
    found = Told()
    with ThreadPoolExecutor(2) as pool:
        chains = [pool.submit(chain, world, found) for chain in (nobody_there, asked)]
        for each in chains:
            each.result()
    return found


def run(world: World, found: Told, pipeline: str, table: str, name: str) -> None:
    """One run to its end."""
    dag_id = f"autopilot_{pipeline}"
    run_id = world.begin(dag_id, {"source": str(world.data / f"{pipeline}_{table}.csv")})
    end(world, found, dag_id, run_id, name)


def end(world: World, found: Told, dag_id: str, run_id: str, name: str) -> None:
    """Wait for it, and note what it came to."""
    found.outcomes[name] = world.finished(dag_id, run_id)
    found.tasks[name] = {task: row["state"] for task, row in world.api.tasks(dag_id, run_id).items()}


def nobody_there(world: World, found: Told) -> None:
    """Enough rows to tell, but for the last table: then nobody answers."""
    for table in ("weak", "regressed", "better", "few"):
        run(world, found, "accept_gate", table, table)


def asked(world: World, found: Told) -> None:
    """In doubt: ada approves, then grace refuses; others may not answer. What is worse is no doubt."""
    pipeline, dag_id = "accept_gate_asked", "autopilot_accept_gate_asked"
    run(world, found, pipeline, "first", "first")
    run_id = world.begin(dag_id, {"source": str(world.data / f"{pipeline}_second.csv")})
    path = world.asked(dag_id, run_id, "approve")
    found.question = world.api.get(path)
    found.parked = world.api.tasks(dag_id, run_id)["approve"]
    manifest = world.api.xcom(dag_id, run_id, "split")
    assert manifest
    found.waiting = json.loads(read(world, f"{manifest['run_folder']}/outcome.json"))
    for user in ("mallory", "viewer", "admin"):
        found.refusals[user] = answer(world, user, path, "Approve")
    assert answer(world, "ada", path, "Approve", "looks | right <b>to</b> me") == 200
    end(world, found, dag_id, run_id, "approved")

    run_id = world.begin(dag_id, {"source": str(world.data / f"{pipeline}_third.csv")})
    path = world.asked(dag_id, run_id, "approve")
    assert answer(world, "grace", path, "Refuse") == 200
    end(world, found, dag_id, run_id, "refused")
    run(world, found, pipeline, "worse", "worse")


def answer(world: World, user: str, path: str, option: str, reason: str | None = None) -> int:
    """Answer as that user; the API's status."""
    with AirflowApi(world.stack.airflow_url, user, world.stack.passwords[user]) as api:
        try:
            api.send("PATCH", path, {"chosen_options": [option], "params_input": {"reason": reason}})
        except httpx.HTTPStatusError as error:
            return error.response.status_code
    return 200


def decision(world: World, outcome: dict[str, Any]) -> dict[str, Any]:
    """The run's decision.json."""
    return dict(json.loads(read(world, f"{folder(outcome)}/decision.json")))


def rules(world: World, outcome: dict[str, Any]) -> dict[str, str]:
    """What each rule of the decision found."""
    return {rule["name"]: rule["result"] for rule in decision(world, outcome)["rules"]}


# ---------------------------------------------------------------- by the evidence alone


def test_a_better_model_with_a_regressed_slice_is_kept_out(world: World, told: Told) -> None:
    """Better on the whole, with confidence; but it learnt nothing about one cut."""
    first, outcome = told.outcomes["weak"], told.outcomes["regressed"]
    assert first["outcome"] == "promoted", first
    assert outcome["outcome"] == "kept", outcome
    assert outcome["champion"] == first["champion"]
    found = rules(world, outcome)
    assert found["superiority"] == "pass", outcome
    assert [name for name, result in found.items() if result == "fail"] == [f"slice:cut={SLICE}"]


def test_a_better_model_is_promoted(world: World, told: Told) -> None:
    """Over the weak champion, which still served."""
    outcome = told.outcomes["better"]
    assert outcome["outcome"] == "promoted", outcome
    assert outcome["previous_champion"] == told.outcomes["weak"]["champion"]
    assert decision(world, outcome)["verdict"] == "promote"
    assert outcome["answer"] is None


def test_a_worse_model_is_kept_out(world: World, told: Told) -> None:
    """Worse with confidence, even on few rows: nobody is asked, and the endpoint is not touched."""
    outcome = told.outcomes["worse"]
    assert outcome["outcome"] == "kept", outcome
    assert outcome["champion"] == told.outcomes["approved"]["champion"]
    assert rules(world, outcome)["superiority"] == "fail"
    assert "worse, with confidence" in outcome["sentence"]
    assert told.tasks["worse"]["approve"] == told.tasks["worse"]["update_endpoint"] == "skipped"


# ---------------------------------------------------------------- a person decides


def test_a_doubt_is_put_to_a_person_with_the_evidence_and_holds_nothing_while_it_waits(told: Told) -> None:
    """The question has the sentence, the table and where the report is; the run folder says that the run waits."""
    assert told.question["options"] == ["Approve", "Refuse"]
    assert told.question["defaults"] == ["Refuse"]
    assert {user["id"] for user in told.question["assigned_users"]} == {"ada", "grace"}
    assert "| **rmse** |" in told.question["body"]
    assert "/report.html" in told.question["body"]
    assert told.waiting["outcome"] == "waiting"
    assert told.waiting["finished"] is None
    assert "until 20" in told.waiting["sentence"]
    assert told.parked["state"] == "awaiting_input"
    assert told.parked["trigger"] is None


def test_nobody_but_those_whom_the_pipeline_names_may_answer(told: Told) -> None:
    """Not even an administrator; a viewer may not answer anything."""
    assert told.refusals == {"mallory": 403, "viewer": 403, "admin": 403}


def test_a_doubt_that_a_person_approves_goes_behind_the_endpoint(world: World, told: Told) -> None:
    """The decision stays doubt; the outcome says who overruled it and why."""
    outcome = told.outcomes["approved"]
    assert outcome["outcome"] == "promoted", outcome
    assert outcome["previous_champion"] == told.outcomes["first"]["champion"]
    assert (outcome["answer"], outcome["approved_by"]) == ("approved", "ada")
    assert outcome["answer_comment"] == "looks | right <b>to</b> me"
    assert outcome["sentence"].startswith("Approved by ada in spite of the gate's doubt")
    assert decision(world, outcome)["verdict"] == "doubt"
    report = read(world, f"{folder(outcome)}/report.html").decode()
    assert "looks | right &lt;b&gt;to&lt;/b&gt; me" in report
    assert told.tasks["approved"]["keep_champion"] == "skipped"


def test_a_doubt_that_a_person_refuses_keeps_the_champion(told: Told) -> None:
    """The run succeeds and is recorded."""
    outcome = told.outcomes["refused"]
    assert outcome["outcome"] == "kept", outcome
    assert outcome["champion"] == told.outcomes["approved"]["champion"]
    assert (outcome["answer"], outcome["answered_by"], outcome["approved_by"]) == ("refused", "grace", None)
    assert outcome["sentence"].startswith("Refused by grace, so the champion stays.")
    assert told.tasks["refused"]["update_endpoint"] == told.tasks["refused"]["smoke_test"] == "skipped"
    assert told.tasks["refused"]["record"] == "success"


def test_a_doubt_that_nobody_answers_in_time_keeps_the_champion(world: World, told: Told) -> None:
    """A time-out is a refusal, and the outcome says which it was."""
    outcome = told.outcomes["few"]
    assert decision(world, outcome)["verdict"] == "doubt"
    assert outcome["outcome"] == "kept", outcome
    assert outcome["champion"] == told.outcomes["better"]["champion"]
    assert (outcome["answer"], outcome["answered_by"], outcome["approved_by"]) == ("timed_out", None, None)
    assert outcome["sentence"].startswith("Nobody answered within 10 s, so the champion stays.")
    assert told.tasks["few"]["keep_champion"] == "success"


# ---------------------------------------------------------------- offline


@pytest.mark.parametrize("name", ["regressed", "approved"])
def test_the_decision_is_replayed_from_the_run_folder_to_the_last_digit(
    world: World, told: Told, tmp_path: Path, name: str
) -> None:
    """Of a copy of the folder, with no network, no Airflow and no AWS."""
    uri = folder(told.outcomes[name])
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    s3 = world.stack.aws_client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for each in page["Contents"]:
            target = tmp_path / each["Key"].removeprefix(f"{prefix}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, each["Key"], str(target))
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, "PYTHONPATH": "plugins"}
    done = subprocess.run(
        [sys.executable, "-m", "automl_retraining.replay", str(tmp_path), "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    replayed = json.loads(done.stdout)
    assert replayed["equal"], replayed["differences"]
    assert replayed["decision"] == decision(world, told.outcomes[name])
