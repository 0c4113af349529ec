"""Every error this project raises on purpose.

```
RetrainingError
├── ConfigError            a pipeline's YAML or a deployment setting is wrong
├── DataError              the table cannot be trained on; nothing was created at SageMaker
├── RequestError           options that contradict each other, found before the call
├── EvidenceError          predictions that do not join to the truth
├── StorageError           the run folder or the source cannot be read or written
├── AnswerIncomplete       AWS's answer lacks a member that it always has (worth a retry)
├── JobError
│   ├── JobFailed          SageMaker says Failed
│   ├── JobStopped         somebody or something stopped the job (never success)
│   ├── JobTimeout         the task waited longer than it may; the job was stopped
│   ├── JobVanished        the job was deleted, or was never there
│   ├── NoCapacity         AWS had no room for the job for as long as the pipeline waits
│   └── JobConflict        the name belongs to a job that is not this task's
├── RegistryError          the model registry is not as it should be
│   ├── RegistryBusy       somebody else writes it (worth a retry)
│   └── NotApproved        the challenger's version is rejected, or waits for a person
├── TeardownRefused        removing a pipeline must not begin now
├── PreflightFailed        the account lacks something that the run needs; nothing was started
└── EndpointError
    ├── NotOurs            the endpoint was not made by this project
    ├── EndpointBusy       something else is changing the endpoint (worth a retry)
    ├── ChampionChanged    it serves another champion than the one the gate compared with
    ├── LeaseHeld          another run is writing the endpoint (worth a retry)
    ├── RolloutRefused     the fleet, an alarm or the model does not allow the rollout; nothing was written
    ├── RollbackRefused    there is nothing to go back to
    ├── ABTestRefused      there is nothing to test, or the endpoint cannot serve two variants
    ├── ABTestEnded        somebody else ended the A/B test that a task watches
    ├── AlarmRaised        an alarm that guards the rollout is in ALARM before it began (worth a retry)
    ├── RolledBack         SageMaker went back to the old configuration
    └── SmokeTestFailed    the endpoint does not answer as batch transform did
```

A message is a sentence: what was expected, what was found, where, what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class RetrainingError(Exception):
    """Root of the tree.

    ``retryable`` says whether trying the same again can help. Operators turn an error that is not
    into ``AirflowFailException``, so that Airflow spends no retries on it.
    """

    retryable: ClassVar[bool] = False


class ConfigError(RetrainingError):
    """A pipeline's YAML or a deployment setting is wrong: names the file, the key and what was expected."""


class DataError(RetrainingError):
    """The table cannot be trained on. Names the line where there is one; nothing was created at SageMaker."""


class RequestError(RetrainingError):
    """Options that SageMaker would refuse or silently ignore together, found before the call."""


class EvidenceError(RetrainingError):
    """Predictions that cannot be held against the truth: an id missing, doubled or unknown."""


class StorageError(RetrainingError):
    """The source or the run folder cannot be read or written."""

    retryable = True


class AnswerIncomplete(RetrainingError):
    """AWS's answer lacks a member that it always has: a connection that broke off in the middle of it."""

    retryable = True


class JobError(RetrainingError):
    """A SageMaker job did not end well."""


class JobFailed(JobError):
    """SageMaker says Failed. Carries the job's reason; a retry submits a new job."""

    retryable = True


class JobStopped(JobError):
    """The job was stopped. ``Stopped`` is never success."""


class JobTimeout(JobError):
    """The task waited longer than it may, and stopped its job."""


class JobVanished(JobError):
    """The job waited for is not there (any more)."""


class NoCapacity(JobError):
    """AWS had no room for the job for as long as the pipeline says to wait; nothing was submitted."""


class JobConflict(JobError):
    """The name belongs to a job that does not carry this task's tags or an equal request."""


class PreflightFailed(RetrainingError):
    """The account lacks something that the run needs, a sentence for each; found before anything was started."""


class EndpointError(RetrainingError):
    """The endpoint is not as it should be."""


class NotOurs(EndpointError):
    """The endpoint was not made by this project, and the pipeline does not say ``adopt: true``."""


class EndpointBusy(EndpointError):
    """The endpoint is being created, updated or deleted by something else."""

    retryable = True


class ChampionChanged(EndpointError):
    """The endpoint serves another champion than the one that the gate compared with."""


class LeaseHeld(EndpointError):
    """Another run holds the endpoint's lease."""

    retryable = True


class RolloutRefused(EndpointError):
    """The rollout cannot or may not be done as the pipeline asks; found before anything was written."""


class RollbackRefused(EndpointError):
    """There is nothing to go back to: no configuration before, or it or its model was deleted."""


class ABTestRefused(EndpointError):
    """An A/B test cannot begin: no challenger, or an endpoint that does not serve the champion alone."""


class ABTestEnded(EndpointError):
    """The endpoint does not serve the A/B test any more: somebody else ended it."""


class AlarmRaised(EndpointError):
    """An alarm that guards the rollout is in ALARM already: SageMaker would go back at once."""

    retryable = True


class RolledBack(EndpointError):
    """SageMaker went back to the old configuration; the champion still serves."""


class SmokeTestFailed(EndpointError):
    """The endpoint's answers differ from the batch transform's for the same rows."""


class RegistryError(RetrainingError):
    """The model registry is not as it should be: a group of somebody else's, a version that is gone."""


class RegistryBusy(RegistryError):
    """Somebody else writes the model package group."""

    retryable = True


class NotApproved(RegistryError):
    """The challenger's version in the model registry is rejected, or waits for a person."""


class TeardownRefused(RetrainingError):
    """A pipeline must not be removed now: a run of it is active, or its endpoint is somebody else's."""
