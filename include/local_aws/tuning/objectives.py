"""Whether an objective fits its algorithm: the metric must be one that it emits, and be tuned in its own direction."""

from include.local_aws.images.linear_learner import declared as linear_learner
from include.local_aws.images.xgboost import declared as xgboost
from include.local_aws.training.requests import metric_definitions
from include.local_aws.tuning.children import training_request
from include.local_aws.tuning.requests import Definition
from include.local_aws.wire.errors import ValidationException

_DIRECTIONS = {
    **dict.fromkeys(xgboost.MAXIMIZED, "Maximize"),
    **dict.fromkeys(xgboost.MINIMIZED, "Minimize"),
    **{
        measure: "Minimize" if kind == "loss" else "Maximize"
        for measures in linear_learner.MEASURES.values()
        for measure, kind in measures.items()
    },
}
"""By the metric's name without its channel, as the algorithms declare it."""


def check(definition: Definition) -> None:
    """Raises `ValidationException` for an objective that can't be tuned."""
    request = training_request("check", definition, 1, {})
    wanted = definition.objective
    known = [metric for metric, _ in metric_definitions(request)]
    own = not definition.body["AlgorithmSpecification"].get("MetricDefinitions")
    if wanted.metric not in known and own and known:
        raise ValidationException(
            f"The objective metric for the hyperparameter tuning job, [{wanted.metric}], isn't valid for the "
            f"[{definition.image}] algorithm. Choose a valid objective metric: {', '.join(known)}."
        )
    if wanted.metric not in known:
        raise ValidationException(
            "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric "
            f"definitions: expected [{wanted.metric}] there, found [{', '.join(known)}]."
        )
    direction = _DIRECTIONS.get(wanted.metric.partition(":")[2].partition("@")[0])
    if own and direction not in (None, wanted.type):
        raise ValidationException(
            f"The objective metric type, [{wanted.type}], that you specified for objective metric, [{wanted.metric}], "
            f"isn't valid for the [{definition.image}] algorithm. Choose a valid objective metric type: {direction}."
        )
