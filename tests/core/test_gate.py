from __future__ import annotations

from typing import Any

import pytest

from automl_retraining.core.errors import EvidenceError
from automl_retraining.core.gate import decide
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metric_table import METRICS
from automl_retraining.core.records import (
    CheckResult,
    Decision,
    Evaluation,
    Interval,
    Measure,
    MetricResult,
    ModelRef,
    Rule,
    SliceResult,
)
from tests.support.evidence import CHALLENGER, CHAMPION, policy

Ends = tuple[float, float, float]
AUC: dict[str, Any] = {
    "challenger": (0.921, 0.905, 0.936),
    "champion": (0.909, 0.892, 0.925),
    "difference": (0.012, 0.003, 0.021),
    "baseline": 0.5,
    "against_baseline": (0.421, 0.405, 0.436),
}


def _interval(ends: Ends | None) -> Interval | None:
    return None if ends is None else Interval(value=ends[0], low=ends[1], high=ends[2])


def _metric(name: str = "roc_auc", **values: Any) -> MetricResult:
    fields = {**(AUC if name == "roc_auc" else {}), **values}
    for key in ("challenger", "champion", "difference", "against_baseline", "reference", "against_reference"):
        fields[key] = _interval(fields.get(key))
    return MetricResult(name=name, greater_is_better=METRICS[name].greater_is_better, **fields)


def _evaluation(*metrics: MetricResult, **values: Any) -> Evaluation:
    fields: dict[str, Any] = {
        "pipeline": "churn",
        "run_id": "r",
        "problem_type": "BinaryClassification",
        "target": "left",
        "labels": ("no", "yes"),
        "positive_class": "yes",
        "rows": 1000,
        "class_counts": {"no": 850, "yes": 150},
        "units": 1000,
        "confidence": 0.95,
        "resamples": 400,
        "seed": 20240229,
        "challenger": CHALLENGER,
        "champion": CHAMPION,
        "metrics": metrics or (_metric(),),
        "discordant": 80,
    }
    return Evaluation(**{**fields, **values})


def _first(**values: Any) -> Evaluation:
    return _evaluation(_metric(champion=None, difference=None, **values), champion=None, discordant=None)


def _rule(decision: Decision, name: str) -> Rule:
    return next(rule for rule in decision.rules if rule.name == name)


def test_a_challenger_that_is_better_with_confidence_is_promoted_in_a_sentence_with_the_numbers() -> None:
    decision = decide(_evaluation(), policy("roc_auc"))
    assert decision.verdict == "promote"
    assert decision.sentence == (
        "The challenger's roc_auc is 0.921 (0.905–0.936), 0.012 better than the champion's 0.909 "
        "(interval 0.003–0.021): promoted."
    )
    assert (decision.challenger, decision.champion) == ("art-model-new", "art-model-old")


def test_a_better_number_without_confidence_keeps_the_champion() -> None:
    decision = decide(_evaluation(_metric(difference=(0.012, -0.003, 0.027))), policy("roc_auc"))
    assert decision.verdict == "keep"
    assert decision.sentence == (
        "The challenger's roc_auc is 0.921 (0.905–0.936), 0.012 better than the champion's 0.909 "
        "(interval of the improvement −0.003 to 0.027): not shown to be better; the champion stays."
    )


def test_a_worse_challenger_keeps_the_champion_and_says_worse() -> None:
    decision = decide(_evaluation(_metric(difference=(-0.012, -0.021, -0.003))), policy("roc_auc"))
    assert decision.verdict == "keep"
    assert "0.012 worse than the champion's 0.909" in decision.sentence
    assert decision.sentence.endswith("worse, with confidence; the champion stays.")


def test_a_challenger_with_the_very_same_answers_keeps_the_champion_and_says_so() -> None:
    decision = decide(_evaluation(_metric(difference=(0.0, 0.0, 0.0)), discordant=0), policy("roc_auc"))
    assert decision.verdict == "keep"
    assert decision.sentence.endswith(
        "the same as the champion's 0.909: no difference at all on these rows; the champion stays."
    )


def test_for_a_loss_lower_is_better_and_the_sentence_says_better() -> None:
    rmse = _metric("rmse", challenger=(2.71, 2.5, 2.9), champion=(3.02, 2.8, 3.3), difference=(-0.31, -0.52, -0.11))
    evaluation = _evaluation(rmse, problem_type="Regression", labels=(), positive_class=None, class_counts={})
    decision = decide(evaluation, policy("rmse"))
    assert decision.verdict == "promote"
    assert decision.sentence == (
        "The challenger's rmse is 2.71 (2.50–2.90), 0.31 better than the champion's 3.02 "
        "(interval 0.11–0.52): promoted."
    )


