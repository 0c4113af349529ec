"""Every status of botocore's service model has a stated outcome, and what waits keeps to it."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from automl_retraining.core.errors import EndpointError, JobFailed, JobStopped, RolledBack
from automl_retraining.sagemaker import endpoint, outcomes
from automl_retraining.sagemaker.jobs import AUTOML, ENDPOINT, KINDS, TRAINING, TRANSFORM, TUNING, JobKind, read
from automl_retraining.sagemaker.watching import JobAtFault, ending_error
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.fake_sagemaker import operations, service_model
from tests.support.local_aws import ROOT

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.key)


def enum(kind: JobKind, member: str | None) -> set[str]:
    """The words that the service model knows for this member of the kind's description."""
    described = service_model().operation_model(operations()[kind.describe]).output_shape.members
    return set(described[member].enum) if member else set()


@ALL
def test_every_status_has_an_outcome(kind: JobKind) -> None:
    """A word that botocore learns must be given its meaning before this passes again."""
    assert set(outcomes.MEANINGS[kind.key]) == enum(kind, kind.status_member)


@ALL
def test_every_secondary_status_has_an_outcome(kind: JobKind) -> None:
    """Likewise; a tuning job has none, and one word of ours for its time limit."""
    stated = set(outcomes.SECONDARY_MEANINGS.get(kind.key, ()))
    assert stated - {outcomes.OWN_LIMIT} == enum(kind, kind.secondary_member)


@ALL
def test_the_outcomes_agree_with_the_job_table(kind: JobKind) -> None:
    """The poller ends a wait by the job table, the task judges by this one: a status is over in both or in neither."""
    for status, meaning in outcomes.MEANINGS[kind.key].items():
        over = read(kind, {kind.status_member: status}).over
        assert (meaning.outcome != "running") == over, status
        assert (meaning.outcome == "success") == (kind.phase(status) == "succeeded"), status
        assert meaning.outcome != "usable", "a status alone never says that something serves"


@ALL
def test_a_job_that_is_not_over_is_running_whatever_its_secondary_status_says(kind: JobKind) -> None:
    """``InProgress`` with ``MaxCandidatesReached`` still writes its reports; Stopped and Failed are never success."""
    for status in enum(kind, kind.status_member):
        for secondary in (*outcomes.SECONDARY_MEANINGS.get(kind.key, ()), None, "FromTheFuture"):
            outcome = outcomes.meaning(kind, status, secondary).outcome
            assert outcome in get_args(outcomes.Outcome)
            assert (outcome == "running") == (kind.phase(status) in ("waiting", "stopping"))
            assert outcome != "success" or kind.phase(status) == "succeeded"


@pytest.mark.parametrize(
    ("kind", "status", "secondary", "outcome"),
    [
        (AUTOML, "Completed", "Completed", "success"),
        (AUTOML, "Completed", "CandidateDefinitionsGenerated", "success"),
        (AUTOML, "Completed", "MaxCandidatesReached", "usable"),
        (AUTOML, "Stopped", "MaxAutoMLJobRuntimeReached", "usable"),
        (AUTOML, "Failed", "ExplainabilityError", "usable"),
        (AUTOML, "Failed", "ModelInsightsError", "usable"),
        (AUTOML, "Stopped", "Stopped", "failure"),
        (AUTOML, "Stopped", "ModelTuning", "failure"),
        (AUTOML, "Failed", "Completed", "failure"),
        (TRAINING, "InProgress", "Interrupted", "running"),
        (TRAINING, "Stopped", "Interrupted", "failure"),
        (TRAINING, "Stopped", "MaxRuntimeExceeded", "failure"),
        (TRAINING, "Completed", "MaxRuntimeExceeded", "failure"),
        (TRAINING, "Stopped", "MaxWaitTimeExceeded", "failure"),
        (TRAINING, "Completed", "Uploading", "success"),
        (TUNING, "Stopped", None, "failure"),
        (TUNING, "Stopped", outcomes.OWN_LIMIT, "usable"),
        (TRANSFORM, "Stopped", None, "failure"),
        (ENDPOINT, "OutOfService", None, "failure"),
        (ENDPOINT, "UpdateRollbackFailed", None, "failure"),
        (ENDPOINT, "RollingBack", None, "running"),
    ],
)
def test_status_and_secondary_status_together(
    kind: JobKind, status: str, secondary: str | None, outcome: outcomes.Outcome
) -> None:
    """A limit of the job's own, or a failed report, leaves the decision to what the job left behind."""
    assert outcomes.meaning(kind, status, secondary).outcome == outcome


@pytest.mark.parametrize("status", sorted(enum(ENDPOINT, "EndpointStatus")))
def test_an_endpoint_serves_what_was_asked_for_only_in_service(status: str) -> None:
    """The check after an update keeps to the table; InService on another configuration is a rollback."""
    sm = FakeSageMaker()
    sm.model("m1")
    sm.create_endpoint_config(EndpointConfigName="c1", Tags=[], ProductionVariants=[])
    sm.create_endpoint(EndpointName="e", EndpointConfigName="c1", Tags=[])
    sm.settle("e", status=status)
    found = endpoint.describe(sm, "e")
    if outcomes.meaning(ENDPOINT, status).outcome == "success":
        endpoint.verify(found, endpoint_name="e", config_name="c1")
        with pytest.raises(RolledBack):
            endpoint.verify(found, endpoint_name="e", config_name="c2")
    else:
        with pytest.raises(EndpointError, match=status):
            endpoint.verify(found, endpoint_name="e", config_name="c1")


@pytest.mark.parametrize(
    ("kind", "description", "error", "sentence"),
    [
        (
            TRAINING,
            {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"},
            JobStopped,
            "its own time limit",
        ),
        (TRAINING, {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: x"}, JobFailed, "AlgorithmError"),
        (TRANSFORM, {"TransformJobStatus": "Failed", "FailureReason": "ClientError: x"}, JobAtFault, "ClientError"),
        (
            AUTOML,
            {"AutoMLJobStatus": "Stopped", "AutoMLJobSecondaryStatus": "MaxAutoMLJobRuntimeReached"},
            JobStopped,
            "reached its time limit, and it left nothing that can serve",
        ),
    ],
)
def test_an_end_that_is_no_success_says_what_happened(
    kind: JobKind, description: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    """Not just the word of the service model."""
    raised = ending_error(kind, read(kind, {kind.name_member: "art-x", **description}))
    assert type(raised) is error
    assert sentence in str(raised)


def test_the_page_states_the_table() -> None:
    """docs/jobs.md has a row for every status and secondary status, with this outcome."""
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| (\w+) \|", (ROOT / "docs" / "jobs.md").read_text(), re.MULTILINE)
    written = {(kind.strip(), word): outcome for kinds, word, outcome in rows for kind in kinds.split(",")}
    stated = {
        (key, word): meaning.outcome
        for table in (outcomes.MEANINGS, outcomes.SECONDARY_MEANINGS)
        for key, words in table.items()
        for word, meaning in words.items()
    }
    assert written == stated
