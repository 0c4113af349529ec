from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import pytest

from automl_retraining.core import plots
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.records import Candidate, Interval, Leaderboard
from tests.support.evidence import BINARY, MULTICLASS, binary, multiclass, regression

HOSTILE = "<img src=x onerror=alert(1)> $x^2$ \"'& 車"


def _texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)  # noqa: S314 -- our own SVG: the test is that it is well-formed
    return ["".join(node.itertext()).strip() for node in root.iter("{http://www.w3.org/2000/svg}text")]


def _leaderboard(*values: float | None, name: str = "c") -> Leaderboard:
    candidates = tuple(
        Candidate(name=f"{name}{place}", status="Completed", objective_value=value)
        for place, value in enumerate(values)
    )
    return Leaderboard(
        job_name="art-automl-1",
        job_arn="arn",
        kind="automl",
        objective_metric="AUC",
        greater_is_better=True,
        status="Completed",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        candidates=candidates,
        best=f"{name}0",
    )


def test_figures_are_svg_whose_colours_and_fonts_are_the_pages() -> None:
    svg = plots.importance({"age": 0.7, "plan": 0.2})
    assert svg.startswith("<svg viewBox=")
    assert "var(--challenger)" in svg
    assert "var(--font)" in svg
    assert "DejaVu" not in svg
    assert "#0102" not in svg
    assert {"age", "plan", "importance"} <= set(_texts(svg))


def test_names_from_data_are_text_as_they_are_written() -> None:
    svg = plots.importance({HOSTILE: 1.0})
    assert "<img" not in svg
    assert HOSTILE[:33] + "…" in _texts(svg) or HOSTILE in _texts(svg)


def test_the_same_data_give_the_same_figure() -> None:
    assert plots.importance({"age": 0.7}) == plots.importance({"age": 0.7})


def test_curves_show_both_models_with_their_auc() -> None:
    challenger, champion = binary(np.random.default_rng(0), 300, 2.0, 1.0)
    svg = plots.curves({"challenger": challenger, "champion": champion}, BINARY)
    assert "DejaVu" not in svg
    texts = _texts(svg)
    assert any(text.startswith("challenger, AUC 0.9") for text in texts)
    assert any(text.startswith("champion, AUC 0.") for text in texts)
    assert {"ROC", "Precision and recall", "Calibration", "predicted probability of yes"} <= set(texts)


def test_curves_of_many_rows_stay_small() -> None:
    models = dict(zip(("challenger", "champion"), binary(np.random.default_rng(0), 50_000, 2.0, 1.0), strict=True))
    assert len(plots.curves(models, BINARY)) < 150_000


def test_curves_of_certain_probabilities_can_be_drawn() -> None:
    truth = np.array([0, 1] * 20)
    sure = Answers(truth, truth, np.column_stack([1.0 - truth, truth]))
    assert "challenger, AUC 1.000" in _texts(plots.curves({"challenger": sure}, BINARY))


def test_errors_show_the_target_by_name() -> None:
    challenger, champion = regression(np.random.default_rng(0), 5_000, 0.5, 0.8)
    svg = plots.errors({"challenger": challenger, "champion": champion}, HOSTILE)
    assert f"actual {HOSTILE}" in _texts(svg)
    assert len(svg) < 1_000_000


@pytest.mark.parametrize("count", [3, 40])
def test_classes_show_the_largest_ones(count: int) -> None:
    rng = np.random.default_rng(0)
    labels = tuple(f"class {place}" for place in range(count))
    truth = rng.integers(0, count, 600)
    answers = Answers(truth, np.where(rng.random(600) < 0.8, truth, rng.integers(0, count, 600)))
    texts = _texts(plots.classes({"challenger": answers}, Task("MulticlassClassification", labels)))
    shown = {text for text in texts if text.startswith("class ")}
    assert len(shown) == min(count, 15)


def test_classes_work_for_two_models() -> None:
    answers = multiclass(np.random.default_rng(0), 100)
    assert "champion" in _texts(plots.classes({"challenger": answers, "champion": answers}, MULTICLASS))


def test_the_comparison_shows_zero_margin_and_each_slice() -> None:
    lines = [plots.Effect("all test rows", Interval(value=0.02, low=0.01, high=0.03))]
    lines.append(plots.Effect("plan = <b>", Interval(value=-0.02, low=-0.03, high=-0.01)))
    svg = plots.effects(lines, "roc_auc", 0.005, "champion")
    assert {"all test rows", "plan = <b>", "margin 0.005"} <= set(_texts(svg))
    assert "var(--good)" in svg
    assert "var(--bad)" in svg
    assert "var(--bad)" not in plots.effects(lines[:1], "roc_auc", 0.0, "champion")


def test_candidates_without_a_value_are_left_out_and_none_at_all_is_no_figure() -> None:
    texts = _texts(plots.candidates(_leaderboard(0.93, 0.91, None)))
    assert {"c0", "c1", "0.93"} <= set(texts)
    assert "c2" not in texts
    assert plots.candidates(_leaderboard(None)) == ""
    assert plots.importance({}) == ""


def test_equal_candidates_can_be_drawn() -> None:
    assert "0.5" in _texts(plots.candidates(_leaderboard(0.5, 0.5)))