def test_a_margin_must_be_cleared_by_the_lower_end() -> None:
    assert decide(_evaluation(), policy("roc_auc", margin=0.002)).verdict == "promote"
    kept = decide(_evaluation(), policy("roc_auc", margin=0.01))
    assert kept.verdict == "keep"
    assert "not shown to be better by more than the margin of 0.010" in kept.sentence


def test_non_inferiority_allows_a_little_worse_and_no_more() -> None:
    little = _evaluation(_metric(difference=(-0.002, -0.008, 0.004)), reference=CHAMPION)
    promoted = decide(little, _not_inferior(0.01))
    assert promoted.verdict == "promote"
    assert promoted.sentence.endswith("within the margin of 0.010, with 95 % confidence; promoted.")
    assert _rule(promoted, "reference").sentence == (
        "The champion art-model-old is the reference itself: no promotion as not inferior lies between."
    )
    assert promoted.reference == CHAMPION
    assert decide(little, _not_inferior(0.005)).verdict == "keep"
    much = _metric(difference=(-0.03, -0.04, -0.02))
    kept = decide(_evaluation(much, reference=CHAMPION), _not_inferior(0.01))
    assert "worse by more than the margin of 0.010" in kept.sentence


REFERENCE = ModelRef(model_name="art-model-older", run_folder="s3://b/older")


def _not_inferior(margin: float) -> GatePolicy:
    return policy("roc_auc", mode="non_inferiority", margin=margin)


def test_a_little_worse_than_the_champion_but_too_much_than_the_reference_is_kept() -> None:
    """A series of "not much worse" ends within one margin of the last model that was shown to be better."""
    metric = _metric(
        difference=(-0.002, -0.008, 0.004), reference=(0.935, 0.92, 0.95), against_reference=(-0.014, -0.022, -0.006)
    )
    kept = decide(_evaluation(metric, reference=REFERENCE), _not_inferior(0.01))
    assert kept.verdict == "keep"
    assert _rule(kept, "non_inferiority").result == "pass"
    assert kept.sentence == (
        "The challenger's roc_auc is 0.921 (0.905–0.936), 0.014 worse than the reference's 0.935 "
        "(interval of the improvement −0.022 to −0.006): not shown to be within the margin of 0.010; "
        "the champion stays."
    )
    held = decide(_evaluation(metric, reference=REFERENCE), _not_inferior(0.03))
    assert (held.verdict, held.reference) == ("promote", REFERENCE)
    # Superiority asks nothing of the reference.
    better = metric.model_copy(update={"difference": Interval(value=0.012, low=0.003, high=0.021)})
    assert decide(_evaluation(better, reference=REFERENCE), policy("roc_auc")).verdict == "promote"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"reference": REFERENCE, "reference_error": "its job failed."},
            "Nothing compares the challenger with the reference art-model-older: its job failed.",
        ),
        (
            {"reference_error": "its run was cleared"},
            "with the reference, the last model promoted by superiority: its run was cleared.",
        ),
        ({"reference": REFERENCE}, "art-model-older: it has no scores on these test rows."),
    ],
    ids=["not scored", "not known", "no scores"],
)
def test_a_reference_that_is_missing_is_doubt_with_its_own_sentence(values: dict[str, Any], words: str) -> None:
    little = _metric(difference=(-0.002, -0.008, 0.004))
    decision = decide(_evaluation(little, **values), _not_inferior(0.01))
    assert decision.verdict == "doubt"
    assert decision.sentence.startswith("The champion stays, in doubt: Nothing compares")
    assert words in decision.sentence


def test_a_first_model_has_no_reference_and_is_held_against_the_baseline() -> None:
    decision = decide(_first(), _not_inferior(0.01))
    assert decision.verdict == "promote"
    assert {rule.name for rule in decision.rules} == {"leakage", "baseline"}


