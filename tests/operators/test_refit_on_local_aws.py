"""Refits on the embedded AWS: each way that a champion was made, a refit of a refit, and what cannot be refitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import DataError
from automl_retraining.core.records import ColumnProfile, Leaderboard, Manifest, SearchResult
from automl_retraining.operators.autopilot import AutopilotOperator
from automl_retraining.operators.model import CreateModelOperator
from automl_retraining.operators.processing import PreprocessOperator
from automl_retraining.operators.refit import RefitPreprocessOperator, RefitTrainOperator, SearchAgainOperator
from automl_retraining.operators.refit_champion import FindJobsOperator, check_same_table
from automl_retraining.operators.refit_steps import FitProcessorOperator, MakeFeaturesOperator, ProcessorModelOperator
from automl_retraining.operators.split import SplitOperator
from automl_retraining.operators.training import TrainOperator
from automl_retraining.sagemaker import lineage, storage
from tests.support import manifests
from tests.support.local_aws import ROOT, Running, start
from tests.support.sagemaker_tasks import ROLE, run
from tests.support.tasks import context

pytestmark = pytest.mark.local_aws

CHURN = ROOT / "include/data/churn.csv"
SPOT = {"instance_type": "ml.m5.xlarge", "spot": True, "max_run_time": "10m", "max_wait": "20m"}


def cars(**sections: Any) -> Pipeline:
    """auto-mpg, trained once."""
    return Pipeline.model_validate(
        {
            "name": "cars", "source": str(ROOT / "include/data/auto_mpg.csv"), "target": "mpg", "drop": ["name"],
            "problem_type": "Regression", "trainers": ["tuned", "refit"], "gate": {"metric": "rmse"},
            "tuning": {"search": False, "static": {"xgboost": {"num_round": 10}}}, **sections,
        }
    )  # fmt: skip


def churn(mode: str, algorithm: str) -> Pipeline:
    """Churn, searched by Autopilot for a single candidate."""
    return Pipeline.model_validate(
        {
            "name": f"churn_{mode.lower()}", "source": "churn.csv", "target": "churn", "positive_class": "yes",
            "problem_type": "BinaryClassification", "trainers": ["autopilot", "refit"], "gate": {"metric": "f1"},
            "search": {
                "mode": mode, "metric": "F1", "algorithms": [algorithm], "max_candidates": 1, "max_run_time": "5m",
            },
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


@pytest.fixture(scope="module", autouse=True)
def services(aws: Running) -> Iterator[None]:
    """The operators' clients go there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "automl_retraining.operators.base.client", lambda service, *, conn_id, region=None: aws.client(service)
        )
        patch.setenv("AUTOML_RETRAINING_BUCKET", "bucket")
        patch.setenv("AUTOML_RETRAINING_ROLE_ARN", ROLE)
        yield


@pytest.fixture(scope="module")
def sm(aws: Running) -> Any:
    """SageMaker."""
    return aws.client("sagemaker")


@pytest.fixture(scope="module")
def s3(aws: Running) -> Any:
    """S3."""
    return aws.client("s3")


class Story:
    """One run of a pipeline's tasks, waited for in this process, with their XComs."""

    def __init__(self, pipeline: Pipeline, run_id: str, source: Path | None = None) -> None:
        # Job names hash the run and not the pipeline, which Airflow's DAG ids hold apart.
        self.pipeline, self.run_id, self.source = pipeline, f"{pipeline.name}-{run_id}", source
        self.xcoms: dict[tuple[str, str], Any] = {}

    def ran(self, kind: type[Any], task_id: str, **arguments: Any) -> Any:
        """The result of one task."""
        ctx = context(task_id)
        ctx["run_id"] = ctx["ti"].run_id = self.run_id
        ctx["ti"].xcoms = self.xcoms
        if kind not in (SplitOperator, CreateModelOperator, ProcessorModelOperator):
            arguments = {"deferrable": False, **arguments}
        result = run(kind(task_id=task_id, pipeline=self.pipeline, **arguments), ctx)
        self.xcoms[task_id, "return_value"] = result
        return result

    def split(self, min_train_rows: int = 50) -> Any:
        """The table."""
        return self.ran(SplitOperator, "split", source=str(self.source or ""), min_train_rows=min_train_rows)

    def model(self, search: Any) -> dict[str, Any]:
        """The model of a search's result."""
        made: dict[str, Any] = self.ran(CreateModelOperator, "create_model", search=search)
        return made

    def refit(self, champion: Any) -> tuple[lineage.Lineage, SearchResult]:
        """The tasks of a refit, up to its result."""
        split = self.split()
        found = finder(self.pipeline, split, champion)._find()
        given = {"split": split, "lineage": found.model_dump(mode="json")}
        if found.way == "ensemble":
            return found, SearchResult.model_validate(self.ran(SearchAgainOperator, "search_again", **given))
        if found.way == "processing":
            self.ran(RefitPreprocessOperator, "preprocess", **given)
        else:
            processor = self.ran(FitProcessorOperator, "fit_processor", **given)
            model = self.ran(ProcessorModelOperator, "features_model", lineage=given["lineage"], processor=processor)
            self.ran(MakeFeaturesOperator, "make_features", processor=processor, model=model, **given)
        tasks = {"preprocess": "preprocess", "make_features": "make_features"}
        return found, SearchResult.model_validate(self.ran(RefitTrainOperator, "train", **tasks, **given))


