"""The table of statuses."""

from __future__ import annotations

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker import secondary_status
from automl_retraining.sagemaker.jobs import AUTOML, ENDPOINT, TRAINING, TRANSFORM
from tests.support.fake_sagemaker import service_model

NEVER = {"DeployingModel", "ModelDeploymentError"}
"""Come with a deploy config only, which requests of ours never carry."""


def test_the_table_covers_the_services_enum() -> None:
    """Every secondary status of an AutoML job is somewhere in the table, or named here with its reason."""
    enum = set(service_model().shape_for("AutoMLJobSecondaryStatus").enum)
    table = {status for mode in secondary_status.MODES for status in secondary_status.known("automl", mode)}
    assert table | NEVER | {"Failed", "Stopped", "Stopping"} == enum


def test_training_statuses_are_the_services() -> None:
    """Of the training statuses, only those are missing that the service no longer gives."""
    enum = set(service_model().shape_for("SecondaryStatus").enum)
    missing = enum - set(secondary_status.known("training")) - {"Failed", "Stopped", "Stopping"}
    assert missing == {"LaunchingMLInstances", "PreparingTrainingStack", "DownloadingTrainingImage"}


def test_a_later_status_counts() -> None:
    """Whoever waits for tuning is done when the reports are written, or when the job is over in any good way."""
    reached = secondary_status.reached_by(AUTOML, "ModelTuning", "HYPERPARAMETER_TUNING")
    assert {"ModelTuning", "GeneratingExplainabilityReport", "Completed", "MaxCandidatesReached"} <= reached
    assert not {"FeatureEngineering", "Failed", "Stopped", "Stopping"} & reached


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("ENSEMBLING", "ModelTuning"),
        ("ENSEMBLING", "FeatureEngineering"),
        ("ENSEMBLING", "CandidateDefinitionsGenerated"),
        ("HYPERPARAMETER_TUNING", "TrainingModels"),
        ("AUTO", "ModelTraining"),
        ("AUTO", "DeployingModel"),
    ],
)
def test_a_status_that_never_comes_is_refused(mode: str, status: str) -> None:
    """The sentence lists those that do come."""
    with pytest.raises(RequestError, match=r"AnalyzingData.*would never end"):
        secondary_status.reached_by(AUTOML, status, mode)


def test_auto_has_the_statuses_of_both_modes() -> None:
    """While the mode is not known, either mode's status may be waited for, and the other's later ones count."""
    assert set(secondary_status.order(AUTOML, "AUTO")) == {
        *secondary_status.order(AUTOML, "ENSEMBLING"),
        *secondary_status.order(AUTOML, "HYPERPARAMETER_TUNING"),
    }
    assert "TrainingModels" in secondary_status.reached_by(AUTOML, "ModelTuning", "AUTO")


def test_kinds_without_secondary_status_go_by_status() -> None:
    """In progress, then done."""
    assert secondary_status.reached_by(TRANSFORM, "InProgress") == {"InProgress", "Completed"}
    assert secondary_status.reached_by(ENDPOINT, "InService") == {"InService"}
    assert "Uploading" in secondary_status.reached_by(TRAINING, "Training")


def test_a_bad_end_may_be_waited_for() -> None:
    """Stopped is an end that somebody may want to see; nothing else counts as it."""
    assert secondary_status.reached_by(AUTOML, "Stopped", "AUTO") == {"Stopped"}


def test_uncertain_entries_are_marked() -> None:
    """What is not documented says so."""
    assert "PreTraining" in secondary_status.uncertain("ENSEMBLING")
    assert "ModelTuning" not in secondary_status.uncertain("HYPERPARAMETER_TUNING")


def test_an_unknown_mode_is_refused() -> None:
    """The sentence lists the modes."""
    with pytest.raises(RequestError, match="AUTO, ENSEMBLING, HYPERPARAMETER_TUNING"):
        secondary_status.order(AUTOML, "FAST")
