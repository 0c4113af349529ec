"""A pipeline's YAML: what is taken, and what is refused with file, key and what was expected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from automl_retraining.core.config import Deployment, load_pipeline, load_pipelines, pipeline_files, project_root
from automl_retraining.core.errors import ConfigError

BASE = "source: include/data/churn.csv\ntarget: churn\ngate: {metric: roc_auc}\n"


def load(folder: Path, text: str, name: str = "shop.yaml") -> object:
    """Write the text as a pipeline's file and load it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_pipeline(path)


def test_the_pipelines_of_the_project_are_valid() -> None:
    """Churn is searched by Autopilot; auto-mpg, with too few rows for it, is tuned."""
    loaded = {path.stem: load_pipeline(path) for path in pipeline_files()}
    assert loaded["churn"].trainers[0] == loaded["churn"].scheduled_trainer == "autopilot"
    assert loaded["churn"].schedule.cron == "0 5 * * 1"
    assert loaded["churn"].positive_class == "yes"
    assert loaded["auto_mpg"].trainers == ("tuned", "refit")
    assert loaded["auto_mpg"].drop == ("name",)
    for pipeline in loaded.values():
        assert (project_root() / pipeline.source).is_file()


def test_little_is_needed_and_the_rest_has_defaults(tmp_path: Path) -> None:
    """Source, target and the gate's metric; the name is the file's."""
    (tmp_path / "shop.yaml").write_text(BASE)
    pipeline = load_pipeline(tmp_path / "shop.yaml")
    assert (pipeline.name, pipeline.endpoint_name, pipeline.trainers) == ("shop", "art-shop", ("autopilot",))
    assert (pipeline.on_schema_change, pipeline.skip_unchanged) == ("stop", False)


