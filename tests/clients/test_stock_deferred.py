"""The deferrable operators of the stock Amazon provider and their triggers, deferred, on the embedded AWS."""

import inspect
from collections.abc import Mapping

import pytest
from airflow.providers.amazon.aws.operators import sagemaker as operators
from airflow.sdk import BaseOperator

from tests.clients.stock_deferred import CASES
from tests.support import stock
from tests.support.clients import Script, aio_folder

pytestmark = pytest.mark.local_aws


@pytest.fixture(scope="module")
def deferred_results(scripts: Mapping[str, Script]) -> dict[str, str | None]:
    """By case: None where it passed, how it failed otherwise."""
    aio_folder()
    return scripts["stock_deferred"].results(list(CASES))


def test_no_deferrable_operator_is_forgotten() -> None:
    found = {
        each
        for each in stock.classes(operators, BaseOperator)
        if "deferrable" in inspect.signature(each.__init__).parameters  # type: ignore[misc]
    }
    assert found == {operator for operator, _ in CASES.values()}


@pytest.mark.parametrize("case", CASES)
def test_deferred(deferred_results: dict[str, str | None], case: str) -> None:
    """The operator defers itself, its trigger waits in an event loop, and the task ends as the job did."""
    failed = deferred_results[case]
    assert failed is None, failed
