"""The operations on experiments, trials and components. Names are not case sensitive: rows have them in lower case."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from include.local_aws.experiments import components
from include.local_aws.experiments.catalogue import ASSOCIATION, EXPERIMENT, GONE, TRIAL, Catalogue, Group
from include.local_aws.experiments.components import KIND as COMPONENT
from include.local_aws.experiments.components import Component
from include.local_aws.sagemaker import lists, names, tags
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import AlreadyExists, Record
from include.local_aws.training import metrics
from include.local_aws.wire.errors import ValidationException

_WORDS = {EXPERIMENT: "Experiment", TRIAL: "Trial", COMPONENT: "TrialComponent"}


def create_experiment(call: Call) -> dict[str, Any]:
    """CreateExperiment."""
    return _create(call, EXPERIMENT, call.input["ExperimentName"], {}, Catalogue.now(call).experiments)


def create_trial(call: Call) -> dict[str, Any]:
    """CreateTrial: its experiment must be there."""
    catalogue = Catalogue.now(call)
    experiment = catalogue.experiment(call.input["ExperimentName"])
    return _create(call, TRIAL, call.input["TrialName"], {"experiment": experiment.name}, catalogue.trials)


def create_component(call: Call) -> dict[str, Any]:
    """CreateTrialComponent."""
    return _create(call, COMPONENT, call.input["TrialComponentName"], {}, Catalogue.now(call).components)


def _create(call: Call, kind: str, name: str, more: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    body = {**_plain({key: value for key, value in call.input.items() if key != "Tags"}), **more, "name": name}
    key, arn = name.lower(), names.arn(kind, call.region, name.lower())
    given = tags.checked(call.tags())
    taken = ValidationException(f"{_WORDS[kind]} names must be unique: {name} already exists ({arn}).")
    if key in known:
        raise taken
    left = call.store.find(kind, call.region, key)
    if left is not None and left.status == GONE:
        call.store.delete(kind, call.region, key, arn)
    try:
        call.store.insert(kind, call.region, key, "", body, tags=(arn, given))
    except AlreadyExists as error:
        raise taken from error
    return {f"{_WORDS[kind]}Arn": arn}


def _plain(value: Any) -> Any:
    """The same with times as epoch seconds."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return value.timestamp() if isinstance(value, datetime) else value


def describe_experiment(call: Call) -> dict[str, Any]:
    """DescribeExperiment."""
    group = Catalogue.now(call).experiment(call.input["ExperimentName"])
    return {**_described(group), "Description": (group.body or {}).get("Description")}


def describe_trial(call: Call) -> dict[str, Any]:
    """DescribeTrial."""
    group = Catalogue.now(call).trial(call.input["TrialName"])
    return {
        **_described(group),
        "ExperimentName": group.experiment,
        "MetadataProperties": (group.body or {}).get("MetadataProperties"),
    }


def _described(group: Group) -> dict[str, Any]:
    word = _WORDS[group.kind]
    return {
        f"{word}Name": group.name,
        f"{word}Arn": group.arn,
        "DisplayName": group.display,
        "Source": group.source,
        "CreationTime": group.created,
        "CreatedBy": {},
        "LastModifiedTime": group.modified,
        "LastModifiedBy": {},
    }


def describe_component(call: Call) -> dict[str, Any]:
    """DescribeTrialComponent, by name or ARN."""
    name = call.input["TrialComponentName"].rpartition("/")[2]
    component = Catalogue.now(call).component(name)
    return components.description(component, _values(call, component))


def _values(call: Call, component: Component) -> list[metrics.Value]:
    """All that a training job has told of its metrics; only the final values where its directory tells nothing."""
    if component.job is None or component.job[0] != "training":
        return []
    kind, name = component.job
    final = call.store.get(kind, call.region, name).body.get("metrics", ())
    root = call.services.directory / "jobs" / call.region / kind / name
    told = [value for each in final for value in metrics.history(root, each["MetricName"])]
    return told or [metrics.Value(each["MetricName"], each["Value"], each["Timestamp"]) for each in final]