def test_durations_are_read_with_their_unit(tmp_path: Path) -> None:
    """Seconds without one."""
    (tmp_path / "shop.yaml").write_text(BASE + "search: {max_run_time: 2h, max_training_job_run_time: 90}\n")
    search = load_pipeline(tmp_path / "shop.yaml").search
    assert (search.max_run_time, search.max_training_job_run_time) == (7200, 90)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "expected a mapping of keys such as source, target and gate, found an empty file"),
        ("- a", "expected a mapping of keys such as source, target and gate, found ['a']"),
        ("a: [\n", "line 2, column 1: expected YAML, found: "),
        (BASE + "target: other\n", "line 4: expected each key once, found 'target' again (first at line 2)"),
        (BASE + "search: {mode: AUTO, mode: AUTO}\n", "line 4: expected each key once, found 'mode' again"),
        ("target: churn\ngate: {metric: roc_auc}\n", "key source: expected a value, found nothing"),
        (BASE + "sourc: x\n", "key sourc: no such key; did you mean source?"),
        (
            BASE.replace("metric", "metrc"),
            "key gate.metrc: no such key; did you mean metric? Expected answer_within, approval",
        ),
        (BASE + "trainers: autopilot\n", "key trainers: expected a list, found 'autopilot': write [autopilot]"),
        (BASE + "trainers: []\n", "key trainers: expected at least one of autopilot, candidates, tuned, refit"),
        (BASE + "trainers: [tuned, tuned]\n", "key trainers: expected each trainer once"),
        (BASE + "trainers: [auto]\n", "key trainers.0: expected one of 'autopilot', 'candidates', 'tuned', 'refit',"),
        (BASE + "positive_class: yes\n", "found True: YAML reads yes, no, on and off as true and false, so put it in"),
        (BASE + "positive_class: 1\n", "key positive_class: expected text, found 1: put it in quotes"),
        (BASE + "schedule: {cron: '@daily', trainer: tuned}\n", "key schedule.trainer: expected one of this"),
        (BASE + "tuning: {algorithms: []}\n", "algorithms: expected at least one of xgboost, linear-learner"),
        (BASE + "tuning: {algorithms: [xgboost, xgboost]}\n", "algorithms: expected each once, found xgboost, xgboost"),
        (BASE + "tuning: {ranges: {linear-learner: {wd: {min: 1, max: 2}}}}\n", "of this pipeline, xgboost"),
        (BASE + "tuning: {ranges: {xgboost: {eta: {min: 0.3, max: 0.1}}}}\n", "the range is empty"),
        (BASE + "tuning: {ranges: {xgboost: {eta: {min: 0.3}}}}\n", "expected both min and max, or a list of values"),
        (BASE + "tuning: {ranges: {xgboost: {eta: {min: 0, max: 1, scaling: logarithmic}}}}\n", "a min above 0 for"),
        (BASE + "tuning: {ranges: {xgboost: {eta: {values: [1, 1]}}}}\n", "expected different values, found 1, 1"),
        (BASE + "tuning: {search: false, algorithms: [xgboost, linear-learner]}\n", "one where search is false"),
        (BASE + "tuning: {warm_start: true, algorithms: [xgboost, linear-learner]}\n", "warm_start: expected a single"),
        (BASE + "refit: {max_wait: 1h}\n", "max_wait: expected none without spot: true, found 3600 s"),
        (BASE + "refit: {spot: true, max_wait: 1h, max_run_time: 2h}\n", "expected at least max_run_time (7200 s)"),
        (BASE + "tuning: {max_wait: 1h}\n", "max_wait: expected none without spot, found 3600 s"),
        (BASE + "tuning: {spot: true, max_wait: 1m}\n", "max_wait: expected at least max_training_job_run_time"),
        (BASE + "schedule: '@daily'\n", "expected a mapping of keys to values, found '@daily': write it below cron"),
        (BASE + "schedule: {cron: '0 25 * * *'}\n", "key schedule.cron: expected a cron line such as"),
        (BASE + "schedule: {asset: my bucket}\n", "key schedule.asset: expected a URI such as s3://"),
        (BASE + "schedule: {cron: '@daily', asset: 's3://b/k'}\n", "key schedule: expected either cron or asset"),
        (BASE + "search: {max_candidates: 0}\n", "key search.max_candidates: expected at least 1, found 0"),
        (BASE + "search: {max_candidates: 1.5}\n", "key search.max_candidates: expected a whole number, found 1.5"),
        (BASE + "search: {max_run_time: soon}\n", 'key search.max_run_time: expected a duration such as "90s"'),
        (BASE + "search: {mode: FAST}\n", "key search.mode: expected one of 'AUTO', 'ENSEMBLING'"),
        (BASE + "split: {test: 0.7}\n", "key split.test: expected less than 0.5, found 0.7"),
        (BASE + "split: {key: [a], group: [b]}\n", "key split: expected key or group, found both"),
        (BASE + "split: {time: t, group: [b]}\n", "key split: expected group or time, found both"),
        (BASE + "split: {key: [a, a]}\n", "key split.key: expected each column once, found 'a' again"),
        (BASE + "drop: [churn]\n", "key drop: expected columns other than 'churn', which target needs"),
        (BASE + "split: {key: [churn]}\n", "key split.key: expected columns other than 'churn', which target needs"),
        (BASE + "drop: [w]\nsearch: {sample_weight: w}\n", "other than 'w', which search.sample_weight needs"),
        (BASE + "search: {sample_weight: churn}\n", "expected a column other than the target, found 'churn'"),
        (BASE + "skip_unchanged: maybe\n", "key skip_unchanged: expected true or false, found 'maybe'"),
        (BASE + "on_schema_change: ignore\n", "key on_schema_change: expected one of 'stop', 'accept'"),
        (BASE + "name: Shop\n", "key name: expected a lower-case letter, then"),
        (BASE + "name: other\n", "key name: expected 'shop', as the file is named, found 'other'"),
        (BASE + "endpoint: {name: a_b}\n", "key endpoint.name: expected at most 63 letters, digits and single hyphens"),
        (BASE + "endpoint: {instance_type: m5.large}\n", "key endpoint.instance_type: expected a SageMaker instance"),
        (BASE + "transform: {instance_type: ml.big}\n", "key transform.instance_type: expected a SageMaker instance"),
        (BASE.replace("roc_auc", "auc"), "key gate.metric: expected one of rmse, mae, r2"),
        (BASE + "problem_type: Regression\n", "expected one of rmse, mae, r2, mape for Regression, found 'roc_auc'"),
        (BASE.replace("}", ", floors: {f2: 1}}"), "key gate.floors: expected one of"),
        (BASE.replace("}", ", slices: [truth]}"), "expected columns other than group"),
        (BASE.replace("}", ", mode: non_inferiority}"), "mode non_inferiority needs a margin"),
        (BASE.replace("}", ", guardrails: {roc_auc: 0.1}}"), "expected metrics other than roc_auc"),
        (BASE.replace("}", ", guardrails: {mae: 0}}"), "key gate.guardrails.mae: expected more than 0"),
        (BASE.replace("}", ", guardrails: {auc: 0.1}}"), "key gate.guardrails: expected one of"),
        (BASE.replace("}", ", on_doubt: ask}"), "on_doubt: expected one of keep, approve, found 'ask'"),
        (BASE.replace("}", ", approval: always, on_doubt: keep}"), "expected approval and on_doubt to agree"),
        (BASE.replace("}", ", approvers: [ann]}"), "approvers: expected none where approval is never, found ann"),
        (BASE.replace("}", ", max_prediction_drift: 0}"), "max_prediction_drift: expected more than 0"),
        (
            BASE.replace("roc_auc}", "rmse, max_calibration_error: 0.1}") + "problem_type: Regression\n",
            "max_calibration_error: expected none for Regression",
        ),
        (
            BASE.replace("roc_auc", "rmse") + 'problem_type: Regression\npositive_class: "yes"\n',
            "key positive_class: expected none for Regression",
        ),
    ],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, text: str, sentence: str) -> None:
    """The file, the key, what was expected, what was found."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "shop.yaml") in str(caught.value)
    assert sentence in str(caught.value)


def test_every_mistake_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    """One sentence, one line, each with the file."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, BASE + "split: {test: 0.7}\nsearch: {mode: FAST}\nnonsense: 1\n")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(str(tmp_path / "shop.yaml")) for line in lines)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "shop.yaml").write_bytes(b"source: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"shop\.yaml: expected a readable YAML file in UTF-8"):
        load_pipeline(tmp_path / "shop.yaml")


