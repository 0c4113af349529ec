"""What a search reports becomes the job's state, in the order in which it reports it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from include.local_aws.automl.job import AutoMLJob
from include.local_aws.jobs.runner import JobFailed
from include.local_aws.s3.client import S3Files
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record, Store
from include.local_aws.training import start as training


class FakeS3:
    """An S3 that notes what is written to it."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes]] = []

    def upload(self, source: Path, uri: str) -> None:
        self.written.append((uri, source.read_bytes()))

    @property
    def uris(self) -> list[str]:
        return [uri for uri, _ in self.written]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "state.sqlite")
    yield opened
    opened.close()


class Search:
    """A job in the middle of its search, and the search's side of it."""

    def __init__(self, folder: Path, store: Store, **tabular: Any) -> None:
        self.store, self.s3 = store, FakeS3()
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/train/"}}
        request = {
            "AutoMLJobName": "Job",
            "RoleArn": "arn:aws:iam::123456789012:role/service",
            "AutoMLJobInputDataConfig": [{"ChannelType": "training", "DataSource": source}],
            "OutputDataConfig": {"S3OutputPath": "s3://b/out/"},
            "AutoMLProblemTypeConfig": {"TabularJobConfig": {"TargetAttributeName": "y", **tabular}},
        }
        record = store.insert(
            "automl", "r", "Job", "InProgress", {"version": 2, "v2": request, "secondary": "Starting"}
        )
        nothing = cast("Any", None)
        self.job = AutoMLJob(Services(folder, store, cast("S3Files", self.s3), nothing, nothing, nothing), record)
        self.output = self.job.root / "output"
        (self.output / "artifacts").mkdir(parents=True)

    def says(self, event: str, **fields: Any) -> None:
        with (self.output / "events.jsonl").open("a") as file:
            file.write(json.dumps({"time": 1.0, "event": event, **fields}) + "\n")

    def writes(self, name: str, content: bytes = b"x") -> None:
        path = self.output / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    @property
    def record(self) -> Record:
        return self.store.get("automl", "r", "Job")

    def candidates(self) -> list[Mapping[str, Any]]:
        return [each.body for each in self.store.all("candidate", region="r", parent="job")]


def candidate(name: str, value: float, status: str = "Completed", type_: str = "Maximize") -> dict[str, Any]:
    return {
        "CandidateName": name,
        "CandidateStatus": status,
        "FinalAutoMLJobObjectiveMetric": {"MetricName": "F1", "Value": value, "Type": type_},
        "InferenceContainers": [{"Image": "i", "ModelDataUrl": f"artifact:models/{name}/model.tar.gz"}],
    }


def test_statuses_are_taken_over_forward_only(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store)
    search.says("status", secondary_status="AnalyzingData")
    search.job.tick()
    assert search.record.body["secondary"] == "AnalyzingData"
    search.says("resolved", problem_type="Regression", metric="MSE", mode="HYPERPARAMETER_TUNING", algorithms=["mlp"])
    search.says("status", secondary_status="ModelTuning")
    search.says("status", secondary_status="FeatureEngineering")
    search.says("status", secondary_status="TrainingModels")
    search.job.tick()
    assert search.record.body["secondary"] == "ModelTuning"
    assert search.record.body["resolved"]["ProblemType"] == "Regression"


def test_a_job_that_is_being_stopped_keeps_that_status(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store)
    store.update("automl", "r", "Job", lambda record: record.having(status="Stopping", secondary="Stopping"))
    search.says("status", secondary_status="AnalyzingData")
    search.job.tick()
    assert (search.record.status, search.record.body["secondary"]) == ("Stopping", "Stopping")


def test_a_candidates_model_is_in_s3_when_the_candidate_is_listed(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store)
    search.writes("models/one/model.tar.gz")
    search.says("candidate", candidate=candidate("one", 0.5))
    search.job.tick()
    uri = "s3://b/out/Job/models/one/model.tar.gz"
    assert search.s3.uris == [uri]
    assert search.candidates()[0]["InferenceContainers"] == [{"Image": "i", "ModelDataUrl": uri}]