def list_experiments(call: Call) -> dict[str, Any]:
    """ListExperiments."""
    return _page(call, list(Catalogue.listed(call).experiments.values()), _experiment_summary, "ExperimentSummaries")


def _experiment_summary(group: Group) -> dict[str, Any]:
    return _group_summary(group, "ExperimentSource")


def list_trials(call: Call) -> dict[str, Any]:
    """ListTrials, all or those of an experiment or with a component."""
    catalogue, given = Catalogue.listed(call), call.input
    found = list(catalogue.trials.values())
    if "ExperimentName" in given:
        found = catalogue.trials_of(catalogue.experiment(given["ExperimentName"]))
    if "TrialComponentName" in given:
        wanted = catalogue.component(given["TrialComponentName"]).name.lower()
        with_it = {trial for trial, component in catalogue.pairs if component == wanted}
        found = [each for each in found if each.name.lower() in with_it]
    return _page(call, found, _trial_summary, "TrialSummaries")


def _trial_summary(group: Group) -> dict[str, Any]:
    return _group_summary(group, "TrialSource")


def _group_summary(group: Group, source: str) -> dict[str, Any]:
    told = _described(group)
    return {
        **{key: value for key, value in told.items() if key not in ("Source", "CreatedBy", "LastModifiedBy")},
        source: group.source,
    }


def list_components(call: Call) -> dict[str, Any]:
    """ListTrialComponents, all or those of an experiment, of a trial or of a job."""
    catalogue, given = Catalogue.listed(call), call.input
    filters = [member for member in ("ExperimentName", "TrialName", "SourceArn") if member in given]
    if len(filters) > 1:
        raise ValidationException(f"{' and '.join(filters)} can't be given together: filter by one of them.")
    found = list(catalogue.components.values())
    if "ExperimentName" in given:
        found = catalogue.components_of(catalogue.trials_of(catalogue.experiment(given["ExperimentName"])))
    elif "TrialName" in given:
        found = catalogue.components_of([catalogue.trial(given["TrialName"])])
    elif "SourceArn" in given:
        found = [each for each in found if each.source and each.source["SourceArn"] == given["SourceArn"]]
    return _page(call, found, components.summary, "TrialComponentSummaries")


def _page(call: Call, found: list[Any], summary: Callable[[Any], dict[str, Any]], member: str) -> dict[str, Any]:
    given = call.input
    after, before = given.get("CreatedAfter"), given.get("CreatedBefore")
    kept = [
        each
        for each in found
        if (after is None or each.created > after.timestamp()) and (before is None or each.created < before.timestamp())
    ]
    name = f"{member.removesuffix('Summaries')}Name"
    by_name = given.get("SortBy", "CreationTime") == "Name"
    return lists.page_of(
        call,
        [summary(each) for each in kept],
        member,
        lambda row: (row[name].lower(),) if by_name else (row["CreationTime"], row[name].lower()),
        descending=given.get("SortOrder", "Descending") == "Descending",
    )


def update_experiment(call: Call) -> dict[str, Any]:
    """UpdateExperiment."""
    return _update_group(call, Catalogue.now(call).experiment(call.input["ExperimentName"]))


def update_trial(call: Call) -> dict[str, Any]:
    """UpdateTrial."""
    return _update_group(call, Catalogue.now(call).trial(call.input["TrialName"]))


def _update_group(call: Call, group: Group) -> dict[str, Any]:
    changes = {key: call.input[key] for key in ("DisplayName", "Description") if key in call.input}
    _write(call, group.kind, group.name, lambda body: {**body, **changes})
    return {f"{_WORDS[group.kind]}Arn": group.arn}


def update_component(call: Call) -> dict[str, Any]:
    """UpdateTrialComponent, of a job's component too."""
    component, given = Catalogue.now(call).component(call.input["TrialComponentName"]), _plain(call.input)
    _write(call, COMPONENT, component.name, lambda body: components.with_update(body, given))
    return {"TrialComponentArn": component.arn}