def test_few_disagreements_with_the_reference_are_counted_apart_from_those_with_the_champion() -> None:
    metric = _metric(
        "accuracy", challenger=(0.95, 0.93, 0.96), champion=(0.95, 0.93, 0.96), difference=(0.0, -0.004, 0.004),
        method="bootstrap standard error", reference=(0.951, 0.93, 0.96), against_reference=(-0.001, -0.009, 0.007),
        reference_method="bootstrap standard error",
    )  # fmt: skip
    asked = policy("accuracy", mode="non_inferiority", margin=0.01)
    unsure = decide(_evaluation(metric, reference=REFERENCE, reference_discordant=9), asked)
    assert (_rule(unsure, "non_inferiority").result, _rule(unsure, "reference").result) == ("pass", "doubt")
    assert "9 rows that only one of the models has right" in unsure.sentence
    assert decide(_evaluation(metric, reference=REFERENCE, reference_discordant=60), asked).verdict == "promote"


def _recall(**values: Any) -> MetricResult:
    given = {"challenger": (0.80, 0.75, 0.85), "champion": (0.81, 0.76, 0.86), "difference": (-0.01, -0.03, 0.01)}
    return _metric("recall", **{**given, **values})


def test_a_guardrail_asks_that_another_metric_is_shown_not_worse_by_more_than_its_margin() -> None:
    evaluation = _evaluation(_metric(), _recall())
    held = decide(evaluation, policy("roc_auc", guardrails={"recall": 0.05}))
    assert held.verdict == "promote"
    assert _rule(held, "guardrail:recall").sentence.endswith("within the margin of 0.050, with 95 % confidence.")
    kept = decide(evaluation, policy("roc_auc", guardrails={"recall": 0.02}))
    assert kept.verdict == "keep"
    assert kept.sentence.startswith("The champion stays: The challenger's recall is 0.800 (0.750–0.850), 0.010 worse")
    assert kept.sentence.endswith("not shown to be within the margin of 0.020.")
    same = _evaluation(_metric(), _recall(difference=(0.0, 0.0, 0.0)))
    assert decide(same, policy("roc_auc", guardrails={"recall": 0.001})).verdict == "promote"


def test_a_guardrail_without_a_champion_asks_nothing_and_one_without_a_value_is_doubt() -> None:
    assert decide(_first(), policy("roc_auc", guardrails={"recall": 0.02})).verdict == "promote"
    nothing = _recall(challenger=None, champion=None, difference=None, undefined="the test rows hold no 'yes'")
    decision = decide(_evaluation(_metric(), nothing), policy("roc_auc", guardrails={"recall": 0.02}))
    assert decision.verdict == "doubt"
    assert "recall has no value on these 1,000 test rows: the test rows hold no 'yes'" in decision.sentence


def test_a_guardrail_on_too_few_rows_names_the_smallest_margin_that_they_could_show() -> None:
    decision = decide(
        _evaluation(_metric(), _recall(), rows=190, units=190), policy("roc_auc", guardrails={"recall": 0.02})
    )
    assert decision.verdict == "doubt"
    assert "only a margin of about 0.020 or more could be shown" in decision.sentence


@pytest.mark.parametrize(
    ("ends", "rows", "result", "words"),
    [
        ((0.02, 0.0, 0.04), 1000, "pass", "is 0.020 (0.000–0.040): below the limit 0.050, with 95 % confidence."),
        ((0.06, 0.03, 0.09), 1000, "pass", "not shown to be above the limit 0.050."),
        ((0.09, 0.06, 0.12), 1000, "fail", "above the limit 0.050, with 95 % confidence."),
        ((0.06, 0.03, 0.09), 190, "doubt", "with these rows only an excess of about 0.030 or more could be shown."),
        ((0.09, 0.06, 0.12), 190, "fail", "above the limit 0.050, with 95 % confidence."),
        ((0.01, 0.00, 0.02), 15, "doubt", "no interval is trusted on 15 test rows"),
        (None, 1000, "doubt", "has no value: the model answers no probabilities."),
    ],
)
@pytest.mark.parametrize("name", ["calibration", "prediction_drift"])
def test_calibration_and_drift_fail_only_with_evidence(
    name: str, ends: Ends | None, rows: int, result: str, words: str
) -> None:
    measure = Measure(interval=_interval(ends), undefined=None if ends else "the model answers no probabilities")
    limit = {"calibration": "max_calibration_error", "prediction_drift": "max_prediction_drift"}[name]
    evaluation = _evaluation(rows=rows, units=rows, **{name: measure})
    found = _rule(decide(evaluation, policy("roc_auc", **{limit: 0.05})), name)
    assert found.result == result
    assert words in found.sentence
    assert all(rule.name != name for rule in decide(evaluation, policy("roc_auc")).rules)


