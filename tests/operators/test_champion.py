"""Reading the champion."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from automl_retraining.core.errors import EndpointBusy
from automl_retraining.operators.champion import ReadChampionOperator
from tests.support.endpoint_runs import ENDPOINT, pipeline, promote, with_clients
from tests.support.fake_endpoints import FakeSageMaker
from tests.support.tasks import context


def read(sm: FakeSageMaker, ctx: Any) -> Any:
    """Run the task."""
    return with_clients(ReadChampionOperator(task_id="champion", pipeline=pipeline()), sm, None).execute(ctx)


def test_the_champion_is_returned_and_its_name_pushed(sm: FakeSageMaker, s3: Any) -> None:
    """The name alone is what the transform's template takes."""
    promote(sm, s3, "m1", None)
    ctx = context("champion")
    found = read(sm, ctx)
    assert (found["model_name"], found["run_id"]) == ("m1", "r1")
    assert isinstance(found["since"], str)
    assert ctx["ti"].xcom_pull("champion", "model_name") == "m1"


def test_without_an_endpoint_there_is_no_champion(sm: FakeSageMaker) -> None:
    """Nothing is returned or pushed: score_champion skips."""
    ctx = context("champion")
    assert read(sm, ctx) is None
    assert ctx["ti"].xcoms == {}


def test_an_endpoint_in_creation_is_tried_again_and_somebody_elses_is_not(sm: FakeSageMaker, s3: Any) -> None:
    """What retrying cannot mend fails at once."""
    promote(sm, s3, "m1", None)
    sm.endpoints[ENDPOINT]["EndpointStatus"] = "Creating"
    with pytest.raises(EndpointBusy):
        read(sm, context("champion"))
    sm.tags.clear()
    with pytest.raises(AirflowFailException, match="adopt"):
        read(sm, context("champion"))
