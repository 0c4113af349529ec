"""The checks of the data: planted leaks are found and named, honest tables pass, odd tables are judged all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl_retraining.core.gate_policy import ChecksPolicy
from automl_retraining.core.records import DataChecks
from automl_retraining.core.sanity import look, stopping, wanted
from tests.support.sanity import as_champion, csv_of, found, looked_at, results, with_champion

DATA = Path(__file__).resolve().parents[2] / "include" / "data"
ROWS = 1500


def columns(rng: np.random.Generator, rows: int = ROWS, *, share: float = 0.3) -> dict[str, Any]:
    """Two honest features of a target with two classes."""
    y = (rng.random(rows) < share).astype(int)
    return {
        "amount": np.round(np.exp(rng.normal(3 + y, 1, rows)), 2),
        "plan": rng.choice(["basic", "plus", "família"], rows),
        "y": np.where(y, "yes", "no"),
    }


def two_classes(seed: int = 0, rows: int = ROWS, **more: Any) -> bytes:
    """That table, with further columns."""
    made = columns(np.random.default_rng(seed), rows)
    y = made.pop("y")
    return csv_of({**made, **more, "y": y})


def is_yes(seed: int = 0, rows: int = ROWS) -> Any:
    """Where that table's target is yes."""
    return columns(np.random.default_rng(seed), rows)["y"] == "yes"


