from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from automl_retraining.core.evaluation import evaluate
from automl_retraining.core.frequency import runs_a_year
from automl_retraining.core.gate import decide
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.records import (
    Candidate,
    CheckResult,
    ColumnProfile,
    DataChecks,
    Decision,
    Evaluation,
    Leaderboard,
    Manifest,
    ModelRef,
    Outcome,
)
from automl_retraining.core.report import render
from automl_retraining.core.trainer_specs import Schedule
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

NOW = datetime(2026, 3, 2, 14, 5, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"


class _Reader(HTMLParser):
    """Collects the text, the tags and the attributes of a page, and checks that tags close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """The page's words, spaces collapsed."""
        return re.sub(r"\s+", " ", " ".join(self.words))


def _outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "pipeline": "churn",
        "run_id": "manual__2026-03-02",
        "outcome": "promoted",
        "sentence": "It is better: promoted.",
        "endpoint": "art-churn",
        "finished": NOW,
        "facts": {"jobs": {"score_challenger": "art-transform-9"}, "task_seconds": {"search": 61.0}},
    }
    return Outcome(**{**fields, **changes})


def _leaderboard(candidates: int = 12, **changes: Any) -> Leaderboard:
    made = tuple(
        Candidate(name=f"candidate-{place}", status="Completed", objective_value=0.9 - place / 100, duration=5.0)
        for place in range(candidates)
    )
    fields: dict[str, Any] = {
        "job_name": "art-automl-77",
        "job_arn": "arn",
        "kind": "automl",
        "objective_metric": "AUC",
        "greater_is_better": True,
        "status": "Completed",
        "created": NOW,
        "ended": NOW + timedelta(seconds=52),
        "duration": 52.0,
        "transitions": (("Starting", NOW), ("ModelTraining", NOW + timedelta(seconds=4))),
        "candidates": made,
        "best": "candidate-0",
        "partial_failures": ("one candidate ran out of memory",),
    }
    return Leaderboard(**{**fields, **changes})


def _judged(
    task: Task, models: Sequence[Answers], metric: str, **changes: Any
) -> tuple[Manifest, Evaluation, Decision, dict[str, Any]]:
    champion = models[1] if len(models) > 1 else None
    made = manifest(task, models[0], **changes)
    tables: dict[str, Any] = {
        "challenger_scores": scores(models[0], task),
        "champion_scores": scores(champion, task) if champion else None,
    }
    evaluation = evaluate(
        manifest=made,
        policy=policy(metric),
        challenger=CHALLENGER,
        champion=CHAMPION if champion else None,
        champion_error=None,
        **tables,
    )
    return made, evaluation, decide(evaluation, policy(metric)), tables


def _page(task: Task, models: Sequence[Answers], metric: str, **changes: Any) -> _Reader:
    importance = changes.pop("importance", None)
    made, evaluation, decision, tables = _judged(task, models, metric, **changes)
    page = render(
        manifest=made, leaderboard=_leaderboard(), evaluation=evaluation, decision=decision,
        outcome=_outcome(sentence=decision.sentence), importance=importance, **tables,
    )  # fmt: skip
    return _Reader(page)


def test_a_classification_report_holds_verdict_reasons_metrics_figures_search_and_run() -> None:
    page = _page(BINARY, binary(np.random.default_rng(0), 400, 2.5, 1.0), "roc_auc", importance={"age": 0.5})
    assert "promoted" in page.text
    assert "better than the champion's" in page.text
    for words in ("Why", "Challenger and champion", "balanced_accuracy", "ROC", "Calibration", "art-automl-77"):
        assert words in page.text
    for words in ("What the challenger looks at", "one candidate ran out of memory", "art-transform-9", "1 min 1 s"):
        assert words in page.text
    assert "2 more candidates" in page.text


