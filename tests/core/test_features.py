"""What preprocessor and model must agree on."""

import pytest

from automl_retraining.core.errors import DataError
from automl_retraining.core.features import FeatureContract, check_inputs, classes, preprocessing_spec, read_contract
from automl_retraining.core.records import ColumnProfile
from tests.support.manifests import regression

CONTRACT = FeatureContract(inputs=("a", "b"), outputs=("a", "b_x", "b_y"), target="t")


def test_the_positive_class_is_the_second_of_two() -> None:
    """So that the algorithm's probability is that of the class that the gate's metric is about."""
    two = regression().model_copy(update={"labels": ("no", "yes"), "positive_class": "no"})
    assert classes(two) == ("yes", "no")
    assert classes(two.model_copy(update={"positive_class": None})) == ("no", "yes")
    many = two.model_copy(update={"labels": ("a", "b", "c"), "positive_class": None})
    assert classes(many) == ("a", "b", "c")


def test_the_spec_names_every_feature_with_its_kind() -> None:
    """In the order in which the model sees them, without the target."""
    columns = [
        ColumnProfile(name=name, type=kind, missing=0, distinct=2)
        for name, kind in (("y", "number"), ("a", "integer"), ("b", "text"))
    ]
    given = regression(columns=columns)
    spec = preprocessing_spec(given)
    assert [column["name"] for column in spec["features"]] == list(given.features)
    assert [column["kind"] for column in spec["features"]] == ["number", "category"]
    assert spec["target"] == given.target


def test_another_name_order_or_class_is_another_digest() -> None:
    """The digest is what a training job carries of the features it was trained on."""
    others = [
        CONTRACT.model_copy(update={"inputs": ("b", "a")}),
        CONTRACT.model_copy(update={"outputs": ("a", "b_x")}),
        CONTRACT.model_copy(update={"classes": ("no", "yes")}),
        CONTRACT.model_copy(update={"target": "u"}),
    ]
    assert len({CONTRACT.digest, *(other.digest for other in others)}) == 5
    assert read_contract(CONTRACT.to_json(), "s3://b/features.json").digest == CONTRACT.digest


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"inputs": ["a"], "outputs": 3, "target": "t"}'])
def test_a_file_that_is_no_contract_is_refused_by_name(text: str) -> None:
    """It comes from a script that anybody may replace."""
    with pytest.raises(DataError, match=r"s3://b/features.json: expected what preprocess.py writes"):
        read_contract(text, "s3://b/features.json")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["a"], "found b missing"),
        (["a", "b", "c"], "found c new to it"),
        (["a", "c"], "found b missing; c new to it"),
        (["b", "a"], "found the same in another order, b, a"),
    ],
)
def test_other_columns_than_the_preprocessor_reads_are_named(columns: list[str], words: str) -> None:
    """Missing, new, or moved."""
    check_inputs(CONTRACT, ["a", "b"], whose="the preprocessor")
    with pytest.raises(DataError, match=words):
        check_inputs(CONTRACT, columns, whose="the preprocessor")
