"""The entry point of an AutoML job: reads the request and the data, searches, reports, writes the artifacts."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from include.local_aws.images.autopilot import ensembling, notebooks, reports, tuning
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.candidates import best, describe
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.spec import JobFailure, SearchSpec, parse
from include.local_aws.images.autopilot.table import Table, load


def run(root: Path) -> None:
    """Search below a job's root directory until the limits are reached.

    Raises:
        SystemExit: 1 after a failure that the request or the data caused, whose reason is then in ``output/failure``;
            143 after SIGTERM.
    """
    started = time.monotonic()
    output = Output(root)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        _search(root, output, started)
    except JobFailure as failure:
        (root / "output" / "failure").write_text(str(failure), encoding="utf-8")
        print(f"failed: {failure}", flush=True)
        raise SystemExit(1) from failure
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a signal handler
    print("stopped", flush=True)
    sys.exit(143)


def _search(root: Path, output: Output, started: float) -> None:
    spec = _read(root)
    output.emit("status", secondary_status="AnalyzingData")
    context = prepare(spec, load(root, spec), output, started)
    mode = ensembling if context.mode == "ENSEMBLING" else tuning
    lines = mode.lines(context)
    output.emit(
        "resolved",
        problem_type=context.problem_type,
        metric=context.metric,
        mode=context.mode,
        algorithms=list(dict.fromkeys(line.algorithm for line in lines)),
    )
    notebooks.write(context, lines, context.spec.inputs)
    if context.spec.definitions_only:
        output.emit("status", secondary_status="CandidateDefinitionsGenerated")
        output.emit("end", reason="CandidateDefinitionsGenerated")
        return
    if context.mode == "HYPERPARAMETER_TUNING":
        output.emit("status", secondary_status="FeatureEngineering")
    else:
        output.emit("status", secondary_status="TrainingModels")
    candidates, material = mode.search(context, lines)
    if not candidates:
        raise JobFailure(context.nothing_completed())
    winner = best(candidates, context.metric)
    output.emit("best", candidate_name=winner.name)
    locations = reports.write(context, winner, material)
    output.emit("candidate", candidate=describe(winner, context.metric, locations))
    reason = _reason(context, len(candidates))
    print(f"{reason}: the best of {len(candidates)} candidates is {winner.name}", flush=True)
    output.emit("end", reason=reason)


def _reason(context: Context, made: int) -> str:
    """Why the search ended. Ensembles end as Completed; a tuning that was given a number ends by reaching it."""
    if context.seconds_left() <= 0 and made + len(context.failures) < context.max_candidates:
        return "MaxAutoMLJobRuntimeReached"
    tuned_to_the_number = context.mode == "HYPERPARAMETER_TUNING" and context.spec.max_candidates is not None
    return "MaxCandidatesReached" if tuned_to_the_number else "Completed"


def _read(root: Path) -> SearchSpec:
    job = json.loads((root / "input" / "config" / "automl.json").read_text(encoding="utf-8"))
    specification = root / "input" / "data" / "feature_specification.json"
    return parse(job, _feature_specification(specification) if specification.exists() else None)


def prepare(spec: SearchSpec, table: Table, output: Output, started: float, *, reported: bool = True) -> Context:
    """The search that a request asks for on a table, with everything resolved that depends on the data.

    Raises:
        JobFailure: the request doesn't fit the table.
    """
    mode = spec.resolved_mode(table.size_in_bytes)
    if spec.sample_weight is not None and mode == "HYPERPARAMETER_TUNING":
        raise JobFailure(
            "SampleWeightAttributeName is supported in ENSEMBLING mode only, and AUTO takes HYPERPARAMETER_TUNING for "
            "data as large as these: ask for ENSEMBLING."
        )
    context = Context(
        spec=spec,
        table=table,
        mode=mode,
        metric=spec.resolved_metric(table.schema.problem_type),
        algorithms=spec.resolved_algorithms(mode),
        max_candidates=spec.resolved_max_candidates(mode),
        output=output,
        started=started,
        reported=reported,
    )
    print(
        f"{context.problem_type} of {spec.target!r} on {len(table.train)} rows and {len(table.schema.used)} features, "
        f"{mode} for {context.metric}, at most {context.max_candidates} candidates",
        flush=True,
    )
    for note in table.notes:
        print(note, flush=True)
    return context


def _feature_specification(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobFailure(f"The feature specification is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise JobFailure("The feature specification must be a JSON object: names, types, or both.")
    return document
