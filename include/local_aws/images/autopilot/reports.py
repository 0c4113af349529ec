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
_INSIGHTS_SECONDS = 20.0
_LEAST_SECONDS = 2.0
"""The insights take a fraction of a second: a job whose time is over gets them all the same."""
_SHARE_OF_WHAT_IS_LEFT = 0.5


def write(context: Context, candidate: Candidate, material: Material) -> dict[str, str]:
    """Write both reports and return their S3 locations, by the names of CandidateArtifactLocations.

    A report that fails or takes too long is a partial failure of the job, not a failure.
    """
    output = context.output
    locations: dict[str, str] = {}
    with Workers() as workers:
        output.emit("status", secondary_status="GeneratingExplainabilityReport")
        limit = max(0.0, min(2 * _EXPLAIN_SECONDS, _SHARE_OF_WHAT_IS_LEFT * context.job_seconds_left()))
        explained = workers.start(functools.partial(_explain, context, candidate, material, limit / 2), limit).wait()
        folder = f"documentation/explainability/output/{candidate.name}"
        if explained.failure is None:
            document, rows = explained.value
            output.write_json(f"{folder}/analysis.json", document)
            output.write(f"{folder}/explanations_shap/out.csv", rows)
            locations["Explainability"] = f"{context.spec.output_uri}/{folder}"
            print(f"explained {candidate.name} in {explained.ended - explained.started:.1f} s", flush=True)
        else:
            _missing(context, candidate, "explainability", "ExplainabilityError", explained.failure)
        output.emit("status", secondary_status="GeneratingModelInsightsReport")
        limit = max(_LEAST_SECONDS, min(_INSIGHTS_SECONDS, context.job_seconds_left()))
        measured = workers.start(functools.partial(_measure, context, candidate, material), limit).wait()
        folder = f"documentation/model_monitor/output/{candidate.name}"
        if measured.failure is None:
            output.write_json(f"{folder}/statistics.json", measured.value)
            locations["ModelInsights"] = f"{context.spec.output_uri}/{folder}"
        else:
            _missing(context, candidate, "model insights", "ModelInsightsError", measured.failure)
    # SageMaker's model requires Explainability of CandidateArtifactLocations: without it there are none to tell.
    return locations if "Explainability" in locations else {}


def _missing(context: Context, candidate: Candidate, report: str, status: str, reason: str) -> None:
    sentence = f"The {report} report of {candidate.name} was not made: {reason}."
    context.output.emit("candidate", candidate=describe(candidate, context.metric), partial_failure=sentence[:1024])
    context.output.emit("status", secondary_status=status)
    print(sentence, flush=True)


def _measure(context: Context, candidate: Candidate, material: Material) -> Mapping[str, Any]:
    return insights.statistics(
        context.problem_type,
        context.table.schema.labels,
        material.y,
        candidate.predicted,
        material.weight,
        seed=context.spec.seed,
    )


def _explain(
    context: Context, candidate: Candidate, material: Material, seconds: float
) -> tuple[Mapping[str, Any], bytes]:
    attributions = explain.shapley(
        candidate.predictor.predict,
        context.table.schema,
        material.validation_rows,
        seed=context.spec.seed,
        seconds=seconds,
    )
    return explain.analysis(attributions, context.problem_type), explain.rows(attributions, context.problem_type)
