"""XGBoost's hyperparameters are read from text, or refused by name."""

import re

import pytest

from include.local_aws.images import ClientError
from include.local_aws.images.xgboost import declared


def test_values_have_their_types_and_other_names_become_the_algorithms_own() -> None:
    values = declared.read(
        {
            "num_round": "10",
            "learning_rate": "0.5",
            "reg_lambda": "2",
            "tree_method": "hist",
            "monotone_constraints": "(1, -1, 0)",
            "interaction_constraints": "[[0, 1], [2]]",
            "eval_metric": "error@0.4, auc",
            "objective": "binary:logistic",
        }
    )
    assert values["num_round"] == 10
    assert values["eta"] == 0.5
    assert values["lambda"] == 2.0
    assert values["monotone_constraints"] == (1, -1, 0)
    assert values["interaction_constraints"] == [[0, 1], [2]]
    assert values["eval_metric"] == ["error@0.4", "auc"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Missing required hyperparameter: num_round"),
        ({"num_round": "1", "maxdepth": "3"}, "Extraneous hyperparameter found: maxdepth"),
        ({"num_round": "0"}, "Hyperparameter num_round: value 0 not in range [1, +inf)"),
        ({"num_round": "ten"}, "Hyperparameter num_round: could not parse value 'ten', expected [1, +inf)"),
        ({"num_round": "1.0"}, "Hyperparameter num_round: could not parse value '1.0'"),
        ({"num_round": "1", "eta": "1.5"}, "Hyperparameter eta: value 1.5 not in range [0, 1]"),
        ({"num_round": "1", "eta": "nan"}, "Hyperparameter eta: value nan not in range [0, 1]"),
        ({"num_round": "1", "subsample": "0"}, "Hyperparameter subsample: value 0 not in range (0, 1]"),
        ({"num_round": "1", "booster": "trees"}, "Hyperparameter booster: value trees not in range ['gbtree',"),
        ({"num_round": "1", "eval_metric": "rmse,speed"}, "Hyperparameter eval_metric: value rmse,speed not in range"),
        ({"num_round": "1", "eval_metric": "rmse@0.1"}, "Hyperparameter eval_metric: value rmse@0.1 not in range"),
        ({"num_round": "1", "eval_metric": "auc"}, "Metric 'auc' can only be applied for classification and ranking"),
        ({"num_round": "1", "objective": "multi:softmax"}, "Require input for parameter 'num_class'"),
        ({"num_round": "1", "num_class": "3"}, "Do not need to setup parameter 'num_class'"),
        ({"num_round": "1", "monotone_constraints": "(1, 2)", "tree_method": "hist"}, "value (1, 2) not in range [-1"),
        (
            {"num_round": "1", "monotone_constraints": "(1,)"},
            "monotone_constraints can be used only when",
        ),
        ({"num_round": "1", "monotone_constraints": "open('x')"}, "monotone_constraints: could not parse value"),
        ({"num_round": "1", "updater": "grow_colmaker,grow_histmaker"}, "Only one tree grow plugin can be selected."),
        ({"num_round": "1", "booster": "gblinear", "updater": "prune"}, "Linear updater should be one of these"),
        ({"num_round": "1", "process_type": "update", "updater": "sync"}, "process_type 'update' can only be used"),
    ],
)
def test_what_can_not_be_used_is_told_by_name_and_range(given: dict[str, str], said: str) -> None:
    with pytest.raises(ClientError, match=re.escape(said)):
        declared.read(given)


def test_there_are_as_many_metric_definitions_as_an_answer_holds_and_the_validations_are_all_there() -> None:
    every = ",".join(declared.METRICS)
    definitions = declared.metric_definitions({"eval_metric": every})
    assert len(definitions) == len(dict(definitions)) == 40
    assert {f"validation:{metric}" for metric in declared.METRICS} <= set(dict(definitions))


def test_a_metric_is_read_from_its_own_place_in_the_line() -> None:
    line = "[7]#011train-rmse:1.5#011train-rmsle:2.5#011validation-rmse:3e-05#011validation-rmsle:4.5"
    expressions = dict(declared.metric_definitions({"eval_metric": "rmse,rmsle"}))
    found = {name: re.search(expressions[name], line) for name in ("train:rmse", "validation:rmse", "validation:rmsle")}
    assert {name: match and match[1] for name, match in found.items()} == {
        "train:rmse": "1.5",
        "validation:rmse": "3e-05",
        "validation:rmsle": "4.5",
    }
