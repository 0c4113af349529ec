"""Runs of an A/B test's tasks, one after another, as Airflow would: deferred, watched, resumed, skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from automl_retraining.core.config import Pipeline
from automl_retraining.operators.ab import JudgeABOperator, StartVariantOperator, WatchOperator
from automl_retraining.operators.ab_finish import PromoteChallengerOperator, ShiftWeightsOperator, WithdrawOperator
from automl_retraining.operators.ab_record import RecordABOperator
from automl_retraining.triggers.ab import ABTrigger
from tests.support.sagemaker_tasks import run
from tests.support.tasks import FakeDagRun, FakeStore, FakeTaskInstance

TASKS = {
    "start_variant": StartVariantOperator,
    "watch": WatchOperator,
    "judge_ab": JudgeABOperator,
    "shift_weights": ShiftWeightsOperator,
    "promote": PromoteChallengerOperator,
    "withdraw": WithdrawOperator,
    "record": RecordABOperator,
}


class ABRun:
    """One run of the DAG: its XComs and states are kept from task to task, its stores too.

    Args:
        pipeline: With a section ``ab``.
        settle: Called where a task waits for the endpoint.
        prepare: Called with each operator, to give it clients.
        run_id: The run's.
        params: Of the trigger form.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settle: Callable[[], Any],
        *,
        prepare: Callable[[Any], Any] = lambda operator: operator,
        run_id: str = "manual__2026-01-01",
        params: dict[str, Any] | None = None,
        challenger: str = "",
    ) -> None:
        self.pipeline, self.settle, self.prepare, self.run_id = pipeline, settle, prepare, run_id
        self.challenger = challenger
        self.params = params or {}
        self.xcoms: dict[tuple[str, str], Any] = {}
        self.states: dict[str, str] = {}
        self.stores: dict[str, FakeStore] = {}
        self.errors: dict[str, Exception] = {}
        self.dag_run = FakeDagRun()

    def context(self, task: str) -> Any:
        """The task's context."""
        ti = FakeTaskInstance(task, self.xcoms, self.states)
        ti.run_id = self.run_id
        store = self.stores.setdefault(task, FakeStore())
        return {
            "ti": ti, "task_state_store": store, "dag_run": self.dag_run, "run_id": self.run_id, "params": self.params
        }  # fmt: skip

    def operator(self, task: str) -> Any:
        """A new operator, as each try has one."""
        more = {"challenger": self.challenger} if task == "start_variant" else {}
        return self.prepare(TASKS[task](task_id=task, pipeline=self.pipeline, **more))

    def deferred(self, task: str) -> TaskDeferred:
        """Run the task up to its first wait, and leave it there."""
        try:
            run(self.operator(task), self.context(task))
        except TaskDeferred as waiting:
            return waiting
        raise AssertionError(f"{task} did not wait")

    def task(self, task: str) -> str:
        """Run the task to its end, through all its waits; its state."""
        method = "execute"
        event: dict[str, Any] = {}
        while True:
            ctx = self.context(task)
            try:
                given = {} if method == "execute" else {"event": event}
                returned = run(self.operator(task), ctx, method, **given)
            except TaskDeferred as waiting:
                method = waiting.method_name
                event = self.waited(waiting.trigger)
                continue
            except AirflowSkipException:
                self.states[task] = "skipped"
            except Exception as error:  # noqa: BLE001 - whatever it is, Airflow would take the task for failed
                self.states[task] = "failed"
                self.errors[task] = error
                ctx["ti"].xcom_push("failure", str(error))
            else:
                self.states[task] = "success"
                if returned is not None:
                    ctx["ti"].xcom_push("return_value", returned)
            return self.states[task]

    def waited(self, trigger: Any) -> dict[str, Any]:
        """Wait as the trigger does; its event."""
        if not isinstance(trigger, ABTrigger):
            self.settle()
            return {}
        return event_of(trigger)

    def all(self) -> dict[str, str]:
        """Run the story; a failed or skipped task skips what needs it, but not what runs whatever happened."""
        for task in TASKS:
            needs = task not in ("withdraw", "record")
            bad = [each for each in self.states.values() if each in ("failed", "skipped", "upstream_failed")]
            if needs and bad:
                self.states[task] = "upstream_failed" if "failed" in bad else "skipped"
            else:
                self.task(task)
        return self.states


def event_of(trigger: ABTrigger) -> dict[str, Any]:
    """Run the trigger, as if its task had deferred long ago; its event."""
    trigger.deferred_at = "2026-01-01T00:00:00+00:00"

    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("the trigger ended without an event")

    return asyncio.run(asyncio.wait_for(first(), 60))
