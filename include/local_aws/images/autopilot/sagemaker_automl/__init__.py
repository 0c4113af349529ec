"""Runs the candidates of an AutoML job's candidate definition notebook, step by step, with boto3 alone.

This package stands beside the notebook, which downloads it. Its classes are called and used as those of the helper
package that Autopilot writes, so that a notebook of either reads alike.
"""

from .candidate import AutoMLLocalCandidate, AutoMLLocalRunConfig
from .jobs import JobFailed
from .parameters import CategoricalParameter, ContinuousParameter, IntegerParameter
from .runner import AutoMLInteractiveRunner
from .tuner import HyperparameterTuner

__all__ = [
    "AutoMLInteractiveRunner",
    "AutoMLLocalCandidate",
    "AutoMLLocalRunConfig",
    "CategoricalParameter",
    "ContinuousParameter",
    "HyperparameterTuner",
    "IntegerParameter",
    "JobFailed",
]
