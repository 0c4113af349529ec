"""Reading candidate definitions out of a notebook, and what is said of a notebook of another shape."""

from __future__ import annotations

import pytest

from automl_retraining.core.errors import DataError
from automl_retraining.core.trainer_specs import ParameterRange
from automl_retraining.sagemaker.candidate_definitions import CandidateDefinitions, read
from tests.support.definition_notebooks import BASE, URI, VERSIONS, candidate, notebook


def test_candidates_images_objectives_and_ranges_are_read() -> None:
    """As the cells say; rows and modules stand where Autopilot leaves them beside the notebook."""
    found = read(notebook(), URI, region="us-east-1")
    assert found.names == ("dpp0-xgboost", "dpp1-linear-learner", "dpp2-xgboost")
    assert found.modules_uri == "s3://bucket/out/job/sagemaker-automl-candidates/job-pr-1-x/generated_module"
    assert found.rows_uri == "s3://bucket/out/job/preprocessed-data/tuning_data"
    assert found.transformer_image == BASE["data_transformer_image_uri"]
    assert found.maximize
    chosen, algorithm = found.named("dpp1-linear-learner")
    assert (chosen.transformer, chosen.sparse, chosen.title) == ("dpp1", True, "### dpp1\n")
    assert (algorithm.training_image, algorithm.inference_image) == (
        "training/linear-learner",
        "serving/linear-learner",
    )
    assert algorithm.ranges == {"wd": ParameterRange(min=1e-7, max=1.0)}
    ranges = found.algorithms["xgboost"].ranges
    assert ranges["num_round"] == ParameterRange(min=2, max=1024, scaling="logarithmic")
    assert isinstance(ranges["num_round"].max, int)
    assert isinstance(ranges["eta"].max, float)
    assert ranges["booster"].values == ("gbtree", "dart")
    assert found.algorithms["xgboost"].static["save_model_on_termination"] == "True"


def test_whole_numbers_and_fractions_stay_what_they_are_through_json() -> None:
    """An XCom is JSON: an eta up to 1.0 must not become a whole number on the way."""
    found = read(notebook(), URI, region="us-east-1")
    again = CandidateDefinitions.model_validate_json(found.model_dump_json())
    assert again == found
    assert isinstance(again.algorithms["xgboost"].ranges["eta"].max, float)
    assert isinstance(again.algorithms["xgboost"].ranges["num_round"].max, int)


def test_a_notebook_that_names_versions_means_the_regions_own_registries() -> None:
    """Each image where the region keeps it."""
    found = read(notebook(base=f"BASE_AUTOML_JOB_CONFIG = {VERSIONS!r}"), URI, region="eu-west-1")
    assert found.transformer_image == (
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-sklearn-automl:2.5-1-cpu-py3"
    )
    assert found.algorithms["xgboost"].training_image == (
        "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.3-1-cpu-py3"
    )
    assert found.algorithms["linear-learner"].inference_image == (
        "438346466558.dkr.ecr.eu-west-1.amazonaws.com/linear-learner:inference-cpu-1"
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dpp0": None, "dpp1": None, "dpp2": None}, r"at least one call select_candidate\(\{...\}\), found none"),
        ({"base": None}, "expected a cell that assigns BASE_AUTOML_JOB_CONFIG"),
        ({"metrics": None}, "expected a cell that assigns ALGORITHM_OBJECTIVE_METRICS"),
        ({"tuner": None}, "objective_type 'Maximize' or 'Minimize', found None"),
        ({"dpp2": candidate(2, "mlp")}, "found no 'mlp'"),
        ({"dpp2": candidate(0, "xgboost")}, "expected each candidate once"),
        ({"dpp0": "runner.select_candidate(load('x'))"}, r"cell 5, select_candidate: expected a literal, found \"load"),
        ({"dpp0": "runner.select_candidate({'algorithm': 1})"}, "found no 'data_transformer'"),
        ({"dpp0": "runner.select_candidate()"}, "cell 5: expected select_candidate with one definition, found 0"),
        ({"ranges": "ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES = {'xgboost': {'eta': IntegerParameter(1)}}"},
         "IntegerParameter lacks or does not know 'max_value'"),
        ({"ranges": "ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES = {'xgboost': {'eta': Surprise(1, 2)}}"},
         "expected one of IntegerParameter"),
        ({"static": "STATIC_HYPERPARAMETERS = {'xgboost': 3, 'linear-learner': {}}"}, "as Autopilot writes them"),
        ({"setup": "this is no Python"}, "cell 1: expected Python"),
    ],
)  # fmt: skip
def test_a_notebook_of_another_shape_is_an_error_that_says_where(changed: dict[str, str | None], words: str) -> None:
    """The sentence names the notebook, and the cell or the name."""
    with pytest.raises(DataError, match=words) as error:
        read(notebook(**changed), URI, region="us-east-1")
    assert URI in str(error.value)


def test_what_is_no_notebook_is_said_so() -> None:
    """HTML, or JSON without cells."""
    for text in ("<html>", "{}", "[]"):
        with pytest.raises(DataError, match="expected a notebook"):
            read(text, URI, region="us-east-1")


def test_no_cell_is_run() -> None:
    """Literals only: a definition that calls something is refused, not evaluated."""
    with pytest.raises(DataError, match="expected a literal"):
        read(notebook(dpp0="runner.select_candidate(__import__('os').abort())"), URI, region="us-east-1")
