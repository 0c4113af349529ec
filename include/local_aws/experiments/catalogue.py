"""What experiments, trials and components there are, and which belong together: rows, and what follows from jobs.

Every job is a component. A job's ExperimentConfig puts it into a trial, a new one where it names none. A tuning job is
an experiment with one trial, which its training jobs belong to. What is deleted or taken out of a trial by hand leaves
a row that says so, because its job is still there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from include.local_aws.experiments.components import KIND as COMPONENT
from include.local_aws.experiments.components import SOURCES, Component, changed, created, of_job
from include.local_aws.sagemaker import lists, names
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record, Store
from include.local_aws.wire.errors import ResourceNotFound

EXPERIMENT = "experiment"
TRIAL = "trial"
ASSOCIATION = "trial-association"
GONE = "Deleted"
"""The status of a row that takes away what follows from a job."""

Rows = Callable[[str], list[Record]]
T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """An experiment, or a trial, which belongs to an experiment. Times are epoch seconds."""

    kind: str
    name: str
    region: str
    display: str
    created: float
    modified: float
    experiment: str | None = None
    source: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None

    @property
    def arn(self) -> str:
        """Its ARN, which is lower case as its name is compared."""
        return names.arn(self.kind, self.region, self.name.lower())


class Catalogue:
    """Everything of one region; `rows` answers the records of a kind, oldest first."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @classmethod
    def now(cls, call: Call) -> "Catalogue":
        """As it is."""
        return cls(lambda kind: call.store.all(kind, region=call.region))

    @classmethod
    def listed(cls, call: Call) -> "Catalogue":
        """As lists show it, which may be a little late."""
        return cls(lambda kind: lists.visible(call, kind))

    @cached_property
    def _jobs(self) -> list[Record]:
        return [record for kind in SOURCES for record in self._rows(kind)]

    @cached_property
    def _tuning(self) -> list[Record]:
        return self._rows("tuning")

    @cached_property
    def experiments(self) -> dict[str, Group]:
        """By lower-case name."""
        found = {}
        for record in self._tuning:
            name = record.body["request"]["HyperParameterTuningJobName"]
            source = {
                "SourceArn": names.arn("tuning", record.region, record.name),
                "SourceType": "SageMakerHyperParameterTuningJob",
            }
            found[record.name] = Group(
                EXPERIMENT, name, record.region, name, record.created, record.modified, source=source
            )
        return _with_rows(found, self._rows(EXPERIMENT))

    @cached_property
    def trials(self) -> dict[str, Group]:
        """By lower-case name."""
        found = {}
        for record in self._tuning:
            if record.name in self.experiments:
                experiment = self.experiments[record.name]
                name = trial_of_tuning(experiment.name)
                found[name.lower()] = Group(
                    TRIAL,
                    name,
                    record.region,
                    name,
                    record.created,
                    record.modified,
                    experiment.name,
                    experiment.source,
                )
        for record, config in self._configured():
            experiment_name = config.get("ExperimentName", "").lower()
            if "TrialName" not in config and experiment_name in self.experiments:
                name = f"{record.name}{SOURCES[record.kind][0]}"
                found[name.lower()] = Group(
                    TRIAL,
                    name,
                    record.region,
                    name,
                    record.created,
                    record.created,
                    self.experiments[experiment_name].name,
                )
        return _with_rows(found, self._rows(TRIAL))

    def _configured(self) -> Iterator[tuple[Record, Mapping[str, str]]]:
        for record in self._jobs:
            config = record.body["request"].get("ExperimentConfig")
            if config:
                yield record, config

    @cached_property
    def components(self) -> dict[str, Component]:
        """By lower-case name."""
        found = {component.name.lower(): component for component in map(of_job, self._jobs)}
        for row in self._rows(COMPONENT):
            if row.status == GONE:
                found.pop(row.name, None)
            elif row.name in found:
                found[row.name] = changed(found[row.name], row)
            else:
                found[row.name] = created(row)
        return found

    @cached_property
    def pairs(self) -> set[tuple[str, str]]:
        """Which trial has which component, both by lower-case name."""
        found = set()
        for record, config in self._configured():
            component = f"{record.name}{SOURCES[record.kind][0]}".lower()
            found.add((config.get("TrialName", component).lower(), component))
        trials = {names.arn("tuning", each.region, each.name): trial_of_tuning(each.name) for each in self._tuning}
        for record in self._jobs:
            if record.parent in trials:
                found.add((trials[record.parent], f"{record.name}{SOURCES[record.kind][0]}".lower()))
        for row in self._rows(ASSOCIATION):
            pair = (row.body["trial"], row.body["component"])
            (found.discard if row.status == GONE else found.add)(pair)
        return {pair for pair in found if pair[0] in self.trials and pair[1] in self.components}

    def experiment(self, name: str) -> Group:
        """One experiment; raises `ResourceNotFound`."""
        return _one(self.experiments, "Experiment", name)

    def trial(self, name: str) -> Group:
        """One trial; raises `ResourceNotFound`."""
        return _one(self.trials, "Trial", name)

    def component(self, name: str) -> Component:
        """One component; raises `ResourceNotFound`."""
        return _one(self.components, "Trial component", name)

    def trials_of(self, experiment: Group) -> list[Group]:
        """An experiment's trials."""
        wanted = experiment.name.lower()
        return [each for each in self.trials.values() if (each.experiment or "").lower() == wanted]

    def components_of(self, trials: list[Group]) -> list[Component]:
        """The components of some trials, each once."""
        wanted = {each.name.lower() for each in trials}
        return [self.components[name] for name in dict.fromkeys(c for t, c in sorted(self.pairs) if t in wanted)]


def check(store: Store, region: str, config: Mapping[str, str] | None) -> None:
    """Whether what a job's ExperimentConfig names is there; raises `ResourceNotFound`."""
    if not config:
        return
    catalogue = Catalogue(lambda kind: store.all(kind, region=region))
    if "ExperimentName" in config:
        catalogue.experiment(config["ExperimentName"])
    if "TrialName" in config:
        catalogue.trial(config["TrialName"])


def trial_of_tuning(tuning_job: str) -> str:
    """The name of a tuning job's trial."""
    return f"{tuning_job}-aws-tuning-job"


def _with_rows(found: dict[str, Group], rows: list[Record]) -> dict[str, Group]:
    for row in rows:
        if row.status == GONE:
            found.pop(row.name, None)
            continue
        base, body = found.get(row.name), row.body
        name = body.get("name") or (base.name if base else row.name)
        found[row.name] = Group(
            row.kind,
            name,
            row.region,
            body.get("DisplayName") or (base.display if base else name),
            base.created if base else row.created,
            max(row.modified, base.modified if base else 0.0),
            body.get("experiment") or (base.experiment if base else None),
            base.source if base else None,
            body,
        )
    return found


def _one(found: Mapping[str, T], word: str, name: str) -> T:
    if name.lower() not in found:
        raise ResourceNotFound(f"{word} '{name}' does not exist.")
    return found[name.lower()]
