"""A whole job: what it reports, keeps within, and leaves behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import botocore.session
import botocore.validate
import nbformat
import numpy as np
import pandas as pd
import psutil  # type: ignore[import-untyped]
import pytest

from include.local_aws.images.autopilot import ensembling, families, features, search, table, trials
from include.local_aws.images.autopilot.artifacts import Output
from include.local_aws.images.autopilot.context import Context
from include.local_aws.images.autopilot.spec import parse
from tests.local_aws.images.autopilot import jobs
from tests.local_aws.images.autopilot.conftest import MODES, PROBLEMS

Searched = dict[tuple[str, str], Path]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("mode", MODES)
def test_a_job_reports_in_order_what_it_does(searched: Searched, mode: str, problem: str) -> None:
    """Statuses of its mode, what AUTO and the defaults came to, three candidates, the best, the end."""
    root = searched[mode, problem]
    statuses = [event["secondary_status"] for event in jobs.events(root, "status")]
    training = ["TrainingModels"] if mode == "ENSEMBLING" else ["FeatureEngineering", "ModelTuning"]
    reports = ["GeneratingExplainabilityReport", "GeneratingModelInsightsReport"]
    assert statuses == ["AnalyzingData", *training, *reports]
    resolved = jobs.events(root, "resolved")[0]
    metric = {"BinaryClassification": "F1", "MulticlassClassification": "Accuracy", "Regression": "MSE"}[problem]
    assert (resolved["problem_type"], resolved["metric"], resolved["mode"]) == (problem, metric, mode)
    assert len(jobs.candidates(root)) == 3
    assert [event["event"] for event in jobs.events(root)][-1] == "end"
    assert (
        jobs.events(root, "end")[0]["reason"]
        == {
            "ENSEMBLING": "Completed",
            "HYPERPARAMETER_TUNING": "MaxCandidatesReached",
        }[mode]
    )
    times = [event["time"] for event in jobs.events(root)]
    assert times == sorted(times)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("mode", MODES)
def test_candidates_have_the_apis_shape_and_their_models_are_there(searched: Searched, mode: str, problem: str) -> None:
    """Checked by botocore's own validator, names of metrics against its enumerations."""
    root = searched[mode, problem]
    model = botocore.session.get_session().get_service_model("sagemaker")
    enums = {
        "MetricName": model.shape_for("AutoMLMetricEnum").enum,
        "StandardMetricName": model.shape_for("AutoMLMetricExtendedEnum").enum,
    }
    for candidate in jobs.candidates(root).values():
        report = botocore.validate.ParamValidator().validate(candidate, model.shape_for("AutoMLCandidate"))
        assert not report.has_errors(), report.generate_report()
        for metric in candidate["CandidateProperties"]["CandidateMetrics"]:
            assert metric["Set"] == "Validation"
            for member, names in enums.items():
                assert metric.get(member, names[0]) in names
        for container in candidate["InferenceContainers"]:
            path = container["ModelDataUrl"].removeprefix("artifact:")
            assert (root / "output" / "artifacts" / path).is_file()


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("mode", MODES)
def test_the_best_candidate_is_the_one_with_the_best_objective(searched: Searched, mode: str, problem: str) -> None:
    """Greatest or least, as the metric is."""
    root = searched[mode, problem]
    values = {
        name: candidate["FinalAutoMLJobObjectiveMetric"]["Value"] for name, candidate in jobs.candidates(root).items()
    }
    best = jobs.best(root)["FinalAutoMLJobObjectiveMetric"]
    assert best["Value"] == (min if best["Type"] == "Minimize" else max)(values.values())


@pytest.mark.parametrize("mode", MODES)
def test_the_best_candidates_reports_are_where_it_says(searched: Searched, mode: str) -> None:
    """Clarify's analysis.json and Model Monitor's statistics.json."""
    root = searched[mode, "BinaryClassification"]
    locations = jobs.best(root)["CandidateProperties"]["CandidateArtifactLocations"]
    prefix = "s3://data/automl/art-aml-churn/"
    folders = {
        name: root / "output" / "artifacts" / location.removeprefix(prefix) for name, location in locations.items()
    }
    analysis = json.loads((folders["Explainability"] / "analysis.json").read_text())
    shares = analysis["explanations"]["kernel_shap"]["label0"]["global_shap_values"]
    assert max(shares, key=lambda name: shares[name]) == "number"
    statistics = json.loads((folders["ModelInsights"] / "statistics.json").read_text())
    quality = statistics["binary_classification_metrics"]
    metrics = {
        metric["StandardMetricName"]: metric["Value"]
        for metric in jobs.best(root)["CandidateProperties"]["CandidateMetrics"]
    }
    assert quality["f1"]["value"] == metrics["F1"]
    assert set(quality["confusion_matrix"]) == {"no", "yes"}


