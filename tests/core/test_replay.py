"""Deciding again from a run folder's files: equal to the last digit, or what another policy says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.evaluation import evaluate
from automl_retraining.core.gate import decide
from automl_retraining.core.metrics import Task
from automl_retraining.core.predictions import scores_to_csv
from automl_retraining.core.records import CheckResult, Evaluation, ModelRef
from automl_retraining.core.replay import replay
from tests.support.evidence import (
    BINARY,
    CHALLENGER,
    CHAMPION,
    MULTICLASS,
    REGRESSION,
    binary,
    manifest,
    multiclass,
    policy,
    regression,
    scores,
)

OLDER = ModelRef(model_name="art-model-older", run_folder="s3://b/older")


def folder(task: Task = BINARY, **changes: Any) -> dict[str, bytes]:
    """A finished run's files: 300 rows, two of them leaked, a slice column, a note, a check, a reference."""
    rng = np.random.default_rng(3)
    models = {
        "BinaryClassification": lambda: binary(rng, 300, 1.6, 1.4, 1.5),
        "MulticlassClassification": lambda: [multiclass(np.random.default_rng(3), 300)] * 3,
        "Regression": lambda: regression(rng, 300, 0.5, 0.6, 0.7),
    }[task.problem_type]()
    carried = {"plan": np.where(np.arange(300) % 3, 'a, "b"', "c\nd")}
    tables = [scores(model, task, **carried) for model in models]
    metric = "rmse" if task is REGRESSION else "accuracy" if task is MULTICLASS else "roc_auc"
    asked = policy(metric, **{"mode": "non_inferiority", "margin": 0.02, "slices": ("plan",), **changes})
    made = manifest(task, models[0])
    evaluation = evaluate(
        manifest=made, policy=asked, challenger=CHALLENGER, challenger_scores=tables[0], champion=CHAMPION,
        champion_scores=tables[1], champion_error=None, leaked=[3, 10], reference=OLDER, reference_scores=tables[2],
        checks=(CheckResult(name="identifier", found=False, sentence="No feature names the row."),),
        notes=("The champion changed meanwhile.",),
    )  # fmt: skip
    named = dict(zip(("challenger", "champion", "reference"), tables, strict=True))
    return {
        "manifest.json": made.to_json().encode(),
        "evaluation.json": evaluation.to_json().encode(),
        "decision.json": decide(evaluation, asked).to_json().encode(),
        "scores/leaked.csv": b"row_id\n3\n10\n",
        **{f"scores/{role}.csv": scores_to_csv(table) for role, table in named.items()},
    }


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION], ids=lambda task: task.problem_type)
def test_a_replay_reproduces_evaluation_and_decision_byte_for_byte(task: Task) -> None:
    files = folder(task)
    found = replay(files)
    assert found.decision.to_json().encode() == files["decision.json"]
    assert found.evaluation.to_json().encode() == files["evaluation.json"]
    assert found.equal
    assert found.differences() == ()


def test_every_part_of_the_evidence_is_in_the_replay() -> None:
    """Leaked rows, the reference, slices, checks and notes."""
    found = replay(folder())
    names = {rule.name for rule in found.decision.rules}
    assert {"leakage", "non_inferiority", "reference", "slices", "check:identifier", "warning"} <= names
    assert (found.evaluation.rows, found.evaluation.rows_dropped) == (298, 2)


def test_another_policy_is_judged_on_the_same_scores_and_the_differences_are_named() -> None:
    files = folder()
    strict = replay(files, policy("roc_auc", floors={"roc_auc": 0.999}))
    assert strict.decision.verdict == "keep"
    assert not strict.equal
    assert strict.recorded is not None
    lines = strict.differences()
    assert 'policy.mode: recorded "non_inferiority", found "superiority"' in lines
    assert any(line.startswith("rule floor:roc_auc: recorded no such rule, found fail (") for line in lines)
    confident = replay(files, policy("roc_auc", confidence=0.8))
    assert confident.evaluation.confidence == 0.8
    other = replay(files, policy("log_loss", mode="non_inferiority", margin=0.1))
    assert any(rule.name == "reference" and "log_loss" in rule.sentence for rule in other.decision.rules)


def test_a_changed_prediction_is_found_out() -> None:
    files = folder(REGRESSION)
    header, first, *rest = files["scores/challenger.csv"].decode().split("\n")
    cells = first.split(",")
    cells[2] = str(float(cells[2]) + 1)
    found = replay({**files, "scores/challenger.csv": "\n".join([header, ",".join(cells), *rest]).encode()})
    assert not found.equal
    assert any(line.startswith("rule non_inferiority: recorded ") for line in found.differences())


def test_scores_that_a_failed_champion_left_behind_are_not_taken_for_its_own() -> None:
    """The evaluation says that it could not be scored; an earlier try's file is still there."""
    files = folder()
    models = binary(np.random.default_rng(3), 300, 1.6)
    table = scores(models[0], BINARY)
    evaluation = evaluate(
        manifest=manifest(BINARY, models[0]), policy=policy("roc_auc"), challenger=CHALLENGER, challenger_scores=table,
        champion=CHAMPION, champion_scores=None, champion_error="it broke",
    )  # fmt: skip
    files |= {
        "evaluation.json": evaluation.to_json().encode(),
        "decision.json": decide(evaluation, policy("roc_auc")).to_json().encode(),
        "scores/challenger.csv": scores_to_csv(table),
    }
    found = replay(files)
    assert found.equal
    assert found.decision.verdict == "doubt"


