"""Answers of SageMaker with any member missing, at any depth: read as unknown, or refused in a sentence of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.errors import RetrainingError
from automl_retraining.sagemaker import candidates, endpoint, failures, outcomes, steps, tuned, watching
from automl_retraining.sagemaker.jobs import KINDS, JobKind, read
from automl_retraining.sagemaker.progress import Progress
from tests.support.fake_sagemaker import operations, service_model
from tests.support.fuzzing import tries

NOW = datetime(2026, 11, 21, tzinfo=UTC)
DEEPEST = 5
WORDS = st.text(max_size=6)
ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def values(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of that shape of botocore's, each member of a structure there or not, required or not."""
    match shape.type_name:
        case "structure":
            if depth > DEEPEST:
                return st.just({})
            members = {name: values(member, depth + 1) for name, member in shape.members.items()}
            return st.fixed_dictionaries({}, optional=members)
        case "list":
            return st.lists(values(shape.member, depth + 1), max_size=2)
        case "map":
            return st.dictionaries(WORDS, values(shape.value, depth + 1), max_size=2)
        case "integer" | "long":
            return st.integers(0, 9)
        case "float" | "double":
            return st.floats()
        case "boolean":
            return st.booleans()
        case "timestamp":
            return st.datetimes(timezones=st.just(UTC))
    return st.sampled_from(shape.enum) | WORDS if getattr(shape, "enum", None) else WORDS


@cache
def answers(method: str, *members: str) -> st.SearchStrategy[dict[str, Any]]:
    """Answers of boto3's method; only of these members, where some are named."""
    shape = service_model().operation_model(operations()[method]).output_shape
    kept = {name: values(member, 1) for name, member in shape.members.items() if not members or name in members}
    return st.fixed_dictionaries({}, optional=kept)


def descriptions(kind: JobKind) -> st.SearchStrategy[dict[str, Any]]:
    """Descriptions of that kind: the members that the job table reads."""
    members = (kind.name_member, kind.arn_member, kind.status_member, kind.secondary_member, kind.reason_member,
               kind.exit_message_member, kind.ended_member, kind.transitions_member, "CreationTime",
               "PartialFailureReasons")  # fmt: skip
    return answers(kind.describe, *(member for member in members if member))


class Answering:
    """AWS's side: every method answers what it is told to, whatever is asked."""

    def __init__(self, **told: Any) -> None:
        self.meta = SimpleNamespace(endpoint_url="https://aws")
        self._told = told

    def __getattr__(self, method: str) -> Any:
        return lambda **_: self._told[method]


@ALL
@tries(25)
@given(data=st.data())
def test_any_description_is_read_and_put_in_words(kind: JobKind, data: st.DataObject) -> None:
    """The value, the log's lines, what it means and the error of its end."""
    history = watching.History(kind)
    for description in data.draw(st.lists(descriptions(kind), min_size=1, max_size=3)):
        job = read(kind, description)
        assert job.status == (description.get(kind.status_member) or "Unknown")
        history.observe(job, NOW)
        assert isinstance(history.summary(), str)
        means = outcomes.meaning(kind, job.status, job.secondary)
        assert means.outcome in ("running", "success", "usable", "failure")
        assert isinstance(watching.ending_error(kind, job), RetrainingError)


@ALL
@tries(12)
@given(data=st.data())
def test_a_look_gives_a_job_or_says_that_the_answer_was_none(kind: JobKind, data: st.DataObject) -> None:
    """A description without a status is a connection that broke off: worth another try, never an unknown error."""
    description = data.draw(descriptions(kind))
    job = refused_in_words(lambda: watching.look(Answering(**{kind.describe: description}), kind, "name"))
    if description.get(kind.status_member):
        assert job is not None
        assert job.status == description[kind.status_member]
    else:
        assert job is None


