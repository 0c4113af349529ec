"""Does the endpoint answer what was evaluated? If not, the model before it goes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowSkipException

from automl_retraining.core.errors import ChampionChanged, SmokeTestFailed
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.operators.endpoint_writer import EndpointWriter
from automl_retraining.sagemaker import endpoint

if TYPE_CHECKING:
    from airflow.sdk import Context


class SmokeTestOperator(EndpointWriter):
    """Send real test rows to the champion's variant and hold the answers against batch transform's, to 1e-6.

    Then, where the pipeline limits the latency, hold the median of single-row requests against that.
    Where either fails the configuration that served before is put back (under the lease, verified as any update), and
    the task fails saying both. A first model has none before it: it stays, and the task fails.
    XCom: the number of rows sent, and the median latency in ms where it was measured.
    """

    @fail_for_good("test the endpoint")
    def execute(self, context: Context) -> dict[str, Any]:
        """Test; on a difference begin to go back."""
        updated: dict[str, Any] | None = context["ti"].xcom_pull(task_ids="update_endpoint")
        if updated is None:
            raise AirflowSkipException("the champion was kept after all: nothing new serves")
        if failed := self.begun_move(context):
            self._go_back(context, failed)
        try:
            found = self._test(context, updated["config"])
        except SmokeTestFailed as error:
            if not updated["previous_config"]:
                raise SmokeTestFailed(
                    f"{error}. There is no configuration before it to go back to: "
                    f"delete endpoint {self.pipeline.endpoint_name} unless it may serve"
                ) from error
            move = {
                "config": updated["previous_config"],
                "model": updated["previous_model"],
                "failed": str(error),
                "from": updated["config"],
                "changed": "",
            }
            self._go_back(context, move)
        self.log.info("%d test rows: the endpoint answers as batch transform did", found["rows"])
        return found

    @fail_for_good("go back to the configuration before")
    def settled(self, context: Context, event: Mapping[str, Any]) -> NoReturn:  # noqa: ARG002 - Airflow's call
        """The endpoint has gone back, or has not: fail either way, saying which."""
        move = self.finish_move(context)
        self.forget(context)
        sentence = f"{move['failed']}. The model before it, {move['model']}, was put back and serves again"
        context["ti"].xcom_push("rolled_back", sentence)
        raise SmokeTestFailed(sentence)

    def _test(self, context: Context, config: str) -> dict[str, Any]:
        from automl_retraining.sagemaker import smoke

        spec, name = self.pipeline.endpoint, self.pipeline.endpoint_name
        found = endpoint.describe(self.sm, name)
        if found is None:
            raise SmokeTestFailed(f"endpoint {name}: expected to send it test rows, found no endpoint of that name")
        self._still(found, config)
        variant = found.champion_variant["VariantName"]
        runtime = self._client("sagemaker-runtime")
        rows = smoke.check_run(self.s3, runtime, self.run_folder(context), name, variant, count=spec.smoke_rows)
        if spec.max_latency_ms is None:
            return {"rows": len(rows)}
        median = smoke.check_latency(runtime, name, variant, rows, limit_ms=spec.max_latency_ms)
        self.log.info("the median latency of one row is %.1f ms", median)
        return {"rows": len(rows), "latency_ms": round(median, 2)}

    def _go_back(self, context: Context, move: dict[str, Any]) -> NoReturn:
        self.log.error("%s", move["failed"])
        self.log.error("going back to configuration %s with model %s", move["config"], move["model"])
        with self.leased(context):
            name = self.pipeline.endpoint_name
            current = endpoint.describe(self.sm, name)
            if current is not None and move["config"] not in (current.config_name, current.pending_config):
                self._still(current, move["from"])
            move = {**move, "changed": current.changed.isoformat() if current else ""}
            context["task_state_store"].set("move", move)
            tags = self.run_tags(context)
            endpoint.put(self.sm, current, endpoint_name=name, config_name=move["config"], tags=tags)
            self.wait(move)
        raise AssertionError("wait defers")

    def _still(self, found: endpoint.Endpoint, config: str) -> None:
        if found.config_name != config:
            raise ChampionChanged(
                f"endpoint {found.name}: expected it to serve configuration {config} as this run left it, found "
                f"{found.config_name}: another run has changed it since; nothing was tested or put back"
            )
