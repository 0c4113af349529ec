"""The service model's patterns as Python's."""

import pytest

from include.local_aws.wire import rest
from include.local_aws.wire.model import service
from include.local_aws.wire.patterns import TRANSLATIONS, compiled


def patterns_of_the_model() -> set[str]:
    model, runtime = service(), rest.operation("InvokeEndpoint").input_shape.members.values()
    shapes = [*(model.shape_for(name) for name in model.shape_names), *runtime]
    return {each.metadata["pattern"] for each in shapes if "pattern" in each.metadata}


def test_every_pattern_of_the_service_model_compiles() -> None:
    patterns = patterns_of_the_model()
    assert len(patterns) > 200
    for pattern in patterns:
        compiled(pattern)


def test_every_translation_is_of_a_pattern_that_the_model_still_has() -> None:
    assert set(TRANSLATIONS) <= patterns_of_the_model()


@pytest.mark.parametrize(
    ("text", "fits"),
    [("owner", True), ("Größe 1_2.:/=+-@", True), ("", True), ("tab\there", False), ("semi;colon", False)],
)
def test_tag_keys_take_letters_of_any_script_and_few_signs(text: str, fits: bool) -> None:
    pattern = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
    assert (compiled(pattern).fullmatch(text) is not None) is fits
