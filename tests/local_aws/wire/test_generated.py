"""Whatever a request breaks of the service model is refused with AWS's code and a message that names the member.

The requests are generated from botocore's model, for every operation there is, one broken constraint each.
"""

import http.client
import json
from collections import Counter
from functools import cache
from typing import Any, cast

import pytest
from botocore.model import StructureShape
from botocore.validate import ParamValidator

from include.local_aws.sagemaker.operations import OPERATIONS
from include.local_aws.sagemaker.service import SageMaker
from include.local_aws.wire.inputs import read
from include.local_aws.wire.model import operation
from tests.support.local_aws import Running
from tests.support.model_cases import SERIALIZATION, VALIDATION, Case, broken, good

IMPLEMENTED = sorted(OPERATIONS)
EVERY = 7
"""Of so many generated requests one goes through the real server as well."""


@cache
def cases(name: str) -> tuple[Case, ...]:
    return tuple(broken(shape(name)))


def shape(name: str) -> StructureShape:
    model = operation(name)
    assert model is not None
    assert model.input_shape is not None
    return model.input_shape


def wrong(case: Case, status: int, answer: dict[str, Any]) -> str | None:
    """What is wrong with the answer to a broken request, or None."""
    message = answer.get("message", "")
    if (status, answer.get("__type")) != (400, case.code):
        return f"{case}: expected HTTP 400 {case.code}, found {status} {answer.get('__type')}: {message[:300]}"
    if case.rule not in message:
        return f"{case}: not said in {message[:300]!r}"
    if case.code == VALIDATION and "validation error" in message:
        opening = f"Value null at '{case.where}'" if case.rule.startswith("Value null") else f"at '{case.where}' failed"
        if opening not in message:
            return f"{case}: does not name the member: {message[:300]!r}"
    return None


@pytest.mark.parametrize("name", IMPLEMENTED)
def test_the_smallest_good_request_is_let_through(name: str) -> None:
    request = good(shape(name))
    assert not ParamValidator().validate(request, shape(name)).has_errors()
    assert set(read(shape(name), request)) == set(request)


@pytest.mark.parametrize("name", IMPLEMENTED)
def test_every_broken_constraint_is_refused_by_name(name: str) -> None:
    service = SageMaker(cast(Any, None), cast(Any, None), cast(Any, None))  # a request that gets further meets nobody
    seen: Counter[str] = Counter()
    faults = []
    for case in cases(name):
        status, body, headers = service.answer(f"SageMaker.{name}", "us-east-1", json.dumps(case.document).encode())
        answer = json.loads(body)
        assert dict(headers)["x-amzn-errortype"] == answer["__type"]
        seen[case.code] += 1
        if said := wrong(case, status, answer):
            faults.append(said)
    assert not faults, f"{len(faults)} of {seen.total()}:\n" + "\n".join(faults[:10])
    assert seen[SERIALIZATION] >= 2
    assert seen[VALIDATION] >= 1 or not shape(name).required_members


def test_there_are_thousands_of_them_of_every_sort() -> None:
    rules = Counter(
        next((word for word in ("null", "enum", "pattern", "length", "value") if word in case.rule), case.code)
        for name in IMPLEMENTED
        for case in cases(name)
    )
    assert rules.total() > 2000
    for rule, least in (
        ("null", 100),
        ("enum", 50),
        ("pattern", 200),
        ("length", 300),
        ("value", 50),
        (SERIALIZATION, 500),
    ):
        assert rules[rule] >= least, rules


@pytest.mark.local_aws
def test_the_server_answers_the_same_over_http(aws: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=30)
    number = 0
    for name in IMPLEMENTED:
        for case in cases(name):
            number += 1
            if number % EVERY:
                continue
            connection.request("POST", "/", json.dumps(case.document), {"X-Amz-Target": f"SageMaker.{name}"})
            response = connection.getresponse()
            assert wrong(case, response.status, json.loads(response.read())) is None
            assert response.getheader("x-amzn-errortype") == case.code
            assert response.getheader("content-type") == "application/x-amz-json-1.1"
    connection.close()
    assert number > 2000
