"""Expressions stand for parameters, properties of steps, texts put together and values in JSON files."""

import re
from typing import Any

import pytest

from include.local_aws.pipelines.conditions import holds
from include.local_aws.pipelines.expressions import ExpressionError, path, resolve
from include.local_aws.pipelines.kinds import job_name
from include.local_aws.pipelines.performing import shape_of
from tests.support.pipelines import get, join


class Known:
    """A scope that knows a little."""

    def parameter(self, name: str) -> Any:
        return {"N": 3, "F": 0.5, "B": True, "S": "text", "Digits": "12", "L": "a"}[name]

    def variable(self, name: str) -> str:
        return f"<{name}>"

    def properties(self, step: str) -> Any:
        outputs = [{"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}}, {"OutputName": "test"}]
        return {"Outputs": outputs, "Map": {"a.b": 1}, "Nothing": None, "Step": step}

    def property_file(self, step: str, name: str) -> Any:
        return {"step": step, "file": name, "metrics": {"mse": {"value": 2.5}, "list": [1, [2, 3]]}}

    def document(self, uri: str) -> Any:
        return {"uri": uri}


SCOPE = Known()
FILE = get("Steps.A.PropertyFiles.R")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (get("Parameters.N"), 3),
        (get("Execution.PipelineName"), "<PipelineName>"),
        (get("Steps.A.Step"), "A"),
        (get("Steps.A.Outputs['train'].S3Output.S3Uri"), "s3://b/train"),
        (get('Steps.A.Outputs["train"].S3Output.S3Uri'), "s3://b/train"),
        (get("Steps.A.Outputs[1].OutputName"), "test"),
        (get("Steps.A.Map['a.b']"), 1),
        (join("s3:/", "b", get("Parameters.N")), "s3://b/3"),
        (join(get("Parameters.B"), join("x", 0.5, on="-"), on=""), "truex-0.5"),
        ({"Std:JsonGet": {"PropertyFile": FILE, "Path": "metrics.mse.value"}}, 2.5),
        ({"Std:JsonGet": {"PropertyFile": FILE, "Path": "metrics['list'][1][0]"}}, 2),
        ({"Std:JsonGet": {"S3Uri": join("s3:/", "b", "k"), "Path": "uri"}}, "s3://b/k"),
        ([{"a": get("Parameters.S")}, "literal"], [{"a": "text"}, "literal"]),
        ({"Get": "Parameters.N", "other": 1}, {"Get": "Parameters.N", "other": 1}),
    ],
)
def test_an_expression_is_what_it_stands_for(expression: Any, value: Any) -> None:
    """Wherever it is."""
    assert resolve(expression, SCOPE) == value


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        (get("Steps.A.No.More"), "nothing at 'No' of Steps.A.No.More"),
        (get("Steps.A.Outputs[2]"), "nothing at 2"),
        (get("Steps.A.Outputs['no']"), "no entry named 'no'"),
        (get("Steps.A.Nothing"), "nothing at Steps.A.Nothing"),
        (join("a", get("Steps.A.Outputs")), "texts and numbers in the Values"),
        ({"Std:JsonGet": {"PropertyFile": FILE, "Path": "metrics.no"}}, "nothing at 'no' of metrics.no"),
        ({"Std:JsonGet": {"Path": "a"}}, "Expected a PropertyFile or S3Uri"),
    ],
)
def test_what_is_not_there_is_said_with_its_path(expression: Any, sentence: str) -> None:
    """And not taken for nothing."""
    with pytest.raises(ExpressionError) as caught:
        resolve(expression, SCOPE)
    assert sentence in str(caught.value)


def test_numbers_become_texts_where_the_operation_wants_texts() -> None:
    """What an expression gives is fitted, what is written literally is left to the operation to refuse."""
    shape = shape_of("CreateTrainingJob")
    given = {
        "HyperParameters": {"a": get("Parameters.N"), "b": get("Parameters.B"), "c": 5},
        "ResourceConfig": {"InstanceCount": get("Parameters.Digits"), "VolumeSizeInGB": get("Parameters.N")},
    }
    assert resolve(given, SCOPE, shape) == {
        "HyperParameters": {"a": "3", "b": "true", "c": 5},
        "ResourceConfig": {"InstanceCount": 12, "VolumeSizeInGB": 3},
    }


def test_a_path_with_something_else_in_it_is_refused() -> None:
    assert path(".a[0]['b'].c") == ("a", 0, "b", "c")
    with pytest.raises(ExpressionError, match=r"Expected a path"):
        path("a[b]")


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"Type": "Equals", "LeftValue": get("Parameters.N"), "RightValue": 3.0}, True),
        ({"Type": "Equals", "LeftValue": get("Parameters.S"), "RightValue": "text"}, True),
        ({"Type": "GreaterThan", "LeftValue": get("Parameters.N"), "RightValue": 3}, False),
        ({"Type": "GreaterThanOrEqualTo", "LeftValue": get("Parameters.N"), "RightValue": 3}, True),
        ({"Type": "LessThan", "LeftValue": get("Parameters.Digits"), "RightValue": 13}, True),
        ({"Type": "LessThanOrEqualTo", "LeftValue": 1.5, "RightValue": get("Parameters.F")}, False),
        ({"Type": "In", "QueryValue": get("Parameters.L"), "Values": ["a", "b"]}, True),
        ({"Type": "In", "QueryValue": get("Parameters.N"), "Values": [1, get("Parameters.N")]}, True),
        ({"Type": "Not", "Expression": {"Type": "Equals", "LeftValue": 1, "RightValue": 1}}, False),
        ({"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": 1, "RightValue": 2}}, True),
        (
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "Equals", "LeftValue": 1, "RightValue": 2},
                    {"Type": "Equals", "LeftValue": 2, "RightValue": 2},
                ],
            },
            True,
        ),
    ],
)
def test_a_condition_holds_or_not(condition: Any, outcome: bool) -> None:
    """Numbers are compared as numbers, also where one is a text."""
    assert holds(condition, SCOPE) is outcome


@pytest.mark.parametrize(
    "condition",
    [
        {"Type": "LessThan", "LeftValue": "x", "RightValue": 1},
        {"Type": "In", "QueryValue": 1, "Values": get("Parameters.N")},
    ],
)
def test_what_cannot_be_compared_is_said(condition: Any) -> None:
    with pytest.raises(ExpressionError, match=r"can't be compared|Expected a list"):
        holds(condition, SCOPE)


@pytest.mark.parametrize("longest", [63, 32])
@pytest.mark.parametrize(("step", "prefix"), [("Train", None), ("_a_very_" + "long" * 14, None), ("S", "my" * 40)])
def test_names_of_jobs_are_legal_and_tell_the_execution(longest: int, step: str, prefix: str | None) -> None:
    """And differ each time."""
    names = {job_name("abcdefghijkl", step, longest, prefix) for _ in range(20)}
    pattern = shape_of("CreateTrainingJob").members["TrainingJobName"].metadata["pattern"]
    assert len(names) == 20
    for name in names:
        assert len(name) <= longest
        assert "abcdefghijkl" in name
        assert re.fullmatch(pattern, name)
