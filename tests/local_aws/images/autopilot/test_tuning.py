"""HYPERPARAMETER_TUNING: the jobs that it stands for, and that they make the same models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import botocore.validate
import numpy as np
import optuna
import pandas as pd
import pytest

from include.local_aws import images
from include.local_aws.archives import unpack
from include.local_aws.images import linear_learner, mlp, xgboost
from include.local_aws.images.autopilot import answers, layout, recordio, search, serving, spec, tuning
from include.local_aws.images.autopilot.algorithms import ALGORITHMS
from include.local_aws.images.linear_learner import declared as linear_declared
from include.local_aws.images.mlp import hyperparameters as mlp_hyperparameters
from include.local_aws.images.xgboost import declared as xgboost_declared
from tests.local_aws.images.autopilot import jobs
from tests.local_aws.images.autopilot.conftest import PROBLEMS

Searched = dict[tuple[str, str], Path]
IMAGES = {"xgboost": xgboost, "mlp": mlp, "linear-learner": linear_learner}
READERS = {"xgboost": xgboost_declared.read, "mlp": mlp_hyperparameters.read, "linear-learner": linear_declared.read}
CREATES = {
    "processing": "CreateProcessingJob",
    "training": "CreateTrainingJob",
    "transform": "CreateTransformJob",
    "model": "CreateModel",
}
ROLE = "arn:aws:iam::123456789012:role/service"


def steps(root: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The steps that a search has reported."""
    return [event for event in jobs.events(root, "step") if kind in (None, event["kind"])]


def artifact(root: Path, uri: str) -> Path:
    """Where an artifact stands in the job's directory."""
    return root / "output" / "artifacts" / uri.removeprefix("artifact:")


def unpacked(archive: Path, folder: Path) -> Path:
    """The files of a model.tar.gz."""
    unpack(archive, folder)
    return folder


