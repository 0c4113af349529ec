"""The reports on the best candidate: explainability and model insights, written where Autopilot writes them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from include.local_aws.images.autopilot import explain, insights
from include.local_aws.images.autopilot.candidates import Candidate, describe
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.trials import Material
from include.local_aws.images.autopilot.workers import Workers

_EXPLAIN_SECONDS = 10.0
_SHARE_OF_WHAT_IS_LEFT = 0.5


def write(context: Context, candidate: Candidate, material: Material) -> dict[str, str]:
    """Write both reports and return their S3 locations, by the names of CandidateArtifactLocations.

    An explanation that fails or takes too long is a partial failure of the job, not a failure.
    """
    output = context.output
    locations: dict[str, str] = {}
    output.emit("status", secondary_status="GeneratingExplainabilityReport")
    folder = f"documentation/explainability/output/{candidate.name}"
    limit = max(0.0, min(2 * _EXPLAIN_SECONDS, _SHARE_OF_WHAT_IS_LEFT * context.job_seconds_left()))
    with Workers() as workers:
        outcome = workers.start(functools.partial(_explain, context, candidate, material, limit / 2), limit).wait()
    if outcome.failure is None:
        output.write_json(f"{folder}/analysis.json", outcome.value)
        locations["Explainability"] = f"{context.spec.output_uri}/{folder}"
        print(f"explained {candidate.name} in {outcome.ended - outcome.started:.1f} s", flush=True)
    else:
        sentence = f"The explainability report of {candidate.name} was not made: {outcome.failure}."
        output.emit("candidate", candidate=describe(candidate, context.metric), partial_failure=sentence[:1024])
        print(sentence, flush=True)
    output.emit("status", secondary_status="GeneratingModelInsightsReport")
    folder = f"documentation/model_monitor/output/{candidate.name}"
    document = insights.statistics(
        context.problem_type,
        context.table.schema.labels,
        material.y,
        candidate.predicted,
        material.weight,
        seed=context.spec.seed,
    )
    output.write_json(f"{folder}/statistics.json", document)
    locations["ModelInsights"] = f"{context.spec.output_uri}/{folder}"
    # SageMaker's model requires Explainability of CandidateArtifactLocations: without it there are none to tell.
    return locations if "Explainability" in locations else {}


def _explain(context: Context, candidate: Candidate, material: Material, seconds: float) -> Mapping[str, Any]:
    attributions = explain.shapley(
        candidate.predictor.predict,
        context.table.schema,
        material.validation_rows,
        seed=context.spec.seed,
        seconds=seconds,
    )
    return explain.analysis(attributions, context.problem_type)