@pytest.mark.parametrize("mode", MODES)
def test_both_notebooks_are_valid_and_about_this_table(searched: Searched, mode: str) -> None:
    """And their code compiles."""
    root = searched[mode, "BinaryClassification"]
    event = jobs.events(root, "artifacts")[0]
    texts = {}
    for name in ("data_exploration_notebook", "candidate_definition_notebook"):
        notebook = nbformat.read(root / "output" / "artifacts" / event[name], as_version=4)
        nbformat.validate(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                compile(cell.source, name, "exec")
        texts[name] = "\n".join(cell.source for cell in notebook.cells)
    assert "s3://data/churn/train/" in texts["data_exploration_notebook"]
    assert "unused (the same value in every row)" in texts["data_exploration_notebook"]
    assert '"art-aml-churn"' in texts["candidate_definition_notebook"]
    assert "`xgboost`" in texts["candidate_definition_notebook"]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_request_gives_the_same_models(searched: Searched, mode: str, tmp_path: Path) -> None:
    """Names, objectives and answers, to the last bit."""
    first = searched[mode, "BinaryClassification"]
    frame = jobs.table("BinaryClassification")
    second = jobs.write(tmp_path / "again", frame, Mode=mode, CompletionCriteria={"MaxCandidates": 3})
    search.run(second)
    body = jobs.rows_of(jobs.table("BinaryClassification", rows=30, seed=3))

    def left(root: Path) -> list[Any]:
        best = jobs.best(root)
        answers = jobs.ask(jobs.chain(root, best, jobs.ALL_KEYS), body)
        return [list(jobs.candidates(root)), best["FinalAutoMLJobObjectiveMetric"], answers]

    assert left(first) == left(second)


def test_a_validation_channel_is_what_candidates_are_measured_on(tmp_path: Path) -> None:
    """The statistics count its rows."""
    held_out = jobs.table("Regression", rows=77, seed=4)
    root = jobs.write(
        tmp_path / "job",
        jobs.table("Regression"),
        validation=held_out,
        Mode="ENSEMBLING",
        CompletionCriteria={"MaxCandidates": 2},
    )
    search.run(root)
    statistics = next((root / "output" / "artifacts").rglob("statistics.json"))
    assert json.loads(statistics.read_text())["dataset"]["item_count"] == 77


def test_a_large_table_is_measured_on_one_held_out_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the fraction asked for; each base model is then a single fit."""
    monkeypatch.setattr(trials, "BAGGED_ROWS", 599)
    root = jobs.write(
        tmp_path / "job",
        jobs.table("Regression"),
        Mode="ENSEMBLING",
        CompletionCriteria={"MaxCandidates": 1},
        request={"DataSplitConfig": {"ValidationFraction": 0.3}},
    )
    search.run(root)
    statistics = next((root / "output" / "artifacts").rglob("statistics.json"))
    assert json.loads(statistics.read_text())["dataset"]["item_count"] == 180


@pytest.mark.parametrize("mode", MODES)
def test_what_serves_is_what_was_measured(tmp_path: Path, mode: str) -> None:
    """The validation rows sent through the best candidate's containers give the reported objective."""
    held_out = jobs.table("Regression", rows=100, seed=4)
    root = jobs.write(
        tmp_path / "job",
        jobs.table("Regression"),
        validation=held_out,
        Mode=mode,
        CompletionCriteria={"MaxCandidates": 3},
    )
    search.run(root)
    best = jobs.best(root)
    predicted = np.array(jobs.ask(jobs.chain(root, best), jobs.rows_of(held_out)), dtype=np.float64)[:, 0]
    mse = np.mean((predicted - held_out["y"]) ** 2)
    assert best["FinalAutoMLJobObjectiveMetric"]["Value"] == pytest.approx(mse, rel=1e-6)


def test_sample_weights_decide_what_is_learned(tmp_path: Path) -> None:
    """Where half of the rows, of weight 0, say the opposite, the others are believed."""
    frame = jobs.table("BinaryClassification").drop(columns=["text", "when"])
    frame["weight"] = np.arange(600) % 2
    silent = frame["weight"] == 0
    frame.loc[silent, "y"] = frame.loc[silent, "y"].map({"yes": "no", "no": "yes"})
    root = jobs.write(
        tmp_path / "job",
        frame,
        Mode="ENSEMBLING",
        SampleWeightAttributeName="weight",
        CompletionCriteria={"MaxCandidates": 1},
    )
    search.run(root)
    asked = frame[~silent]
    answers = jobs.ask(jobs.chain(root, jobs.best(root)), jobs.rows_of(asked))
    assert np.mean([answer[0] for answer in answers] == asked["y"]) > 0.75


def test_candidate_definitions_only_trains_nothing(tmp_path: Path) -> None:
    """It leaves the notebooks and what their code needs: the rows, the data processors' sources, the helper package."""
    root = jobs.write(tmp_path / "job", jobs.table("Regression"), GenerateCandidateDefinitionsOnly=True)
    search.run(root)
    assert not jobs.candidates(root)
    assert not jobs.events(root, "step")
    assert jobs.events(root, "resolved")[0]["mode"] == "HYPERPARAMETER_TUNING"
    assert jobs.events(root, "end")[0]["reason"] == "CandidateDefinitionsGenerated"
    written = [path for path in (root / "output" / "artifacts").rglob("*") if path.is_file()]
    assert sorted({path.suffix for path in written}) == [".csv", ".ipynb", ".py"]


def test_algorithms_asked_for_are_those_searched(tmp_path: Path) -> None:
    """One that is not available here is a partial failure that names it."""
    config = {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["linear-learner", "catboost"]}]}
    root = jobs.write(
        tmp_path / "job",
        jobs.table("Regression"),
        Mode="ENSEMBLING",
        CandidateGenerationConfig=config,
        CompletionCriteria={"MaxCandidates": 1},
    )
    search.run(root)
    partial = [event["partial_failure"] for event in jobs.events(root, "candidate") if "partial_failure" in event]
    assert len(partial) == 1
    assert "The algorithm catboost is not available" in partial[0]
    assert jobs.best(root)["CandidateName"] == "LinearModel-BAG-L1-t1"
    assert jobs.events(root, "resolved")[0]["algorithms"] == ["linear-learner"]


