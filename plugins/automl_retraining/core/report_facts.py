"""The parts of the report that only state facts: the search, the data, the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from automl_retraining.core import plots
from automl_retraining.core.page import (
    Html,
    duration,
    element,
    facts,
    join,
    listed,
    moment,
    note,
    section,
    size,
    table,
    titled,
)
from automl_retraining.core.records import ColumnProfile, DataChecks, Evaluation, Leaderboard, Manifest, Outcome

_SHOWN_CANDIDATES = 10


def search(leaderboard: Leaderboard | None) -> Html:
    """The candidates, the best marked; how long it took and what failed on the way."""
    if leaderboard is None:
        return Html("")
    head = ["", "candidate", "algorithm", leaderboard.objective_metric, "duration", "status"]
    rows = [
        [
            place,
            one.name,
            one.algorithm or "–",
            f"{one.objective_value:.5g}" if one.objective_value is not None else "–",
            duration(one.duration) or "–",
            one.status if not one.failure_reason else f"{one.status}: {one.failure_reason}",
        ]
        for place, one in enumerate(leaderboard.candidates, start=1)
    ]
    best = next((place for place, one in enumerate(leaderboard.candidates) if one.name == leaderboard.best), -1)
    shown = table(head, rows[:_SHOWN_CANDIDATES], numeric=(3, 4), marked=best)
    rest = rows[_SHOWN_CANDIDATES:]
    more = (
        element("details", element("summary", f"{len(rest)} more candidates"), table(head, rest, numeric=(3, 4)))
        if rest
        else None
    )
    said = [
        f"{len(rows):,} candidates",
        f"mode {leaderboard.mode}" if leaderboard.mode else None,
        f"in {duration(leaderboard.duration)}" if leaderboard.duration is not None else None,
    ]
    explained = (
        ", ".join(part for part in said if part)
        + ". The objective is the search's own, on rows that it has seen; the comparison above is on rows it has not."
    )
    hyperparameters = leaderboard.candidates[best].hyperparameters if best >= 0 else {}
    return section(
        "Search",
        Html(plots.candidates(leaderboard)),
        shown if rows else None,
        more,
        note(explained),
        titled("Hyperparameters of the best", facts(hyperparameters.items()) if hyperparameters else None),
        titled("Partial failures", listed(leaderboard.partial_failures)),
        titled("Statuses", _statuses(leaderboard)),
    )


def _statuses(leaderboard: Leaderboard) -> Html | None:
    steps = leaderboard.transitions
    if not steps:
        return None
    # The last status is the end: it does not last.
    ends = [*(when for _, when in steps[1:]), None]
    return table(
        ["secondary status", "from", "for"],
        (
            [status, moment(start), (duration((end - start).total_seconds()) if end else None) or "–"]
            for (status, start), end in zip(steps, ends, strict=True)
        ),
        numeric=(2,),
    )


# ---------------------------------------------------------------- checks


def looked_for(checks: DataChecks | None) -> Html:
    """What was looked for in the data before anything was trained, what was found first."""
    if checks is None or not checks.results:
        return Html("")
    lines = (
        element(
            "li",
            element("span", "found" if one.found else "clear", class_=f"chip {'doubt' if one.found else 'good'}"),
            element("span", element("b", one.name.replace("_", " ")), f": {one.sentence}"),
        )
        for one in sorted(checks.results, key=lambda one: not one.found)
    )
    said = f"On {checks.train_rows:,} train and {checks.test_rows:,} test rows, drawn with seed {checks.seed}."
    return section("Checks of the data", element("ul", join(lines), class_="rules"), note(said))


# ---------------------------------------------------------------- data


def data(manifest: Manifest | None) -> Html:
    """What changed, the parts with their class balance, and the profile of each column."""
    if manifest is None:
        return Html("")
    changes = listed(manifest.changes)
    if not changes:
        since = (
            "Nothing changed since the last run." if manifest.previous_run else "There is no earlier run to compare."
        )
        changes = element("p", since)
    return section(
        "Data",
        titled("What changed since the last run", changes),
        titled("Warnings", listed(manifest.warnings)),
        titled("Parts", _parts(manifest)),
        titled("Columns", _columns(manifest)),
    )


def _parts(manifest: Manifest) -> Html:
    parts = {"train": manifest.split.train, "validation": manifest.split.validation, "test": manifest.split.test}
    total = sum(part.rows for part in parts.values()) or 1
    classes = manifest.labels if manifest.labels else ()
    head = ["part", "rows", "share", "size", *([f"mean {manifest.target}"] if not classes else classes[:8])]
    rows = []
    for name, part in parts.items():
        balance: Iterable[object] = [f"{part.target_mean:,.6g}" if part.target_mean is not None else "–"]
        if classes:
            counts = [part.class_counts.get(label, 0) for label in classes[:8]]
            balance = [f"{count:,} ({count / (part.rows or 1):.1%})" for count in counts]
        rows.append([name, f"{part.rows:,}", f"{part.rows / total:.1%}", size(part.bytes), *balance])
    return table(head, rows, numeric=range(1, len(head)))


def _columns(manifest: Manifest) -> Html:
    def role(column: ColumnProfile) -> str:
        if column.name == manifest.target:
            return "target"
        return "feature" if column.name in manifest.features else "hidden"

    def figure(value: float | None) -> str:
        return "" if value is None else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"

    rows = manifest.source.rows or 1
    lines = (
        [
            column.name,
            role(column),
            column.type,
            f"{column.missing:,} ({column.missing / rows:.1%})" if column.missing else "–",
            f"{column.distinct:,}",
            figure(column.minimum),
            figure(column.mean),
            figure(column.maximum),
            ", ".join(f"{name} ({count:,})" for name, count in column.top[:3]),
        ]
        for column in manifest.columns
    )
    head = ["column", "role", "type", "missing", "distinct", "min", "mean", "max", "most frequent"]
    place = next((place for place, column in enumerate(manifest.columns) if column.name == manifest.target), -1)
    return table(head, lines, numeric=range(3, 8), marked=place)


# ---------------------------------------------------------------- run facts


def run(
    outcome: Outcome, manifest: Manifest | None, leaderboard: Leaderboard | None, evaluation: Evaluation | None
) -> Html:
    """Names, durations and sources of the run, as recorded."""
    billable = leaderboard.billable_seconds if leaderboard else None
    pairs: list[tuple[str, object]] = [
        ("pipeline", outcome.pipeline),
        ("run", outcome.run_id),
        ("endpoint", outcome.endpoint),
        ("endpoint configuration", outcome.endpoint_config),
        ("serves now", outcome.champion),
        ("served before", outcome.previous_champion),
        ("challenger", outcome.challenger or (evaluation.challenger.model_name if evaluation else None)),
        ("a person's answer", outcome.answer and outcome.answer.replace("_", " ")),
        ("answered by", outcome.answered_by),
        ("answered", moment(outcome.answered)),
        ("their reason", outcome.answer_comment),
        ("decided", moment(outcome.decided)),
        ("finished", moment(outcome.finished)),
    ]
    if leaderboard:
        pairs += [
            ("search job", leaderboard.job_name),
            ("search took", duration(leaderboard.duration)),
            ("search billed", f"{billable:,.0f} s" if billable is not None else "not reported by SageMaker"),
            ("search ended", leaderboard.secondary_status or leaderboard.status),
        ]
    if manifest:
        source = manifest.source
        pairs += [
            ("source", source.uri),
            ("source size", f"{size(source.bytes)}, {source.rows:,} rows"),
            ("source sha256", element("code", source.sha256)),
            ("rows without a target, left out", f"{source.dropped_missing_target:,}" or None),
            ("split by", f"{manifest.split.by} ({', '.join(manifest.split.columns)})"),
            ("test from", manifest.split.cutoff),
            ("compared with run", manifest.previous_run),
        ]
    further = ((name.replace("_", " "), value) for name, value in _flat(outcome.facts))
    return section("Run", facts(chain(pairs, further)))


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        label = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{label}: ")
        elif isinstance(value, list | tuple):
            yield label, ", ".join(map(str, value))
        elif prefix.startswith("task_seconds") and isinstance(value, int | float):
            yield f"duration of {name}", duration(value)
        else:
            yield label, value
