"""A running job as the page draws it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from moto import mock_aws

from automl_retraining.sagemaker import logs
from automl_retraining.sagemaker.jobs import AUTOML, TRAINING, TRANSFORM, TUNING, Job
from automl_retraining.ui import live
from automl_retraining.ui.airflow_db import SubmittedBy
from tests.support.fake_sagemaker import FakeSageMaker, error
from tests.ui.conftest import World

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = "manual__live"
PATH = f"/api/runs/autopilot_churn/{quote(RUN)}/live"


def after(seconds: float) -> datetime:
    """So long after the job began."""
    return BEGAN + timedelta(seconds=seconds)


def job(secondary: str, **members: Any) -> Job:
    """An Autopilot job."""
    return Job("automl", "art-automl-x", None, **{"status": "InProgress", "phase": "waiting", "secondary": secondary,
                                                  "created": BEGAN, **members})  # fmt: skip


def drawn(steps: list[live.Step]) -> list[tuple[str, str, float | None]]:
    """Status, state, seconds from its beginning to its end."""
    return [
        (one.status, one.state, (one.until - one.since).total_seconds() if one.since and one.until else None)
        for one in steps
    ]


def test_steps_seen_from_the_beginning_have_their_durations() -> None:
    """What is to come is ahead."""
    seen = [("Starting", after(1)), ("AnalyzingData", after(60)), ("FeatureEngineering", after(100))]
    found = live.steps(AUTOML, job("FeatureEngineering"), seen, "HYPERPARAMETER_TUNING")
    assert drawn(found) == [
        ("Starting", "done", 60),
        ("AnalyzingData", "done", 40),
        ("FeatureEngineering", "now", None),
        ("ModelTuning", "ahead", None),
        ("GeneratingExplainabilityReport", "ahead", None),
        ("GeneratingModelInsightsReport", "ahead", None),
    ]
    assert found[2].since == after(100)


def test_what_passed_before_anybody_looked_has_no_times() -> None:
    """Nothing is made up: also not when the present step began."""
    found = live.steps(AUTOML, job("ModelTuning"), [("ModelTuning", after(900))], "HYPERPARAMETER_TUNING")
    assert drawn(found)[:4] == [
        ("Starting", "done", None),
        ("AnalyzingData", "done", None),
        ("FeatureEngineering", "done", None),
        ("ModelTuning", "now", None),
    ]
    assert all(one.since is None for one in found[:4])


def test_a_job_that_is_over_ends_with_how_it_ended() -> None:
    """Steps that it never had are skipped; an end at a limit is an end."""
    over = job("MaxCandidatesReached", status="Completed", phase="succeeded", ended=after(200))
    seen = [("Starting", after(0)), ("TrainingModels", after(50)), ("MaxCandidatesReached", after(201))]
    found = live.steps(AUTOML, over, seen, "ENSEMBLING")
    assert [(one.status, one.state) for one in found] == [
        ("Starting", "done"),
        ("AnalyzingData", "done"),
        ("PreTraining", "done"),
        ("TrainingModels", "done"),
        ("GeneratingExplainabilityReport", "skipped"),
        ("GeneratingModelInsightsReport", "skipped"),
        ("MaxCandidatesReached", "done"),
    ]
    assert [one.certain for one in found[:4]] == [True, False, False, False]
    assert found[-1].since == after(200)


def test_a_training_jobs_own_times_are_shown() -> None:
    """SageMaker says them; a job without a secondary status has its status alone."""
    transitions = (("Starting", after(0)), ("Downloading", after(30)), ("Training", after(40)))
    training = Job("training", "t", None, "InProgress", "waiting", "Training", created=BEGAN, transitions=transitions)
    found = live.steps(TRAINING, training, transitions)
    assert ("Starting", "done", 30.0) in drawn(found)
    assert ("Training", "now", None) in drawn(found)
    transform = Job("transform", "x", None, "Completed", "succeeded", created=BEGAN, ended=after(90))
    assert drawn(live.steps(TRANSFORM, transform, [("InProgress", after(1)), ("Completed", after(91))])) == [
        ("InProgress", "done", 91.0),
        ("Completed", "done", None),
    ]


@pytest.fixture
def search(world: World) -> Any:
    """A search that runs, submitted by the task ``search`` of a run that Airflow says is running."""
    name = "art-automl-search-1"
    world.sm.jobs[AUTOML.key, name] = {
        "AutoMLJobName": name, "AutoMLJobStatus": "InProgress", "AutoMLJobSecondaryStatus": "TrainingModels",
        "CreationTime": BEGAN, "AutoMLJobObjective": {"MetricName": "F1"},
        "AutoMLProblemTypeConfig": {"TabularJobConfig": {"Mode": "ENSEMBLING", "TargetAttributeName": "left"}},
    }  # fmt: skip
    world.sm.candidates[name] = [
        {"CandidateName": f"c{number}", "CandidateStatus": "Completed", "CreationTime": after(number),
         "EndTime": after(number + 20), "FinalAutoMLJobObjectiveMetric": {"MetricName": "F1", "Value": value}}
        for number, value in ((2, 0.7), (1, 0.8), (3, 0.75))
    ]  # fmt: skip
    world.airflow.states["autopilot_churn", RUN] = "running"
    world.airflow.submitted["autopilot_churn", RUN] = (
        SubmittedBy("search", name),
        SubmittedBy("score_champion", "somebody-elses-job"),
        SubmittedBy("score_challenger", "art-transform-gone"),
    )
    yield name
    del world.airflow.states["autopilot_churn", RUN]
    del world.airflow.submitted["autopilot_churn", RUN]


def test_a_running_search_shows_its_candidates_as_they_come(world: World, search: str) -> None:
    """In the order of their creation, with the best so far; jobs that are not ours are not looked at."""
    found = world.browser("reader").json(PATH)
    assert (found["state"], found["problems"]) == ("running", [])
    assert [one["name"] for one in found["jobs"]] == [search]
    shown = found["jobs"][0]
    assert (shown["task_id"], shown["kind"], shown["secondary"]) == ("search", "automl", "TrainingModels")
    assert [one["name"] for one in shown["candidates"]] == ["c1", "c2", "c3"]
    assert (shown["best"], shown["counts"]) == ("c1", {"Completed": 3})
    assert shown["objective"] == {"name": "F1", "greater_is_better": True}
    assert shown["candidates"][0]["seconds"] == 20
    assert "jobs/art-automl-search-1" in shown["links"]["console"]
    assert world.browser("nobody").get(PATH).status_code == 403


def test_many_viewers_cost_no_more_calls_than_one(world: World, search: str) -> None:
    """Within two seconds."""
    world.browser().json(PATH)
    before = len(world.sm.calls)
    for user in ("admin", "reader") * 5:
        world.browser(user).json(PATH)
    assert len(world.sm.calls) == before


def test_an_aws_that_does_not_answer_is_said_beside_what_is_known(world: World, search: str) -> None:
    """The page stays."""
    world.service._lives = type(world.service._lives)(size=8, max_age=0)
    world.sm.failing.append(("describe_auto_ml_job_v2", error("ThrottlingException", "slow down")))
    found = world.browser().json(PATH)
    assert found["jobs"] == []
    assert found["problems"] == [f"search: describe {search}: AWS answered ThrottlingException: slow down"]


def test_a_log_that_may_not_be_read_hides_no_job(world: World, search: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with it stands in its place."""

    def refused(*_: object) -> list[str]:
        raise error("AccessDeniedException", "not yours")

    monkeypatch.setattr(logs, "tail", refused)
    world.service._lives = type(world.service._lives)(size=8, max_age=0)
    shown = world.browser().json(PATH)["jobs"][0]
    assert (shown["name"], shown["log"]) == (search, [])
    assert shown["log_problem"] == (
        "read the log: AWS answered AccessDeniedException: not yours; give the connection's role that right"
    )


