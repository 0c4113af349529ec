"""Tidying up: what is retired over all pipelines, and one pipeline removed whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from automl_retraining.core.config import Deployment, Pipeline
from automl_retraining.core.errors import ConfigError, TeardownRefused
from automl_retraining.core.names import run_folder_name
from automl_retraining.core.retention import Item, totals
from automl_retraining.operators._aws import client, fail_for_good
from automl_retraining.operators.endpoint_writer import lease_owner

if TYPE_CHECKING:
    from airflow.sdk import Context

    from automl_retraining.sagemaker.delete import Deleted
    from automl_retraining.sagemaker.inventory import Scope

_MOST_LINES = 200
"""Lines of one list in the log; the report in S3 has them all."""
_MOST_NAMES = 50
"""Names of what goes in the XCom."""
_TRAINERS = ("autopilot", "candidates", "tuned", "refit", "rollback", "ab")
"""First words of the DAGs that work on a pipeline."""


class TidyingOperator(BaseOperator):
    """Clients, leases and a report: what retention and teardown share.

    Args:
        pipelines: Pipelines of one connection, region and bucket.
        kwargs: BaseOperator's.
    """

    ui_color = "#f3ecff"

    def __init__(self, *, pipelines: Sequence[Pipeline], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pipelines = tuple(pipelines)

    @cached_property
    def sm(self) -> Any:
        """The SageMaker client, which asks no more than its share of the account's calls."""
        from automl_retraining.sagemaker.pace import Paced
        from automl_retraining.sagemaker.retention import RATE

        return Paced(self._client("sagemaker"), RATE)

    @cached_property
    def s3(self) -> Any:
        """The S3 client."""
        return self._client("s3")

    def scopes(self) -> tuple[list[Scope], dict[str, str]]:
        """The pipelines with their bucket and deployment; and by name why another one has none."""
        from automl_retraining.sagemaker.inventory import Scope

        deployment = Deployment.from_environment()
        found, without = [], {}
        for each in self.pipelines:
            try:
                found.append(Scope(each, deployment.bucket_of(each), deployment.deployment))
            except ConfigError as error:
                without[each.name] = str(error)
        return found, without

    def say(self, title: str, items: Sequence[Item]) -> None:
        """The list in the log, as far as anybody reads one."""
        self.log.info("%s: %d", title, len(items))
        for item in items[:_MOST_LINES]:
            size = f" ({item.objects} objects, {item.bytes / 1e6:.1f} MB)" if item.kind == "run folder" else ""
            self.log.info("  %s %s%s: %s", item.kind, item.name, size, item.why)
        if len(items) > _MOST_LINES:
            self.log.info("  and %d more: see the report", len(items) - _MOST_LINES)

    def write(self, uri: str, document: dict[str, Any]) -> str:
        """Write the report, and return where it is."""
        from automl_retraining.sagemaker import storage

        storage.write_text(self.s3, uri, json.dumps(document, indent=2) + "\n", "application/json")
        self.log.info("report: %s", uri)
        return uri

    @staticmethod
    def settle(done: Deleted) -> None:
        """Fail where something could not be deleted: for good what AWS refuses, to be tried again what it delays."""
        if done.failed:
            item, why = done.failed[0]
            more = f" (and {len(done.failed) - 1} more)" if len(done.failed) > 1 else ""
            raise AirflowFailException(f"{item.kind} {item.name} could not be deleted{more}: {why}")
        if done.stopped:
            raise AirflowException(f"{done.stopped}; {len(done.items)} deleted, the next try goes on with the rest")

    def _client(self, service: str) -> Any:
        aws = self.pipelines[0].aws
        return client(service, conn_id=aws.conn_id, region=aws.region)


class RetentionOperator(TidyingOperator):
    """Plan what the pipelines' policies retire, write the report, and delete it where the run is no dry run.

    XCom: the report's URI, how many of each kind go and went, what was left out.
    """

    @fail_for_good("retire what is old")
    def execute(self, context: Context) -> dict[str, Any]:
        """Look, say, and delete unless ``params.dry_run``."""
        from automl_retraining.sagemaker import retention

        dry_run = bool(context["params"]["dry_run"])
        (scopes, without), now = self.scopes(), datetime.now(UTC)
        if not scopes:
            raise ConfigError("; ".join(without.values()))
        found = retention.look(self.sm, self.s3, scopes, now)
        found.skipped |= without
        for name, planned in found.plans.items():
            self.say(f"{name}: {'would be retired' if dry_run else 'to be retired'}", planned.retire)
            self.say(f"{name}: old, and kept", planned.keep)
        for name, why in found.skipped.items():
            self.log.warning("%s: nothing is retired: %s", name, why)
        try:
            if not dry_run:
                retention.carry_out(self.sm, self.s3, scopes, found, owner=lease_owner(context), say=self.log.info)
        finally:
            report = retention.report(
                found, run_id=context["run_id"], dry_run=dry_run, at=now, calls=dict(self.sm.calls)
            )
            suffix = "" if self.task_id == "retire" else f"-{self.task_id}"
            name = f"{run_folder_name(context['run_id'])}{suffix}.json"
            uri = self.write(f"s3://{scopes[0].bucket}/retention/{name}", report)
        planned_items = [item for planned in found.plans.values() for item in planned.retire]
        summary = {
            "report": uri,
            "dry_run": dry_run,
            "planned": totals(planned_items),
            "deleted": totals(found.done.items),
            "names": [item.name for item in planned_items[:_MOST_NAMES]],
            "skipped": found.skipped,
        }
        context["ti"].xcom_push("summary", summary)
        self.settle(found.done)
        return summary


