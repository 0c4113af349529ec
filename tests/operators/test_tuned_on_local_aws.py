"""Processing, training and tuning tasks on the embedded AWS: what they find, and how bad input is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import JobFailed
from automl_retraining.core.records import Leaderboard, SearchResult
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.operators.processing import PreprocessOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.training import TrainOperator
from automl_retraining.operators.tuning import TuningOperator
from automl_retraining.sagemaker import storage
from automl_retraining.sagemaker.jobs import TUNING
from automl_retraining.sagemaker.progress import Progress
from automl_retraining.sagemaker.tuned import Preprocessed
from tests.support.local_aws import ROOT, Running, start
from tests.support.sagemaker_tasks import ROLE, run
from tests.support.tasks import context

pytestmark = pytest.mark.local_aws

SMALL: dict[str, Any] = {"max_jobs": 3, "ranges": {"xgboost": {"num_round": {"min": 5, "max": 20}}}}


def pipeline(**sections: Any) -> Pipeline:
    """auto-mpg, as small as it gets."""
    return Pipeline.model_validate(
        {
            "name": "cars", "source": str(ROOT / "include/data/auto_mpg.csv"), "target": "mpg", "drop": ["name"],
            "problem_type": "Regression", "trainers": ["tuned"], "gate": {"metric": "rmse"}, "tuning": SMALL,
            **sections,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An embedded AWS."""
    running = start(tmp_path_factory.mktemp("aws"))
    try:
        running.client("s3").create_bucket(Bucket="bucket")
        yield running
    finally:
        running.stop()


@pytest.fixture
def sm(aws: Running, monkeypatch: pytest.MonkeyPatch) -> Any:
    """SageMaker; the operators' clients go there."""
    monkeypatch.setattr(
        "automl_retraining.operators.base.client", lambda service, *, conn_id, region=None: aws.client(service)
    )
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", "bucket")
    monkeypatch.setenv("AUTOML_RETRAINING_ROLE_ARN", ROLE)
    return aws.client("sagemaker")


def ran(kind: type[Any], task_id: str, run_id: str, pipeline: Pipeline, **arguments: Any) -> Any:
    """The result of one task of that run, waited for in the worker."""
    ctx = context(task_id)
    ctx["run_id"] = ctx["ti"].run_id = run_id
    if kind not in (SplitOperator, CreateModelOperator):
        arguments = {"deferrable": False, **arguments}
    return run(kind(task_id=task_id, pipeline=pipeline, **arguments), ctx)


def preprocessed(run_id: str, pipeline: Pipeline, **split: Any) -> dict[str, Any]:
    """The arguments of a search: the split's and the preprocessing's results."""
    table = ran(SplitOperator, "split", run_id, pipeline, min_train_rows=50, **split)
    return {"split": table, "preprocessed": ran(PreprocessOperator, "preprocess", run_id, pipeline, split=table)}


@pytest.fixture(scope="module")
def made(aws: Running) -> dict[str, Any]:
    """One preprocessing for all searches, in run ``made``."""
    with pytest.MonkeyPatch.context() as patch:
        sm.__wrapped__(aws, patch)  # type: ignore[attr-defined]
        return preprocessed("made", pipeline())


