"""A candidate as one callable: text rows in, probabilities or numbers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from include.local_aws.images.autopilot.families import Floats, Model
from include.local_aws.images.autopilot.features import FeaturePipeline
from include.local_aws.images.autopilot.table import Schema


@dataclass(frozen=True)
class Member:
    """Models that read the same features; their average has ``weight`` in the whole."""

    pipeline: str
    models: tuple[Model, ...]
    weight: float


@dataclass(frozen=True)
class Predictor:
    """A weighted average of members. ``pipelines`` holds each feature pipeline that a member names."""

    schema: Schema
    pipelines: Mapping[str, FeaturePipeline]
    members: tuple[Member, ...]

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Class probabilities of shape (rows, classes), or numbers of shape (rows,), for text cells."""
        features = {name: pipeline.transform(frame) for name, pipeline in self.pipelines.items()}
        total = sum(member.weight for member in self.members)
        return np.asarray(
            sum(
                member.weight
                / total
                * np.mean([model.predict(features[member.pipeline]) for model in member.models], axis=0)
                for member in self.members
            ),
            dtype=np.float64,
        )


def combine(predictors: Mapping[int, Predictor], weights: Mapping[int, float]) -> Predictor:
    """One predictor from several of the same table, each with its weight; those of weight 0 are left out."""
    pipelines: dict[str, FeaturePipeline] = {}
    members: list[Member] = []
    for number, weight in weights.items():
        if weight > 0:
            predictor = predictors[number]
            pipelines.update(predictor.pipelines)
            members += [Member(m.pipeline, m.models, m.weight * weight) for m in predictor.members]
    return Predictor(next(iter(predictors.values())).schema, pipelines, tuple(members))
