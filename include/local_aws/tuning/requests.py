"""CreateHyperParameterTuningJob requests: the rules between their members, and the plan that a tuning job follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from include.local_aws.tuning import ranges
from include.local_aws.tuning.ranges import Range
from include.local_aws.wire.errors import ResourceLimitExceeded, ValidationException, not_implemented

MAX_JOBS = 750
"""Training jobs of one tuning job (developer guide, "Resource limits for automatic model tuning")."""
MAX_PARALLEL = 100
MAX_EPOCHS = 20_000
"""The largest MaxResource of Hyperband (API reference, HyperbandStrategyConfig)."""
EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
"""Static hyperparameters that tell MaxResource where the request does not (same source)."""
OBJECTIVE = "_tuning_objective_metric"
"""The hyperparameter by which a training job learns what it is tuned for."""

_TUNED = "HyperParameterTuningJobConfig.ParameterRanges"


@dataclass(frozen=True)
class Objective:
    """What is tuned for."""

    metric: str
    maximize: bool

    @property
    def type(self) -> str:
        """As AWS calls the direction."""
        return "Maximize" if self.maximize else "Minimize"

    def better(self, value: float) -> float:
        """The value so that more is better."""
        return value if self.maximize else -value


@dataclass(frozen=True)
class Definition:
    """One algorithm: its training job as the request defines it, and what is searched."""

    name: str | None
    objective: Objective
    ranges: tuple[Range, ...]
    body: Mapping[str, Any]

    @property
    def image(self) -> str:
        """Its training image."""
        image: str = self.body["AlgorithmSpecification"]["TrainingImage"]
        return image


@dataclass(frozen=True)
class Plan:
    """A checked request. `resources` are Hyperband's least and most, in values of the objective metric that a training
    prints; `max_seconds`, `target` and `patience` end the tuning job where they are given."""

    definitions: tuple[Definition, ...]
    strategy: str
    seed: int | None
    max_jobs: int
    parallel: int
    max_seconds: float | None
    stops_early: bool
    resources: tuple[int, int] | None
    target: float | None
    patience: int | None
    until_converged: bool


def plan_of(request: Mapping[str, Any]) -> Plan:
    """The plan of a request; raises `wire.errors.AwsError` for what AWS refuses and for what isn't done here."""
    if "Autotune" in request:
        raise not_implemented("Autotune of CreateHyperParameterTuningJob")
    config = request["HyperParameterTuningJobConfig"]
    definitions = _definitions(request, config)
    if len(definitions) > 1 and (request.get("WarmStartConfig") or _stops_early(config)):
        raise ValidationException(
            "Warm start and early stopping are available only for tuning jobs with one training job definition."
        )
    strategy = config["Strategy"]
    criteria = config.get("TuningJobCompletionCriteria", {})
    patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    converged = criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled"
    limits = config["ResourceLimits"]
    ends = "MaxRuntimeInSeconds" in limits or "TargetObjectiveMetricValue" in criteria or patience or converged
    return Plan(
        definitions=definitions,
        strategy=strategy,
        seed=config.get("RandomSeed"),
        max_jobs=_max_jobs(limits, strategy, definitions, ends=bool(ends)),
        parallel=limits["MaxParallelTrainingJobs"],
        max_seconds=limits.get("MaxRuntimeInSeconds"),
        stops_early=_stops_early(config),
        resources=_resources(config, definitions),
        target=criteria.get("TargetObjectiveMetricValue"),
        patience=patience,
        until_converged=converged,
    )


def _stops_early(config: Mapping[str, Any]) -> bool:
    return bool(config.get("TrainingJobEarlyStoppingType", "Off") == "Auto")