def test_a_search_gives_a_leaderboard_and_a_model_of_preprocessor_and_best_training(
    sm: Any, aws: Running, made: dict[str, Any]
) -> None:
    """The best objective leads; its containers are the preprocessor's and the algorithm's, with their environments."""
    found = SearchResult.model_validate(ran(TuningOperator, "search", "made", pipeline(), **made))
    board = storage.read_record(aws.client("s3"), found.leaderboard_uri, Leaderboard)
    values = [row.objective_value for row in board.candidates if row.objective_value is not None]
    assert len(board.candidates) == 3
    assert values == sorted(values)
    assert board.best == found.candidate.name == board.candidates[0].name
    assert (board.kind, board.objective_metric, board.greater_is_better) == ("tuning", "validation:rmse", False)
    assert board.billable_seconds is not None
    assert {row.algorithm for row in board.candidates} == {"xgboost"}
    assert set(found.candidate.hyperparameters) >= {"eta", "num_round", "objective"}

    model = ran(CreateModelOperator, "create_model", "made", pipeline(), search=found.model_dump(mode="json"))
    chain = sm.describe_model(ModelName=model["model_name"])["Containers"]
    assert [container["Image"].rsplit("/", 1)[1].split(":")[0] for container in chain] == [
        "sagemaker-scikit-learn", "sagemaker-xgboost",
    ]  # fmt: skip
    assert chain[0]["Environment"]["ART_TRANSFORM"] == "features"
    said = Progress(TUNING.key, found.job_name).look(sm)
    assert said[0][1].startswith(f"training jobs: 3 completed; best so far {found.candidate.name}: validation:rmse ")


def test_several_algorithms_are_searched_in_one_job(sm: Any, aws: Running, made: dict[str, Any]) -> None:
    """Each training job says which it was of."""
    both = pipeline(
        tuning={**SMALL, "max_jobs": 4, "algorithms": ["xgboost", "linear-learner"]},
    )
    found = SearchResult.model_validate(ran(TuningOperator, "search", "both", both, **made))
    board = storage.read_record(aws.client("s3"), found.leaderboard_uri, Leaderboard)
    assert {row.algorithm for row in board.candidates} == {"xgboost", "linear-learner"}
    assert found.candidate.algorithm in ("xgboost", "linear-learner")


def test_one_plain_training_instead_of_a_search(sm: Any, aws: Running, made: dict[str, Any]) -> None:
    """``search: false``: the same result with one candidate."""
    single = pipeline(tuning={"search": False, "static": {"xgboost": {"num_round": 10}}})
    found = SearchResult.model_validate(ran(TrainOperator, "search", "single", single, **made))
    assert found.kind == "training"
    assert found.candidate.hyperparameters["num_round"] == "10"
    assert found.candidate.objective_value is not None
    assert len(found.candidate.containers) == 2


def test_the_next_search_begins_with_what_the_last_one_found(
    sm: Any, made: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its parent is the last run's tuning job; with other hyperparameters it starts cold and says so."""
    warm = pipeline(tuning={**SMALL, "warm_start": True})
    first = ran(TuningOperator, "search", "warm-1", warm, **made)
    second = ran(TuningOperator, "search", "warm-2", warm, **made)
    config = sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=second["job_name"])["WarmStartConfig"]
    assert config["ParentHyperParameterTuningJobs"] == [{"HyperParameterTuningJobName": first["job_name"]}]
    other = pipeline(tuning={**SMALL, "warm_start": True, "static": {"xgboost": {"eta": 0.3}}})
    third = ran(TuningOperator, "search", "warm-3", other, **made)
    described = sm.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=third["job_name"])
    assert "WarmStartConfig" not in described
    assert "searched other hyperparameters: this one starts cold" in capsys.readouterr().out


SCRIPTS = {
    "raises": ("raise RuntimeError('the third column is all wrong')\n", "the third column is all wrong"),
    "writes_nothing": ("print('done')\n", "ended well but wrote too little: expected features of train and validation"),
    "needs_more": ("import a_library_that_nobody_has\n", "a_library_that_nobody_has"),
}


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_a_script_that_goes_wrong_says_so_in_the_tasks_error(sm: Any, tmp_path: Path, name: str) -> None:
    """The traceback's last lines, or what is missing of its output."""
    text, words = SCRIPTS[name]
    (tmp_path / "script.py").write_text(text)
    broken = pipeline(processing={"source_dir": str(tmp_path), "script": "script.py"})
    with pytest.raises((AirflowFailException, JobFailed), match=words):
        preprocessed(f"script-{name}", broken)


