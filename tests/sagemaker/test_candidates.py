"""The leaderboard from what Autopilot answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from automl_retraining.core.records import ContainerSpec, Leaderboard
from automl_retraining.sagemaker import candidates
from tests.support.fake_sagemaker import FakeSageMaker

START = datetime(2026, 11, 21, 5, tzinfo=UTC)
ECR = "763104351884.dkr.ecr.us-east-1.amazonaws.com"


def raw(name: str, value: float | None, *, images: tuple[str, ...] = ("autogluon-training:1",)) -> dict[str, Any]:
    """A candidate as ListCandidatesForAutoMLJob answers it."""
    made: dict[str, Any] = {
        "CandidateName": name,
        "ObjectiveStatus": "Succeeded" if value is not None else "Failed",
        "CandidateSteps": [],
        "CandidateStatus": "Completed" if value is not None else "Failed",
        "CreationTime": START,
        "EndTime": START + timedelta(seconds=90),
        "LastModifiedTime": START,
    }
    if value is None:
        return {**made, "FailureReason": "out of memory"}
    return {
        **made,
        "FinalAutoMLJobObjectiveMetric": {"MetricName": "F1", "StandardMetricName": "AUC", "Value": value},
        "InferenceContainers": [
            {"Image": f"{ECR}/{image}", "ModelDataUrl": "s3://b/m.tar.gz", "Environment": {}} for image in images
        ],
        "CandidateProperties": {
            "CandidateArtifactLocations": {"Explainability": "s3://b/e", "ModelInsights": "s3://b/i"},
            "CandidateMetrics": [
                {"MetricName": "AUC", "StandardMetricName": "AUC", "Set": "Validation", "Value": value},
                {"StandardMetricName": "LogLoss", "Set": "Validation", "Value": 0.3},
                {"MetricName": "AUC", "Set": "Train", "Value": 0.99},
                {"StandardMetricName": "InferenceLatency"},
            ],
        },
    }


def description(**members: Any) -> dict[str, Any]:
    """A finished search."""
    return {
        "AutoMLJobName": "art-automl-churn-x",
        "AutoMLJobArn": "arn:aws:sagemaker:us-east-1:123456789012:automl-job/x",
        "AutoMLJobStatus": "Completed",
        "AutoMLJobSecondaryStatus": "Completed",
        "CreationTime": START,
        "EndTime": START + timedelta(minutes=5),
        "AutoMLJobObjective": {"MetricName": "AUC"},
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "churn", "Mode": "AUTO"}},
        **members,
    }


def test_all_pages_are_read() -> None:
    """The stand-in answers two a page; all five come."""
    sm = FakeSageMaker()
    sm.candidates["job"] = [raw(f"c{i}", 0.5) for i in range(5)]
    assert [row["CandidateName"] for row in candidates.list_candidates(sm, "job")] == ["c0", "c1", "c2", "c3", "c4"]
    assert sm.count("list_candidates_for_auto_ml_job") == 3


def test_a_candidate_says_what_it_is() -> None:
    """Objective under its standard name, validation metrics bare, others with their set, times and reports."""
    row = candidates.candidate(raw("c", 0.91))
    assert (row.objective_metric, row.objective_value, row.duration) == ("AUC", 0.91, 90.0)
    assert row.metrics == {"AUC": 0.91, "LogLoss": 0.3, "Train.AUC": 0.99}
    assert (row.explainability_uri, row.insights_uri) == ("s3://b/e", "s3://b/i")
    assert row.containers[0].model_data_url == "s3://b/m.tar.gz"


def test_the_best_is_first_whatever_better_means() -> None:
    """Larger AUC first, smaller RMSE first; a candidate without a value last; the record survives its file."""
    rows = [raw("low", 0.7), raw("failed", None), raw("high", 0.9)]
    board = candidates.leaderboard(description(BestCandidate=rows[2]), rows, transitions=[("Starting", START)])
    assert [row.name for row in board.candidates] == ["high", "low", "failed"]
    assert (board.best, board.mode, board.duration, board.greater_is_better) == ("high", "ENSEMBLING", 300.0, True)
    assert Leaderboard.model_validate_json(board.to_json()) == board
    errors = candidates.leaderboard(description(AutoMLJobObjective={"MetricName": "RMSE"}), rows)
    assert [row.name for row in errors.candidates] == ["low", "high", "failed"]


def test_an_inferred_objective_and_problem_type_are_found() -> None:
    """What Autopilot resolved stands in another place than what was asked for."""
    resolved = {
        "AutoMLJobObjective": {"MetricName": "MSE"},
        "AutoMLProblemTypeResolvedAttributes": {"TabularResolvedAttributes": {"ProblemType": "Regression"}},
    }
    inferred = description(AutoMLJobObjective={}, ResolvedAttributes=resolved)
    assert candidates.problem_type(inferred) == "Regression"
    assert candidates.leaderboard(inferred, []).objective_metric == "MSE"


def test_the_mode_is_told_by_the_chain() -> None:
    """A tuned candidate has two containers or three."""
    tuned = raw("c", 0.9, images=("sagemaker-sklearn-automl:2", "sagemaker-xgboost:1", "sagemaker-sklearn-automl:2"))
    assert candidates.mode(description(BestCandidate=tuned)) == "HYPERPARAMETER_TUNING"
    assert candidates.mode(description()) is None
    assert candidates.candidate(tuned).algorithm == "xgboost"


def test_the_algorithm_is_told_by_environment_name_or_image() -> None:
    """Autopilot's perceptron runs in a general image; an ensemble's member is told by the candidate's name only."""
    mlp = ContainerSpec(image=f"{ECR}/mxnet-algorithms:1", environment={"ML_APPLICATION": "mlp"})
    only = ContainerSpec(image=f"{ECR}/autogluon-inference:1")
    assert candidates.algorithm("job-001", [only, mlp, only]) == "mlp"
    assert candidates.algorithm("LightGBM-BAG-L1-t3", [only]) == "LightGBM"
    assert candidates.algorithm("WeightedEnsemble-L2-t1", [only]) == "WeightedEnsemble"
    assert candidates.algorithm("job-001", [only]) == "autogluon-inference"
    assert candidates.algorithm("job-001", []) is None


def test_directions_are_those_of_the_metric() -> None:
    """Errors are better when smaller."""
    assert candidates.greater_is_better("R2")
    assert not candidates.greater_is_better("RMSE")