def finder(pipeline: Pipeline, split: Any, champion: Any) -> FindJobsOperator:
    """The task that finds the champion's jobs."""
    return FindJobsOperator(task_id="find_jobs", pipeline=pipeline, split=split, champion=champion, branches={})


def containers(sm: Any, model: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model serves from."""
    described = sm.describe_model(ModelName=model["model_name"])
    return list(described.get("Containers") or [described["PrimaryContainer"]])


def but_artifacts(found: list[dict[str, Any]]) -> list[Any]:
    """Images and environments."""
    return [(each["Image"], each.get("Environment")) for each in found]


@pytest.fixture(scope="module")
def tuned(aws: Running, services: None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A champion made by a processing and a training job, tagged by somebody else too; and its run's split."""
    first = Story(cars(), "tuned")
    split = first.split()
    made = first.ran(PreprocessOperator, "preprocess", split=split)
    search = first.ran(TrainOperator, "search", split=split, preprocessed=made)
    sm = aws.client("sagemaker")
    sm.add_tags(ResourceArn=search["job_arn"], Tags=[{"Key": "cost-centre", "Value": "42"}])
    return first.model(search), split


def test_a_tuned_champion_is_made_again_by_its_own_jobs(sm: Any, s3: Any, tuned: tuple[Any, Any]) -> None:
    """Requests as they were but for places and what ``refit`` says; containers as they were but for artifacts."""
    champion, _ = tuned
    second = Story(cars(refit=SPOT), "refit-1")
    found, result = second.refit(champion)
    assert found.way == "processing"
    assert result.kind == "training"
    model = second.model(result.model_dump(mode="json"))
    old, new = containers(sm, champion), containers(sm, model)
    assert but_artifacts(old) == but_artifacts(new)
    assert not {each["ModelDataUrl"] for each in old} & {each["ModelDataUrl"] for each in new}

    before = sm.describe_training_job(TrainingJobName=found.training_job)
    after = sm.describe_training_job(TrainingJobName=result.job_name)
    assert after["HyperParameters"] == before["HyperParameters"]
    assert after["ResourceConfig"] == {**before["ResourceConfig"], "InstanceType": "ml.m5.xlarge"}
    assert after["EnableManagedSpotTraining"] is True
    assert after["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}
    assert after["CheckpointConfig"]["S3Uri"].startswith("s3://bucket/cars/runs/cars-refit-1/")
    tags = {tag["Key"]: tag["Value"] for tag in sm.list_tags(ResourceArn=after["TrainingJobArn"])["Tags"]}
    assert (tags["cost-centre"], tags["art:run-id"]) == ("42", "cars-refit-1")
    board = storage.read_record(s3, result.leaderboard_uri, Leaderboard)
    assert (board.best, board.objective_metric, board.greater_is_better) == (result.job_name, "validation:rmse", False)

    third = Story(cars(), "refit-2")
    again, result = third.refit(model)
    inputs = sm.describe_processing_job(ProcessingJobName=again.preprocessing_job)["ProcessingInputs"]
    places = {each["S3Input"]["S3Uri"].split("/")[5] for each in inputs}
    assert places == {"cars-refit-1"}, "all that a refit needs is in the run folder of the champion"
    assert again.training_job == after["TrainingJobName"]
    assert but_artifacts(containers(sm, third.model(result.model_dump(mode="json")))) == but_artifacts(old)


def searched(pipeline: Pipeline, source: Path, run_id: str) -> tuple[Story, dict[str, Any]]:
    """A champion of Autopilot, and its run."""
    story = Story(pipeline, run_id, source)
    split = story.split()
    return story, story.model(story.ran(AutopilotOperator, "search", split=split))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,200 customers."""
    path = tmp_path_factory.mktemp("data") / "churn_small.csv"
    path.write_bytes(b"".join(CHURN.read_bytes().splitlines(keepends=True)[:1201]))
    return path


@pytest.fixture(autouse=True, scope="module")
def data_dirs(small: Path) -> Iterator[None]:
    """Tables may lie there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_RETRAINING_DATA_DIRS", str(small.parent))
        yield


def test_a_candidate_of_autopilots_tuning_is_made_again_by_its_steps(sm: Any, small: Path) -> None:
    """Data processor, transform and algorithm, on the new rows; then the refit's own model by the refit's own jobs."""
    pipeline = churn("HYPERPARAMETER_TUNING", "xgboost")
    _, champion = searched(pipeline, small, "searched")
    second = Story(pipeline, "refit-1", CHURN)
    found, result = second.refit(champion)
    assert found.way == "autopilot"
    model = second.model(result.model_dump(mode="json"))
    old, new = containers(sm, champion), containers(sm, model)
    assert len(new) == 3
    assert but_artifacts(old) == but_artifacts(new)
    assert not {each["ModelDataUrl"] for each in old} & {each["ModelDataUrl"] for each in new}
    after = sm.describe_training_job(TrainingJobName=result.job_name)
    before = sm.describe_training_job(TrainingJobName=found.training_job)
    assert after["HyperParameters"] == before["HyperParameters"]
    assert result.candidate.objective_metric == before["HyperParameters"]["_tuning_objective_metric"]
    assert result.candidate.objective_value is not None
    assert result.candidate.objective_value > 0.5

    third = Story(pipeline, "refit-2", CHURN)
    again, result = third.refit(model)
    channels = sm.describe_training_job(TrainingJobName=again.preprocessing_job)["InputDataConfig"]
    places = {each["DataSource"]["S3DataSource"]["S3Uri"].split("/")[5] for each in channels}
    assert places == {f"{pipeline.name}-refit-1"}
    assert again.training_job == after["TrainingJobName"]
    assert again.transform_job == second.xcoms["make_features", "return_value"]["job_name"]
    assert but_artifacts(containers(sm, third.model(result.model_dump(mode="json")))) == but_artifacts(old)

    sm.delete_model(ModelName=second.xcoms["features_model", "return_value"]["model_name"])
    said = refused(pipeline, third.xcoms["split", "return_value"], model)
    assert f"of batch transform job {again.transform_job} with one container, whose environment makes the" in said
    assert said.endswith("run autopilot_churn_hyperparameter_tuning instead, which makes a model from the table alone")


def test_an_ensemble_is_searched_for_again_within_its_mode_and_algorithms(sm: Any, small: Path) -> None:
    """An ensemble has no steps to run again."""
    pipeline = churn("ENSEMBLING", "lightgbm")
    _, champion = searched(pipeline, small, "searched")
    found, result = Story(pipeline, "refit-1", small).refit(champion)
    assert (found.way, found.algorithms, found.max_candidates) == ("ensemble", ("lightgbm",), 1)
    job = sm.describe_auto_ml_job_v2(AutoMLJobName=result.job_name)["AutoMLProblemTypeConfig"]["TabularJobConfig"]
    assert job["Mode"] == "ENSEMBLING"
    assert job["CandidateGenerationConfig"] == {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["lightgbm"]}]}
    assert job["CompletionCriteria"]["MaxCandidates"] == 1