def test_a_first_model_has_no_champion_to_drift_from_and_a_champion_without_scores_is_doubt() -> None:
    asked = policy("roc_auc", max_prediction_drift=0.2)
    assert decide(_first(), asked).verdict == "promote"
    missing = decide(_evaluation(_metric(champion=None, difference=None), champion_error="gone"), asked)
    assert "has no value: the champion has no scores on these test rows" in _rule(missing, "prediction_drift").sentence


@pytest.mark.parametrize(
    ("action", "result", "verdict"),
    [("warn", "info", "promote"), ("doubt", "doubt", "doubt"), ("stop", "fail", "keep")],
)
def test_what_a_check_of_the_data_found_is_a_rule_and_the_policy_says_what_follows(
    action: str, result: str, verdict: str
) -> None:
    found = CheckResult(name="identifier", found=True, sentence="Column id names the row.")
    clean = CheckResult(name="train_test", found=False, sentence="Nothing tells train from test.")
    evaluation = _evaluation(checks=(found, clean))
    decision = decide(evaluation, policy("roc_auc", checks={"identifier": action, "train_test": action}))
    assert (decision.verdict, _rule(decision, "check:identifier").result) == (verdict, result)
    assert _rule(decision, "check:train_test").result == "pass"
    assert "Column id names the row." in decision.reasons
    silent = decide(evaluation, policy("roc_auc", checks={"identifier": "off"}))
    assert all(rule.name != "check:identifier" for rule in silent.rules)


