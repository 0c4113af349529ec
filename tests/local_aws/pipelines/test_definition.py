"""A pipeline's definition is refused in words that name what is wrong in it, when the pipeline is created."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from include.local_aws.pipelines.definition import OF_AWS, read
from include.local_aws.pipelines.parameters import values
from include.local_aws.wire.errors import AwsError, NotImplementedHere, ValidationException
from tests.support.pipelines import document, get, join, parameter, step

FAIL = step("Fail", "Fail", {"ErrorMessage": "no"})
EQUALS = {"Type": "Equals", "LeftValue": get("Parameters.N"), "RightValue": 1}


def judging(*, then: Any = (), otherwise: Any = (), conditions: Any = (EQUALS,)) -> dict[str, Any]:
    return step(
        "Judge",
        "Condition",
        {"Conditions": list(conditions), "IfSteps": list(then), "ElseSteps": list(otherwise)},
    )


NUMBER = parameter("N", "Integer", DefaultValue=1)
RICH = {
    "Version": "2020-12-01",
    "Metadata": {},
    "Parameters": [NUMBER, parameter("Text", DefaultValue="a", EnumValues=["a", "b"])],
    "PipelineExperimentConfig": {"ExperimentName": get("Execution.PipelineName"), "TrialName": "t"},
    "Steps": [
        step(
            "Run",
            "Processing",
            {"Environment": {"A": join("x", get("Parameters.N"))}},
            DisplayName="d",
            Description="e",
            CacheConfig={"Enabled": False},
            RetryPolicies=[],
            PropertyFiles=[{"PropertyFileName": "F", "OutputName": "o", "FilePath": "p"}],
        ),
        judging(
            then=[FAIL],
            otherwise=[step("Make", "Model", {"ModelName": get("Steps.Run.ProcessingJobName")})],
            conditions=[
                EQUALS,
                {"Type": "Not", "Expression": EQUALS},
                {"Type": "Or", "Conditions": [EQUALS]},
                {"Type": "In", "QueryValue": "a", "Values": [get("Parameters.Text")]},
                {
                    "Type": "LessThan",
                    "LeftValue": {"Std:JsonGet": {"PropertyFile": get("Steps.Run.PropertyFiles.F"), "Path": "a"}},
                    "RightValue": 1,
                },
            ],
        ),
        step("Last", "Training", {}, DependsOn=["Run", "Judge"]),
    ],
}


def test_steps_wait_for_what_they_name_and_for_the_condition_that_they_hang_on() -> None:
    """Those of branches stand in the same list, with the outcome that they need."""
    steps = read(json.dumps(RICH)).steps
    assert {name: sorted(each.waits_for) for name, each in steps.items()} == {
        "Run": [],
        "Judge": ["Run"],
        "Fail": ["Judge"],
        "Make": ["Judge", "Run"],
        "Last": ["Judge", "Run"],
    }
    assert (steps["Fail"].branch, steps["Make"].branch, steps["Last"].branch) == (
        ("Judge", True),
        ("Judge", False),
        None,
    )
    assert steps["Run"].files == {"F": ("o", "p")}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "it is not JSON"),
        ("[]", "expected a JSON object"),
        ('{"Version": "2019-01-01", "Steps": []}', "expected Version '2020-12-01', found '2019-01-01'"),
        (document(), "at least one step"),
        (document(FAIL, FAIL), "step names must be unique, found 'Fail'"),
        (document(judging(then=[FAIL], otherwise=[FAIL]), parameters=[NUMBER]), "step names must be unique"),
        (document(step("a b", "Fail", {})), "found 'a b'"),
        (document(step("A", "Dance", {})), "unknown Type 'Dance'"),
        (document(step("A", "Fail", {"ErrorMessage": get("Parameters.No")})), "the parameter 'No'"),
        (document(step("A", "Fail", {"ErrorMessage": get("Steps.No.X")})), "the step 'No', which is no step"),
        (document(step("A", "Fail", {"ErrorMessage": get("Execution.No")})), "Execution.No"),
        (document(step("A", "Fail", {"ErrorMessage": get("Nonsense")})), "found 'Nonsense'"),
        (document(step("A", "Fail", {"ErrorMessage": get("Steps.A.x[")})), "Expected a path"),
        (document(FAIL, step("A", "Fail", {"ErrorMessage": get("Steps.Fail.PropertyFiles.F")})), "a property file"),
        (document(step("A", "Fail", {}, DependsOn=["B"])), "depends on 'B', which is no step"),
        (document(step("A", "Fail", {"ErrorMessage": get("Steps.A.X")})), "the steps A wait for each other"),
        (
            document(step("A", "Fail", {}, DependsOn=["B"]), step("B", "Fail", {"E": get("Steps.A.X")})),
            "the steps A, B wait for each other",
        ),
        (document(judging(conditions=[]), parameters=[NUMBER]), "a list of Conditions"),
        (document(judging(conditions=[{"Type": "Maybe"}]), parameters=[NUMBER]), "found 'Maybe'"),
        (document(judging(conditions=[{"Type": "In"}]), parameters=[NUMBER]), "must have QueryValue"),
        (document(FAIL, parameters=[NUMBER, NUMBER]), "parameter names must be unique, found 'N'"),
        (document(FAIL, parameters=[parameter("N", "Number")]), "a Type of String, Integer, Float, Boolean"),
        (document(FAIL, parameters=[parameter("N", "Integer", DefaultValue="1")]), "is no Integer: '1'"),
        (document(FAIL, parameters=[parameter("N", "Integer", DefaultValue=True)]), "is no Integer: True"),
    ],
)
def test_what_is_wrong_is_said(text: str, sentence: str) -> None:
    """As a ValidationException."""
    with pytest.raises(ValidationException, match="Invalid pipeline definition") as caught:
        read(text)
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        *(step("A", kind, {}) for kind in OF_AWS),
        step("A", "Fail", {}, CacheConfig={"Enabled": True, "ExpireAfter": "P1D"}),
        step("A", "Fail", {}, RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"]}]),
    ],
    ids=lambda each: each["Type"],
)
def test_what_aws_has_and_is_not_here_is_not_implemented(given: dict[str, Any]) -> None:
    """And is named, with its step."""
    with pytest.raises(NotImplementedHere, match="'A'"):
        read(document(given))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in children:
        yield from places(each, (*path, key))


@pytest.mark.parametrize("other", [None, True, 7, "x", [], ["x"], {}, {"Get": 3}, {"Get": "x"}, {"Std:Join": []}])
def test_whatever_stands_in_the_place_of_anything_is_read_or_refused(other: Any) -> None:
    """Each value of a definition replaced by one of another kind: never an error of another sort."""
    for path in list(places(RICH))[1:]:
        changed: Any = copy.deepcopy(RICH)
        here = changed
        for key in path[:-1]:
            here = here[key]
        here[path[-1]] = other
        try:
            definition = read(json.dumps(changed))
        except AwsError:
            continue
        for each in definition.steps.values():
            assert each.display is None or isinstance(each.display, str), path
            assert each.description is None or isinstance(each.description, str), path


def test_a_definition_nested_without_end_is_refused() -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    with pytest.raises(ValidationException, match="Invalid pipeline definition"):
        read('{"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Fail", "Arguments": ' + deep + "}]}")


def test_parameters_have_the_type_that_they_are_declared_with() -> None:
    """Whatever is not given is the default."""
    declared = [
        parameter("I", "Integer", DefaultValue=1),
        parameter("F", "Float", DefaultValue=1),
        parameter("B", "Boolean", DefaultValue=False),
        parameter("S"),
    ]
    definition = read(document(FAIL, parameters=declared))
    assert values(definition.parameters, {"S": "x"}) == {"I": 1, "F": 1, "B": False, "S": "x"}
    assert values(definition.parameters, {"I": "-2", "F": "2.5", "B": "True", "S": "3"}) == {
        "I": -2,
        "F": 2.5,
        "B": True,
        "S": "3",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "S has no default value"),
        ({"S": "x", "T": "y"}, "has no parameter T. It has S, N"),
        ({"S": "x", "N": "1.5"}, "N must be of type Integer, found '1.5'"),
        ({"S": "z"}, "S must be one of x, y, found 'z'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(given: dict[str, str], sentence: str) -> None:
    """With what was found."""
    definition = read(document(FAIL, parameters=[parameter("S", EnumValues=["x", "y"]), NUMBER]))
    with pytest.raises(ValidationException) as caught:
        values(definition.parameters, given)
    assert sentence in caught.value.message