def test_the_report_says_how_many_false_promotions_a_year_of_the_schedule_allows() -> None:
    made, evaluation, decision, tables = _judged(BINARY, binary(np.random.default_rng(0), 300, 1.5, 1.2), "roc_auc")

    def text(runs: float | None) -> str:
        page = render(
            manifest=made, leaderboard=None, evaluation=evaluation, decision=decision, outcome=_outcome(),
            runs_a_year=runs, **tables,
        )  # fmt: skip
        return _Reader(page).text

    weekly = "no better than the champion is promoted in at most 2.5 % of runs: in the 52 runs a year of this schedule"
    assert f"{weekly} at most 1.3 false promotions" in text(52.0)
    assert "in 52 runs (no clock starts them) at most 1.3 false promotions" in text(None)
    assert "in the 4 runs a year of this schedule at most 0.1 false promotions" in text(4.0)


def test_the_report_shows_the_reference_and_what_else_was_measured_with_its_limit() -> None:
    models = binary(np.random.default_rng(0), 300, 1.5, 1.2, 1.4)
    asked = policy("roc_auc", mode="non_inferiority", margin=0.25, max_calibration_error=0.5, guardrails={"f1": 0.5})
    tables = [scores(model, BINARY) for model in models]
    reference = ModelRef(model_name="art-model-older")
    evaluation = evaluate(
        manifest=manifest(BINARY, models[0]), policy=asked, challenger=CHALLENGER, challenger_scores=tables[0],
        champion=CHAMPION, champion_scores=tables[1], champion_error=None, reference=reference,
        reference_scores=tables[2],
    )  # fmt: skip
    page = render(
        manifest=None, leaderboard=None, evaluation=evaluation, decision=decide(evaluation, asked), outcome=_outcome(),
        challenger_scores=None, champion_scores=None,
    )  # fmt: skip
    text = _Reader(page).text
    assert "roc_auc of the reference art-model-older" in text
    assert re.search(r"challenger better than the reference by .*−0\.25", text)
    assert re.search(r"calibration error of the challenger 0\.\d+ \([^)]+\) 0\.5", text)
    assert "drift of its predictions (PSI)" in text
    assert "guardrails f1 within 0.5, calibration error at most 0.5" in text
    assert "A challenger that truly is worse by the margin of 0.25, and so just too much, is promoted" in text


@pytest.mark.parametrize(
    ("cron", "runs"),
    # A fixed day, and leap years.
    [
        ("0 5 * * 1", 52.25),
        ("@daily", 365),
        ("0 0 1 * *", 12),
        ("* * * * *", 525_600),
        ("0 0 29 2 *", 0.25),
        (None, None),
    ],
)
def test_the_runs_of_a_cron_line_are_counted_from_a_fixed_day(cron: str | None, runs: float | None) -> None:
    found = runs_a_year(Schedule(cron=cron))
    assert found == (runs if runs is None else pytest.approx(runs, rel=0.002))


def test_a_regression_report_shows_residuals() -> None:
    page = _page(REGRESSION, regression(np.random.default_rng(0), 200, 0.5, 0.9), "rmse")
    assert "Residuals" in page.text
    assert "rmse ↓" in page.text


def test_a_report_on_several_classes_shows_each_class() -> None:
    answers = multiclass(np.random.default_rng(0), 200)
    page = _page(MULTICLASS, [answers], "accuracy")
    assert "F1 by class" in page.text
    assert "Challenger and baseline" in page.text


def test_the_page_stands_alone() -> None:
    page = _page(BINARY, binary(np.random.default_rng(0), 200, 2.0, 1.0), "roc_auc")
    assert {"script", "link", "iframe", "img", "object"}.isdisjoint(page.tags)
    addresses = {
        value or "" for name, value in page.attributes if name in ("href", "src", "xlink:href", "action", "data")
    }
    assert all(address.startswith("#") for address in addresses)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_every_reference_inside_the_figures_has_its_target() -> None:
    page = _page(BINARY, binary(np.random.default_rng(0), 200, 2.0, 1.0), "roc_auc")
    known = {value for name, value in page.attributes if name == "id"}
    used = {(value or "")[1:] for name, value in page.attributes if name in ("href", "xlink:href")}
    used |= {found for _, value in page.attributes for found in re.findall(r"url\(#([^)]*)\)", value or "")}
    assert used
    assert used <= known