def regression(seed: int = 0, rows: int = ROWS, **more: Any) -> bytes:
    """A number with a heavy tail that one honest feature explains for the most part."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=rows)
    return csv_of(
        {"size": np.round(size, 3), "noise": np.round(rng.normal(size=rows), 3), **more,
         "y": np.round(np.exp(2 * size + 0.5 * rng.standard_t(2, rows)), 4)}
    )  # fmt: skip


@pytest.mark.parametrize(("name", "target"), [("churn", "churn"), ("auto_mpg", "mpg")])
def test_in_the_real_tables_nothing_is_found(name: str, target: str) -> None:
    """Their strongest features are far from predicting the target alone."""
    looked = looked_at((DATA / f"{name}.csv").read_bytes(), target)
    assert found(looked) == set()
    single = results(looked)["single_feature"]
    assert single.value is not None
    assert 0.6 < single.value < 0.9


def test_an_honest_table_passes_and_each_check_says_what_it_saw() -> None:
    """Two classes and a number, whatever the seed."""
    for data in (two_classes(1), two_classes(2), regression(1), regression(2)):
        looked = looked_at(data)
        assert found(looked) == set()
        assert all(result.sentence for result in results(looked).values())


# ---------------------------------------------------------------- one feature


def leaks(rng: np.random.Generator) -> dict[str, Any]:
    """Features that are known only once the target is."""
    yes = is_yes()
    return {
        "copy": yes.astype(int),
        "reason": np.where(yes, rng.choice(["price", "moved", "ünzufrieden"], ROWS), ""),
        "left_on": np.where(yes, "2026-01-05", "NA"),
        "band": np.where(yes, rng.uniform(0.2, 0.3, ROWS), rng.choice([rng.uniform(0, 0.19), 0.31, 0.9], ROWS)),
    }


@pytest.mark.parametrize("leak", ["copy", "reason", "left_on", "band"])
def test_a_feature_that_gives_the_class_away_is_named(leak: str) -> None:
    """Whether by its value, by being there at all, or by lying in a band."""
    result = results(looked_at(two_classes(late=leaks(np.random.default_rng(3))[leak])))["single_feature"]
    assert (result.found, result.columns) == (True, ("late",))
    assert "'late'" in result.sentence
    assert result.value is not None
    assert result.limit is not None
    assert result.value > result.limit


def test_a_strong_feature_is_no_leak() -> None:
    """One that tells the classes apart with AUC .96 is what one hopes for."""
    rng = np.random.default_rng(4)
    result = results(looked_at(two_classes(score=np.round(rng.normal(2.5 * is_yes(), 1), 3))))["single_feature"]
    assert not result.found
    assert result.value == pytest.approx(0.96, abs=0.02)


def test_a_number_in_another_unit_gives_a_number_away_however_heavy_its_tail() -> None:
    """Any monotone function of the target does, for ranks are predicted."""
    plain = regression(5)
    y = np.array([float(line.rsplit(b",", 1)[1]) for line in plain.splitlines()[1:]])
    result = results(looked_at(regression(5, cents=np.round(np.log(np.maximum(y, 0.0001)) * 100, 1))))["single_feature"]
    assert result.columns == ("cents",)
    honest = results(looked_at(plain))["single_feature"]
    assert honest.value is not None
    assert not honest.found
    assert 0.7 < honest.value < 0.95


def test_of_many_classes_a_feature_that_gives_all_away_is_found_and_one_that_gives_one_away_is_not() -> None:
    """The mean over the classes counts, of those with enough test rows to count."""
    rng = np.random.default_rng(6)
    y = rng.choice(list("abcde"), ROWS, p=[0.25, 0.25, 0.24, 0.24, 0.02])
    data = csv_of({"x": rng.normal(size=ROWS).round(3), "is_a": y == "a", "code": np.char.add("k", y), "y": y})
    assert results(looked_at(data, min_class_rows=1))["single_feature"].columns == ("code",)


def test_names_that_never_come_back_predict_nothing() -> None:
    """What was learned by heart on the train rows is worth nothing on the test rows."""
    result = results(looked_at(two_classes(name=[f"person {i} of town {i * 7}" for i in range(ROWS)])))
    assert not result["single_feature"].found


# ---------------------------------------------------------------- copies


def test_test_rows_that_stand_in_the_train_part_are_counted() -> None:
    """Rows that came in twice under two keys, looked for in the whole train part though a few rows are drawn."""
    lines = two_classes(7, key=[f"k{i}" for i in range(ROWS)]).decode().splitlines()
    again = [line.replace(",k", ",again", 1) for line in lines[1:301]]
    looked = looked_at(("\n".join([*lines, *again]) + "\n").encode(), key=["key"], rows=500)
    result = results(looked)["duplicates"]
    assert result.found
    copied = sum(looked.copies.found[record] > 0 for record in looked.test.records)
    assert result.sentence.startswith(f"{copied} of {looked.test.rows} test rows")
    assert 0.1 < copied / looked.test.rows < 0.3
    assert result.value is not None
    assert 0.7 * copied / looked.test.rows < result.value < copied / looked.test.rows


def test_rows_of_few_values_agree_by_chance_and_count_as_no_copies() -> None:
    """A table of two words and a class repeats itself, and one of amounts does now and then."""
    rng = np.random.default_rng(8)
    data = csv_of(
        {"key": range(ROWS), "a": rng.choice(list("xyz"), ROWS), "b": rng.choice(list("pq"), ROWS),
         "y": rng.choice(["no", "yes"], ROWS)}
    )  # fmt: skip
    result = results(looked_at(data, key=["key"]))["duplicates"]
    assert (result.found, result.value) == (False, 0)
    assert not result.sentence.startswith("0 of")
    amounts = results(looked_at(two_classes(8, key=range(ROWS)), key=["key"]))["duplicates"]
    assert not amounts.found
    assert not amounts.sentence.startswith("0 of")


# ---------------------------------------------------------------- the target


def test_a_target_that_is_no_more_what_the_champion_learned_is_found() -> None:
    """In classes and in numbers; the sentence has both figures."""
    then = looked_at(two_classes(9))
    rng = np.random.default_rng(10)
    now = looked_at(csv_of(columns(rng, share=0.45)))
    assert not results(with_champion(then, as_champion(then)))["target_shift"].found
    result = results(with_champion(now, as_champion(then)))["target_shift"]
    assert (result.found, result.columns) == (True, ("y",))
    assert "run r1" in result.sentence
    first = looked_at(regression(11))
    shifted = as_champion(first, columns=tuple(
        column.model_copy(update={"std": 1.0}) if column.name == "y" else column for column in first.manifest.columns
    ), split=first.manifest.split.model_copy(
        update={"train": first.manifest.split.train.model_copy(update={"target_mean": 0.0})}
    ))  # fmt: skip
    assert results(with_champion(first, shifted))["target_shift"].found
    assert not results(with_champion(first, as_champion(first)))["target_shift"].found


def test_a_class_that_the_champion_never_saw_is_a_shift() -> None:
    """Its share was nothing before."""
    rng = np.random.default_rng(12)
    y = rng.choice(["a", "b", "c"], ROWS, p=[0.5, 0.4, 0.1])
    now = looked_at(csv_of({"x": rng.normal(size=ROWS).round(3), "y": y}))
    split = now.manifest.split
    then = split.train.model_copy(update={"class_counts": {"a": 500, "b": 450}})
    champion = as_champion(now, labels=("a", "b"), split=split.model_copy(update={"train": then}))
    result = results(with_champion(now, champion))["target_shift"]
    assert result.found
    assert "class 'c' is" in result.sentence


def test_few_rows_that_differ_by_chance_are_no_shift() -> None:
    """The effect is large there, and the evidence small."""
    looked = looked_at(two_classes(13, rows=150), min_class_rows=1)
    split = looked.manifest.split
    small = split.test.model_copy(update={"rows": 10, "class_counts": {"no": 5, "yes": 5}})
    changed = looked.manifest.model_copy(update={"split": split.model_copy(update={"test": small})})
    result = results(type(looked)(changed, looked.train, looked.test, looked.copies))["target_shift"]
    assert not result.found
    assert "by chance" in result.sentence


def test_what_is_not_known_of_the_champion_is_said() -> None:
    """No run folder, or another target."""
    looked = looked_at(two_classes(14))
    said = results(with_champion(looked, None, "what champion m was trained on is not known"))["target_shift"]
    assert said.sentence.endswith("what champion m was trained on is not known")
    other = results(with_champion(looked, as_champion(looked, target="z")))["target_shift"]
    assert not other.found
    assert "another target ('z'" in other.sentence


# ---------------------------------------------------------------- train and test


def test_parts_of_different_kind_are_told_apart_and_the_features_named() -> None:
    """A number that moved, a word that is new and values that are missing in the test part."""
    rng = np.random.default_rng(15)
    extra: dict[str, Any] = {"moved": rng.normal(size=ROWS).round(3), "still": rng.normal(size=ROWS).round(3)}

    def spoil(train: bytes, test: bytes) -> tuple[bytes, bytes]:
        lines = test.decode().splitlines()
        fields = [line.split(",") for line in lines[1:]]
        for row in fields:
            row[2] = f"{float(row[2]) + 1:.3f}"
        return train, ("\n".join([lines[0], *map(",".join, fields)]) + "\n").encode()

    result = results(looked_at(two_classes(15, **extra), spoil=spoil))["train_test"]
    assert result.found
    assert result.columns == ("moved",)
    assert "split.time" not in result.sentence


def test_with_a_split_by_time_drift_is_called_expected() -> None:
    """It is found all the same: what is served will be as different."""
    rng = np.random.default_rng(16)
    drifting = (np.arange(ROWS) / 300 + rng.normal(size=ROWS)).round(3)
    data = two_classes(16, price=drifting, day=[f"2026-{1 + i // 140:02d}-{1 + i % 28:02d}" for i in range(ROWS)])
    result = results(looked_at(data, time="day"))["train_test"]
    assert (result.found, result.columns) == (True, ("price",))
    assert "drift is to be expected" in result.sentence


@pytest.mark.parametrize("seed", range(4))
def test_what_a_split_keeps_together_does_not_tell_the_parts_apart(seed: int) -> None:
    """Equal rows in a split by features, and what all rows of a group share in a split by group."""
    rng = np.random.default_rng(seed)
    few = csv_of(
        {"a": rng.choice(list("stuvwxyz"), ROWS), "b": rng.integers(0, 20, ROWS), "y": rng.choice(["n", "j"], ROWS)}
    )
    assert found(looked_at(few)) <= {"single_feature"}
    group = np.sort(rng.integers(0, 150, ROWS))
    towns = rng.normal(size=150).round(4)
    grouped = two_classes(seed, household=group, wealth=towns[group])
    looked = looked_at(grouped, group=["household"])
    result = results(looked)["train_test"]
    assert not result.found
    assert "without 'wealth'" in result.sentence


# ---------------------------------------------------------------- odd tables


def test_odd_tables_are_judged_all_the_same() -> None:
    """Constant and empty columns, words in every script, two hundred columns, and fewer rows than any check needs."""
    rng = np.random.default_rng(17)
    odd = two_classes(
        17, same=["x"] * ROWS, one=[1] * ROWS, empty=[""] * ROWS, nearly=["", *["7"] * (ROWS - 1)],
        words=rng.choice(["søk", "検索", "🚀", "{brace}", "<b>"], ROWS),
        mixed=rng.choice(["1", "n.a.", "", "3.5"], ROWS),
    )  # fmt: skip
    assert found(looked_at(odd)) == set()
    huge = two_classes(
        17, huge=np.where(rng.random(ROWS) < 0.5, "1e308", "-1.7e308"), far=rng.normal(size=ROWS) * 1e300
    )
    assert found(looked_at(huge)) == set()
    wide: dict[str, Any] = {f"f{i}": rng.normal(size=400).round(3) for i in range(200)}
    assert found(looked_at(two_classes(18, 400, **wide))) == set()
    tiny = results(looked_at(two_classes(19, 110), min_class_rows=1))
    assert not any(result.found for result in tiny.values())
    assert sum("too few rows" in result.sentence for result in tiny.values()) >= 3
    only = csv_of({"same": ["x"] * 900, "y": rng.choice(["a", "b"], 900), "key": range(900)})
    assert found(looked_at(only, key=["key"])) == set()


def test_classes_written_as_numbers_are_known_by_their_text() -> None:
    """Labels are the cells' text: 0 and 1."""
    rng = np.random.default_rng(20)
    y = rng.integers(0, 2, ROWS)
    data = csv_of({"x": rng.normal(size=ROWS).round(3), "late": y * 2, "y": y})
    assert results(looked_at(data))["single_feature"].columns == ("late",)


# ---------------------------------------------------------------- the policy


def test_the_same_seed_gives_the_same_record() -> None:
    """To the last digit, also where rows are drawn."""
    data = two_classes(21)
    first, second = (
        look(looked_at(data, rows=500), ChecksPolicy(), run_id="r", seed=3).to_json() for _ in range(2)
    )  # fmt: skip
    assert first == second
    assert DataChecks.model_validate_json(first).train_rows == 500


def test_a_check_that_is_off_is_not_made_and_only_stop_stops() -> None:
    """What follows is the policy's."""
    looked = looked_at(two_classes(late=is_yes().astype(int)))
    policy = ChecksPolicy(single_feature="stop", identifier="off", train_test="off", duplicates="doubt")
    assert wanted(policy) == ("single_feature", "duplicates", "target_shift")
    checks = look(looked, policy, run_id="r", seed=1)
    assert [result.name for result in checks.results] == list(wanted(policy))
    assert [result.name for result in stopping(checks, policy)] == ["single_feature"]
    assert stopping(checks, ChecksPolicy()) == []
