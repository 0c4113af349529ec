"""Account limits, which real accounts have: how many instances of a type, and how many jobs, may run at once.

A limit is named by what it counts, in each region apart::

    automl, training, processing, transform, tuning     jobs that are not over
    endpoint                                            endpoints
    training/ml.m5.large  (spot-training/…, processing/…, transform/…, endpoint/…)
                                                        instances of that type in what is not over
    training/*                                          instances of every type

There is none until one is set (``"limits"`` of ``/_control``). An update of an endpoint starts its new fleet beside
the old one, so both count while it is under way (SageMaker developer guide, blue/green deployments).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from include.local_aws.store import Record, Store
from include.local_aws.wire.errors import ResourceLimitExceeded

Usage = Counter[str]
"""How much of each limit something takes."""

KINDS = ("automl", "endpoint", "processing", "spot-training", "training", "transform", "tuning")
_WORDS = {
    "automl": "AutoML job",
    "endpoint": "endpoint",
    "processing": "processing job",
    "spot-training": "spot training job",
    "training": "training job",
    "transform": "transform job",
    "tuning": "hyperparameter tuning job",
}
_OVER = ("Completed", "Failed", "Stopped", "OutOfService")
_WITHOUT_INSTANCES = ("automl", "tuning")
_CREATES = {
    "CreateAutoMLJob": ("automl", "AutoMLJobName"),
    "CreateAutoMLJobV2": ("automl", "AutoMLJobName"),
    "CreateTrainingJob": ("training", "TrainingJobName"),
    "CreateProcessingJob": ("processing", "ProcessingJobName"),
    "CreateTransformJob": ("transform", "TransformJobName"),
    "CreateHyperParameterTuningJob": ("tuning", "HyperParameterTuningJobName"),
    "CreateEndpoint": ("endpoint", "EndpointName"),
}
GUARDED = (*_CREATES, "UpdateEndpoint", "UpdateEndpointWeightsAndCapacities")
"""Operations that may take something of a limit."""


class LimitsError(ValueError):
    """A limit is not named as one, or is no number."""


def checked(given: Any) -> dict[str, int]:
    """The limits in a JSON object, which maps names to whole numbers; raises `LimitsError`."""
    if not isinstance(given, dict):
        raise LimitsError(f"Expected an object of limits at 'limits', found {given!r}.")
    for name, value in given.items():
        kind, _, instance = name.partition("/")
        named = kind in KINDS and ("/" not in name or (instance != "" and kind not in _WITHOUT_INSTANCES))
        if not named or (kind == "spot-training" and not instance):
            raise LimitsError(
                f"Expected a limit such as automl, training or training/ml.m5.large (of {', '.join(KINDS)}), "
                f"found {name!r}."
            )
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise LimitsError(f"Expected a whole number at 'limits.{name}', found {value!r}.")
    return dict(given)


def check(store: Store, region: str, operation: str, request: Mapping[str, Any], limits: Mapping[str, int]) -> None:
    """Raise `ResourceLimitExceeded` where the request would take more than is left.

    Nothing is raised for a name that is taken, so that the caller is told that instead.
    """
    if not limits or operation not in GUARDED:
        return
    if operation in _CREATES:
        kind, member = _CREATES[operation]
        name = request[member]
        if store.find(kind, region, name.lower() if kind == "tuning" else name) is not None:
            return
    delta = _asked(store, region, operation, request)
    relevant = [name for name in limits if delta[name] > 0]
    if not relevant:
        return
    used = _used(store, region, {name.partition("/")[0].removeprefix("spot-") for name in relevant})
    for name in relevant:
        if used[name] + delta[name] > limits[name]:
            raise ResourceLimitExceeded(_sentence(name, limits[name], used[name], delta[name]))


def _sentence(name: str, limit: int, used: int, delta: int) -> str:
    kind, _, instance = name.partition("/")
    word, unit = _WORDS[kind], "Instances"
    if not instance:
        title, unit = f"Total number of concurrent {word}s", "Endpoints" if kind == "endpoint" else "Jobs"
    elif instance == "*":
        title = f"Number of instances across all {word}s"
    else:
        title = f"{instance} for {word} usage"
    return (
        f"The account-level service limit '{title}' is {limit} {unit}, with current utilization of {used} {unit} and "
        f"a request delta of {delta} {unit}. Please use AWS Service Quotas to request an increase for this quota. If "
        "AWS Service Quotas is not available, contact AWS support to request an increase for this quota."
    )


def _of(kind: str, machines: Iterable[tuple[str | None, int]], *, jobs: int = 1) -> Usage:
    usage: Usage = Counter()
    if kind != "spot-training":
        usage[kind] = jobs
    for instance, count in machines:
        usage[f"{kind}/*"] += count
        if instance is not None:
            usage[f"{kind}/{instance}"] += count
    return usage


def of_job(kind: str, request: Mapping[str, Any]) -> Usage:
    """What a job takes whose creation was asked for so."""
    match kind:
        case "training":
            resources = request.get("ResourceConfig", {})
            groups = resources.get("InstanceGroups") or [resources]
            machines = [(each.get("InstanceType"), each.get("InstanceCount", 0)) for each in groups]
            if request.get("EnableManagedSpotTraining"):
                return Counter({"training": 1}) + _of("spot-training", machines)
            return _of("training", machines)
        case "processing":
            cluster = request.get("ProcessingResources", {}).get("ClusterConfig", {})
            return _of(kind, [(cluster.get("InstanceType"), cluster.get("InstanceCount", 0))])
        case "transform":
            resources = request.get("TransformResources", {})
            return _of(kind, [(resources.get("InstanceType"), resources.get("InstanceCount", 0))])
        case _:
            return _of(kind, [])


def _variants(store: Store, region: str, config: str) -> list[Mapping[str, Any]]:
    found = store.find("endpoint-config", region, config)
    return [] if found is None else list(found.body["ProductionVariants"])


def _types(store: Store, region: str, config: str) -> dict[str, str | None]:
    return {each["VariantName"]: each.get("InstanceType") for each in _variants(store, region, config)}


def _asked(store: Store, region: str, operation: str, request: Mapping[str, Any]) -> Usage:
    if operation == "UpdateEndpointWeightsAndCapacities":
        return _more_capacity(store, region, request)
    if operation in ("CreateEndpoint", "UpdateEndpoint"):
        machines = [
            (each.get("InstanceType"), each.get("InitialInstanceCount", 0))
            for each in _variants(store, region, request["EndpointConfigName"])
        ]
        return _of("endpoint", machines, jobs=1 if operation == "CreateEndpoint" else 0)
    kind = _CREATES[operation][0]
    return of_job(kind, request) + (_of_children(request) if kind == "tuning" else Counter())


def _of_children(request: Mapping[str, Any]) -> Usage:
    """What the training jobs of a tuning job take at most: so many at once, the largest of each type."""
    parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
    largest: Usage = Counter()
    for definition in request.get("TrainingJobDefinitions") or [request.get("TrainingJobDefinition", {})]:
        resources = definition.get("ResourceConfig") or definition.get("HyperParameterTuningResourceConfig", {})
        one = of_job("training", {**definition, "ResourceConfig": resources})
        largest |= one  # of a counter: the larger of both
    return Counter({name: parallel * count for name, count in largest.items()})


def _more_capacity(store: Store, region: str, request: Mapping[str, Any]) -> Usage:
    record = store.find("endpoint", region, request["EndpointName"])
    if record is None:
        return Counter()
    types = _types(store, region, record.body["config"])
    now = {each["VariantName"]: each["count"] for each in record.body.get("variants", ())}
    machines = [
        (types.get(each["VariantName"]), max(0, each["DesiredInstanceCount"] - now.get(each["VariantName"], 0)))
        for each in request["DesiredWeightsAndCapacities"]
        if "DesiredInstanceCount" in each
    ]
    return _of("endpoint", machines, jobs=0)


def _of_endpoint(store: Store, record: Record) -> Usage:
    usage: Usage = Counter({"endpoint": 1})
    fleets = [(record.body["config"], record.body.get("variants", ()))]
    if pending := record.body.get("pending"):
        fleets.append((pending["config"], pending["variants"]))
    for config, variants in fleets:
        types = _types(store, record.region, config)
        usage += _of("endpoint", [(types.get(each["VariantName"]), each["count"]) for each in variants], jobs=0)
    return usage


def _used(store: Store, region: str, kinds: set[str]) -> Usage:
    used: Usage = Counter()
    for kind in kinds:
        for record in store.all(kind, region=region):
            if record.status in _OVER:
                continue
            used += _of_endpoint(store, record) if kind == "endpoint" else of_job(kind, record.body.get("request", {}))
    return used