def test_predictions_from_anywhere_are_judged_by_their_scores_alone() -> None:
    """Without manifest or evaluation: classes from the p: columns, numbers as a regression, a group as the unit."""
    mine, theirs = binary(np.random.default_rng(0), 600, 2.5, 0.8)
    files = {
        "scores/challenger.csv": scores_to_csv(scores(mine, BINARY)),
        "scores/champion.csv": scores_to_csv(scores(theirs, BINARY)),
    }
    found = replay(files, policy("roc_auc"))
    assert (found.decision.verdict, found.recorded, found.equal) == ("promote", None, False)
    assert (found.evaluation.positive_class, found.evaluation.problem_type) == ("yes", "BinaryClassification")
    assert found.decision.rules[0].result == "info"
    assert found.decision.rules[0].sentence.startswith("It cannot be told whether the champion was trained on some")
    held = replay(files, policy("f1", mode="non_inferiority", margin=0.05), positive_class="no")
    assert held.evaluation.positive_class == "no"
    assert held.decision.verdict == "promote"
    mine, theirs = regression(np.random.default_rng(0), 600, 0.5, 3.0)
    groups = np.repeat(np.arange(60), 10).astype(str)
    files = {
        "scores/challenger.csv": scores_to_csv(scores(mine, REGRESSION, group=groups)),
        "scores/champion.csv": scores_to_csv(scores(theirs, REGRESSION, group=groups)),
    }
    found = replay(files, policy("rmse"))
    assert (found.evaluation.problem_type, found.evaluation.unit, found.evaluation.units) == ("Regression", "group", 60)
    assert found.decision.verdict == "promote"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores/challenger.csv": None}, "expected the file scores/challenger.csv in the run folder, found decision"),
        ({"scores/champion.csv": None}, "expected the file scores/champion.csv in the run folder"),
        ({"scores/champion.csv": b"\x00\xff"}, "scores/champion.csv: scores: expected"),
        ({"scores/champion.csv": b""}, "scores/champion.csv: scores: expected"),
        ({"scores/champion.csv": b"row_id,truth\n1,no\n"}, "scores/champion.csv: scores: expected a column prediction"),
        ({"scores/leaked.csv": b"3\n"}, "scores/leaked.csv: expected a line row_id"),
        ({"scores/leaked.csv": b"row_id\n-3\n"}, "scores/leaked.csv: expected a line row_id"),
        ({"decision.json": b"{"}, "decision.json: expected the record Decision, found something else"),
        ({"decision.json": None}, "expected a policy, or the folder's decision.json with one, found neither"),
        (
            {"evaluation.json": b"{}"},
            "evaluation.json: expected the record Evaluation, found something else: member pipeline",
        ),
        ({"manifest.json": b"[]"}, "manifest.json: expected the record Manifest, found something else"),
    ],
)
def test_a_folder_that_cannot_be_judged_is_refused_with_the_files_name(
    changes: dict[str, bytes | None], words: str
) -> None:
    files = {name: data for name, data in (folder() | changes).items() if data is not None}
    with pytest.raises(EvidenceError) as caught:
        replay(files)
    assert words in str(caught.value)


def test_classes_that_only_one_of_the_models_answers_are_classes_too() -> None:
    """Without p: columns."""
    files = {
        "scores/challenger.csv": b"row_id,truth,prediction\n1,a,a\n2,b,b\n",
        "scores/champion.csv": b"row_id,truth,prediction\n1,a,c\n2,b,b\n",
    }
    found = replay(files, policy("accuracy"))
    assert found.evaluation.labels == ("a", "b", "c")
    assert found.decision.verdict == "doubt"


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("task", [BINARY, REGRESSION], ids=lambda task: task.problem_type)
def test_a_handful_of_rows_is_doubt_whose_files_can_be_read_again(task: Task, rows: int) -> None:
    """An interval may have no end there, and JSON no infinity."""
    rng = np.random.default_rng(0)
    models = binary(rng, rows, 1.5, 1.0) if task is BINARY else regression(rng, rows, 0.5, 0.6)
    roles = ("challenger", "champion")
    files = {f"scores/{role}.csv": scores_to_csv(scores(one, task)) for role, one in zip(roles, models, strict=True)}
    found = replay(files, policy("roc_auc" if task is BINARY else "rmse"))
    assert found.decision.verdict == "doubt"
    assert Evaluation.model_validate_json(found.evaluation.to_json()) == found.evaluation
    assert "NaN" not in found.evaluation.to_json()


def test_scores_of_one_class_alone_are_refused_and_say_what_is_missing() -> None:
    files = {"scores/challenger.csv": b"row_id,truth,prediction\n1,no,no\n2,no,no\n"}
    with pytest.raises(EvidenceError, match=r"at least two classes .* found 'no': add a column p:<label>"):
        replay(files, policy("accuracy"))