def test_a_preprocessor_of_other_columns_is_refused(sm: Any, tmp_path: Path) -> None:
    """A script that forgets a column, although everything it wrote looks right."""
    source = ROOT / "include" / "containers" / "preprocessing"
    for path in source.rglob("*.py"):
        target = tmp_path / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    script = tmp_path / "preprocess.py"
    old = '"inputs": list(spec.features)'
    assert old in script.read_text()
    script.write_text(script.read_text().replace(old, '"inputs": list(spec.features[1:])'))
    with pytest.raises(AirflowFailException, match="cylinders new to it"):
        preprocessed("other-columns", pipeline(processing={"source_dir": str(tmp_path)}))


def test_a_model_of_other_features_is_never_paired_with_the_preprocessor(sm: Any, made: dict[str, Any]) -> None:
    """The training job carries the digest of the features it was trained on."""
    single = pipeline(tuning={"search": False, "static": {"xgboost": {"num_round": 5}}})
    found = ran(TrainOperator, "search", "other-features", single, **made)
    other = Preprocessed.model_validate(made["preprocessed"]).model_copy(update={"digest": "0123456789abcdef"})
    operator = TrainOperator(
        task_id="search", pipeline=single, split=made["split"], preprocessed=other.model_dump(mode="json")
    )
    with pytest.raises(Exception, match="they must not serve together"):
        operator.candidate(found["candidate"]["name"], "xgboost")


def test_a_metric_that_no_image_emits_costs_nothing(sm: Any, made: dict[str, Any]) -> None:
    """Refused before the call, with those that there are."""
    before = len(sm.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"])
    with pytest.raises(AirflowFailException, match=r"xgboost emits for Regression, RMSE, MSE, MAE, found 'R2'"):
        ran(TuningOperator, "search", "no-metric", pipeline(search={"metric": "R2"}), **made)
    assert len(sm.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]) == before


def test_a_hyperparameter_that_the_algorithm_does_not_know_fails_with_its_name(sm: Any, made: dict[str, Any]) -> None:
    """All children fail for the same reason; the task's error has it."""
    wrong = pipeline(tuning={**SMALL, "static": {"xgboost": {"max_deep": 3}}})
    with pytest.raises((AirflowFailException, JobFailed), match="max_deep"):
        ran(TuningOperator, "search", "wrong-name", wrong, **made)


def test_a_missing_artifact_is_said_by_its_uri(sm: Any, aws: Running, made: dict[str, Any]) -> None:
    """Somebody cleaned the bucket."""
    single = pipeline(tuning={"search": False, "static": {"xgboost": {"num_round": 5}}})
    found = ran(TrainOperator, "search", "artifact", single, **made)
    uri = found["candidate"]["containers"][1]["model_data_url"]
    bucket, key = storage.parse_uri(uri)
    aws.client("s3").delete_object(Bucket=bucket, Key=key)
    operator = TrainOperator(task_id="search", pipeline=single, **made)
    with pytest.raises(JobFailed, match=f"expected its model artifact at {uri}, found nothing there"):
        operator.candidate(found["candidate"]["name"], "xgboost")


def test_what_the_request_says_of_the_code_is_what_runs(sm: Any, aws: Running, made: dict[str, Any]) -> None:
    """The code's folder is named by its content, so that changed code is another request."""
    job = sm.describe_processing_job(ProcessingJobName=made["preprocessed"]["job_name"])
    code = next(each for each in job["ProcessingInputs"] if each["InputName"] == "code")["S3Input"]["S3Uri"]
    files = {uri.rsplit("/", 1)[1] for uri in storage.list_uris(aws.client("s3"), code)}
    assert files == {"sourcedir.tar.gz", "runproc.sh"}
    spec = json.loads(storage.read_text(aws.client("s3"), "s3://bucket/cars/runs/made/preprocessing/spec/spec.json"))
    assert [column["name"] for column in spec["features"]][:2] == ["cylinders", "displacement"]
