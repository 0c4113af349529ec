"""Which variant answers."""

from collections import Counter
from typing import Any

from include.local_aws.hosting.runtime import choose

VARIANTS: list[dict[str, Any]] = [
    {"VariantName": "off", "weight": 0.0},
    {"VariantName": "one", "weight": 1.0},
    {"VariantName": "three", "weight": 3.0},
]


def test_requests_are_shared_in_proportion_to_the_weights() -> None:
    chosen = Counter(choose(VARIANTS, None, n / 400) for n in range(400))
    assert chosen == {"one": 100, "three": 300}


def test_a_target_variant_answers_whatever_its_weight() -> None:
    assert choose(VARIANTS, "off", 0.9) == "off"
    assert choose(VARIANTS, "none", 0.9) is None


def test_the_whole_range_of_chance_has_an_answer() -> None:
    assert choose(VARIANTS, None, 0.0) == "one"
    assert choose(VARIANTS, None, 0.9999999999999999) == "three"