class TuningSageMaker(FakeSageMaker):
    """With the training jobs of one tuning job."""

    def _other(self, method: str, arguments: dict[str, Any]) -> Any:
        if method != "list_training_jobs_for_hyper_parameter_tuning_job":
            return super()._other(method, arguments)
        return {"TrainingJobSummaries": [training(1, "Completed", 2.5), training(2, "Completed", 2.1), training(3)]}


def training(number: int, status: str = "InProgress", value: float | None = None) -> dict[str, Any]:
    """A summary of one of a tuning job's training jobs."""
    objective = {"MetricName": "validation:rmse", "Value": value}
    return {
        "TrainingJobName": f"t{number}",
        "TrainingJobStatus": status,
        "CreationTime": after(number),
        "TrainingJobDefinitionName": "xgboost",
        "TunedHyperParameters": {"eta": '"0.1"'},
        **({} if value is None else {"FinalHyperParameterTuningJobObjectiveMetric": objective}),
    }


def test_a_tuning_jobs_trainings_are_its_candidates() -> None:
    """The smaller error is the better one."""
    sm = TuningSageMaker()
    sm.jobs[TUNING.key, "art-tuning-x"] = {
        "HyperParameterTuningJobName": "art-tuning-x", "HyperParameterTuningJobStatus": "InProgress",
        "CreationTime": BEGAN,
        "TrainingJobDefinitions": [{"TuningObjective": {"Type": "Minimize", "MetricName": "validation:rmse"}}],
    }  # fmt: skip
    with mock_aws():
        client = boto3.client("logs", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        found = live.look(sm, client, SubmittedBy("search", "art-tuning-x"), live.Histories())
    assert found is not None
    assert (found["best"], found["counts"]) == ("t2", {"Completed": 2, "InProgress": 1})
    assert found["objective"] == {"name": "validation:rmse", "greater_is_better": False}
    assert found["candidates"][0]["hyperparameters"] == {"eta": "0.1"}
    assert found["candidates"][0]["algorithm"] == "xgboost"
