"""Candidate definitions, chosen by a person and tuned together, on real Airflow and the embedded AWS."""

from __future__ import annotations

import json

from tests.acceptance.conftest import World
from tests.acceptance.test_main_job import folder, read


def test_what_a_person_chose_is_tuned_and_the_best_of_it_is_deployed(world: World) -> None:
    """The run waits for the answer; each chosen candidate gets tasks of its own; the winner answers at the endpoint."""
    dag_id = "candidates_accept_candidates"
    world.api.wait_for_dag(dag_id)
    world.api.unpause(dag_id)
    run_id = world.api.trigger(dag_id, {})
    question = world.asked(dag_id, run_id, "pick")
    asked = world.api.get(question)
    algorithms = {name.split("-", 1)[1]: name for name in reversed(asked["options"])}
    assert set(algorithms) == {"xgboost", "linear-learner", "mlp"}
    assert set(asked["defaults"]) == set(algorithms.values())
    assert f"| `{algorithms['mlp']}` | mlp |" in asked["body"]
    chosen = [algorithms["xgboost"], algorithms["mlp"]]
    world.api.send("PATCH", question, {"chosen_options": chosen, "params_input": {}})

    assert world.wait(dag_id, run_id) == "success", world.explain(dag_id, run_id)
    outcome = world.outcome(dag_id, run_id)
    assert outcome["outcome"] == "promoted", outcome
    instances = world.api.get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
    mapped = sorted(task["map_index"] for task in instances if task["task_id"] == "transform_rows")
    assert mapped == [0, 1]
    board = json.loads(read(world, f"{folder(outcome)}/leaderboard.json"))
    assert {row["algorithm"] for row in board["candidates"]} == set(chosen)
    assert len(board["candidates"]) == 3
    definitions = json.loads(read(world, f"{folder(outcome)}/candidate_definitions.json"))
    assert {each["name"] for each in definitions["candidates"]} == set(asked["options"])
    assert read(world, f"{folder(outcome)}/notebooks/candidate_definitions.ipynb")
    model = world.stack.aws_client("sagemaker").describe_model(ModelName=outcome["champion"])
    assert len(model["Containers"]) == 3