def test_leakage_that_cannot_be_told_is_doubt_unless_the_champion_was_adopted() -> None:
    """Rows that the champion has seen flatter it; of an adopted model nobody can ever know, of ours one should."""
    ours = CHAMPION.model_copy(update={"run_folder": "s3://b/gone"})
    unknown = "it cannot be told whether champion art-model-old was trained on some of these test rows: gone"
    decision = decide(_evaluation(champion=ours, leakage_unknown=unknown), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert decision.sentence == (
        "The champion stays, in doubt: It cannot be told whether champion art-model-old was trained on some of these "
        "test rows: gone; if it was, it looks better than it is: a person has to judge (gate.approval)."
    )
    adopted = decide(_evaluation(leakage_unknown=unknown), policy("roc_auc"))
    assert adopted.verdict == "promote"
    assert _rule(adopted, "leakage").result == "info"


def test_the_first_model_needs_its_floors_and_a_baseline_that_it_beats() -> None:
    promoted = decide(_first(), policy("roc_auc", floors={"roc_auc": 0.9}))
    assert promoted.verdict == "promote"
    assert promoted.sentence.endswith(
        "0.421 better than the baseline's 0.500 (interval 0.405–0.436): promoted as the first champion."
    )
    kept = decide(_first(against_baseline=(0.02, -0.01, 0.05)), policy("roc_auc"))
    assert kept.verdict == "keep"
    assert kept.sentence.endswith("not shown to be better; nothing is deployed.")


def test_a_first_model_without_a_baseline_is_in_doubt() -> None:
    decision = decide(_first(baseline=None, against_baseline=None), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert decision.sentence == (
        "The baseline has no roc_auc to compare with: its training part is unknown; nothing is deployed."
    )


@pytest.mark.parametrize(
    ("floor", "verdict", "words"),
    [
        (0.9, "promote", "0.921 (0.905–0.936), above the floor 0.900."),
        (0.91, "keep", "its lower end does not clear the floor 0.910."),
        (0.95, "keep", "0.921 (0.905–0.936), below the floor 0.950."),
    ],
)
def test_a_floor_reads_the_lower_end(floor: float, verdict: str, words: str) -> None:
    decision = decide(_evaluation(), policy("roc_auc", floors={"roc_auc": floor}))
    assert decision.verdict == verdict
    assert _rule(decision, "floor:roc_auc").sentence.endswith(words)


def test_for_a_loss_the_floor_is_a_ceiling_and_reads_the_upper_end() -> None:
    loss = _metric("log_loss", challenger=(0.30, 0.27, 0.33))
    passed = decide(_evaluation(_metric(), loss), policy("roc_auc", floors={"log_loss": 0.35}))
    failed = decide(_evaluation(_metric(), loss), policy("roc_auc", floors={"log_loss": 0.32}))
    assert _rule(passed, "floor:log_loss").sentence.endswith("below the ceiling 0.350.")
    assert failed.verdict == "keep"
    assert failed.sentence.startswith("The champion stays: The challenger's log_loss is 0.300 (0.270–0.330)")


def test_a_floor_on_an_undefined_metric_is_doubt() -> None:
    precision = _metric("precision", undefined="the challenger never predicts 'yes'")
    decision = decide(_evaluation(_metric(), precision), policy("roc_auc", floors={"precision": 0.5}))
    assert decision.verdict == "doubt"
    assert "precision has no value on these 1,000 test rows: the challenger never predicts 'yes'" in decision.sentence


def test_an_undefined_primary_metric_is_doubt_with_its_reason() -> None:
    metric = _metric(challenger=None, champion=None, difference=None, undefined="the test rows hold no 'yes'")
    decision = decide(_evaluation(metric), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert decision.sentence == (
        "The champion stays, in doubt: roc_auc has no value on these 1,000 test rows: the test rows hold no 'yes'."
    )


def test_a_metric_of_another_problem_type_is_doubt_and_names_those_there_are() -> None:
    decision = decide(_evaluation(), policy("rmse"))
    assert decision.verdict == "doubt"
    assert "expected one of roc_auc, log_loss" in decision.sentence


def test_a_champion_that_could_not_be_scored_is_doubt_and_stays() -> None:
    metric = _metric(champion=None, difference=None)
    decision = decide(_evaluation(metric, champion_error="column plan is gone."), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert decision.sentence == (
        "The champion stays, in doubt: Nothing compares the challenger with the champion: column plan is gone."
    )


def test_a_champion_without_scores_or_error_is_doubt_too() -> None:
    decision = decide(_evaluation(_metric(champion=None, difference=None)), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert "no scores of art-model-old" in decision.sentence


def test_too_many_leaked_rows_are_doubt_and_a_few_are_named() -> None:
    few = decide(_evaluation(rows=995, rows_dropped=5), policy("roc_auc"))
    many = decide(_evaluation(rows=900, rows_dropped=100), policy("roc_auc"))
    assert few.verdict == "promote"
    assert "5 of 1,000 test rows (0.5%)" in _rule(few, "leakage").sentence
    assert many.verdict == "doubt"
    assert "100 of 1,000 test rows (10.0%)" in many.sentence


def test_a_gain_in_a_loss_that_a_few_large_errors_may_make_is_doubt_below_200_rows() -> None:
    """On 199 rows the interval of an RMSE is not trusted, on 200 it is; an AUC's is trusted on both."""
    rmse = _metric("rmse", challenger=(2.71, 2.5, 2.9), champion=(3.02, 2.8, 3.3), difference=(-0.31, -0.52, -0.11))
    regression: dict[str, Any] = {
        "problem_type": "Regression", "labels": (), "positive_class": None, "class_counts": {},
    }  # fmt: skip
    few = decide(_evaluation(rmse, rows=199, units=199, **regression), policy("rmse"))
    assert few.verdict == "doubt"
    assert "too few to trust the interval of rmse" in few.sentence
    assert decide(_evaluation(rmse, rows=200, units=200, **regression), policy("rmse")).verdict == "promote"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rows": 150, "units": 150}, "150 test rows"),
        ({"class_counts": {"no": 980, "yes": 20}}, "20 test rows of 'yes'"),
        ({"unit": "group", "units": 15}, "15 groups"),
    ],
)
def test_too_few_rows_to_tell_is_doubt_and_names_the_smallest_difference_they_could_show(
    values: dict[str, Any], words: str
) -> None:
    unsure = _metric(difference=(0.012, -0.013, 0.037))
    decision = decide(_evaluation(unsure, **values), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert f"too few rows to tell ({words})" in decision.sentence
    assert "only a difference of about 0.025 or more could be shown" in decision.sentence
    assert decide(_evaluation(_metric(), **values), policy("roc_auc")).verdict == "promote"
    worse = _metric(difference=(-0.012, -0.021, -0.003))
    assert decide(_evaluation(worse, **values), policy("roc_auc")).verdict == "keep"


def test_on_a_handful_of_rows_no_interval_is_trusted() -> None:
    decision = decide(_evaluation(class_counts={"no": 996, "yes": 4}), policy("roc_auc"))
    assert decision.verdict == "doubt"
    assert "no interval is trusted on 4 test rows of 'yes'" in decision.sentence


def test_of_recall_the_positive_rows_are_counted() -> None:
    """Many rows are discordant and few positive ones: its exact interval may convince, but never say "not better"."""

    def recall(difference: Ends) -> MetricResult:
        ends = {"challenger": (0.95, 0.93, 0.96), "champion": (0.94, 0.92, 0.95), "difference": difference}
        return _metric("recall", method="exact (McNemar)", **ends)

    unsure = decide(_evaluation(recall((0.005, -0.05, 0.06)), discordant=400), policy("recall"))
    assert unsure.verdict == "doubt"
    assert "fewer than 25 positive rows that only one of the models has right" in unsure.sentence
    assert decide(_evaluation(recall((0.1, 0.02, 0.2)), discordant=400), policy("recall")).verdict == "promote"


def test_few_disagreements_are_doubt_unless_the_exact_test_is_convinced() -> None:
    def accuracy(difference: Ends, method: str) -> MetricResult:
        return _metric(
            "accuracy", challenger=(0.95, 0.93, 0.96), champion=(0.94, 0.92, 0.95), difference=difference, method=method
        )

    exact = accuracy((0.01, 0.001, 0.02), "exact (McNemar)")
    assert decide(_evaluation(exact, discordant=10), policy("accuracy")).verdict == "promote"
    unsure = decide(_evaluation(accuracy((0.005, -0.005, 0.015), "exact (McNemar)"), discordant=10), policy("accuracy"))
    assert unsure.verdict == "doubt"
    assert "10 rows that only one of the models has right, of 1,000" in unsure.sentence
    plain = decide(
        _evaluation(accuracy((0.01, 0.001, 0.02), "bootstrap standard error"), discordant=10), policy("accuracy")
    )
    assert plain.verdict == "doubt"
    assert "too few to trust the interval" in plain.sentence


def test_one_harmed_slice_keeps_the_champion_and_the_limit_is_corrected_for_their_number() -> None:
    def part(value: str, p: float) -> SliceResult:
        metric = _metric(difference=(-0.05, -0.08, -0.02))
        return SliceResult(column="plan", value=value, rows=200, metric=metric, p_harm=p)

    harmed = decide(_evaluation(slices=(part("a", 0.011), part("b", 0.6))), policy("roc_auc"))
    assert harmed.verdict == "keep"
    assert "On the 200 rows with plan = a the challenger's roc_auc is 0.05" in harmed.sentence
    assert "p 0.011 at or below its limit 0.013 among 2 slices" in harmed.sentence
    # The same p among three slices is no evidence any more.
    many = decide(_evaluation(slices=(part("a", 0.011), part("b", 0.6), part("c", 0.7))), policy("roc_auc"))
    assert many.verdict == "promote"
    # Holm steps down: after the first is rejected, the second's limit is larger.
    both = decide(_evaluation(slices=(part("a", 0.001), part("b", 0.02))), policy("roc_auc"))
    assert [rule.name for rule in both.rules if rule.result == "fail"] == ["slice:plan=a", "slice:plan=b"]


def test_a_failure_outweighs_a_doubt() -> None:
    evaluation = _evaluation(_metric(difference=(-0.012, -0.021, -0.003)), rows=900, rows_dropped=100)
    decision = decide(evaluation, policy("roc_auc"))
    assert decision.verdict == "keep"
    assert "worse, with confidence" in decision.reasons[0]
    assert "100 of 1,000 test rows" in decision.reasons[1]


def test_warnings_of_the_evaluation_stand_among_the_reasons_without_deciding() -> None:
    decision = decide(_evaluation(warnings=("Nobody told us about groups.",)), policy("roc_auc"))
    assert decision.verdict == "promote"
    assert decision.reasons[-1] == "Nobody told us about groups."


def test_intervals_made_under_another_policy_are_refused() -> None:
    with pytest.raises(EvidenceError, match=r"evaluate the scores again under this policy"):
        decide(_evaluation(), policy("roc_auc", confidence=0.9))


def test_a_decision_survives_its_file_and_is_the_same_each_time() -> None:
    decision = decide(_evaluation(), policy("roc_auc", floors={"roc_auc": 0.8}))
    assert Decision.model_validate_json(decision.to_json()) == decision
    assert decide(_evaluation(), policy("roc_auc", floors={"roc_auc": 0.8})).to_json() == decision.to_json()
