"""Which calls a fault hits."""

from typing import Any

import pytest

from include.local_aws.faults.answers import answer
from include.local_aws.faults.injector import NOTHING, Injector
from include.local_aws.faults.settings import Fault, read


class Clock:
    """A clock that stands until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def hits(calls: int, clock: Clock | None = None, **fault: Any) -> list[bool]:
    injector = Injector(read({"seed": 3, "faults": [{"kind": "throttle", **fault}]}), clock or Clock())
    return [injector.hit("sagemaker", "ListModels").fault is not None for _ in range(calls)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({}, [True] * 6),
        ({"first": 2}, [True, True, False, False, False, False]),
        ({"every": 3}, [False, False, True, False, False, True]),
        ({"every": 2, "at_most": 2}, [False, True, False, True, False, False]),
        ({"service": "s3"}, [False] * 6),
        ({"service": "SageMaker", "operation": "list*"}, [True] * 6),
        ({"operation": "Describe*"}, [False] * 6),
        ({"rate": 0}, [False] * 6),
        ({"rate": 1}, [True] * 6),
    ],
)
def test_a_schedule_says_whose_turn_it_is(fault: dict[str, Any], expected: list[bool]) -> None:
    assert hits(6, **fault) == expected


def test_a_rate_is_kept_and_drawn_alike_from_the_same_seed() -> None:
    drawn = hits(2000, rate=0.25)
    assert 430 <= sum(drawn) <= 570
    assert drawn == hits(2000, rate=0.25)


def test_a_budget_lets_its_burst_through_and_then_so_many_a_second() -> None:
    clock = Clock()
    injector = Injector(read({"faults": [{"kind": "throttle", "calls_per_second": 2, "burst": 3}]}), clock)

    def through(calls: int) -> int:
        return sum(injector.hit("sagemaker", "X").fault is None for _ in range(calls))

    assert through(10) == 3
    clock.now += 1
    assert through(10) == 2
    clock.now += 100
    assert through(10) == 3
    assert injector.injected() == [22]


def test_delays_add_up_until_a_fault_ends_the_call() -> None:
    faults = [
        {"kind": "latency", "seconds": 1},
        {"kind": "latency", "seconds": [2, 3]},
        {"kind": "drop", "every": 2},
        {"kind": "error"},
    ]
    injector = Injector(read({"faults": faults}))
    first, second = injector.hit("s3", "GetObject"), injector.hit("s3", "GetObject")
    assert 3 <= first.delay <= 4
    assert [hit.fault.kind if hit.fault else None for hit in (first, second)] == ["error", "drop"]
    assert injector.injected() == [2, 2, 1, 1]
    assert Injector(read({})).hit("s3", "GetObject") == NOTHING


@pytest.mark.parametrize(
    ("fault", "service", "form", "status", "code"),
    [
        (Fault("throttle"), "sagemaker", "json", 400, '"__type": "ThrottlingException"'),
        (Fault("throttle"), "sagemaker-runtime", "rest-json", 400, '"Message": "Rate exceeded (injected)"'),
        (Fault("throttle"), "s3", "xml", 503, "<Code>SlowDown</Code>"),
        (Fault("throttle"), "sts", "query", 400, "<Type>Sender</Type><Code>Throttling</Code>"),
        (Fault("error"), "sagemaker", "json", 500, '"__type": "InternalFailure"'),
        (Fault("error"), "s3", "xml", 500, "<Code>InternalError</Code>"),
        (Fault("error", code="ServiceUnavailable"), "sts", "query", 503, "<Type>Receiver</Type>"),
        (Fault("error", code="RequestTimeout"), "s3", "xml", 408, "<Code>RequestTimeout</Code>"),
    ],
)
def test_an_injected_error_has_the_form_of_its_service(
    fault: Fault, service: str, form: str, status: int, code: str
) -> None:
    answered = answer(fault, service, form)
    assert answered[0] == status
    assert code in answered[1].decode()
