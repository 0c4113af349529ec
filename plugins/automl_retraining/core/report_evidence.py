"""The report's parts beside the main comparison: reference, calibration, drift, and what the policy allows."""

from __future__ import annotations

from collections.abc import Iterator

from automl_retraining.core.frequency import false_promotions
from automl_retraining.core.gate_words import improvement, with_interval
from automl_retraining.core.metric_table import METRICS, decimals, number
from automl_retraining.core.page import Html, note, table, titled
from automl_retraining.core.records import Decision, Evaluation


def asked(decision: Decision, runs_a_year: float | None) -> Html | None:
    """The policy in one line, and how many false promotions it allows."""
    policy = decision.policy
    guardrails = ", ".join(f"{name} within {margin:g}" for name, margin in policy.guardrails.items())
    limits = {"calibration error": policy.max_calibration_error, "prediction drift": policy.max_prediction_drift}
    parts = [
        f"Policy: {policy.metric}",
        policy.mode.replace("_", " "),
        f"margin {policy.margin:g}",
        f"guardrails {guardrails}" if guardrails else "",
        *(f"{name} at most {limit:g}" for name, limit in limits.items() if limit is not None),
        f"confidence {policy.confidence:g}",
        f"{policy.resamples:,} resamples",
        f"seed {policy.seed}",
    ]
    return note(", ".join(part for part in parts if part) + ". " + false_promotions(policy, runs_a_year))


def beside(evaluation: Evaluation, decision: Decision | None) -> Html | None:
    """What else was measured: the reference, the calibration error and the prediction drift; None where nothing was."""
    rows = [*_reference(evaluation, decision), *_measures(evaluation, decision)]
    return titled("Also measured", table(["what", "found", "limit"], rows, numeric=(1, 2))) if rows else None


def _reference(evaluation: Evaluation, decision: Decision | None) -> Iterator[list[object]]:
    metric = evaluation.metric(decision.policy.metric) if decision else None
    if metric is None or metric.against_reference is None or metric.reference is None or decision is None:
        return
    gain = improvement(METRICS[metric.name], metric.against_reference)
    places = decimals(gain.high - gain.low)
    name = evaluation.reference.model_name if evaluation.reference else ""
    yield [f"{metric.name} of the reference {name}", with_interval(metric.reference, places), ""]
    worst = number(-decision.policy.margin, places) if decision.policy.mode == "non_inferiority" else ""
    yield ["challenger better than the reference by", with_interval(gain, places), worst]


def _measures(evaluation: Evaluation, decision: Decision | None) -> Iterator[list[object]]:
    policy = decision.policy if decision else None
    for what, measure, limit in (
        ("calibration error of the challenger", evaluation.calibration, policy and policy.max_calibration_error),
        ("drift of its predictions (PSI)", evaluation.prediction_drift, policy and policy.max_prediction_drift),
    ):
        if measure is not None:
            found = measure.interval
            shown = with_interval(found, decimals(found.high - found.low)) if found else measure.undefined
            yield [what, shown, f"{limit:g}" if limit is not None else ""]