def large(rows: int = 15_000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 30)).round(3)).add_prefix("f")
    return frame.assign(y=(frame["f0"] * frame["f1"] + frame["f2"] + random.normal(size=rows)).round(3))


def test_the_jobs_time_limit_ends_the_search_with_the_best_so_far(tmp_path: Path) -> None:
    """Hundreds of candidates were asked for; those that were running are stopped, not failed."""
    root = jobs.write(
        tmp_path / "job",
        large(),
        Mode="ENSEMBLING",
        CompletionCriteria={"MaxCandidates": 700, "MaxAutoMLJobRuntimeInSeconds": 6},
    )
    search.run(root)
    assert jobs.events(root, "end")[0]["reason"] == "MaxAutoMLJobRuntimeReached"
    statuses = [candidate["CandidateStatus"] for candidate in jobs.candidates(root).values()]
    assert "Completed" in statuses
    assert set(statuses) <= {"Completed", "Stopped"}
    stopped = [event for event in jobs.events(root, "candidate") if event["candidate"]["CandidateStatus"] == "Stopped"]
    assert not any("partial_failure" in event for event in stopped)
    answers = jobs.ask(jobs.chain(root, jobs.best(root)), jobs.rows_of(large(10)))
    assert len(answers) == 10


def test_a_fits_time_limit_cuts_it_off_and_the_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest that grows all its trees at once doesn't look at the clock in its two seconds; the linear model is
    quick.
    """
    monkeypatch.setattr(families, "_TREES_AT_ONCE", 200)
    monkeypatch.setattr(families, "_TREES_AT_ONCE_CELLS", 10**12)
    config = {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["randomforest", "linear-learner"]}]}
    root = jobs.write(
        tmp_path / "job",
        large(),
        Mode="ENSEMBLING",
        CandidateGenerationConfig=config,
        CompletionCriteria={"MaxCandidates": 3, "MaxRuntimePerTrainingJobInSeconds": 2},
    )
    search.run(root)
    by_status = {name: candidate["CandidateStatus"] for name, candidate in jobs.candidates(root).items()}
    assert by_status == {"LinearModel-BAG-L1-t1": "Completed", "RandomForest-BAG-L1-t2": "Failed"}
    failed = jobs.candidates(root)["RandomForest-BAG-L1-t2"]
    assert failed["FailureReason"] == "cut off after 2.0 s"
    assert jobs.events(root, "end")[0]["reason"] == "Completed"


@pytest.mark.parametrize(
    ("frame", "tabular", "sentence"),
    [
        (jobs.table("Regression", rows=100), {}, "Autopilot needs at least 500"),
        (jobs.table("Regression").assign(y="1"), {}, "has one value only"),
        (jobs.table("Regression"), {"target": "price"}, "The target column 'price' is not in the training data"),
        (
            jobs.table("Regression"),
            {
                "Mode": "ENSEMBLING",
                "CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": ["fastai"]}]},
            },
            r"None of the algorithms asked for \(fastai\) is available",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_a_failure_in_words(
    tmp_path: Path, frame: pd.DataFrame, tabular: dict[str, Any], sentence: str
) -> None:
    """In output/failure, with exit code 1."""
    root = jobs.write(tmp_path / "job", frame, **tabular)
    with pytest.raises(SystemExit) as exit_:
        search.run(root)
    assert exit_.value.code == 1
    assert re.search(sentence, (root / "output" / "failure").read_text())


def test_what_would_break_a_column_is_worked_around(tmp_path: Path) -> None:
    """Infinite and huge numbers, columns without a value or with one, identifiers, many categories, a quoted name."""
    random = np.random.default_rng(0)
    frame = jobs.table("BinaryClassification")
    algorithms = ["lightgbm", "linear-learner", "nn-torch"]  # on five recipes
    target = frame.pop("y")
    frame = frame.assign(
        infinite=np.where(random.random(600) < 0.1, "inf", random.normal(size=600).round(2).astype(str)),
        huge=np.where(random.random(600) < 0.1, "1e308", "1"),
        empty="",
        empty_or_one=np.where(random.random(600) < 0.5, "", "one"),
        identifier=[f"row {number}" for number in range(600)],
        many=random.choice([f"value {number}" for number in range(200)], 600),
        **{'a "quoted", name\nof [two] lines': random.choice(["a,b", 'c"d'], 600)},
    )
    frame["y"] = target
    root = jobs.write(
        tmp_path / "job",
        frame,
        Mode="ENSEMBLING",
        CandidateGenerationConfig={"AlgorithmsConfig": [{"AutoMLAlgorithms": algorithms}]},
        CompletionCriteria={"MaxCandidates": 6},
        specification={"FeatureDataTypes": {"empty": "numeric", "identifier": "text", "category": "categorical"}},
    )
    search.run(root)
    assert {candidate["CandidateStatus"] for candidate in jobs.candidates(root).values()} == {"Completed"}
    strange = frame.head(4).copy()
    for column in strange.columns:
        strange[column] = ["", "never seen", "-inf", "1e999"]
    answers = jobs.ask(jobs.chain(root, jobs.best(root)), jobs.rows_of(strange))
    assert {label for (label,) in answers} <= {"yes", "no"}


def test_a_thousand_columns_are_searched_within_bounded_features(tmp_path: Path) -> None:
    """No recipe's width depends on the product of columns and categories."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(500, 500)).round(2)).add_prefix("n")
    words = pd.DataFrame(random.choice([f"w{number}" for number in range(40)], (500, 500))).add_prefix("c")
    frame = pd.concat([frame, words, (frame["n0"] + frame["n1"]).rename("y")], axis=1)
    root = jobs.write(tmp_path / "job", frame)
    spec = parse(jobs.job())
    loaded = table.load(root, spec)
    context = Context(spec, loaded, "ENSEMBLING", "MSE", ("lightgbm", "linear-learner"), 3, Output(root), 0.0)
    lines = ensembling.lines(context)
    assert {line.recipe for line in lines} == {"ordinal", "one-hot"}
    for line in lines:
        assert features.fit(line.recipe, loaded.schema, loaded.train.frame).width <= 500 + 3000


def test_a_stop_ends_the_search_and_its_children_at_once(tmp_path: Path) -> None:
    """What SIGTERM does, within a second of a busy search."""
    root = jobs.write(tmp_path / "job", large(), Mode="ENSEMBLING")
    process = multiprocessing.get_context("fork").Process(target=search.run, args=(root,))
    process.start()
    assert process.pid is not None
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 20
    while not children and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    process.join(3)
    assert process.exitcode == 143
    assert children
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
