"""Candidate definitions only: what is written without a search, and that the notebooks' code runs."""

import ast
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import nbformat
import pytest
from nbclient import NotebookClient

from include.local_aws.images.autopilot import definitions, sagemaker_automl, uris
from include.local_aws.images.autopilot.studies import Line
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, automl_request, table, until

pytestmark = pytest.mark.local_aws

JOB = "definitions-only"


@pytest.fixture(scope="module")
def sagemaker(aws: Running) -> Any:
    return aws.client("sagemaker")


@pytest.fixture(scope="module")
def job(aws: Running, sagemaker: Any) -> dict[str, Any]:
    """A job that was asked for candidate definitions only, and for fewer candidates than it defines."""
    aws.client("s3").put_object(
        Bucket=BUCKET, Key="candidate-definitions/table.csv", Body=table(600).to_csv(index=False)
    )
    request = automl_request(
        JOB,
        f"s3://{BUCKET}/candidate-definitions/",
        Mode="HYPERPARAMETER_TUNING",
        GenerateCandidateDefinitionsOnly=True,
        CompletionCriteria={"MaxCandidates": 2},
    )
    sagemaker.create_auto_ml_job_v2(**request)
    return until(lambda: sagemaker.describe_auto_ml_job_v2(AutoMLJobName=JOB), "AutoMLJobStatus", ("InProgress",))


@pytest.fixture
def notebooks(aws: Running, job: dict[str, Any]) -> dict[str, Any]:
    """Both notebooks by the member of AutoMLJobArtifacts that tells where they are."""
    found = {}
    for member, uri in job["AutoMLJobArtifacts"].items():
        place = urlsplit(uri)
        body = aws.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
        found[member] = nbformat.read(io.StringIO(body.decode()), as_version=4)
    return found


