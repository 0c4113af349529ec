"""Bad files stop the run with a sentence, before anything is created at SageMaker."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.conftest import World

DAG_ID = "autopilot_accept_bad"

# What the failed task's log must say, by bad file.
SENTENCES = {
    "no_such_file": r"no_such_file\.csv",
    "empty": r"empty",
    "header_only": r"header",
    "missing_target": r"'?churn'?",
    "duplicate_columns": r"state",
    "ragged_row": r"line 702",
    "undecodable_byte": r"(byte|offset) \d+",
    "target_missing_in_rows": r"150",
    "one_class": r"class",
    "rare_class": r"yes",
    "too_few_rows": r"500",
}


def test_each_bad_file_stops_the_run_with_its_sentence_and_creates_nothing(world: World) -> None:
    """One run for each bad file: split fails at once, no job, model or endpoint appears."""
    world.api.wait_for_dag(DAG_ID)
    world.api.unpause(DAG_ID)
    runs = {
        name: world.api.trigger(
            DAG_ID, {"source": str(world.data / (f"{name}.csv" if name == "no_such_file" else f"bad_{name}.csv"))}
        )
        for name in SENTENCES
    }
    problems = []
    for name, run_id in runs.items():
        state = world.wait(DAG_ID, run_id)
        tasks = world.api.tasks(DAG_ID, run_id)
        log = world.api.task_log(DAG_ID, run_id, "split")
        if state != "failed" or tasks["split"]["state"] != "failed" or tasks["split"]["try_number"] != 1:
            problems.append(f"{name}: run {state}, split {tasks['split']['state']}, try {tasks['split']['try_number']}")
        if tasks["search"]["state"] != "upstream_failed":
            problems.append(f"{name}: search is {tasks['search']['state']}")
        if not re.search(SENTENCES[name], log):
            problems.append(f"{name}: expected {SENTENCES[name]!r} in the log, found:\n{log[-1500:]}")
    assert not problems, "\n\n".join(problems)
    sagemaker = world.stack.aws_client("sagemaker")
    assert not sagemaker.list_endpoints(NameContains="art-accept-bad")["Endpoints"]
    listed = world.stack.aws_client("s3").list_objects_v2(Bucket="automl-retraining", Prefix="accept_bad/runs/")
    assert not [item["Key"] for item in listed.get("Contents", []) if "/data/" in item["Key"]]


def split_fails(world: World, dag_id: str, source: str, sentence: str) -> None:
    """A run on that table fails in split, at the first try, with that sentence, and searches nothing."""
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    run_id, state = world.run(dag_id, {"source": str(world.data / f"{source}.csv")})
    tasks = world.api.tasks(dag_id, run_id)
    log = world.api.task_log(dag_id, run_id, "split")
    assert state == "failed"
    assert (tasks["split"]["state"], tasks["split"]["try_number"]) == ("failed", 1), log
    assert tasks["search"]["state"] == "upstream_failed"
    assert re.search(sentence, log), log[-1500:]


@pytest.mark.parametrize(
    ("pipeline", "source", "sentence"),
    [
        ("text_target", "churn_small", r"line 2: .*'?state'?"),
        ("identifier", "bad_identifier_target", r"identif"),
        ("keys", "bad_missing_keys", r"line 42.*customer|customer.*line 42"),
        ("keys", "bad_double_keys", r"customer.*lines 9 and 42"),
    ],
)
def test_a_target_or_key_that_is_none_stops_the_run(world: World, pipeline: str, source: str, sentence: str) -> None:
    """Text for a number, a name for a class, a row without a key, two rows of one key."""
    split_fails(world, f"autopilot_accept_{pipeline}", source, sentence)


def test_columns_that_changed_since_the_last_run_stop_it(world: World) -> None:
    """Added, removed or retyped columns: the sentence names them and says what to do."""
    dag_id = "autopilot_accept_columns"
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    run_id, state = world.run(dag_id, {})
    assert state == "success", world.explain(dag_id, run_id)
    for change, column in (("added", "colour"), ("removed", "account_length"), ("retyped", "account_length")):
        split_fails(world, dag_id, f"bad_columns_{change}", rf"{column}.*on_schema_change|on_schema_change.*{column}")


def test_a_source_outside_the_data_folders_is_refused(world: World) -> None:
    """A trigger cannot read the worker's other files."""
    world.api.wait_for_dag(DAG_ID)
    world.api.unpause(DAG_ID)
    run_id, state = world.run(DAG_ID, {"source": str(world.stack.state / "airflow" / "passwords.json")})
    assert state == "failed"
    assert "AUTOML_RETRAINING_DATA_DIRS" in world.api.task_log(DAG_ID, run_id, "split")


def test_a_broken_pipeline_file_is_an_import_error_that_hides_no_other_pipeline(world: World) -> None:
    """Airflow shows the file and the key; the other pipelines' DAGs are there."""
    world.api.wait_for_dag(DAG_ID)
    errors = world.until(lambda: world.api.get("importErrors")["import_errors"], "the import error appears", 60)
    text = "\n".join(error["stack_trace"] for error in errors)
    assert "accept_broken.yaml" in text
    assert "metrc" in text