def opt_ml(root: Path, job: Path, request: Mapping[str, Any]) -> Path:
    """The directory of a training job with the channels of a step's request."""
    (root / "input/config").mkdir(parents=True)
    (root / "model").mkdir()
    (root / "input/config/hyperparameters.json").write_text(json.dumps(request["HyperParameters"]))
    channels = {}
    for channel in request["InputDataConfig"]:
        name = channel["ChannelName"]
        source = artifact(job, channel["DataSource"]["S3DataSource"]["S3Uri"])
        target = root / "input/data" / name
        for path in source.rglob("*"):
            if path.is_file():
                place = target / path.relative_to(source)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(path.read_bytes())
        channels[name] = {"ContentType": channel["ContentType"]}
    (root / "input/config/inputdataconfig.json").write_text(json.dumps(channels))
    return root


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_step_is_a_request_that_could_be_sent(searched: Searched, problem: str) -> None:
    """By botocore's own validator, once the role is in it; names fit and differ."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    reported = steps(searched["HYPERPARAMETER_TUNING", problem])
    for step in reported:
        role = {"model": {"ExecutionRoleArn": ROLE}, "transform": {}}.get(step["kind"], {"RoleArn": ROLE})
        shape = model.operation_model(CREATES[step["kind"]]).input_shape
        report = botocore.validate.ParamValidator().validate({**step["request"], **role}, shape)
        assert not report.has_errors(), report.generate_report()
        assert len(step["name"]) <= layout.NAME_LIMIT
    assert len({step["name"] for step in reported}) == len(reported)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_candidates_steps_were_reported_before_it(searched: Searched, problem: str) -> None:
    """A split for all, and for each candidate a data processor, its transform and its own training."""
    root = searched["HYPERPARAMETER_TUNING", problem]
    seen: set[str] = set()
    for event in jobs.events(root):
        if event["event"] == "step":
            seen.add(event["name"])
        elif event["event"] == "candidate":
            names = [step["CandidateStepName"] for step in event["candidate"]["CandidateSteps"]]
            assert len(names) == 4
            assert set(names) <= seen
            assert names[-1] == event["candidate"]["CandidateName"]
    assert [step["kind"] for step in steps(root)][:4] == ["processing", "training", "model", "transform"]


@pytest.mark.usefixtures("own_modules")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_data_processors_training_gives_the_candidates_features(
    searched: Searched, problem: str, tmp_path: Path
) -> None:
    """The image's own training of the generated module, on the rows that it was given."""
    root = searched["HYPERPARAMETER_TUNING", problem]
    body = jobs.rows_of(jobs.table(problem, rows=40, seed=9))
    environment = {"AUTOML_TRANSFORM_MODE": "feature-transform"}
    processors = [step for step in steps(root, "training") if "processor_module" in step["request"]["HyperParameters"]]
    assert len(processors) == 3
    for number, step in enumerate(processors):
        again = opt_ml(tmp_path / f"again-{number}", root, step["request"])
        images.autopilot.train(again)
        first = serving.load(unpacked(artifact(root, step["model"]), tmp_path / f"first-{number}"), environment)
        second = serving.load(again / "model", environment)
        assert second.invoke(body, "text/csv", None) == first.invoke(body, "text/csv", None)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_transform_gives_the_algorithms_channels(searched: Searched, problem: str, tmp_path: Path) -> None:
    """Labels included, to the last bit, from the split rows through the model that the transform names."""
    root = searched["HYPERPARAMETER_TUNING", problem]
    for number, (model, transform) in enumerate(zip(steps(root, "model"), steps(root, "transform"), strict=True)):
        container = model["request"]["PrimaryContainer"]
        folder = unpacked(artifact(root, container["ModelDataUrl"]), tmp_path / str(number))
        loaded = images.find(container["Image"]).serve(folder, container["Environment"])
        source = artifact(root, transform["request"]["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
        target = artifact(root, transform["request"]["TransformOutput"]["S3OutputPath"])
        for part in ("train", "validation"):
            rows = (source / part / "chunk_0.csv").read_bytes()
            body, content_type = loaded.invoke(rows, "text/csv", transform["request"]["TransformOutput"]["Accept"])
            assert content_type == answers.RECORDIO
            assert body == (target / part / "chunk_0.csv.out").read_bytes()
            assert recordio.read(body).labels is not None


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_algorithms_training_gives_the_candidates_model(
    searched: Searched, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image trained with the step's hyperparameters and channels serves the same answers."""
    root = searched["HYPERPARAMETER_TUNING", problem]
    trainings = [
        step for step in steps(root, "training") if "processor_module" not in step["request"]["HyperParameters"]
    ]
    assert len(trainings) == 3
    for number, step in enumerate(trainings):
        again = opt_ml(tmp_path / f"again-{number}", root, step["request"])
        image = images.training(step["request"]["AlgorithmSpecification"]["TrainingImage"])
        assert image is not None
        image.train(again)
        first = unpacked(artifact(root, step["model"]), tmp_path / f"first-{number}")
        served = images.find(step["request"]["AlgorithmSpecification"]["TrainingImage"])
        key = {} if problem == "Regression" else {"SAGEMAKER_INFERENCE_OUTPUT": "probability"}
        features = (again / "input/data/validation/chunk_0.csv.out").read_bytes()
        told = [
            np.array(
                served.serve(folder, key).invoke(features, answers.RECORDIO, "text/csv")[0].split(), dtype=np.float64
            )
            for folder in (first, again / "model")
        ]
        np.testing.assert_allclose(told[1], told[0], rtol=1e-4, atol=1e-4)
    capsys.readouterr()


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_an_algorithms_hyperparameters_and_metrics_are_its_images(name: str, problem: spec.ProblemType) -> None:
    """What a tuning fixes and tries is accepted by the image, and the objectives are metrics that it logs."""
    algorithm, image = ALGORITHMS[name], IMAGES[name]
    fixed = algorithm.static(problem, 3 if problem == "MulticlassClassification" else 2)
    assert set(algorithm.start) == set(algorithm.ranges) - algorithm.searched_elsewhere
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial(dict(algorithm.start))
    for number in range(20):
        tried = algorithm.space(study.ask())
        if number == 0:
            assert tried == algorithm.start
        rounds = {"num_round": "10"} if name == "xgboost" else {}
        READERS[name]({**fixed, **rounds, **{parameter: str(value) for parameter, value in tried.items()}})
    logged = {metric for metric, _ in image.metric_definitions({"HyperParameters": fixed})}
    assert set(algorithm.metrics(problem).values()) <= logged


def test_a_fit_that_is_cut_off_is_a_failed_training_job(tmp_path: Path) -> None:
    """Its candidate has its steps all the same; thirty epochs of 100,000 rows do not fit into a second."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(100_000, 4)).round(3)).add_prefix("f")
    frame["y"] = (frame["f0"] * frame["f1"] + frame["f2"]).round(3)
    root = jobs.write(
        tmp_path / "job",
        frame,
        Mode="HYPERPARAMETER_TUNING",
        CandidateGenerationConfig={"AlgorithmsConfig": [{"AutoMLAlgorithms": ["mlp"]}]},
        CompletionCriteria={"MaxCandidates": 1, "MaxRuntimePerTrainingJobInSeconds": 1},
    )
    with pytest.raises(SystemExit):
        search.run(root)
    assert "No candidate was completed" in (root / "output" / "failure").read_text()
    (failed,) = jobs.candidates(root).values()
    assert (failed["CandidateStatus"], failed["FailureReason"]) == ("Failed", "cut off after 1.0 s")
    trained = {step["name"]: step for step in steps(root, "training")}
    step = trained[failed["CandidateSteps"][-1]["CandidateStepName"]]
    assert (step["status"], step["failure"]) == ("Failed", "AlgorithmError: cut off after 1.0 s")
    assert step["metrics"] == []


def test_names_of_the_longest_job_fit() -> None:
    """AutoML job names have up to 32 characters, other jobs' names up to 63."""
    job = "a" * 32
    made = [
        layout.preprocessing(job),
        layout.data_processor(job, 10),
        layout.transform(job, 10),
        layout.transform_model(job, 10),
        layout.candidate(job, 250, ["x"]),
    ]
    assert all(len(name) <= 63 for name in made)
    assert len(set(made)) == len(made)


def test_one_tuning_job_can_search_all_definitions_at_once() -> None:
    """A tuning job searches at most 30 hyperparameters (developer guide, resource limits of model tuning)."""
    searched = [len(ALGORITHMS[line.algorithm].ranges) for line in tuning.DEFINITIONS]
    assert len(searched) <= 10
    assert sum(searched) <= 30
