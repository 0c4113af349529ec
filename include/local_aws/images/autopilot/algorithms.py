"""The algorithms of HYPERPARAMETER_TUNING by name."""

from __future__ import annotations

from collections.abc import Mapping

from include.local_aws.images.autopilot import boosted, linear, perceptron
from include.local_aws.images.autopilot.algorithm import Algorithm

ALGORITHMS: Mapping[str, Algorithm] = {
    each.name: each for each in (boosted.ALGORITHM, linear.ALGORITHM, perceptron.ALGORITHM)
}