def test_a_yml_file_is_not_overlooked(tmp_path: Path) -> None:
    """Nobody should wonder where the DAG is."""
    (tmp_path / "shop.yml").write_text(BASE)
    (path,) = pipeline_files(tmp_path)
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.yaml"):
        load_pipeline(path)


def test_a_broken_file_hides_only_itself(tmp_path: Path) -> None:
    """The others' DAGs stay, each under its trainers."""
    (tmp_path / "broken.yaml").write_text("nonsense: 1\n")
    (tmp_path / "shop.yaml").write_text(BASE)
    (tmp_path / "tuned_only.yaml").write_text(BASE + "trainers: [tuned]\n")
    assert [pipeline.name for pipeline in load_pipelines("autopilot", tmp_path)] == ["shop"]
    assert [pipeline.name for pipeline in load_pipelines("tuned", tmp_path)] == ["tuned_only"]


def test_the_deployment_fills_in_what_the_yaml_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bucket and role come from the YAML, else from the environment, else an error names both places."""
    (tmp_path / "shop.yaml").write_text(BASE + "aws: {bucket: of-the-yaml}\n")
    pipeline = load_pipeline(tmp_path / "shop.yaml")
    monkeypatch.setenv("AUTOML_RETRAINING_BUCKET", "of-the-deployment")
    monkeypatch.setenv("AUTOML_RETRAINING_DATA_DIRS", f"{tmp_path}:/data")
    deployment = Deployment.from_environment()
    assert deployment.bucket_of(pipeline) == "of-the-yaml"
    assert deployment.data_dirs == (project_root() / "include" / "data", tmp_path, Path("/data"))
    with pytest.raises(ConfigError, match=r"aws\.role_arn .* AUTOML_RETRAINING_ROLE_ARN"):
        deployment.role_of(pipeline)


def test_a_dag_file_imports_nothing_heavy_through_the_configuration() -> None:
    """A DAG file is parsed every few seconds."""
    code = (
        "import sys; from automl_retraining.core import config, records, metric_table;"
        "list(config.load_pipelines('autopilot'));"
        "print([name for name in ('airflow', 'boto3', 'botocore', 'numpy', 'pandas') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": "plugins"},
        cwd=project_root(),
    )  # fmt: skip
    assert found.stdout.strip() == "[]"
