"""The multi-layer perceptron as tuned candidates use it: see the image `mlp`."""

from __future__ import annotations

from collections.abc import Mapping

from include.local_aws.images.autopilot.algorithm import Algorithm, Data, Range, Trained, written
from include.local_aws.images.autopilot.spec import ProblemType
from include.local_aws.images.mlp import hyperparameters, network


def _static(problem_type: ProblemType, classes: int) -> dict[str, str]:
    name = {
        "Regression": "regression",
        "BinaryClassification": "binary_classification",
        "MulticlassClassification": "multiclass_classification",
    }[problem_type]
    return {
        "problem_type": name,
        "ml_application": "mlp",
        "activation": "relu",
        "network_type": "feedforward",
        "mini_batch_size": "128",
        "seed": "1",
        **({"num_classes": str(classes)} if problem_type == "MulticlassClassification" else {}),
    }


def _metrics(problem_type: ProblemType) -> dict[str, str]:
    logged = hyperparameters.METRICS[_static(problem_type, 2)["problem_type"]]
    return {hyperparameters.STANDARD[name.removeprefix("validation:")]: name for name in logged}


def _fit(data: Data, given: Mapping[str, str]) -> Trained:
    fitted = network.fit(hyperparameters.read(given), data.x, data.y)
    return Trained(fitted, written(fitted.save), given)


_RANGES = {
    "layers": Range("Categorical", values=("64", "32", "128", "64, 32", "128, 64")),
    "weight_decay": Range("Continuous", 1e-4, 3.0, "Logarithmic"),
    "learning_rate": Range("Continuous", 1e-3, 1e-2, "Logarithmic"),
    "epochs": Range("Integer", 15, 60),
}
_START = {"layers": "64", "weight_decay": 0.1, "learning_rate": 3e-3, "epochs": 30}

ALGORITHM = Algorithm(name="mlp", title="MLP", ranges=_RANGES, start=_START, static=_static, metrics=_metrics, fit=_fit)
