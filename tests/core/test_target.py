"""What the target asks for, and which targets cannot be learned."""

from __future__ import annotations

import random

import pytest

from automl_retraining.core.errors import DataError
from automl_retraining.core.target import sort_labels
from tests.support.splits import Done, run_split, table


def targets(values: list[str], **settings: object) -> Done:
    """Split a table of two features and that target."""
    random_ = random.Random(5)
    rows = [f"{random_.random():.9f},{number},{value}" for number, value in enumerate(values)]
    return run_split(table("a,b,y", rows), **{"min_class_rows": 1, **settings})  # type: ignore[arg-type]


def cycle(values: list[str], n: int = 600) -> list[str]:
    """``values`` again and again, shuffled."""
    found = [values[number % len(values)] for number in range(n)]
    random.Random(9).shuffle(found)
    return found


@pytest.mark.parametrize(
    ("values", "kind", "labels"),
    [
        (["no", "yes"], "BinaryClassification", ("no", "yes")),
        (["1", "0"], "BinaryClassification", ("0", "1")),
        (["1.5", "-2"], "BinaryClassification", ("-2", "1.5")),
        (["c", "a", "b"], "MulticlassClassification", ("a", "b", "c")),
        ([str(number) for number in range(12)], "MulticlassClassification", tuple(map(str, range(12)))),
        ([f"{number}.5" for number in range(12)], "Regression", ()),
        ([str(number) for number in range(100)], "Regression", ()),
    ],
)
def test_the_problem_follows_from_the_values(values: list[str], kind: str, labels: tuple[str, ...]) -> None:
    """Words are classes, so are two values and few whole numbers that come often; anything else is a quantity."""
    problem = targets(cycle(values, 1200)).outcome.problem
    assert (problem.type, problem.labels, problem.inferred) == (kind, labels, True)


def test_what_the_pipeline_says_is_taken() -> None:
    """Few whole numbers can be a quantity."""
    problem = targets(cycle(["1", "2", "3"]), problem_type="Regression").outcome.problem
    assert (problem.type, problem.labels, problem.inferred) == ("Regression", (), False)


def test_the_positive_class_is_the_second_label_unless_told() -> None:
    """As Autopilot chooses."""
    assert targets(cycle(["no", "yes"])).outcome.problem.positive_class == "yes"
    assert targets(cycle(["no", "yes"]), positive_class="no").outcome.problem.positive_class == "no"
    with pytest.raises(DataError, match=r"expected the positive class 'maybe' among .* found 'no', 'yes'"):
        targets(cycle(["no", "yes"]), positive_class="maybe")


def test_numbers_are_sorted_by_value() -> None:
    """10 comes after 9."""
    assert sort_labels(["10", "9", "-1"]) == ("-1", "9", "10")
    assert sort_labels(["10", "9", "b"]) == ("10", "9", "b")


def test_a_regression_knows_the_mean_of_each_part() -> None:
    """The mean of what was written there."""
    values = [f"{number * 0.25}" for number in range(400)]
    done = targets(values, problem_type="Regression")
    for facts, part in zip(done.outcome.parts, done.parts, strict=True):
        written = [float(line.rpartition(",")[2]) for line in part.decode().splitlines()[1:]]
        assert facts.target_mean == pytest.approx(sum(written) / len(written), rel=1e-12)
        assert facts.class_counts == {}


@pytest.mark.parametrize(
    ("values", "settings", "sentence"),
    [
        (["no"], {}, r"found one class only, 'no', in all 600 rows"),
        (["5"], {}, r"found one class only, '5'"),
        (["5"], {"problem_type": "Regression"}, r"a target 'y' that varies, found 5 in every row"),
        (["a", "b", "c"], {"problem_type": "BinaryClassification"}, r"expected two classes .* found 3: 'a', 'b', 'c'"),
        (["a", "b"], {"problem_type": "MulticlassClassification"}, r"say problem_type: BinaryClassification"),
        (["1", "1.0", "2"], {}, r"each class of 'y' in one spelling, found '1(.0)?' and '1(.0)?'"),
        (["yes", "yes ", "no"], {}, r"each class of 'y' in one spelling"),
    ],
)
def test_classes_that_cannot_be_learned_are_refused(
    values: list[str], settings: dict[str, object], sentence: str
) -> None:
    """One class only, other classes than told, one class in two spellings."""
    with pytest.raises(DataError, match=sentence):
        targets(cycle(values), **settings)


def test_a_class_too_rare_for_a_part_is_refused_with_its_counts() -> None:
    """Every part must hold some of each class, or no metric of it means anything."""
    values = ["no"] * 597 + ["yes"] * 3
    with pytest.raises(
        DataError, match=r"at least 5 rows of each class.*class 'yes' has \d in train, \d in validation"
    ):
        targets(values, min_class_rows=5)


def test_a_regression_target_that_is_text_is_refused_by_line() -> None:
    """At the first word, when the pipeline says Regression."""
    values = [f"{number}.5" for number in range(400)]
    values[100] = "n.a."
    with pytest.raises(DataError, match=r"line 102: expected a number in the regression target 'y', found 'n.a.'"):
        targets(values, problem_type="Regression")


def test_a_few_words_among_many_numbers_are_a_mistake_not_classes() -> None:
    """Also when the problem has to be inferred."""
    values = [f"{number}.5" for number in range(400)]
    values[100] = values[200] = "unknown"
    with pytest.raises(DataError, match=r"line 102: .*2 of 400 rows are no numbers"):
        targets(values)


@pytest.mark.parametrize(
    ("values", "settings", "sentence"),
    [
        ([f"customer-{n}" for n in range(400)], {}, "400 different texts in 400 rows"),
        ([f"customer-{n}" for n in range(400)], {"problem_type": "BinaryClassification"}, "different texts"),
        ([f"customer-{n}" for n in range(15_000)], {}, "more than 10,000 different texts in 15,000 rows"),
        ([str(n) for n in range(1000, 1400)], {}, "400 whole numbers, all different, between 1000 and 1399"),
        ([str(n * 7 % 400) for n in range(400)], {"problem_type": "Regression"}, "all different"),
        ([str(n * 7 % 12_000) for n in range(12_000)], {}, "all different"),
        ([str(n * 1000 + n % 13) for n in range(400)], {}, "keep rising down the file"),
        ([str(-n * 1000) for n in range(400)], {}, "keep falling down the file"),
    ],
)
def test_a_target_that_is_an_identifier_is_refused(
    values: list[str], settings: dict[str, object], sentence: str
) -> None:
    """Different texts, or whole numbers that count the rows."""
    with pytest.raises(DataError, match=f"looks like an identifier: .*{sentence}"):
        targets(values, **settings)


def test_a_rising_quantity_is_a_target_when_the_pipeline_says_so() -> None:
    """A counter's readings are whole, different and rising, and still a quantity."""
    values = [str(n * 1000 + n % 13) for n in range(400)]
    assert targets(values, problem_type="Regression").outcome.problem.type == "Regression"


def test_different_decimals_are_no_identifier() -> None:
    """Most regressions have them."""
    assert targets([f"{n}.5" for n in range(400)]).outcome.problem.type == "Regression"


def test_many_different_whole_numbers_are_a_regression() -> None:
    """More than are counted one by one, some of them again."""
    values = [str(n * 7919 % 1_000_003) for n in range(12_000)] + ["17", "17"]
    assert targets(values).outcome.problem.type == "Regression"