@pytest.fixture
def kernel_environment(aws: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run notebooks in, whose kernels speak to the embedded AWS and leave nothing in the home directory."""
    for name, value in {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def run(notebook: Any, folder: Path) -> list[str]:
    """Execute every cell, and the texts that the cells answered with or printed."""
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]


def test_the_job_ends_with_its_definitions_and_no_candidate(sagemaker: Any, job: dict[str, Any]) -> None:
    """Whatever MaxCandidates says: it counts what is trained."""
    ended = (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"])
    assert ended == ("Completed", "CandidateDefinitionsGenerated"), job.get("FailureReason")
    assert "BestCandidate" not in job
    assert sagemaker.list_candidates_for_auto_ml_job(AutoMLJobName=JOB)["Candidates"] == []


def test_the_definitions_can_be_read_out_of_the_notebook_as_literals(notebooks: dict[str, Any]) -> None:
    """Without running it: calls of select_candidate, and three assignments, as in Autopilot's own notebooks."""
    source = "\n".join(
        cell.source for cell in notebooks["CandidateDefinitionNotebookLocation"].cells if cell.cell_type == "code"
    )
    tree = ast.parse(source)
    selected = [
        ast.literal_eval(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "automl_interactive_runner.select_candidate"
    ]
    assert [each["data_transformer"]["name"] for each in selected] == [f"dpp{number}" for number in range(7)]
    assert {each["algorithm"]["name"] for each in selected} == {"xgboost", "mlp", "linear-learner"}
    for each in selected:
        assert each["data_transformer"]["transforms_label"] is True
        assert each["data_transformer"]["transformed_data_format"] == "application/x-recordio-protobuf"
    assigned = {
        node.targets[0].id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    objectives = ast.literal_eval(assigned["ALGORITHM_OBJECTIVE_METRICS"])
    assert objectives == {
        "xgboost": "validation:f1_binary",
        "mlp": "validation:f1",
        "linear-learner": "validation:binary_f_beta",
    }
    static = ast.literal_eval(assigned["STATIC_HYPERPARAMETERS"])
    assert static["xgboost"]["objective"] == "binary:logistic"
    ranges = assigned["ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES"]
    assert isinstance(ranges, ast.Dict)
    assert [ast.literal_eval(key) for key in ranges.keys if key] == list(objectives)
    calls = {ast.unparse(node.func) for node in ast.walk(ranges) if isinstance(node, ast.Call)}
    assert calls == {"IntegerParameter", "ContinuousParameter", "CategoricalParameter"}


def test_the_data_exploration_notebook_runs(aws: Running, notebooks: dict[str, Any], kernel_environment: Path) -> None:
    """Its code finds the table that the job read, also where a manifest names the files."""
    notebook = notebooks["DataExplorationNotebookLocation"]
    told = run(notebook, kernel_environment)
    assert "(600, 4)" in told
    assert any("yes" in each and "no" in each for each in told)
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/candidate-definitions/"}, "table.csv", "table.csv"])
    aws.client("s3").put_object(Bucket=BUCKET, Key="manifests/definitions.json", Body=manifest)
    load = next(cell for cell in notebook.cells if "def objects" in cell.source)
    load.source = load.source.replace(
        f"('S3Prefix', 's3://{BUCKET}/candidate-definitions/')",
        f"('ManifestFile', 's3://{BUCKET}/manifests/definitions.json')",
    )
    notebook.cells = [load]
    assert run(notebook, kernel_environment) == ["(1200, 4)"]


def test_the_candidate_definition_notebook_prepares_tunes_and_deploys(
    aws: Running, sagemaker: Any, notebooks: dict[str, Any], kernel_environment: Path
) -> None:
    """With a smaller budget and one candidate for each algorithm, else as it was written: its endpoint answers."""
    notebook = notebooks["CandidateDefinitionNotebookLocation"]
    (cell,) = [each for each in notebook.cells if "max_jobs=250" in each.source]
    cell.source = cell.source.replace("max_jobs=250", "max_jobs=4")
    left_out = [f'"dpp{number}"' for number in range(3, 7)]
    notebook.cells = [each for each in notebook.cells if not any(name in each.source for name in left_out)]
    told = run(notebook, kernel_environment)
    assert any("fitted the data transformers of 3 candidates" in each for each in told)
    name = ast.literal_eval(told[-1])
    try:
        rows = table(20, seed=3).drop(columns="y").to_csv(index=False, header=False)
        answer = aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=rows)
        labels = answer["Body"].read().decode().split()
        right = (table(20, seed=3)["y"] == labels).mean()
        assert right > 0.7
        tuned = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        assert tuned["TrainingJobStatusCounters"]["Completed"] == 4
        assert len(tuned["TrainingJobDefinitions"]) == 3
    finally:
        sagemaker.delete_endpoint(EndpointName=name)


def test_the_helper_package_says_which_job_failed_and_why(
    aws: Running,
    job: dict[str, Any],
    kernel_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A data transformer without a module is told and left out; without any other there is nothing to tune."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    place = job["AutoMLJobArtifacts"]["CandidateDefinitionNotebookLocation"].partition("/notebooks/")[0]
    config = sagemaker_automl.AutoMLLocalRunConfig(
        role=ROLE,
        base_automl_job_config={
            "automl_job_name": JOB,
            "automl_output_s3_base_path": f"s3://{BUCKET}/automl",
            "problem_type": "BinaryClassification",
            "data_transformer_image_uri": uris.features("us-east-1"),
            "generated_module_s3_path": f"{place}/generated_module",
        },
        local_automl_job_config={
            "local_automl_job_name": "helped",
            "local_automl_job_output_s3_base_path": f"s3://{BUCKET}/helped",
        },
    )
    runner = sagemaker_automl.AutoMLInteractiveRunner(config)
    runner.select_candidate(definitions.definition(99, Line("xgboost", "ordinal")))
    with pytest.raises(sagemaker_automl.JobFailed, match=r"The job helped-dpp99-train is Failed: ClientError: .*dpp99"):
        runner.fit_data_transformers()
    assert "dpp99-xgboost: The job helped-dpp99-train is Failed" in capsys.readouterr().out
    with pytest.raises(sagemaker_automl.JobFailed, match="has not been fitted: run that cell before"):
        runner.candidates["dpp99-xgboost"].containers("s3://b/model.tar.gz")