def test_names_and_values_from_data_are_shown_as_they_are_written() -> None:
    column = ColumnProfile(name=HOSTILE, type="text", missing=1, distinct=2, top=((HOSTILE, 3),))
    page = _page(
        REGRESSION,
        regression(np.random.default_rng(0), 100, 0.5, 0.9),
        "rmse",
        target=HOSTILE,
        columns=(column,),
        changes=(f"Column {HOSTILE} was added.",),
        warnings=(HOSTILE,),
        importance={HOSTILE: 1.0},
    )
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert f"Column {HOSTILE} was added." in page.text
    assert page.text.count(HOSTILE) >= 5


def test_a_run_that_failed_at_once_still_has_a_report() -> None:
    outcome = _outcome(outcome="failed", sentence="split failed: line 17 has 3 fields.", failed_tasks=("split",))
    page = _Reader(
        render(
            manifest=None, leaderboard=None, evaluation=None, decision=None, outcome=outcome,
            challenger_scores=None, champion_scores=None,
        )
    )  # fmt: skip
    assert "split failed: line 17 has 3 fields." in page.text
    assert "Failed tasks: split." in page.text


@pytest.mark.parametrize("known", ["manifest", "leaderboard", "evaluation"])
def test_a_run_that_failed_on_the_way_shows_what_there_is(known: str) -> None:
    made, evaluation, _, _ = _judged(BINARY, binary(np.random.default_rng(0), 100, 2.0, 1.0), "roc_auc")
    parts: dict[str, Any] = {
        "manifest": made,
        "leaderboard": _leaderboard(candidates=0, best=None),
        "evaluation": evaluation,
    }
    empty: dict[str, Any] = dict.fromkeys(parts)
    page = _Reader(
        render(
            **{**empty, known: parts[known]}, decision=None, outcome=_outcome(outcome="failed"),
            challenger_scores=None, champion_scores=None,
        )
    )  # fmt: skip
    shown = {"manifest": "Parts", "leaderboard": "Search", "evaluation": "log_loss"}
    assert shown[known] in page.text


def test_a_doubtful_run_that_keeps_its_champion_is_marked_as_doubtful() -> None:
    page = _page(REGRESSION, regression(np.random.default_rng(0), 60, 0.5, 0.52), "rmse")
    assert "in doubt" in page.text


def test_a_metric_without_a_value_shows_its_reason() -> None:
    challenger, champion = binary(np.random.default_rng(0), 300, 2.0, 1.0)
    silent = Answers(champion.truth, np.zeros_like(champion.prediction), champion.probabilities)
    page = _page(BINARY, [challenger, silent], "roc_auc")
    assert "the champion never predicts 'yes'" in page.text


def test_models_without_probabilities_still_have_a_figure() -> None:
    models = [Answers(one.truth, one.prediction) for one in binary(np.random.default_rng(0), 300, 2.0, 1.0)]
    page = _page(BINARY, models, "accuracy")
    assert "F1 by class" in page.text
    assert "answers no probabilities" in page.text


def test_the_same_run_gives_the_same_page() -> None:
    made, evaluation, decision, tables = _judged(BINARY, binary(np.random.default_rng(0), 100, 2.0, 1.0), "roc_auc")
    pages = {
        render(
            manifest=made, leaderboard=None, evaluation=evaluation, decision=decision, outcome=_outcome(), **tables
        )
        for _ in range(2)
    }  # fmt: skip
    assert len(pages) == 1


def test_what_was_found_in_the_data_stands_before_what_was_not() -> None:
    """Each check with its sentence, also in the report of a run that ended there."""
    results = (
        CheckResult(name="identifier", found=False, sentence="no feature names the row"),
        CheckResult(name="single_feature", found=True, sentence=f"column {HOSTILE!r} gives it away"),
    )
    checks = DataChecks(pipeline="churn", run_id="r", train_rows=3000, test_rows=900, seed=5, results=results)
    page = render(
        manifest=None, leaderboard=None, evaluation=None, decision=None, outcome=_outcome(outcome="failed"),
        challenger_scores=None, champion_scores=None, checks=checks,
    )  # fmt: skip
    text = _Reader(page).text
    assert "Checks of the data found single feature : column" in text
    assert text.index("gives it away") < text.index("no feature names the row")
    assert "3,000 train and 900 test rows" in text
    assert "<img" not in page