def test_a_candidate_that_is_reported_again_is_replaced_and_its_model_is_uploaded_only_if_it_changed(
    tmp_path: Path, store: Store
) -> None:
    search = Search(tmp_path, store)
    search.writes("models/one/model.tar.gz", b"first")
    for value in (0.5, 0.6):
        search.says("candidate", candidate=candidate("one", value))
    search.job.tick()
    search.writes("models/one/model.tar.gz", b"second one")
    search.says("candidate", candidate=candidate("one", 0.7))
    search.job.tick()
    assert [each["FinalAutoMLJobObjectiveMetric"]["Value"] for each in search.candidates()] == [0.7]
    assert [content for _, content in search.s3.written] == [b"first", b"second one"]


def test_partial_failures_add_up(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store)
    for name in ("one", "two"):
        search.says("candidate", candidate=candidate(name, 0.0, "Failed"), partial_failure=f"{name} failed")
    search.job.tick()
    assert search.record.body["partial"] == [
        {"PartialFailureMessage": "one failed"},
        {"PartialFailureMessage": "two failed"},
    ]


def training_step(name: str, **changes: Any) -> dict[str, Any]:
    request = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "InputDataConfig": [{"DataSource": {"S3DataSource": {"S3Uri": "artifact:rows/train/"}}}],
        "OutputDataConfig": {"S3OutputPath": "artifact:models"},
    }
    done = {"started": 1.0, "ended": 3.0, "status": "Completed", "failure": None, "metrics": [["validation:f1", 0.5]]}
    return {
        "kind": "training",
        "name": name,
        "request": request,
        "model": "artifact:models/m.tar.gz",
        **done,
        **changes,
    }


