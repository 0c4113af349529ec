"""Which experiments, trials and components there are, and which belong together."""

from pathlib import Path
from typing import Any

import pytest

from include.local_aws.experiments.catalogue import Catalogue, check
from include.local_aws.wire.errors import ResourceNotFound
from tests.support.job_bodies import PROCESSING, TRAINING, TRANSFORM
from tests.support.sagemaker_in_process import REGION, InProcess

BODIES: dict[str, dict[str, Any]] = {"training": TRAINING, "processing": PROCESSING, "transform": TRANSFORM}


@pytest.fixture
def house(tmp_path: Path) -> InProcess:
    """A store with the experiment ``e`` and its trial ``t``."""
    found = InProcess(tmp_path)
    found.call("CreateExperiment", ExperimentName="e")
    found.call("CreateTrial", TrialName="t", ExperimentName="e")
    return found


def _job(house: InProcess, kind: str, name: str, **config: str) -> None:
    body = BODIES[kind]
    house.put(kind, name, "Completed", {**body, "request": {**body["request"], "ExperimentConfig": config}})


def _catalogue(house: InProcess) -> Catalogue:
    return Catalogue(lambda kind: house.store.all(kind, region=REGION))


@pytest.mark.parametrize("kind", list(BODIES))
def test_a_job_of_any_kind_is_in_the_trial_that_it_names(house: InProcess, kind: str) -> None:
    """Names in any case."""
    _job(house, kind, "Job", TrialName="T")
    (component,) = _catalogue(house).components_of([_catalogue(house).trial("t")])
    assert component.name == f"Job-aws-{kind}-job"


def test_a_job_that_names_a_trial_which_is_not_there_is_in_none(house: InProcess) -> None:
    """And is a component all the same."""
    _job(house, "training", "job", TrialName="gone", ExperimentName="e")
    catalogue = _catalogue(house)
    assert catalogue.pairs == set()
    assert catalogue.component("job-aws-training-job").job == ("training", "job")


def test_what_was_taken_out_of_a_trial_can_be_put_back(house: InProcess) -> None:
    """Though its job still names the trial."""
    _job(house, "training", "job", TrialName="t")
    given = {"TrialName": "t", "TrialComponentName": "job-aws-training-job"}
    pair = ("t", "job-aws-training-job")
    house.call("DisassociateTrialComponent", **given)
    assert pair not in _catalogue(house).pairs
    house.call("AssociateTrialComponent", **given)
    assert pair in _catalogue(house).pairs


def test_an_experiment_config_must_name_what_is_there(house: InProcess) -> None:
    """Each of its names by itself; without one there is nothing to check."""
    check(house.store, REGION, None)
    check(house.store, REGION, {"ExperimentName": "E", "TrialName": "T"})
    with pytest.raises(ResourceNotFound, match="Experiment 'x' does not exist"):
        check(house.store, REGION, {"ExperimentName": "x"})
    with pytest.raises(ResourceNotFound, match="Trial 'x' does not exist"):
        check(house.store, REGION, {"ExperimentName": "e", "TrialName": "x"})
