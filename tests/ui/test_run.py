"""One run: its records, its plots, its profile, its downloads, and what another policy would have decided."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from automl_retraining.core import plot_data
from automl_retraining.core.names import run_folder_name
from automl_retraining.core.profile_changes import side_by_side
from automl_retraining.core.records import Candidate, ColumnProfile, Manifest
from automl_retraining.ui.downloads import cell, file_name, leaderboard_csv
from automl_retraining.ui.folder import Outside, Shelf
from tests.support import evidence, run_folders
from tests.ui.conftest import World

NUMBER = 4
RUN = run_folders.run_id(NUMBER)
PATH = f"/api/runs/autopilot_churn/{quote(RUN)}"


def test_a_run_is_its_records(world: World) -> None:
    """Each as its file says it; candidates without their containers."""
    page = world.browser("reader").json(PATH)
    written = {name: json.loads(record.to_json()) for name, record in run_folders.records(NUMBER).items()}
    for one in written["leaderboard"]["candidates"]:
        del one["containers"]
    assert page["records"] == written
    assert (page["state"], page["pipeline"], page["problems"], page["has_report"]) == ("over", "churn", [], True)
    assert page["folder"] == "s3://tests/churn/runs/" + run_folder_name(RUN)


def test_the_comparison_is_overall_and_by_slice_with_the_line_to_pass(world: World) -> None:
    """Positive is better."""
    page = world.browser().json(PATH)
    assert (page["effects"]["metric"], page["effects"]["against"], page["effects"]["margin"]) == ("f1", "champion", 0.0)
    assert [line["name"] for line in page["effects"]["lines"]] == ["all test rows", "plan = gold", "plan = basic"]
    assert sum(line["rows"] for line in page["effects"]["lines"][1:]) == 800
    losses = next(one for one in page["metrics"] if one["name"] == "log_loss")
    assert not losses["greater_is_better"]
    _, evaluation, _, _, _ = run_folders.judged()
    metric = evaluation.metric("log_loss")
    assert metric is not None
    assert metric.difference is not None
    assert losses["gain"]["value"] == -metric.difference.value
    assert [one["name"] for one in page["metrics"] if one["primary"]] == ["f1"]


def test_the_plots_are_drawn_from_the_scores(world: World) -> None:
    """Curves of both models with the area that the evaluation found; F1 and confusion by class."""
    plots = world.browser().json(f"{PATH}/plots")
    _, evaluation, _, _, _ = run_folders.judged()
    auc = evaluation.metric("roc_auc")
    assert auc is not None
    assert auc.challenger is not None
    curve = plots["curves"]["models"]["challenger"]
    assert curve["auc"] == pytest.approx(auc.challenger.value)
    assert np.trapezoid(curve["roc"]["y"], curve["roc"]["x"]) == pytest.approx(auc.challenger.value, abs=0.01)
    assert (plots["roles"], plots["rows"], plots["errors"], plots["reason"]) == (
        ["challenger", "champion"],
        800,
        None,
        None,
    )
    assert np.sum(plots["classes"]["models"]["champion"]["confusion"]) == 800
    assert sum(curve["calibration"]["rows"]) <= 800


def test_errors_of_a_regression_are_few_dots_and_a_histogram_of_all_rows() -> None:
    """1,500 dots of 5,000 rows; every row is in the histogram."""
    new, old = evidence.regression(np.random.default_rng(1), 5000, 0.5, 2.0)
    drawn = plot_data.errors({"challenger": new, "champion": old}, "mpg")
    assert len(drawn["models"]["champion"]["truth"]) == plot_data.MOST_DOTS
    assert sum(drawn["histogram"]["counts"]["challenger"]) == 5000
    absolute = drawn["models"]["challenger"]["absolute"]
    assert len(absolute["x"]) <= plot_data.MOST_POINTS
    assert (absolute["x"][-1], absolute["y"][-1]) == (
        pytest.approx(np.abs(new.prediction - new.truth).max(), rel=1e-5),
        1.0,
    )


def test_curves_need_both_classes_and_probabilities() -> None:
    """Otherwise there is none to draw, and that is no error."""
    answers = evidence.binary(np.random.default_rng(1), 50, 1.0)[0]
    one_class = answers.take(answers.truth == 0)
    assert plot_data.curves({"challenger": one_class}, evidence.BINARY) is None
    assert (
        plot_data.curves({"challenger": evidence.multiclass(np.random.default_rng(1), 50)}, evidence.MULTICLASS) is None
    )


def test_the_profile_stands_beside_the_run_before(world: World) -> None:
    """What moved by how much."""
    world.settled()
    found = world.browser("reader").json(f"{PATH}/profile")
    assert found["against_run_id"] == run_folders.run_id(NUMBER - 1)
    minutes = found["columns"][0]
    assert (minutes["name"], minutes["state"], minutes["shift"]) == ("minutes", "changed", pytest.approx(1 / 50))
    assert (minutes["missing"], minutes["role"]) == (12 / 2400, "feature")
    assert found["columns"][2]["role"] == "target"
    assert found["parts"]["test"]["rows"] == 800


def test_columns_that_came_and_went_are_named() -> None:
    """The new ones where they are, the ones that are gone at the end."""
    manifest, _, _, _, _ = run_folders.judged()
    added = ColumnProfile(name="<img src=x onerror=alert(1)>", type="text", missing=0, distinct=1)
    now: Manifest = manifest.model_copy(update={"columns": (added, *manifest.columns[:2])})
    assert [(one.name, one.state) for one in side_by_side(now, manifest)] == [
        (added.name, "new"),
        ("minutes", "same"),
        ("plan", "same"),
        ("left", "gone"),
    ]
    assert {one.state for one in side_by_side(now, None)} == {"same"}


def test_another_policy_is_replayed_and_changes_nothing(world: World) -> None:
    """The recorded policy decides as recorded; a margin that nothing reaches keeps the champion."""
    browser = world.browser("reader")
    same = browser.json(f"{PATH}/replay")
    _, _, decision, _, _ = run_folders.judged()
    assert same["verdict"] == decision.verdict == "promote"
    strict = browser.json(f"{PATH}/replay", margin=0.9, confidence=0.99)
    assert strict["verdict"] == "keep"
    assert (strict["policy"]["margin"], strict["policy"]["confidence"]) == (0.9, 0.99)
    assert strict["effects"]["margin"] == 0.9
    lenient = browser.json(f"{PATH}/replay", mode="non_inferiority", margin=0)
    assert lenient["policy"]["mode"] == "non_inferiority"
    assert world.browser().json(PATH)["records"]["decision"]["verdict"] == "keep"


@pytest.mark.parametrize("bad", [{"mode": "luck"}, {"margin": -1}, {"margin": "nan"}, {"margin": "inf"},
                                 {"confidence": 0.5}, {"confidence": 1}, {"confidence": "<b>"}])  # fmt: skip
def test_values_that_make_no_policy_are_refused(world: World, bad: dict[str, Any]) -> None:
    """422, before anything is read."""
    assert world.browser().get(f"{PATH}/replay", **bad).status_code == 422


def test_what_a_run_did_not_get_to_is_said(world: World) -> None:
    """A run of which there is only a manifest: nothing to replay, to plot or to download, and why."""
    key = "churn/runs/manual__early"
    manifest = run_folders.records(0)["manifest"].model_copy(update={"run_id": "manual__early"})
    world.s3.put_object(Bucket="tests", Key=f"{key}/manifest.json", Body=manifest.to_json().encode())
    browser = world.browser("reader")
    path = "/api/runs/autopilot_churn/manual__early"
    assert browser.get(path).status_code == 404  # neither Airflow nor an outcome knows it as this DAG's
    world.airflow.states["autopilot_churn", "manual__early"] = "running"
    try:
        page = browser.json(path)
        assert (page["state"], page["records"]["decision"], page["effects"], page["metrics"]) == (
            "running",
            None,
            None,
            [],
        )
        assert "has not ended yet" in browser.json(f"{path}/plots")["reason"]
        for rest in ("replay", "download/csv", "download/report"):
            answer = browser.get(f"{path}/{rest}")
            assert answer.status_code == 409, rest
            assert "The task" in answer.json()["detail"]
    finally:
        del world.airflow.states["autopilot_churn", "manual__early"]
        world.s3.delete_object(Bucket="tests", Key=f"{key}/manifest.json")


def test_a_run_to_take_away(world: World) -> None:
    """All records as JSON, containers too; the leaderboard as CSV; names of files without surprises."""
    browser = world.browser("reader")
    answer = browser.get(f"{PATH}/download/json")
    assert answer.json()["leaderboard"]["candidates"][0]["containers"]
    assert answer.headers["content-disposition"] == (
        'attachment; filename="autopilot_churn-scheduled__2025-02-03T05-00-00-00-00.json"'
    )
    table = list(csv.DictReader(io.StringIO(browser.get(f"{PATH}/download/csv").text)))
    assert [line["place"] for line in table] == [str(place) for place in range(1, 11)]
    assert float(table[0]["metric:F1"]) == float(table[0]["objective_value"])
    assert table[0]["hyperparameter:learning_rate"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("+cmd|'/c'!A1", "'+cmd|'/c'!A1"), ("-1.5e3", "-1.5e3"), (-2.5, "-2.5"),
     ("-2+3", "'-2+3"), ("\t=1", "'\t=1"), (None, ""), ("<b>", "<b>")],
)  # fmt: skip
def test_no_cell_is_a_formula(value: object, expected: str) -> None:
    """Numbers stay numbers."""
    assert cell(value) == expected


def test_names_in_a_leaderboard_are_no_formulas_either() -> None:
    """Of columns and candidates."""
    board = run_folders.leaderboard(1, 1, "s3://b/f")
    evil = Candidate(name="=HYPERLINK()", status="Failed", metrics={"@m": 1.0}, failure_reason="a\r\nb")
    table = list(csv.reader(io.StringIO(leaderboard_csv(board.model_copy(update={"candidates": (evil,)})))))
    assert table[0][-1] == "metric:@m"
    assert table[1][1] == "'=HYPERLINK()"
    assert file_name("a/../b", '"\r\nx: y') == "a-..-b--x-y"


@pytest.mark.parametrize(
    "uri",
    [
        "s3://tests/other/runs/x/analysis.json",
        "s3://tests/churn/../other/x",
        "s3://tests/churn2/x",
        "s3://elsewhere/churn/x",
        "s3://tests/churn//x",
        "https://evil/x",
        "s3://tests/churn",
    ],
)
def test_an_address_that_stands_in_a_record_is_followed_only_below_the_pipelines_prefix(world: World, uri: str) -> None:
    """A leaderboard says where its explainability report lies: it may say anything."""
    from automl_retraining.core.errors import StorageError

    with pytest.raises(StorageError, match="expected an"):
        Shelf(world.s3, "tests", "churn").read(uri)
    assert issubclass(Outside, StorageError)