def moved(sm: Any, s3: Any, champion: dict[str, Any], name: str, order: tuple[int, ...]) -> dict[str, Any]:
    """A model of the champion's containers, some of them, over copies of their artifacts."""
    chain = []
    for number in order:
        container = containers(sm, champion)[number]
        copy = f"s3://bucket/elsewhere/{name}/{number}/model.tar.gz"
        storage.copy(s3, container["ModelDataUrl"], copy)
        chain.append({"Image": container["Image"], "ModelDataUrl": copy})
    sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, Containers=chain)
    return {**champion, "model_name": name}


def refused(pipeline: Pipeline, split: Any, champion: Any) -> str:
    """Why there is no refit."""
    with pytest.raises(AirflowFailException) as raised:
        run(finder(pipeline, split, champion), context("find_jobs"))
    return str(raised.value)


def test_jobs_that_cannot_be_found_are_named_with_the_dag_to_run_instead(
    sm: Any, s3: Any, tuned: tuple[Any, Any]
) -> None:
    """Artifacts that were copied away from their jobs, and a model that was made by hand."""
    champion, split = tuned
    said = refused(cars(), split, moved(sm, s3, champion, "copied", (0, 1)))
    assert "expected the training job that wrote s3://bucket/elsewhere/copied/1/model.tar.gz, found none" in said
    assert said.endswith("run tuned_cars instead, which makes a model from the table alone")
    said = refused(cars(), split, moved(sm, s3, champion, "single", (1,)))
    assert "is refitted only where Autopilot made it: run tuned_cars instead" in said
    said = refused(cars(trainers=["refit"]), split, {**champion, "run_folder": None})
    assert "art:run-folder, found none" in said
    assert "add autopilot or tuned to the trainers of cars.yaml" in said
    said = refused(cars(trainers=["autopilot", "tuned", "refit"]), split, None)
    assert said == (
        "endpoint art-cars: expected a champion to refit, found that it serves none yet: run autopilot_cars or "
        "tuned_cars instead, which makes a model from the table alone"
    )
    said = refused(cars(), split, {**champion, "model_name": "never-there"})
    assert said.startswith("model never-there serves but was deleted")