@tries(25)
@given(
    description=answers("describe_auto_ml_job_v2", "AutoMLJobName", "AutoMLJobArn", "CreationTime", "EndTime",
                        "AutoMLJobStatus", "AutoMLJobObjective", "BestCandidate", "ResolvedAttributes",
                        "AutoMLProblemTypeConfig", "PartialFailureReasons"),
    page=answers("list_candidates_for_auto_ml_job", "Candidates"),
)  # fmt: skip
def test_any_candidates_make_a_leaderboard(description: dict[str, Any], page: dict[str, Any]) -> None:
    """Or an error of ours that says what is missing."""
    refused_in_words(lambda: candidates.leaderboard(description, page.get("Candidates", ())))
    refused_in_words(lambda: candidates.list_candidates(Answering(list_candidates_for_auto_ml_job=page), "job"))
    candidates.problem_type(description)
    candidates.mode(description)
    progress = Progress("automl", "job")
    assert all(isinstance(line, str) for _, line in progress.look(Answering(list_candidates_for_auto_ml_job=page)))


@tries(25)
@given(
    job=answers("describe_hyper_parameter_tuning_job", "TrainingJobStatusCounters", "BestTrainingJob"),
    page=answers("list_training_jobs_for_hyper_parameter_tuning_job", "TrainingJobSummaries"),
    training=answers("describe_training_job", "TrainingJobName", "TrainingJobStatus", "HyperParameters",
                     "FinalMetricDataList", "CreationTime", "TrainingStartTime", "TrainingEndTime", "ModelArtifacts"),
)  # fmt: skip
def test_any_tuning_job_is_told_of(job: dict[str, Any], page: dict[str, Any], training: dict[str, Any]) -> None:
    """Its progress, its training jobs as lines of the leaderboard, and its artifact."""
    progress = Progress("tuning", "job")
    assert all(isinstance(line, str) for _, line in progress.look(Answering(describe_hyper_parameter_tuning_job=job)))
    sm = Answering(list_training_jobs_for_hyper_parameter_tuning_job=page)
    rows = refused_in_words(lambda: tuned.list_trainings(sm, "job")) or ()
    for raw in rows:
        refused_in_words(lambda raw=raw: tuned.of_summary(raw, "xgboost"))
    refused_in_words(lambda: tuned.of_description(training, "xgboost", "m"))
    refused_in_words(lambda: steps.artifact(training))


@tries(50)
@given(
    described=answers("describe_endpoint", "EndpointArn", "EndpointName", "EndpointStatus", "EndpointConfigName",
                      "LastModifiedTime", "FailureReason", "ProductionVariants", "PendingDeploymentSummary"),
    config=answers("describe_endpoint_config", "ProductionVariants", "CreationTime"),
    model=answers("describe_model", "ModelArn", "ModelName"),
    tags=answers("list_tags", "Tags"),
)  # fmt: skip
def test_any_endpoint_is_read_or_refused_in_words(
    described: dict[str, Any], config: dict[str, Any], model: dict[str, Any], tags: dict[str, Any]
) -> None:
    """What serves is known, or the error says what the answer lacks: never taken for an endpoint that is not there."""
    sm = Answering(describe_endpoint=described, describe_endpoint_config=config, describe_model=model, list_tags=tags)
    found = refused_in_words(lambda: endpoint.describe(sm, "e"))
    if found is None:
        return
    refused_in_words(lambda: endpoint.champion_of(sm, found))
    refused_in_words(lambda: endpoint.check_ours(found, adopt=False))
    refused_in_words(lambda: endpoint.verify(found, endpoint_name="e", config_name="c"))


def refused_in_words(call: Any) -> Any:
    """What the call returns; None where it was refused by an error of ours, or by a broken answer worth a retry."""
    refusal: Exception
    try:
        return call()
    except (RetrainingError, ConnectionClosedError) as error:
        refusal = error
    assert failures.retryable(refusal) if isinstance(refusal, ConnectionClosedError) else "expected" in str(refusal)
    return None