def test_a_step_becomes_a_job_whose_data_are_in_s3(tmp_path: Path, store: Store) -> None:
    """With the AutoML job's role and ARN, and its times."""
    search = Search(tmp_path, store)
    for name in ("rows/train/a.csv", "rows/train/b.csv", "rows/validation/a.csv", "models/m.tar.gz"):
        search.writes(name)
    search.says("step", **training_step("step-1"))
    search.job.tick()
    described = training.describe(store.get("training", "r", "step-1"))
    assert described["AutoMLJobArn"] == "arn:aws:sagemaker:r:123456789012:automl-job/Job"
    assert described["RoleArn"] == "arn:aws:iam::123456789012:role/service"
    assert described["ModelArtifacts"] == {"S3ModelArtifacts": "s3://b/out/Job/models/m.tar.gz"}
    assert described["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/out/Job/rows/train/"
    assert (described["TrainingStartTime"], described["TrainingEndTime"]) == (1.0, 3.0)
    assert [each["Value"] for each in described["FinalMetricDataList"]] == [0.5]
    uploaded = {uri.removeprefix("s3://b/out/Job/") for uri in search.s3.uris}
    assert uploaded == {"rows/train/a.csv", "rows/train/b.csv", "models/m.tar.gz"}


def test_a_step_that_failed_is_a_failed_job(tmp_path: Path, store: Store) -> None:
    """With its reason."""
    search = Search(tmp_path, store)
    search.says("step", **training_step("step-1", status="Failed", failure="AlgorithmError: slow", metrics=[]))
    search.job.tick()
    described = training.describe(store.get("training", "r", "step-1"))
    assert (described["TrainingJobStatus"], described["FailureReason"]) == ("Failed", "AlgorithmError: slow")


def test_an_ensembling_candidate_gets_one_training_job_however_often_it_is_reported(
    tmp_path: Path, store: Store
) -> None:
    """And the analysis of the data, which is the same for all; one that was never begun has none."""
    search = Search(tmp_path, store)
    search.says("resolved", problem_type="Regression", metric="MSE", mode="ENSEMBLING", algorithms=["xgboost"])
    for _ in range(2):
        for name in ("XGBoost-BAG-L1-t1", "ExtraTrees-BAG-L1-t2"):
            search.says("candidate", candidate={**candidate(name, 0.5), "CreationTime": 1.0, "EndTime": 2.0})
    never = {"CandidateName": "catboost", "CandidateStatus": "Failed", "FailureReason": "not available"}
    search.says("candidate", candidate={**never, "CreationTime": 1.0, "EndTime": 1.0})
    search.job.tick()
    stepped = {each["CandidateName"]: each["CandidateSteps"] for each in search.candidates()}
    assert stepped["catboost"] == []
    first, second = stepped["XGBoost-BAG-L1-t1"], stepped["ExtraTrees-BAG-L1-t2"]
    assert first[0] == second[0]
    assert [step["CandidateStepType"].rpartition("::")[2] for step in first] == ["ProcessingJob", "TrainingJob"]
    names = {each.name for each in store.all("training")}
    assert names == {first[1]["CandidateStepName"], second[1]["CandidateStepName"]}
    assert [each.name for each in store.all("processing")] == [first[0]["CandidateStepName"]]


def test_at_the_end_everything_is_uploaded_once(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store)
    for name in ("notebooks/a.ipynb", "notebooks/b.ipynb", "reports/r.json", "models/one/model.tar.gz"):
        search.writes(name)
    search.says("candidate", candidate=candidate("one", 0.5))
    search.says(
        "artifacts", candidate_definition_notebook="notebooks/a.ipynb", data_exploration_notebook="notebooks/b.ipynb"
    )
    search.says("best", candidate_name="one")
    search.says("end", reason="MaxCandidatesReached")
    search.job.tick()
    search.job.complete(timed_out=False)
    record = search.record
    assert (record.status, record.body["secondary"], record.body["best"]) == (
        "Completed",
        "MaxCandidatesReached",
        "one",
    )
    assert record.body["artifacts"]["DataExplorationNotebookLocation"] == "s3://b/out/Job/notebooks/b.ipynb"
    assert sorted(search.s3.uris) == sorted(
        {
            f"s3://b/out/Job/{name}"
            for name in ("notebooks/a.ipynb", "notebooks/b.ipynb", "reports/r.json", "models/one/model.tar.gz")
        }
    )


@pytest.mark.parametrize(("type_", "best"), [("Maximize", "high"), ("Minimize", "low")])
def test_a_search_that_overran_its_time_ends_with_the_best_that_it_had(
    tmp_path: Path, store: Store, type_: str, best: str
) -> None:
    search = Search(tmp_path, store)
    for name, value in (("low", 1.0), ("high", 2.0)):
        search.says("candidate", candidate=candidate(name, value, type_=type_))
    search.says("candidate", candidate=candidate("failed", 9.0, "Failed"))
    search.job.tick()
    search.job.complete(timed_out=True)
    body = search.record.body
    assert (body["secondary"], body["best"]) == ("MaxAutoMLJobRuntimeReached", best)


def test_a_search_that_overran_its_time_without_a_candidate_has_failed(tmp_path: Path, store: Store) -> None:
    with pytest.raises(JobFailed, match="No candidate was completed"):
        Search(tmp_path, store).job.complete(timed_out=True)


def test_definitions_only_end_without_a_candidate(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store, GenerateCandidateDefinitionsOnly=True)
    search.says("end", reason="Completed")
    search.job.tick()
    search.job.complete(timed_out=False)
    assert (search.record.status, search.record.body["secondary"]) == ("Completed", "CandidateDefinitionsGenerated")


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "ended without saying why"),
        ([("end", {"reason": "Bored"})], "unknown reason 'Bored'"),
    ],
)
def test_a_search_that_breaks_the_contract_fails_the_job(
    tmp_path: Path, store: Store, events: list[tuple[str, dict[str, Any]]], said: str
) -> None:
    search = Search(tmp_path, store)
    for event, fields in events:
        search.says(event, **fields)
    search.job.tick()
    with pytest.raises(JobFailed, match=said):
        search.job.complete(timed_out=False)


def test_an_unknown_event_fails_the_job(tmp_path: Path, store: Store) -> None:
    search = Search(tmp_path, store)
    search.says("surprise")
    with pytest.raises(JobFailed, match="unknown kind 'surprise'"):
        search.job.tick()


def test_the_time_limit_is_the_requests_own_and_a_grace(tmp_path: Path, store: Store) -> None:
    limited = Search(tmp_path, store, CompletionCriteria={"MaxAutoMLJobRuntimeInSeconds": 100})
    assert limited.job.time_limit() == 130
