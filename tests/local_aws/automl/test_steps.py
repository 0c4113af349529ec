"""The jobs behind candidates can be described, and a tuned candidate's can be run again."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import automl_steps
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, Trained, automl_request, table, until

pytestmark = pytest.mark.local_aws

JOB = "stepped"
OUTPUT = f"s3://{BUCKET}/automl/{JOB}"
ALGORITHMS = ("xgboost", "mlp", "linear-learner")


@pytest.fixture(scope="module")
def sagemaker(aws: Running) -> Any:
    return aws.client("sagemaker")


@pytest.fixture(scope="module")
def job(aws: Running, sagemaker: Any) -> dict[str, Any]:
    """A tuning of one candidate for each algorithm."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="stepped/table.csv", Body=table(600).to_csv(index=False))
    request = automl_request(
        JOB, f"s3://{BUCKET}/stepped/", Mode="HYPERPARAMETER_TUNING", CompletionCriteria={"MaxCandidates": 3}
    )
    sagemaker.create_auto_ml_job_v2(**request)
    answer = until(lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName=JOB), "AutoMLJobStatus", ("InProgress",))
    assert answer["AutoMLJobStatus"] == "Completed", answer.get("FailureReason")
    return answer


@pytest.fixture(scope="module")
def candidates(sagemaker: Any, job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The candidates by the image of their algorithm."""
    listed = sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=job["AutoMLJobName"], SortOrder="Ascending")
    return dict(zip(ALGORITHMS, listed["Candidates"], strict=True))


def test_a_candidates_steps_are_jobs_of_its_automl_job_in_aws_order(
    sagemaker: Any, job: dict[str, Any], candidates: dict[str, dict[str, Any]]
) -> None:
    """Each tells the AutoML job's ARN, was done within its time, and the candidate is named as its last step."""
    for candidate in candidates.values():
        steps = automl_steps.describe(sagemaker, candidate)
        assert steps.algorithm["TrainingJobName"] == candidate["CandidateName"]
        times = [
            steps.processing["ProcessingStartTime"],
            steps.processor["TrainingStartTime"],
            steps.transform["TransformStartTime"],
            steps.algorithm["TrainingStartTime"],
        ]
        assert times == sorted(times)
        assert job["CreationTime"] <= times[0]
        assert steps.algorithm["TrainingEndTime"] <= job["EndTime"]
        for step, described in zip(
            candidate["CandidateSteps"],
            (steps.processing, steps.processor, steps.transform, steps.algorithm),
            strict=True,
        ):
            assert described["AutoMLJobArn"] == job["AutoMLJobArn"]
            arn = next(value for name, value in described.items() if name.endswith("JobArn") and name[0] in "PT")
            assert arn == step["CandidateStepArn"]


def test_the_steps_leave_what_the_candidate_serves_from(
    aws: Running, sagemaker: Any, candidates: dict[str, dict[str, Any]]
) -> None:
    """The data processor's and the algorithm's artifacts are those of the inference containers, and are in S3."""
    for candidate in candidates.values():
        steps = automl_steps.describe(sagemaker, candidate)
        models = [container["ModelDataUrl"] for container in candidate["InferenceContainers"]]
        made = [described["ModelArtifacts"]["S3ModelArtifacts"] for described in (steps.processor, steps.algorithm)]
        assert models == [*made, made[0]]
        features = steps.transform["TransformOutput"]["S3OutputPath"]
        for part in ("train", "validation"):
            key = f"{features}/{part}/chunk_0.csv.out".removeprefix(f"s3://{BUCKET}/")
            assert aws.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentLength"] > 0


def test_the_objective_is_among_the_last_steps_metrics(sagemaker: Any, candidates: dict[str, dict[str, Any]]) -> None:
    """Under the name that the algorithm logs, with the candidate's value."""
    for candidate in candidates.values():
        algorithm = automl_steps.describe(sagemaker, candidate).algorithm
        name = algorithm["HyperParameters"]["_tuning_objective_metric"]
        value = candidate["FinalAutoMLJobObjectiveMetric"]["Value"]
        assert automl_steps.metrics_of(algorithm)[name] == pytest.approx(value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_candidates_steps_run_again_give_its_model_again(
    sagemaker: Any, candidates: dict[str, dict[str, Any]], algorithm: str
) -> None:
    """Data processor, transform and algorithm as training and transform jobs: the same validation metrics."""
    steps = automl_steps.describe(sagemaker, candidates[algorithm])
    again = automl_steps.run_again(sagemaker, steps, f"again-{algorithm}", f"s3://{BUCKET}/again/{algorithm}")
    before, after = automl_steps.metrics_of(steps.algorithm), automl_steps.metrics_of(again)
    name = steps.algorithm["HyperParameters"]["_tuning_objective_metric"]
    assert after[name] == pytest.approx(before[name], abs=1e-3)
    assert {metric: after[metric] for metric in before} == pytest.approx(before, abs=1e-3)


def test_a_data_processor_fits_other_rows_too(
    aws: Running, sagemaker: Any, candidates: dict[str, dict[str, Any]]
) -> None:
    """As a scheduled retraining does: the described job pointed at new data."""
    steps = automl_steps.describe(sagemaker, candidates["xgboost"])
    rows = table(300, seed=9).to_csv(index=False, header=False)
    aws.client("s3").put_object(Bucket=BUCKET, Key="other-rows/rows.csv", Body=rows)
    train = {"train": f"s3://{BUCKET}/other-rows/"}
    done = automl_steps.train(sagemaker, steps.processor, "other-rows", f"s3://{BUCKET}/other", train)
    assert done["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/other/other-rows/output/model.tar.gz"


@pytest.mark.parametrize(
    ("name", "rows", "hyperparameters", "reason"),
    [
        (
            "bad-width",
            "1.0,2.0,x\n",
            {},
            r"ClientError: rows.csv of the train channel: Row 1 has 3 columns, expected 4.*: a, b, c, y",
        ),
        ("bad-header", "a,b,c,y\n1,2,x,yes\n", {}, "ClientError: rows.csv of the train channel: Row 1 is the header"),
        (
            "bad-module",
            None,
            {"processor_module": "candidate_data_processors.dpp99"},
            "The module candidate_data_processors.dpp99",
        ),
        ("bad-program", None, {"sagemaker_program": "mine.py"}, "'mine.py' can't be run here"),
    ],
)
def test_a_data_processor_that_can_not_be_fitted_says_why(
    aws: Running,
    sagemaker: Any,
    candidates: dict[str, dict[str, Any]],
    rows: str | None,
    hyperparameters: dict[str, str],
    reason: str,
    name: str,
) -> None:
    """FailureReason names the file and the row, or the hyperparameter."""
    described = automl_steps.describe(sagemaker, candidates["xgboost"]).processor
    changed = automl_steps.request_of("CreateTrainingJob", described)
    changed |= {"TrainingJobName": name, "HyperParameters": {**changed["HyperParameters"], **hyperparameters}}
    if rows is not None:
        aws.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/rows.csv", Body=rows)
        changed["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"] = f"s3://{BUCKET}/{name}/"
    sagemaker.create_training_job(**changed)
    done = until(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus", ("InProgress",))
    assert done["TrainingJobStatus"] == "Failed"
    assert re.search(reason, done["FailureReason"])


def test_an_ensembling_candidate_is_an_analysis_and_one_training(sagemaker: Any, trained: Trained) -> None:
    """Both are described; the training leaves the candidate's model, and can't be asked for by hand."""
    for candidate in sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=trained.job)["Candidates"]:
        analysis, training = candidate["CandidateSteps"]
        processing = sagemaker.describe_processing_job(ProcessingJobName=analysis["CandidateStepName"])
        assert processing["AutoMLJobArn"] == trained.description["AutoMLJobArn"]
        described = sagemaker.describe_training_job(TrainingJobName=training["CandidateStepName"])
        assert described["TrainingJobArn"] == training["CandidateStepArn"]
        assert described["TrainingStartTime"] == candidate["CreationTime"]
        model = candidate["InferenceContainers"][0]["ModelDataUrl"]
        assert described["ModelArtifacts"]["S3ModelArtifacts"] == model
    request = automl_steps.request_of("CreateTrainingJob", described)
    with pytest.raises(ClientError, match=r"autogluon-training.*AutoML jobs use themselves"):
        sagemaker.create_training_job(**{**request, "TrainingJobName": "by-hand", "RoleArn": ROLE})