def _definitions(request: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[Definition, ...]:
    if ("TrainingJobDefinition" in request) == ("TrainingJobDefinitions" in request):
        raise ValidationException(
            "You must specify either TrainingJobDefinition or TrainingJobDefinitions, and not both, to create a "
            "hyperparameter tuning job."
        )
    if "TrainingJobDefinition" in request:
        return (_only(request["TrainingJobDefinition"], config),)
    for member in ("HyperParameterTuningJobObjective", "ParameterRanges"):
        if member in config:
            raise ValidationException(
                f"{member} of HyperParameterTuningJobConfig can't be given together with TrainingJobDefinitions: "
                "each definition has a TuningObjective and HyperParameterRanges of its own."
            )
    found = tuple(
        _one_of_many(each, f"TrainingJobDefinitions[{number}]")
        for number, each in enumerate(request["TrainingJobDefinitions"])
    )
    names = [each.name for each in found]
    if len(set(names)) != len(names):
        raise ValidationException(f"Each DefinitionName must be unique, found {', '.join(map(str, names))}.")
    if len({each.objective.maximize for each in found}) > 1:
        raise ValidationException("The TuningObjective of all training job definitions must be of the same Type.")
    searched = sum(len(each.ranges) for each in found)
    if searched > ranges.MAX_PARAMETERS:
        raise ResourceLimitExceeded(
            f"A hyperparameter tuning job can search at most {ranges.MAX_PARAMETERS} hyperparameters, found {searched}."
        )
    return found


def _only(body: Mapping[str, Any], config: Mapping[str, Any]) -> Definition:
    objective = _either(config, "HyperParameterTuningJobObjective", body, "TuningObjective")
    tuned = _either(config, "ParameterRanges", body, "HyperParameterRanges")
    return _definition(body, objective, ranges.parse(tuned, _TUNED), "TrainingJobDefinition")


def _either(config: Mapping[str, Any], member: str, body: Mapping[str, Any], own: str) -> Mapping[str, Any]:
    if (member in config) == (own in body):
        raise ValidationException(
            f"You must specify either {member} of HyperParameterTuningJobConfig or {own} of TrainingJobDefinition, "
            "and not both."
        )
    found: Mapping[str, Any] = config[member] if member in config else body[own]
    return found


def _one_of_many(body: Mapping[str, Any], where: str) -> Definition:
    for member in ("DefinitionName", "TuningObjective", "HyperParameterRanges"):
        if member not in body:
            raise ValidationException(f"{where} must have a {member}.")
    tuned = ranges.parse(body["HyperParameterRanges"], f"{where}.HyperParameterRanges")
    return _definition(body, body["TuningObjective"], tuned, where)


def _definition(
    body: Mapping[str, Any], objective: Mapping[str, str], tuned: tuple[Range, ...], where: str
) -> Definition:
    specification = body["AlgorithmSpecification"]
    if ("TrainingImage" in specification) == ("AlgorithmName" in specification):
        raise ValidationException(
            f"You must specify either TrainingImage or AlgorithmName in {where}.AlgorithmSpecification, and not both."
        )
    if "AlgorithmName" in specification:
        raise not_implemented("AlgorithmSpecification.AlgorithmName of CreateHyperParameterTuningJob")
    both = sorted({each.name for each in tuned} & set(body.get("StaticHyperParameters", {})))
    if both:
        raise ValidationException(
            f"The hyperparameter [{both[0]}] is both in StaticHyperParameters of {where} and in the ranges to tune. "
            "A hyperparameter can be either static or tunable."
        )
    _check_resources(body, where)
    return Definition(
        body.get("DefinitionName"), Objective(objective["MetricName"], objective["Type"] == "Maximize"), tuned, body
    )


def _check_resources(body: Mapping[str, Any], where: str) -> None:
    if ("ResourceConfig" in body) == ("HyperParameterTuningResourceConfig" in body):
        raise ValidationException(
            f"You must specify either ResourceConfig or HyperParameterTuningResourceConfig in {where}, and not both."
        )
    flexible = body.get("HyperParameterTuningResourceConfig", {})
    single = [member for member in ("InstanceType", "InstanceCount", "VolumeSizeInGB") if member in flexible]
    if "InstanceConfigs" in flexible and single:
        raise ValidationException(f"{single[0]} can't be given together with InstanceConfigs in {where}.")


def _max_jobs(limits: Mapping[str, int], strategy: str, definitions: Sequence[Definition], *, ends: bool) -> int:
    possible = sum(ranges.combinations(each.ranges) for each in definitions)
    asked = limits.get("MaxNumberOfTrainingJobs")
    if strategy == "Grid":
        if any(each.kind != "categorical" for definition in definitions for each in definition.ranges):
            raise ValidationException("The Grid strategy supports categorical hyperparameter ranges only.")
        if asked is not None and asked != possible:
            raise ValidationException(
                f"With the Grid strategy, MaxNumberOfTrainingJobs [{asked}] must equal the total number of "
                f"hyperparameter combinations [{possible:.0f}]. You can leave it out."
            )
        asked = int(possible)
    if asked is None and not ends:
        raise ValidationException(
            "Specify MaxNumberOfTrainingJobs or MaxRuntimeInSeconds in ResourceLimits, or a completion criterion."
        )
    if asked is not None and asked > MAX_JOBS:
        raise ResourceLimitExceeded(
            f"The account-level service limit 'Maximum number of training jobs per tuning job' is {MAX_JOBS}, with a "
            f"request of {asked}."
        )
    if limits["MaxParallelTrainingJobs"] > MAX_PARALLEL:
        raise ResourceLimitExceeded(
            f"The account-level service limit 'Maximum parallel training jobs per tuning job' is {MAX_PARALLEL}, with "
            f"a request of {limits['MaxParallelTrainingJobs']}."
        )
    if asked is not None and strategy != "Grid" and possible < asked:
        raise ValidationException(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{possible:.0f}] must be equal or greater than the value of "
            f"MaxNumberOfTrainingJobs, [{asked}]. Provide additional ranges."
        )
    if asked is not None and strategy != "Grid" and limits["MaxParallelTrainingJobs"] > asked:
        raise ValidationException(
            f"MaxParallelTrainingJobs [{limits['MaxParallelTrainingJobs']}] must be less than or equal to "
            f"MaxNumberOfTrainingJobs [{asked}]."
        )
    return int(min(MAX_JOBS, possible)) if asked is None else asked


def _resources(config: Mapping[str, Any], definitions: Sequence[Definition]) -> tuple[int, int] | None:
    if config["Strategy"] != "Hyperband":
        if "StrategyConfig" in config:
            raise ValidationException("StrategyConfig can be given for the Hyperband strategy only.")
        return None
    if _stops_early(config):
        raise ValidationException(
            "TrainingJobEarlyStoppingType must be Off to use the Hyperband strategy, which stops training jobs itself."
        )
    given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    most = given.get("MaxResource") or _epochs(definitions)
    if most is None:
        raise ValidationException(
            "MaxResource of HyperbandStrategyConfig is missing, and can't be inferred: StaticHyperParameters has none "
            f"of {', '.join(EPOCHS)}."
        )
    least = given.get("MinResource", 1)
    if most > MAX_EPOCHS or least > most:
        raise ValidationException(
            f"Expected MinResource <= MaxResource <= {MAX_EPOCHS} in HyperbandStrategyConfig, found {least} and {most}."
        )
    return least, most


def _epochs(definitions: Sequence[Definition]) -> int | None:
    for definition in definitions:
        static = definition.body.get("StaticHyperParameters", {})
        for name in EPOCHS:
            if str(static.get(name, "")).isdigit() and int(static[name]) > 0:
                return int(static[name])
    return None