class TeardownOperator(TidyingOperator):
    """List everything of one pipeline, and remove it where the run's ``confirm`` is the pipeline's name.

    Args:
        pipeline: The pipeline that goes.
        confirm: A template: empty lists only.
        kwargs: BaseOperator's.

    XCom: the report's URI, what goes by kind, what is left and why.

    Raises:
        TeardownRefused: a run of the pipeline is active, or ``confirm`` is another name.
    """

    template_fields: Sequence[str] = ("confirm",)

    def __init__(self, *, pipeline: Pipeline, confirm: str, **kwargs: Any) -> None:
        super().__init__(pipelines=(pipeline,), **kwargs)
        self.pipeline = pipeline
        self.confirm = confirm

    @fail_for_good("remove the pipeline")
    def execute(self, context: Context) -> dict[str, Any]:
        """Look, say, and remove where that is confirmed."""
        from automl_retraining.sagemaker import teardown
        from automl_retraining.sagemaker.delete import Deleted

        name = self.pipeline.name
        confirmed = (self.confirm or "").strip()
        if confirmed and confirmed != name:
            raise TeardownRefused(
                f"confirm: expected {name!r}, the name of the pipeline to remove, or nothing for a dry run, found "
                f"{confirmed!r}: nothing was removed"
            )
        if confirmed:
            self._refuse_active_runs(context)
        scopes, without = self.scopes()
        if without:
            raise ConfigError(without[name])
        (scope,) = scopes
        clients = teardown.Clients(self.sm, self.s3, self._client("cloudwatch"))
        removal = teardown.look(clients, scope)
        self.say(f"{name}: {'to be removed' if confirmed else 'would be removed'}", removal.items)
        self.say(f"{name}: left", removal.left)
        done = Deleted()
        if confirmed:
            done = teardown.carry_out(clients, scope, removal, owner=lease_owner(context), say=self.log.info)
            self.log.info("%s: %d things removed", name, len(done.items))
        else:
            self.log.info("nothing was removed: trigger again with confirm = %s", name)
        where = f"s3://{scope.bucket}/retention/teardown_{name}/{run_folder_name(context['run_id'])}.json"
        uri = self.write(where, teardown.report(removal, done, run_id=context["run_id"], dry_run=not confirmed))
        self.settle(done)
        return {
            "report": uri,
            "dry_run": not confirmed,
            "planned": totals(removal.items),
            "deleted": totals(done.items),
            "left": [f"{item.kind} {item.name}: {item.why}" for item in removal.left[:_MOST_NAMES]],
        }

    def _refuse_active_runs(self, context: Context) -> None:
        """A run that is under way would make again what is being removed."""
        ti: Any = context["ti"]
        for trainer in _TRAINERS:
            dag_id = f"{trainer}_{self.pipeline.name}"
            active = ti.get_dr_count(dag_id=dag_id, states=["queued", "running"])
            if active:
                raise TeardownRefused(
                    f"pipeline {self.pipeline.name}: expected no active run of it, found {active} of {dag_id}: wait "
                    "for its end or mark it failed, pause the pipeline's DAGs, and clear this task"
                )


def groups(pipelines: Sequence[Pipeline], word: str = "retire") -> dict[str, list[Pipeline]]:
    """Pipelines by connection, region and bucket, each under the id of the task that looks after them.

    Raises:
        ConfigError: two groups would have one task id.
    """
    found: dict[tuple[str, str | None, str | None], list[Pipeline]] = {}
    for each in pipelines:
        found.setdefault((each.aws.conn_id, each.aws.region, each.aws.bucket), []).append(each)
    if len(found) == 1:
        return {word: list(pipelines)}
    named: dict[str, list[Pipeline]] = {}
    for (conn_id, region, bucket), members in found.items():
        words = [word, conn_id, *(part for part in (region, bucket) if part)]
        task_id = "-".join("".join(c if c.isalnum() or c in "._-" else "_" for c in word) for word in words)[:200]
        if task_id in named:
            raise ConfigError(f"{word}: expected task ids that differ, found {task_id} for two groups of pipelines")
        named[task_id] = members
    return named
