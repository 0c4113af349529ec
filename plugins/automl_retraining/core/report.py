"""report.html: one stand-alone page that says what happened, why, and on what evidence."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from automl_retraining.core import plots
from automl_retraining.core.effects import against, effects
from automl_retraining.core.gate import improvement
from automl_retraining.core.metric_table import METRICS, decimals, number, span
from automl_retraining.core.metrics import Answers, Task, encode
from automl_retraining.core.page import Html, document, element, join, listed, moment, note, section, table
from automl_retraining.core.records import (
    DataChecks,
    Decision,
    Evaluation,
    Interval,
    Leaderboard,
    Manifest,
    MetricResult,
    Outcome,
)
from automl_retraining.core.report_evidence import asked, beside
from automl_retraining.core.report_facts import data, looked_for, run, search

_TONE = {"promoted": "good", "failed": "bad", "rolled_back": "bad", "waiting": "doubt"}
_CHIP = {"pass": ("pass", "good"), "fail": ("fail", "bad"), "doubt": ("doubt", "doubt"), "info": ("note", "info")}


def render(
    *,
    manifest: Manifest | None,
    leaderboard: Leaderboard | None,
    evaluation: Evaluation | None,
    decision: Decision | None,
    outcome: Outcome,
    challenger_scores: pd.DataFrame | None,
    champion_scores: pd.DataFrame | None,
    importance: Mapping[str, float] | None = None,
    checks: DataChecks | None = None,
    runs_a_year: float | None = None,
) -> str:
    """The page, from whatever of a run there is: a run that failed early still gets one."""
    models, task = _models(manifest, challenger_scores, champion_scores)
    return document(
        f"{outcome.pipeline}: {outcome.outcome.replace('_', ' ')}",
        _header(outcome, decision),
        _why(outcome, decision, runs_a_year),
        _comparison(evaluation, decision),
        _behaviour(models, task, evaluation, manifest),
        search(leaderboard),
        section("What the challenger looks at", Html(plots.importance(importance))) if importance else None,
        looked_for(checks),
        data(manifest),
        run(outcome, manifest, leaderboard, evaluation),
    )


def _models(
    manifest: Manifest | None, challenger: pd.DataFrame | None, champion: pd.DataFrame | None
) -> tuple[dict[str, Answers], Task | None]:
    if manifest is None or challenger is None or challenger.empty:
        return {}, None
    task = Task(manifest.problem_type, manifest.labels, manifest.positive_class)
    tables = {"challenger": challenger} | ({} if champion is None else {"champion": champion})
    return {role: encode(scores, task) for role, scores in tables.items()}, task


# ---------------------------------------------------------------- verdict and reasons


def _header(outcome: Outcome, decision: Decision | None) -> Html:
    tone = _TONE.get(outcome.outcome, "calm")
    over = element(
        "div",
        element("span", outcome.outcome.replace("_", " "), class_="badge"),
        element("span", "in doubt", class_="badge thin") if decision and decision.verdict == "doubt" else None,
        element("span", "model ", element("b", outcome.pipeline)),
        element("span", "run ", element("b", outcome.run_id)),
        element("span", moment(outcome.finished)),
        class_="over",
    )
    serves = f"{outcome.champion} serves behind the endpoint {outcome.endpoint}." if outcome.champion else None
    return element("header", over, element("h1", outcome.sentence), note(serves, "under"), class_=tone)


def _why(outcome: Outcome, decision: Decision | None, runs_a_year: float | None) -> Html:
    failed = f"Failed tasks: {', '.join(outcome.failed_tasks)}." if outcome.failed_tasks else None
    if decision is None:
        said = [reason for reason in outcome.reasons if reason != outcome.sentence]
        return section("Why", element("p", failed) if failed else None, listed(said))
    order = ("fail", "doubt", "pass", "info")
    lines = (
        element("li", element("span", word, class_=f"chip {tone}"), element("span", rule.sentence))
        for rule in sorted(decision.rules, key=lambda rule: order.index(rule.result))
        for word, tone in (_CHIP[rule.result],)
    )
    rules = element("ul", join(lines), class_="rules")
    return section("Why", element("p", failed) if failed else None, rules, asked(decision, runs_a_year))


# ---------------------------------------------------------------- comparison


def _comparison(evaluation: Evaluation | None, decision: Decision | None) -> Html:
    if evaluation is None:
        return Html("")
    primary = decision.policy.metric if decision else ""
    other = against(evaluation)
    rows = [_metric_row(metric, other) for metric in evaluation.metrics]
    marked = next((place for place, metric in enumerate(evaluation.metrics) if metric.name == primary), -1)
    head = ["metric", _key("challenger"), _key("champion"), "baseline", f"better than the {other} by", ""]
    unit = {"row": "rows", "group": "groups of rows", "time": "blocks of rows that follow each other in time"}
    dropped = f" {evaluation.rows_dropped:,} rows that the champion was trained on were left out."
    said = (
        f"On {evaluation.rows:,} test rows, the same for all. Ranges are {100 * evaluation.confidence:.4g} % intervals "
        f"from {evaluation.resamples:,} resamples of {unit[evaluation.unit]}; the difference is paired, so its range "
        "is narrower than the two beside it suggest. Arrows say which direction is better."
        + (f" The positive class is {evaluation.positive_class!r}." if evaluation.positive_class else "")
        + (dropped if evaluation.rows_dropped else "")
    )
    figure = _effects(evaluation, decision)
    return section(
        "Challenger and champion" if other == "champion" else "Challenger and baseline",
        figure,
        table(head, rows, numeric=(1, 2, 3, 4), marked=marked),
        note(said),
        beside(evaluation, decision),
    )


def _key(role: str) -> Html:
    return join([element("span", class_="key", style=f"background:var(--{role})"), role])


def _metric_row(metric: MetricResult, other: str) -> list[object]:
    difference = metric.difference if other == "champion" else metric.against_baseline
    spec = METRICS[metric.name]
    gain = improvement(spec, difference) if difference else None
    known = [one for one in (metric.challenger, metric.champion) if one]
    places = decimals(*(one.high - one.low for one in [*known, *([gain] if gain else [])]))
    arrow = "↑" if metric.greater_is_better else "↓"
    if not known:
        return [f"{metric.name} {arrow}", "–", "–", "–", "", element("span", metric.undefined, class_="range")]
    return [
        f"{metric.name} {arrow}",
        _ranged(metric.challenger, places),
        _ranged(metric.champion, places),
        number(metric.baseline, places) if metric.baseline is not None else "–",
        _ranged(gain, places),
        _bar(gain) if gain else element("span", metric.undefined or "", class_="range"),
    ]


def _ranged(value: Interval | None, places: int) -> Html | str:
    if value is None:
        return "–"
    ends = element("span", span(value.low, value.high, places), class_="range")
    return join([number(value.value, places), " ", ends])


def _bar(gain: Interval) -> Html:
    """The interval as a little bar around zero, each on its own scale."""
    reach = max(abs(gain.low), abs(gain.high)) or 1.0
    left, middle, right = (66 + 60 * end / reach for end in (gain.low, gain.value, gain.high))
    tone = "good" if gain.low > 0 else "bad" if gain.high < 0 else "muted"
    return Html(
        '<svg class="bar" viewBox="0 0 132 18" aria-hidden="true">'
        '<line x1="66" x2="66" y1="1" y2="17" stroke="var(--muted)"/>'
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="9" y2="9" stroke="var(--{tone})" stroke-width="3" '
        f'stroke-linecap="round"/><circle cx="{middle:.1f}" cy="9" r="4.2" fill="var(--{tone})"/></svg>'
    )


def _effects(evaluation: Evaluation, decision: Decision | None) -> Html | None:
    found = effects(evaluation, decision) if decision else None
    if found is None:
        return None
    lines = [
        plots.Effect(line.name if line.overall else f"{line.name} ({line.rows:,})"[:48], line.gain)
        for line in found.lines
    ]
    return Html(plots.effects(lines, found.metric, found.margin, found.against))


def _behaviour(
    models: dict[str, Answers], task: Task | None, evaluation: Evaluation | None, manifest: Manifest | None
) -> Html:
    if not models or task is None or manifest is None:
        return Html("")
    if task.problem_type == "Regression":
        return section("On the test rows", Html(plots.errors(models, manifest.target)))
    parts = []
    metric = evaluation.metric("roc_auc") if evaluation else None
    if metric is not None and metric.challenger is not None:
        able = {role: answers for role, answers in models.items() if answers.probabilities is not None}
        parts.append(Html(plots.curves(able, task)))
    if task.problem_type == "MulticlassClassification" or not parts:
        parts.append(Html(plots.classes(models, task)))
    return section("On the test rows", *parts)