def test_code_that_is_gone_stops_the_run_before_it_costs_anything(sm: Any, s3: Any, tuned: tuple[Any, Any]) -> None:
    """And so does the manifest of the champion's run."""
    champion, split = tuned
    job = lineage.find(sm, s3, champion["model_name"]).preprocessing_job
    inputs = sm.describe_processing_job(ProcessingJobName=job)["ProcessingInputs"]
    code = next(each["S3Input"]["S3Uri"] for each in inputs if each["InputName"] == "code")
    kept = {uri: storage.read_bytes(s3, uri) for uri in storage.list_uris(s3, code)}
    jobs = len(sm.list_processing_jobs()["ProcessingJobSummaries"])
    try:
        for uri in kept:
            bucket, key = storage.parse_uri(uri)
            s3.delete_object(Bucket=bucket, Key=key)
        said = refused(cars(), split, champion)
    finally:
        for uri, data in kept.items():
            storage.write_bytes(s3, uri, data)
    assert f"expected the input code of processing job {job} at {code}, found nothing there" in said
    said = refused(cars(), split, {**champion, "run_folder": "s3://bucket/cars/runs/gone"})
    assert "at s3://bucket/cars/runs/gone/manifest.json, found none: it was deleted" in said
    assert len(sm.list_processing_jobs()["ProcessingJobSummaries"]) == jobs


def test_a_table_of_other_columns_is_not_refitted(tuned: tuple[Any, Any]) -> None:
    """The sentence names the columns."""
    champion, _ = tuned
    other = cars(drop=["name", "origin"])
    said = refused(other, Story(other, "fewer").split(), champion)
    assert said.startswith(f"the preprocessor of model {champion['model_name']}: expected a table with the columns mpg")
    assert "found origin missing" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ("no", "yes", "maybe")}, "expected the classes no, yes in column y, found no, yes, maybe"),
        ({"features": ("b", "a"), "columns": ("b", "a", "y")}, "found the same in another order, b, a, y"),
        ({"features": ("a", "b", "c"), "columns": ("a", "b", "c", "y")}, "found c new to it"),
        ({"target": "a"}, "expected the target y"),
    ],
)
def test_what_a_preprocessor_knows_is_held_against_the_table(changes: dict[str, Any], words: str) -> None:
    """Columns, their order, target and classes."""

    def manifest(columns: tuple[str, ...] = ("a", "b", "y"), **members: Any) -> Manifest:
        profiles = tuple(ColumnProfile(name=name, type="number", missing=0, distinct=2) for name in columns)
        facts = {"problem_type": "BinaryClassification", "labels": ("no", "yes"), **members}
        return manifests.regression(columns=profiles, **facts)

    check_same_table(manifest(), manifest(), whose="p")
    with pytest.raises(DataError, match=words):
        check_same_table(manifest(), manifest(**changes), whose="p")