def _write(call: Call, kind: str, name: str, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Change the row of what may have none yet, because it follows from a job."""
    key = name.lower()
    try:
        call.store.insert(kind, call.region, key, "", {**change({}), "name": name})
    except AlreadyExists:
        call.store.update(kind, call.region, key, lambda row: _with_body(row, change(row.body)))


def _with_body(row: Record, body: dict[str, Any]) -> Record:
    return row.having(**body)


def delete_experiment(call: Call) -> dict[str, Any]:
    """DeleteExperiment: its trials must be gone."""
    catalogue = Catalogue.now(call)
    group = catalogue.experiment(call.input["ExperimentName"])
    if trials := catalogue.trials_of(group):
        raise ValidationException(
            f"Experiment '{group.name}' has associated trials ({len(trials)}, such as '{trials[0].name}'). "
            "Delete them first."
        )
    return _delete(call, EXPERIMENT, group.name, group.arn)


def delete_trial(call: Call) -> dict[str, Any]:
    """DeleteTrial: its components must be taken out of it first."""
    catalogue = Catalogue.now(call)
    group = catalogue.trial(call.input["TrialName"])
    if inside := catalogue.components_of([group]):
        raise ValidationException(
            f"Trial '{group.name}' has associated trial components ({len(inside)}, such as '{inside[0].name}'). "
            "Disassociate them first."
        )
    return _delete(call, TRIAL, group.name, group.arn)


def delete_component(call: Call) -> dict[str, Any]:
    """DeleteTrialComponent: it must have been taken out of every trial first."""
    catalogue = Catalogue.now(call)
    component = catalogue.component(call.input["TrialComponentName"])
    trials = sorted(trial for trial, name in catalogue.pairs if name == component.name.lower())
    if trials:
        raise ValidationException(
            f"Trial component '{component.name}' is associated with trials ({', '.join(trials[:5])}). "
            "Disassociate it from them first."
        )
    return _delete(call, COMPONENT, component.name, component.arn)


def _delete(call: Call, kind: str, name: str, arn: str) -> dict[str, Any]:
    """Leave a row that says it is gone: what follows from a job would be there again without it."""
    key = name.lower()
    if call.store.find(kind, call.region, key) is not None:
        call.store.delete(kind, call.region, key, arn)
    call.store.insert(kind, call.region, key, GONE, {"name": name})
    return {f"{_WORDS[kind]}Arn": arn}


def associate(call: Call) -> dict[str, Any]:
    """AssociateTrialComponent."""
    return _associate(call, "")


def disassociate(call: Call) -> dict[str, Any]:
    """DisassociateTrialComponent."""
    return _associate(call, GONE)


def _associate(call: Call, status: str) -> dict[str, Any]:
    catalogue = Catalogue.now(call)
    component = catalogue.component(call.input["TrialComponentName"])
    trial = catalogue.trial(call.input["TrialName"])
    pair = {"trial": trial.name.lower(), "component": component.name.lower()}
    if status == GONE and tuple(pair.values()) not in catalogue.pairs:
        raise ValidationException(f"Trial component '{component.name}' is not associated with trial '{trial.name}'.")
    key = "/".join(pair.values())
    try:
        call.store.insert(ASSOCIATION, call.region, key, status or "Added", pair, parent=pair["trial"])
    except AlreadyExists:
        call.store.update(ASSOCIATION, call.region, key, lambda row: row.having(status=status or "Added"))
    return {"TrialComponentArn": component.arn, "TrialArn": trial.arn}


OPERATIONS = {
    "CreateExperiment": create_experiment,
    "DescribeExperiment": describe_experiment,
    "ListExperiments": list_experiments,
    "UpdateExperiment": update_experiment,
    "DeleteExperiment": delete_experiment,
    "CreateTrial": create_trial,
    "DescribeTrial": describe_trial,
    "ListTrials": list_trials,
    "UpdateTrial": update_trial,
    "DeleteTrial": delete_trial,
    "CreateTrialComponent": create_component,
    "DescribeTrialComponent": describe_component,
    "ListTrialComponents": list_components,
    "UpdateTrialComponent": update_component,
    "DeleteTrialComponent": delete_component,
    "AssociateTrialComponent": associate,
    "DisassociateTrialComponent": disassociate,
}
